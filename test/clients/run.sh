#!/usr/bin/env bash
# Generates clients from the built server's OpenAPI document and calls it with them: one in Python by openapi-python-client,
# one in TypeScript by openapi-typescript. The generators are installed from PyPI and npm outside of the checkout, once;
# openapi-typescript needs a TypeScript before 7, so it cannot be among the packages of the project.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=test/clients
cache=${XDG_CACHE_HOME:-$HOME/.cache}/resnet-serve/clients
port=${PORT:-18921}
url=http://127.0.0.1:$port
key=generated
mkdir -p "$cache/npm"

[ -x "$cache/python/bin/pip" ] || python3 -m venv "$cache/python"
"$cache/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
if ! cmp --silent "$here/package.json" "$cache/npm/installed.json"; then
  cp "$here/package.json" "$cache/npm/package.json"
  npm install --prefix "$cache/npm" --silent --no-audit --no-fund --no-package-lock
  cp "$here/package.json" "$cache/npm/installed.json"
fi

work=$(mktemp -d)
API_KEYS=$key ENGINE=onnx PRECISION=fp32 ENGINE_THREADS=1 ENGINE_PROCESSES=1 PORT=$port LOG_LEVEL=error \
  node dist/server/main.js &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
curl --silent --fail --retry 60 --retry-delay 1 --retry-connrefused --retry-all-errors --output "$work/ready" "$url/readyz"
curl --silent --fail --output "$work/openapi.json" "$url/openapi.json"

PATH="$cache/python/bin:$PATH" openapi-python-client generate --path "$work/openapi.json" --meta none \
  --output-path "$work/resnet_serve_client" >"$work/generator.log" 2>&1 || { cat "$work/generator.log"; exit 1; }
PYTHONPATH=$work "$cache/python/bin/python" "$here/client.py" "$url" "$key" examples
echo 'The Python client got its answers.'

ln -s "$cache/npm/node_modules" "$work/node_modules"
cp "$here/client.ts" "$here/tsconfig.json" "$here/package.json" "$work"
"$work/node_modules/.bin/openapi-typescript" "$work/openapi.json" --output "$work/api.ts" >"$work/generator.log" 2>&1 ||
  { cat "$work/generator.log"; exit 1; }
"$work/node_modules/.bin/tsc" --project "$work"
node "$work/built/client.js" "$url" "$key" examples
echo 'The TypeScript client got its answers.'

#!/usr/bin/env bash
# The official clients of OpenAI's API, from PyPI and from npm, call the built server: pictures in every form that they know,
# the list of models, and errors, which must be the classes that the clients have for them. They are installed outside of the
# checkout, once.
set -euo pipefail
cd "$(dirname "$0")/../../.."

here=test/clients/openai
cache=${XDG_CACHE_HOME:-$HOME/.cache}/resnet-serve/openai
port=${PORT:-18924}
key=secret
mkdir -p "$cache/npm"

[ -x "$cache/python/bin/pip" ] || python3 -m venv "$cache/python"
"$cache/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
if ! cmp --silent "$here/package.json" "$cache/npm/installed.json"; then
  cp "$here/package.json" "$cache/npm/package.json"
  npm install --prefix "$cache/npm" --silent --no-audit --no-fund --no-package-lock
  cp "$here/package.json" "$cache/npm/installed.json"
fi

work=$(mktemp -d)
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
# serve PORT NAME=VALUE...
serve() {
  env ENGINE=onnx PRECISION=fp32 ENGINE_THREADS=1 ENGINE_PROCESSES=1 LOG_LEVEL=error PORT="$1" "${@:2}" node dist/server/main.js &
  servers+=($!)
}
# status PORT: of a request that says nothing.
status() {
  curl --silent --output /dev/null --write-out '%{http_code}' --request POST "http://127.0.0.1:$1/v1/embeddings" || true
}
# Waits, a minute at most, for PORT to answer with STATUS.
await() {
  for _ in $(seq 600); do
    [ "$(status "$1")" != "$2" ] || return 0
    sleep 0.1
  done
  echo "port $1 did not answer $2" >&2
  return 1
}
serve "$port" API_KEYS=$key
# Short of memory from the start: each refuses everything as overload.
serve $((port + 1)) MAX_RSS_BYTES=1 OVERLOAD_STATUS=429
serve $((port + 2)) MAX_RSS_BYTES=1
curl --silent --fail --retry 60 --retry-delay 1 --retry-all-errors --output /dev/null "http://127.0.0.1:$port/readyz"
await $((port + 1)) 429
curl --silent --fail --retry 60 --retry-delay 1 --retry-all-errors --output /dev/null "http://127.0.0.1:$((port + 2))/readyz"
await $((port + 2)) 503
args=("http://127.0.0.1:$port" "$key" examples "http://127.0.0.1:$((port + 1))/v1" "http://127.0.0.1:$((port + 2))/v1")

"$cache/python/bin/python" "$here/client.py" "${args[@]}"
echo 'The client from PyPI got its answers.'

ln -s "$cache/npm/node_modules" "$work/node_modules"
cp "$here/client.ts" test/clients/tsconfig.json "$here/package.json" "$work"
"$work/node_modules/.bin/tsc" --project "$work"
node "$work/built/client.js" "${args[@]}"
echo 'The client from npm got its answers.'

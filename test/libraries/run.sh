#!/usr/bin/env bash
# Imports what torchvision, timm, transformers and Lightning save, serves it, and compares the server's answers with theirs. Then
# walks through docs/your-model.md. The libraries are installed from PyPI outside of the checkout, once (about 6 GB).
set -euo pipefail
cd "$(dirname "$0")/../.."

here=$PWD/test/libraries
cache=${XDG_CACHE_HOME:-$HOME/.cache}/resnet-serve/libraries
python=$cache/bin/python
port=${PORT:-18931}

if ! cmp --silent "$here/requirements.txt" "$cache/installed.txt"; then
  [ -x "$python" ] || python3 -m venv "$cache"
  "$python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$cache/installed.txt"
fi

work=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; rm -rf "$work"' EXIT
"$python" "$here/checkpoints.py" "$work/saved"

for case in "$work"/saved/*.json; do
  name=$(basename "$case" .json)
  mapfile -t args < <("$python" -c 'import json, sys; case = json.load(open(sys.argv[1])); print(case["file"], *case["options"], sep="\n")' "$case")
  node dist/cli/main.js import "$work/saved/${args[0]}" --name "$name" --repository "$work/models" "${args[@]:1}" >"$work/import.log" ||
    { cat "$work/import.log"; exit 1; }
  sed -n '1,2p' "$work/import.log"
done

MODEL_REPOSITORY=$work/models ENGINE=onnx PRECISION=fp32 ENGINE_PROCESSES=1 PORT=$port LOG_LEVEL=error MAX_BODY_BYTES=33554432 \
  node dist/server/main.js &
server=$!
curl --silent --fail --retry 120 --retry-delay 1 --retry-all-errors --output /dev/null "http://127.0.0.1:$port/readyz"
"$python" "$here/compare.py" "$work/saved" "http://127.0.0.1:$port"
kill "$server"
wait "$server" || true
server=

# The page is followed in a folder that looks like the checkout, and leaves it as it is.
mkdir "$work/walk"
for each in package.json .npmrc scripts src tsconfig.json tsconfig.build.json package-lock.json dist node_modules examples; do
  ln -s "$PWD/$each" "$work/walk/$each"
done
cd "$work/walk"
MODEL_REPOSITORY=$work/walk/models node "$here/walk.mjs" "$here/../../docs/your-model.md" "$python" "$port"

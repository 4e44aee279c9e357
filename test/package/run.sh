#!/usr/bin/env bash
# The package as a user has it: packed, installed in an empty folder from the npm registry alone, without development. It
# serves, classifies and embeds there; what it writes opens in NumPy and in pyarrow (from PyPI, installed once).
set -euo pipefail
cd "$(dirname "$0")/../.."

checkout=$PWD
here=$checkout/test/package
python=${XDG_CACHE_HOME:-$HOME/.cache}/resnet-serve/package/python
port=${PORT:-18931}
url=http://127.0.0.1:$port

[ -x "$python/bin/pip" ] || python3 -m venv "$python"
"$python/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
npm pack --silent --pack-destination "$work" >/dev/null
cd "$work"
ls -l resnet-serve-*.tgz
# As one command. The install script of onnxruntime-node wants to download CUDA from elsewhere: where it cannot, npm leaves the
# package out, and the engine wasm computes.
mkdir alone && (cd alone && npx --yes --package="file:$(echo ../resnet-serve-*.tgz)" resnet-serve embed "$checkout/examples" --out x.jsonl)
# Without scripts onnxruntime is there, since all else comes built.
npm install --silent --no-audit --no-fund --ignore-scripts ./resnet-serve-*.tgz
[ -e node_modules/onnxruntime-node ] || { echo 'onnxruntime is missing'; exit 1; }
[ ! -e node_modules/typescript ] || { echo 'development is installed too'; exit 1; }

ENGINE_PROCESSES=1 PORT=$port LOG_LEVEL=error node_modules/.bin/resnet-serve serve &
server=$!
curl --silent --fail --retry 60 --retry-delay 1 --retry-connrefused --retry-all-errors --output ready "$url/readyz"
npx resnet-serve classify "$checkout/examples" --url "$url" --json >classes.jsonl
npx resnet-serve embed "$checkout/examples" --url "$url" --out served.npy
kill "$server"
wait "$server" || true
server=

for file in x.npy x.parquet x.jsonl; do npx resnet-serve embed "$checkout/examples" --out "$file"; done
"$python/bin/python" "$here/read.py"
echo 'The package serves and embeds, and its files open in NumPy and pyarrow.'

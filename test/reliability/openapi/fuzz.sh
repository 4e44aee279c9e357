#!/usr/bin/env bash
# Fuzzes the built server by its own OpenAPI document, in all phases of schemathesis, which is installed from PyPI into a
# virtual environment of its own. The argument is the number of cases for each operation and kind of data.
#
#     npm run fuzz:openapi            # 10,000 cases and more, some minutes
#     npm run fuzz:openapi -- 50      # a quick look
set -euo pipefail
cd "$(dirname "$0")/../../.."

examples=${1:-5000}
here=test/reliability/openapi
cache=${XDG_CACHE_HOME:-$HOME/.cache}/resnet-serve/schemathesis
port=${PORT:-18920}

[ -x "$cache/bin/pip" ] || python3 -m venv "$cache"
"$cache/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"

repository=$(mktemp -d)
reports=$(mktemp -d)
mkdir "$repository/resnet18-projection"
ln -s "$PWD/test/fixtures/parity/resnet18-projection" "$repository/resnet18-projection/1"
MODEL_REPOSITORY=$repository ENGINE=onnx ENGINE_THREADS=1 PORT=$port LOG_LEVEL=error node dist/server/main.js &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -rf "$repository" "$reports"' EXIT

# The server listens before it serves, and refuses meanwhile.
curl --silent --fail --retry 60 --retry-delay 1 --retry-all-errors --output /dev/null "http://127.0.0.1:$port/readyz"
"$cache/bin/schemathesis" run "http://127.0.0.1:$port/openapi.json" \
  --phases examples,coverage,fuzzing,stateful --max-examples "$examples" --continue-on-failure --no-shrink \
  --seed 1 --report-dir "$reports"

# It must still be there, and well.
curl --silent --fail "http://127.0.0.1:$port/readyz"
echo

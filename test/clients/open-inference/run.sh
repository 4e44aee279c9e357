#!/usr/bin/env bash
# Calls the built server with the clients of Triton and KServe as PyPI has them, installed outside of the checkout, once.
set -euo pipefail
cd "$(dirname "$0")/../../.."

here=test/clients/open-inference
cache=${XDG_CACHE_HOME:-$HOME/.cache}/resnet-serve/open-inference
port=${PORT:-18931}
url=127.0.0.1:$port
grpc_port=${GRPC_PORT:-18932}
key=open-inference

[ -x "$cache/python/bin/pip" ] || { mkdir -p "$cache" && python3 -m venv "$cache/python"; }
if ! cmp --silent "$here/requirements.txt" "$cache/installed.txt"; then
  "$cache/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$cache/installed.txt"
fi

API_KEYS=$key ENGINE=onnx PRECISION=fp32 ENGINE_THREADS=1 ENGINE_PROCESSES=1 PORT=$port GRPC_PORT=$grpc_port LOG_LEVEL=error \
  node dist/server/main.js &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
curl --silent --fail --retry 60 --retry-delay 1 --retry-connrefused --retry-all-errors --output /dev/null "http://$url/readyz"

for client in triton_http kserve_rest; do
  "$cache/python/bin/python" "$here/$client.py" "$url" "$key" examples
  echo "$client got its answers."
done

schema=$(node --eval 'import("./dist/routes/grpc/messages.js").then((it) => console.log(it.OPEN_INFERENCE_PROTO))')
for client in triton_grpc kserve_grpc; do
  "$cache/python/bin/python" "$here/$client.py" "$url" "$key" examples "127.0.0.1:$grpc_port" "$schema"
  echo "$client got its answers."
done

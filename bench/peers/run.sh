#!/usr/bin/env bash
# Measures resnet-serve beside the Python servers. Makes what they need, once, under $PEERS_HOME, outside the repository.
set -euo pipefail
cd "$(dirname "$0")/../.."

export PEERS_HOME="${PEERS_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/resnet-serve-peers}"
python="$PEERS_HOME/venv/bin/python"
made="$PEERS_HOME/made-from"
from=$(cat bench/peers/requirements.txt bench/peers/constraints.txt | sha256sum)

if [ "$(cat "$made" 2>/dev/null)" != "$from" ]; then
  echo "bench: making the Python environment in $PEERS_HOME (about 6 GB: PyPI's torch brings CUDA)" >&2
  mkdir -p "$PEERS_HOME"
  [ -x "$python" ] || "${PYTHON:-python3}" -m venv "$PEERS_HOME/venv"
  "$python" -m pip install --quiet -r bench/peers/requirements.txt -c bench/peers/constraints.txt >&2
  echo "$from" >"$made"
fi
node scripts/build.mjs --if-stale >&2
exec node --import tsx bench/peers/main.ts "$@"

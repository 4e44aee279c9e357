#!/usr/bin/env bash
# Builds the image's target `cpu` and runs it as a cluster would: a user without rights, a root file system that cannot be
# written, its health check, a picture, SIGTERM. Says one line for each thing that holds; the first that does not ends it.
set -euo pipefail
cd "$(dirname "$0")/../.."

IMAGE=resnet-serve:test
PORT=${PORT:-18080}
# What the image may add to its base (MB).
MAX_MB=250
# How long docker stop and Kubernetes wait, at the least, before they kill (s).
MAX_STOP_S=10

holds() { echo "ok: $1"; }
fails() {
  echo "FAILED: $1" >&2
  exit 1
}
works() { command -v "$1" >/dev/null && "$1" info >/dev/null 2>&1; }

if works docker; then source test/image/docker.sh docker
elif works podman; then source test/image/docker.sh podman
elif command -v buildah >/dev/null; then source test/image/buildah.sh
else fails 'none of docker, podman and buildah works here'; fi

build
holds 'it builds'

added=$((($(size "$IMAGE") - $(size "$BASE")) / 1000000))
[ "$added" -le "$MAX_MB" ] || fails "it adds $added MB to its base, more than $MAX_MB"
holds "it adds $added MB to its base"

trap 'remove >/dev/null 2>&1 || true' EXIT
start
for _ in $(seq 60); do
  curl --silent --fail "http://127.0.0.1:$PORT/readyz" >/dev/null && break
  sleep 1
done
[ "$(curl --silent "http://127.0.0.1:$PORT/readyz")" = '{"status":"ready"}' ] || { output; fails 'it is not ready after a minute'; }
holds 'it is ready, with a root file system that cannot be written'

[ "$(owner)" = 10001 ] || fails "it runs as user $(owner)"
holds 'it runs as a user without rights'

health_check || fails "the health check fails while it is ready"
holds 'the health check succeeds'

answer=$(curl --silent --form file=@examples/seven.png "http://127.0.0.1:$PORT/classify?include=top&top_k=1")
[[ $answer == *'"label":"7"'* ]] || fails "it reads $answer"
holds 'it reads a seven'

began=$SECONDS
stop
[ "$code" = 0 ] || { output; fails "it ends with $code at SIGTERM"; }
[ $((SECONDS - began)) -lt "$MAX_STOP_S" ] || fails "it took $((SECONDS - began)) s to stop"
holds 'it ends with 0 in time at SIGTERM'

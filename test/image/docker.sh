# What run.sh asks of an engine, with docker or podman ($1). `stop` leaves the exit code in `code`.
engine=$1
BASE=node:22-bookworm-slim
NAME=resnet-serve-test

build() { "$engine" build --target cpu --tag "$IMAGE" .; }
size() { "$engine" image inspect --format '{{.Size}}' "$1"; }
start() { "$engine" run --detach --name "$NAME" --read-only --publish "127.0.0.1:$PORT:8080" "$IMAGE" >/dev/null; }
owner() { "$engine" exec "$NAME" id -u; }
health_check() {
  for _ in $(seq 30); do
    [ "$("$engine" inspect --format '{{.State.Health.Status}}' "$NAME")" = healthy ] && return
    sleep 1
  done
  return 1
}
stop() {
  "$engine" stop "$NAME" >/dev/null
  code=$("$engine" inspect --format '{{.State.ExitCode}}' "$NAME")
}
output() { "$engine" logs "$NAME" | tail -20; }
remove() { "$engine" rm --force "$NAME"; }

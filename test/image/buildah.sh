# What run.sh asks of an engine (see docker.sh), with buildah alone, as root: steps run in a chroot, and so does the image, since no engine
# is there to run it.
export BUILDAH_ISOLATION=chroot
BASE=node:22-bookworm-slim
OUTPUT=$(mktemp)

build() {
  if ! buildah pull --quiet "$BASE" >/dev/null 2>&1; then
    echo 'no image registry is reachable: the base is a stand-in'
    BASE=$(test/image/base.sh)
  fi
  # npm as this machine has it set up.
  local settings=()
  [ -f ~/.npmrc ] && settings+=(--volume "$HOME/.npmrc:/root/.npmrc:ro")
  [ -f /etc/npmrc ] && settings+=(--volume /etc/npmrc:/usr/local/etc/npmrc:ro)
  # In Docker's format, since OCI's has no health check.
  buildah build --format docker --layers "${settings[@]}" --build-arg "NODE_IMAGE=$BASE" --target cpu --tag "$IMAGE" .
}

# buildah prints sizes for people ("394 MB").
size() {
  buildah images --json "$1" | node -p '
    const [number, unit] = JSON.parse(require("fs").readFileSync(0, "utf8"))[0].size.split(" ")
    number * { MB: 1e6, GB: 1e9 }[unit]'
}

# What the image says of itself, a line each: config '.Env.join("\n")'.
config() {
  buildah inspect --type image "$IMAGE" | node -p "JSON.parse(require('fs').readFileSync(0, 'utf8')).Docker.config$1"
}

# Runs a command in the image's file system, with its user, folder and environment and nothing else of this machine.
in_image() {
  mapfile -t environment < <(config '.Env.join("\n")')
  exec chroot --userspec="$(config .User)" "$root" \
    env --ignore-environment --chdir="$(config .WorkingDir)" "${environment[@]}" "PORT=$PORT" "$@"
}

# In process and mount namespaces of its own: the server is process 1, and nothing can be written. /dev is this machine's.
start() {
  container=$(buildah from "$IMAGE")
  root=$(buildah mount "$container")
  mapfile -t command < <(config '.Entrypoint.join("\n")' && config '.Cmd.join("\n")')
  export IMAGE PORT root
  export -f config in_image
  unshare --mount --pid --fork --kill-child bash -c '
    mount --bind "$root" "$root" && mount -o remount,bind,ro "$root" &&
      mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && in_image "$@"' - "${command[@]}" >"$OUTPUT" 2>&1 &
  unshare=$!
}
owner() { ps -o uid= -p "$(server)" | tr -d ' '; }
server() { pgrep --parent "$unshare"; }
health_check() (
  mapfile -t command < <(config '.Healthcheck.Test.slice(1).join("\n")')
  in_image "${command[@]}"
)
stop() {
  kill -TERM "$(server)"
  code=0
  wait "$unshare" || code=$?
}
output() { tail -20 "$OUTPUT"; }
remove() {
  kill -KILL "$unshare"
  buildah rm "$container"
  rm -f "$OUTPUT"
}

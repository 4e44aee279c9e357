#!/usr/bin/env bash
# base.sh: a stand-in for the base image, for machines that reach no image registry: Debian by debootstrap, with this machine's
# Node and npm. Prints its name. It is kept as an image and as a tarball, one for each version of Node.
set -euo pipefail
name=localhost/resnet-serve-base:$(node --version)
[ -n "$(buildah images --quiet "$name" 2>/dev/null)" ] && echo "$name" && exit
cache=${XDG_CACHE_HOME:-$HOME/.cache}/resnet-serve/image
node=$(node -p process.execPath)
tarball=$cache/base-$(node --version).tar
mkdir -p "$cache"

if [ ! -f "$tarball" ]; then
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  # Debian's packages from wherever this machine has them.
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -1)
  debootstrap --variant=minbase --include=ca-certificates,libstdc++6 bookworm "$root" "$mirror" >"$cache/debootstrap.log"
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*
  install -D "$node" "$root/usr/local/bin/node"
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -a "$(npm root --global)/npm" "$root/usr/local/lib/node_modules/"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  # The certificates that this machine trusts.
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  tar -C "$root" -cf "$tarball.part" . && mv "$tarball.part" "$tarball"
fi

base=$(buildah from scratch)
buildah add --quiet "$base" "$tarball" / >/dev/null
buildah commit --quiet "$base" "$name" >/dev/null
buildah rm "$base" >/dev/null
echo "$name"

#!/bin/bash
# Unpacks the source archive elsewhere and builds it without a network. Needs root, or user namespaces.
# Usage: dist.sh ARCHIVE
set -euo pipefail
archive=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -x -C "$work" -f "$archive"
cd "$work"/*/
test -s share/man/man1/swarmlet.1
test -s share/bash-completion/completions/swarmlet
# A home without crates, so that only those of the archive can be used.
CARGO_HOME="$work/home" CARGO_TARGET_DIR="$work/target" unshare -n cargo build --quiet --offline --locked
"$work/target/debug/swarmlet" --version
echo "check-packages: the source archive builds without a network"

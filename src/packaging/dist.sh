#!/bin/sh
# Packs the last commit, its crates, man pages and completions into an archive that builds without a network.
# Usage: dist.sh RESULT NAME SHARE. All times in it are that of the last commit (SOURCE_DATE_EPOCH).
set -eu
result=$1 name=$2 share=$3
: "${SOURCE_DATE_EPOCH:?is the time of the last commit}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022

git archive --prefix="$name/" HEAD >"$work/sources.tar"
tar -x -C "$work" -f "$work/sources.tar"
cp -R "$share" "$work/$name/share"
(
    cd "$work/$name"
    mkdir .cargo
    "${CARGO:-cargo}" vendor --quiet --locked vendor
    cat >.cargo/config.toml <<'END'
[source.crates-io]
replace-with = "vendored-sources"

[source.vendored-sources]
directory = "vendor"
END
)
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=ustar \
    -C "$work" -c "$name" | xz -6 -T 1 >"$result"
stat -c 'dist: %n has %s bytes' "$result"

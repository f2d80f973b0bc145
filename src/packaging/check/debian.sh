# shellcheck shell=bash
# What deb.sh and systemd.sh need: a copy of a fresh Debian in $work/debian with the package as /root/swarmlet.deb.
# CACHE=DIR keeps the Debian for the next run.
set -euo pipefail
package=$(realpath "$1")
work=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap finish EXIT
fail() { echo "check-packages: $*" >&2; exit 1; }
wait_for() { # seconds, command...: until it succeeds
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || fail "waited in vain: $*"
        sleep 0.2
    done
}

suite=bookworm
base=${CACHE:-$work}/$suite
[ -e "$base/usr/bin/dpkg" ] || debootstrap --variant=minbase --include=adduser,systemd,systemd-sysv "$suite" "$base"
cp -a "$base" "$work/debian"
cp "$package" "$work/debian/root/swarmlet.deb"
head -c 3000000 /dev/urandom >"$work/debian/root/seeded.bin"

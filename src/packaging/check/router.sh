#!/bin/bash
# Runs the init script for OpenWrt with OpenWrt's own procd, functions and jail: install, start, reload, crash, stop, and
# what others put in /tmp. Needs root. Usage: router.sh ROOT PROGRAM, where ROOT is a folder with OpenWrt's root file
# system, for this machine's processor, with the package procd-ujail, and PROGRAM is swarmlet for it (`make static`).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
cp -a "$1" "$root"
install -D -m 755 "$2" "$root/usr/bin/swarmlet"
files=$here/../openwrt/files
install -D -m 755 "$files/swarmlet.init" "$root/etc/init.d/swarmlet"
install -D -m 600 "$files/swarmlet.config" "$root/etc/config/swarmlet"
# What its package manager would write.
mkdir -p "$root/lib/apk/packages" "$root/usr/lib/opkg/info"
printf '/etc/config/swarmlet\n/etc/init.d/swarmlet\n/usr/bin/swarmlet\n' |
    tee "$root/lib/apk/packages/swarmlet.list" >"$root/usr/lib/opkg/info/swarmlet.list"
echo swarmlet:swarmlet >"$root/lib/apk/packages/swarmlet.rusers"
install -m 644 "$here/router-steps.sh" "$root/steps.sh"

# The variables of the inner shell. It becomes the first process of the router.
# shellcheck disable=SC2016
timeout 120 unshare --mount --pid --net --ipc --uts --fork --kill-child bash -euc '
    mount --make-rprivate /
    mount --bind "$1" "$1"
    cd "$1"
    mount -t proc proc proc
    mount -t sysfs -o ro sys sys
    mount -t tmpfs -o mode=1777 tmpfs tmp
    mkdir -p tmp/run/ubus tmp/lock tmp/state tmp/etc
    mount -t tmpfs -o mode=755 tmpfs dev
    for name in null zero full random urandom tty; do
        touch "dev/$name"
        mount --bind "/dev/$name" "dev/$name"
    done
    ip link set lo up
    pivot_root . mnt
    cd /
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /bin/sh -c "umount -l /mnt; . /steps.sh"
' bash "$root"
echo "check-packages: OpenWrt runs the service, reloads it, starts it again, and refuses folders of others"

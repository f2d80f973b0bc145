#!/bin/bash
# Installs the Debian package in a fresh Debian where systemd does not run, downloads with it as its user, and removes
# and purges it. Needs root, debootstrap, lintian, python3 and Debian's archive. Usage: deb.sh PACKAGE
# shellcheck source=src/packaging/check/debian.sh
. "$(dirname "$0")/debian.sh"

lintian --fail-on error "$package"

in_debian() { chroot "$work/debian" "$@"; }

in_debian dpkg -i /root/swarmlet.deb
[ "$(in_debian stat -c %U:%G:%a /etc/swarmlet/daemon.conf)" = root:swarmlet:640 ] || fail "the rights of daemon.conf"
[ "$(in_debian stat -c %U /var/lib/swarmlet/downloads)" = swarmlet ] || fail "the owner of the downloads"
in_debian test -L /etc/systemd/system/multi-user.target.wants/swarmlet.service || fail "the service is not enabled"
in_debian swarmlet --version
[ "$(in_debian dpkg -V swarmlet | grep -v daemon.conf)" = "" ] || fail "files differ from what the package has"

# A tracker and a seed beside it, and the daemon as its user, with the service's command line. There is no systemd.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port) rpc=$(free_port)
sed -i "s/^rpc-port = .*/rpc-port = $rpc/" "$work/debian/etc/swarmlet/daemon.conf"
in_debian swarmlet make /root/seeded.bin "http://127.0.0.1:$port/announce" -o /root/seeded.torrent
alone="--no-dht --no-lsd --no-port-mapping --bind 127.0.0.1"
in_debian swarmlet track --port "$port" >"$work/track.log" 2>&1 &
pids+=($!)
# shellcheck disable=SC2086 # These are several options.
in_debian swarmlet seed $alone --dir /root /root/seeded.torrent >"$work/seed.log" 2>&1 &
pids+=($!)
command=$(sed -n 's/^ExecStart=//p' "$work/debian/lib/systemd/system/swarmlet.service")
# shellcheck disable=SC2086 # So are these.
chroot --userspec=swarmlet:swarmlet "$work/debian" $command $alone --port 0 >"$work/daemon.log" 2>&1 &
daemon=$!
pids+=("$daemon")
remote() { in_debian swarmlet remote "$@" --url "127.0.0.1:$rpc"; }
wait_for 20 remote list >/dev/null 2>&1
remote add /root/seeded.torrent
wait_for 60 cmp -s "$work/debian/root/seeded.bin" "$work/debian/var/lib/swarmlet/downloads/seeded.bin"
remote list
kill -HUP "$daemon"
remote list >/dev/null || fail "it does not answer after a reload"
kill "$daemon"
wait "$daemon" || fail "the daemon ended with $?"

in_debian dpkg -i /root/swarmlet.deb >/dev/null # an upgrade
in_debian dpkg -r swarmlet
[ ! -e "$work/debian/usr/bin/swarmlet" ] || fail "the program is still there"
[ -e "$work/debian/etc/swarmlet/daemon.conf" ] || fail "remove took the configuration"
[ -d "$work/debian/var/lib/swarmlet/daemon" ] || fail "remove took the state"
in_debian dpkg -P swarmlet
[ ! -e "$work/debian/etc/swarmlet" ] || fail "purge left the configuration"
[ ! -e "$work/debian/var/lib/swarmlet/daemon" ] || fail "purge left the state"
cmp "$work/debian/root/seeded.bin" "$work/debian/var/lib/swarmlet/downloads/seeded.bin" || fail "purge took a download"
echo "check-packages: the Debian package installs, downloads, and is removed without a download being lost"

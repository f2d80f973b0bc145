#!/bin/bash
# Boots a fresh Debian with its systemd in namespaces of its own, and tries the service there: install, rights, download,
# reload, restart, upgrade, remove, purge. Needs root, debootstrap, and cgroups that it may write. Usage: systemd.sh PACKAGE
# shellcheck disable=SC2016 source=src/packaging/check/debian.sh
. "$(dirname "$0")/debian.sh"
root=$work/debian

# Its processes get groups below ours. The machine has one tree of groups (version 2), or one for each resource.
groups=()
kinds=()
while IFS=: read -r number kind path; do
    case "$number:$kind" in
    0:) top=/sys/fs/cgroup && [ -e "$top/cgroup.procs" ] || top=/sys/fs/cgroup/unified ;;
    *:name=systemd) top=/sys/fs/cgroup/systemd ;;
    *:memory | *:pids) top=/sys/fs/cgroup/$kind ;;
    *) continue ;;
    esac
    # A group with processes gives no limits to those below it, in version 2.
    [ "$top" != /sys/fs/cgroup ] || path=/
    groups+=("$top${path%/}/swarmlet-check-$$")
    kinds+=("${kind:-2}:$top")
done </proc/self/cgroup
end_groups() {
    for group in "${groups[@]}"; do find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true; done
}
trap 'finish; end_groups' EXIT
mkdir "${groups[@]}"

# The inner shell becomes systemd.
(
    for group in "${groups[@]}"; do echo "$BASHPID" >"$group/cgroup.procs"; done
    exec unshare --mount --pid --net --ipc --uts --cgroup --fork --kill-child bash -euc '
        mount --make-rprivate /
        mount --bind "$1" "$1"
        cd "$1"
        shift
        mount -t proc proc proc
        mount --bind proc/sys proc/sys
        mount -o remount,bind,ro proc/sys
        mount -t sysfs -o ro sys sys
        mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
        for kind; do
            mkdir -p ".${kind#*:}"
            case "$kind" in
            2:*) mount -t cgroup2 cgroup ".${kind#*:}" ;;
            name=*) mount -t cgroup -o "none,${kind%%:*}" cgroup ".${kind#*:}" ;;
            *) mount -t cgroup -o "${kind%%:*}" cgroup ".${kind#*:}" ;;
            esac
        done
        mount -t tmpfs -o mode=755 tmpfs dev
        for name in null zero full random urandom tty; do
            touch "dev/$name"
            mount --bind "/dev/$name" "dev/$name"
        done
        mkdir dev/pts dev/shm
        mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
        ln -s pts/ptmx dev/ptmx
        mount -t tmpfs -o mode=1777 tmpfs dev/shm
        mount -t tmpfs -o mode=755 tmpfs run
        ip link set lo up
        mkdir run/old
        pivot_root . run/old
        umount -l /run/old
        exec env -i container=check PATH=/usr/sbin:/usr/bin:/sbin:/bin \
            setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-syslog,-mknod \
            /lib/systemd/systemd --system --log-target=console --show-status=no
    ' bash "$root" "${kinds[@]}"
) >"$work/systemd.log" 2>&1 </dev/null &
unshare=$!
# It is the first process of its namespace, which ends with it.
first() { cat "/proc/$unshare/task/$unshare/children" 2>/dev/null; }
wait_for 10 eval '[ -n "$(first)" ]'
booted=$(first)
booted=${booted% }
pids+=("$booted")
trap 'kill -KILL "$booted" 2>/dev/null || true; finish; end_groups' EXIT
inside() {
    nsenter --target "$booted" --mount --pid --net --ipc --uts --cgroup --root \
        env -i --chdir=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
show() { inside systemctl show --value --property "$1" swarmlet; }
remote() { inside swarmlet remote "$@"; }
answers() { remote list >/dev/null 2>&1; }
has_state() { [ "$(inside systemctl is-active swarmlet)" = "$1" ]; }

# A failure shows what the service said.
fail() {
    inside systemctl --no-pager status swarmlet >&2 || true
    inside journalctl --no-pager -u swarmlet -n 20 >&2 || true
    echo "check-packages: $*" >&2
    exit 1
}

wait_for 60 eval 'inside systemctl is-system-running >/dev/null 2>&1'
inside dpkg -i /root/swarmlet.deb
wait_for 20 answers
has_state active || fail "the service is not active"
inside systemctl --no-pager status swarmlet
said=$(inside systemd-analyze verify --man=no /lib/systemd/system/swarmlet.service 2>&1) || true
[ -z "$said" ] || fail "systemd-analyze verify: $said"
# Of 100, where 100 is no protection at all.
inside systemd-analyze security --no-pager --threshold=15 swarmlet | tail -n 1

pid=$(show MainPID)
[ "$(inside cat "/proc/$pid/status" | sed -n 's/^Uid:\t\([0-9]*\).*/\1/p')" = "$(inside id -u swarmlet)" ] ||
    fail "it is not its own user"
inside grep -q '^CapEff:[[:space:]]*0*$' "/proc/$pid/status" || fail "it has privileges"
[ "$(show MemoryMax)" = 536870912 ] || fail "its limit of memory"
[ "$(cat "${groups[@]/%//system.slice/swarmlet.service/memory.limit_in_bytes}" \
    "${groups[@]/%//system.slice/swarmlet.service/memory.max}" 2>/dev/null)" = 536870912 ] ||
    fail "the kernel does not limit its memory"
as_service() { inside nsenter --target "$pid" --mount "$@"; }
! as_service touch /usr/file /etc/file /var/lib/file 2>/dev/null || fail "the system is not read-only for it"
as_service touch /var/lib/swarmlet/file
as_service rm /var/lib/swarmlet/file
[ "$(inside stat -c %a /var/lib/swarmlet/daemon)" = 700 ] || fail "others may read its state"

alone="--no-dht --no-lsd --no-port-mapping --bind 127.0.0.1"
inside swarmlet make /root/seeded.bin http://127.0.0.1:6969/announce -o /root/seeded.torrent
inside swarmlet track --port 6969 >"$work/track.log" 2>&1 &
# shellcheck disable=SC2086 # These are several options.
inside swarmlet seed $alone --dir /root /root/seeded.torrent >"$work/seed.log" 2>&1 &
remote add /root/seeded.torrent
wait_for 60 cmp -s "$root/root/seeded.bin" "$root/var/lib/swarmlet/downloads/seeded.bin"

sed -i 's/^#speed-limit-up = .*/speed-limit-up = 77/' "$root/etc/swarmlet/daemon.conf"
inside systemctl reload swarmlet
answers || fail "it does not answer after a reload"
[ "$(show MainPID)" = "$pid" ] || fail "a reload started it again"
inside sh -c "kill -KILL $pid"
wait_for 30 eval '[ "$(show MainPID)" != "$pid" ] && answers'
inside systemctl restart swarmlet
wait_for 20 answers
remote list | grep -q seeded || fail "a restart lost the torrent"

inside dpkg -i /root/swarmlet.deb # an upgrade
wait_for 20 answers
remote list | grep -q seeded || fail "an upgrade lost the torrent"
grep -q '^speed-limit-up = 77$' "$root/etc/swarmlet/daemon.conf" || fail "an upgrade lost the configuration"

echo nonsense >>"$root/etc/swarmlet/daemon.conf"
inside systemctl restart swarmlet || true
wait_for 20 has_state failed
[ "$(show NRestarts)" = 0 ] || fail "it starts again and again with a wrong configuration"
inside journalctl --no-pager -u swarmlet | grep -q "daemon.conf: line" || fail "the journal does not say what is wrong"
sed -i '$d' "$root/etc/swarmlet/daemon.conf"
inside systemctl start swarmlet
wait_for 20 answers

inside dpkg -r swarmlet
has_state inactive || fail "it runs after it was removed"
inside dpkg -P swarmlet
[ ! -e "$root/etc/swarmlet" ] || fail "purge left the configuration"
[ ! -e "$root/var/lib/swarmlet/daemon" ] || fail "purge left the state"
cmp "$root/root/seeded.bin" "$root/var/lib/swarmlet/downloads/seeded.bin" || fail "purge took a download"
echo "check-packages: systemd runs the service with few rights, keeps it running, and ends it"

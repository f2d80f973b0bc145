# shellcheck shell=sh disable=SC2012,SC3043
# The steps of router.sh, inside OpenWrt. Its shell has local, and no stat.

fail() { echo "check-packages: $*" >&2; kill -9 -1; exit 1; }
wait_for() { # command...: until it succeeds, for 20 seconds
	local left=20
	until "$@"; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || fail "waited in vain: $*"
		sleep 1
	done
}
daemon() { ps | awk '$2 == "swarmlet" { print $1 }'; }
gone() { [ -z "$(daemon)" ]; }
new_daemon() { [ -n "$(daemon)" ] && [ "$(daemon)" != "$old" ]; }
answers() { swarmlet remote list >/dev/null 2>&1; }
set_option() { uci set "swarmlet.@swarmlet[0].$1=$2" && uci commit swarmlet; }
setting() { # what programs see
	local request='{"method":"session-get"}' id
	id=$(ask "$request" X-None: 0 | sed -n 's/^X-Transmission-Session-Id: \([A-Za-z0-9]*\).*/\1/p' | head -n 1)
	ask "$request" X-Transmission-Session-Id: "$id" | grep -o "\"$1\": *[^,}]*"
}
ask() { # body, name and value of a header
	printf 'POST /transmission/rpc HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s %s\r\nContent-Length: %s\r\n\r\n%s' \
		"$2" "$3" "${#1}" "$1" | nc 127.0.0.1 9091
}
has_setting() { [ "$(setting "$1" | tr -d ' ')" = "\"$1\":$2" ]; }

: >/tmp/resolv.conf
ubusd &
wait_for test -S /var/run/ubus/ubus.sock
procd -S &
wait_for eval 'ubus list service >/dev/null 2>&1'

# shellcheck source=/dev/null
. /lib/functions.sh
root='' pkgname=swarmlet add_group_and_user swarmlet
default_postinst swarmlet || fail "postinst ended with $?"
[ -e /etc/rc.d/S99swarmlet ] || fail "it does not start with the router"
gone || fail "it runs, and is not enabled"

set_option enabled 1
/etc/init.d/swarmlet start
wait_for answers
old=$(daemon)
said=$(ubus call service list '{"name":"swarmlet","verbose":true}' | tr -d ' \t\n')
for part in '"/usr/bin/swarmlet","daemon","--config","/var/run/swarmlet/' '"--state","/tmp/swarmlet/state"]' \
	'"user":"swarmlet"' '"no_new_privs":true' '"reload_signal":1' '"term_timeout":30' '"core":"00"' '"data":"' \
	'"respawn":{"threshold":3600,"timeout":5,"retry":5}' '"jail":{"name":"swarmlet"' '"/tmp/swarmlet/done":"1"'; do
	case "$said" in *"$part"*) ;; *) fail "procd was not told $part: $said" ;; esac
done
grep -q '^NoNewPrivs:[[:space:]]*1$' "/proc/$old/status" || fail "it may gain privileges"
[ "$(awk '{ print $19 }' "/proc/$old/stat")" = 10 ] || fail "its priority"
[ ! -e "/proc/$old/root/sbin" ] || fail "it is not in a jail"
[ "$(ls -ld /tmp/swarmlet/state | cut -c 1-10)" = drwx------ ] || fail "others may read its state"

set_option speed_limit_up 77
/etc/init.d/swarmlet reload
wait_for has_setting speed-limit-up 77
[ "$(daemon)" = "$old" ] || fail "a reload ended it"

kill -9 "$old"
wait_for new_daemon
wait_for answers
/etc/init.d/swarmlet stop
wait_for gone

# What another user of the router could put into /tmp.
rm -r /tmp/swarmlet
mkdir /tmp/swarmlet
chown nobody /tmp/swarmlet
! /etc/init.d/swarmlet start 2>&1 | grep -q config_dir && fail "it takes a folder of another user"
[ ! -e /tmp/swarmlet/state ] || fail "it makes a folder in one of another user"
rm -r /tmp/swarmlet
mkdir /tmp/swarmlet /tmp/elsewhere
ln -s /tmp/elsewhere /tmp/swarmlet/state
! /etc/init.d/swarmlet start 2>&1 | grep -q config_dir && fail "it takes a link"
gone || fail "it runs with a state of others"

# It is on a disk, whose folders have spaces: there is no jail for them.
mkdir /tmp/disk
set_option config_dir /tmp/disk/state
set_option download_dir '/tmp/disk/my files'
/etc/init.d/swarmlet start
wait_for answers
[ -e "/proc/$(daemon)/root/sbin" ] || fail "it is in a jail, where it does not see its folder"
[ -d '/tmp/disk/my files' ] || fail "the folder for content is missing"
/etc/init.d/swarmlet stop
wait_for gone

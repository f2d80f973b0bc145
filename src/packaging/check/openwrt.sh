#!/bin/bash
# Runs the init script for OpenWrt with stand-ins for what OpenWrt has: functions that read /etc/config, as
# /lib/functions.sh does, and procd's, which only say how they are called.
# Usage: openwrt.sh INIT CONFIG RUN [OPTION=VALUE]..., where the options come before those of CONFIG.
# shellcheck disable=SC2034,SC2317 # The init script calls these functions and uses these variables.
set -eu
init=$1 config=$2
export SWARMLET_RUN=$3
shift 3

declare -A options=()
config_load() {
    local kind name value pair
    while read -r kind name value; do
        [ "$kind" != option ] || { value=${value#\'} && options[$name]=${value%\'}; }
    done <"$config"
    for pair in "${given[@]}"; do options[${pair%%=*}]=${pair#*=}; done
}
config_get() { printf -v "$1" %s "${options[$3]:-${4:-}}"; }
config_get_bool() {
    case "${options[$3]:-${4:-0}}" in
    1 | on | true | yes | enabled) printf -v "$1" 1 ;;
    *) printf -v "$1" 0 ;;
    esac
}
config_foreach() { "$1" main || true; }
for name in open_instance set_param append_param close_instance add_reload_trigger add_restart_mount_trigger \
    add_jail add_jail_mount add_jail_mount_rw; do
    eval "procd_$name() { echo \"$name \$*\"; }"
done
logger() { :; }
# There is no user of the service, so its folders belong to the one that runs this.
chown() { :; }
id() { command id -u; }

given=("$@")
# shellcheck source=/dev/null
. "$init"
start_service
service_triggers

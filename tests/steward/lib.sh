# SPDX-License-Identifier: Apache-2.0
# What the scripts of this folder share: those of tests/cloud/lib.sh, and a running cradle-steward.
. "$(dirname "$0")/../cloud/lib.sh"

steward_pid=""

stop_steward() { # stop_steward SIGNAL; leaves its exit code in steward_code
    steward_code=0
    if [ -n "$steward_pid" ]; then
        kill "$1" "$steward_pid" 2>/dev/null || true
        wait "$steward_pid" 2>/dev/null || steward_code=$?
        steward_pid=""
    fi
}

device_pid=""
finished=yes # "no": a script that does not reach its end shows the logs

finish() {
    if [ -n "$device_pid" ]; then kill "$device_pid" 2>/dev/null || true; fi
    stop_steward -TERM
    stop_cloud -TERM
    if [ $finished = no ] || [ $failed -ne 0 ]; then
        tail -n 30 "$work"/*.log
    fi
    rm -rf "$work"
}

steward_options="" # of every start

# start_steward [options]: on a free port the first time, on the same one afterwards.
start_steward() {
    rm -f "$site/run/steward.json"
    "$BIN/cradle-steward" -C "$site" --listen "127.0.0.1:${steward_port:-0}" $steward_options "$@" \
        2>>"$work/steward.log" &
    steward_pid=$!
    i=0
    while [ ! -s "$site/run/steward.json" ]; do
        i=$((i + 1))
        if [ $i -gt 200 ] || ! kill -0 "$steward_pid" 2>/dev/null; then
            cat "$work/steward.log" >&2
            echo "cradle-steward did not start" >&2
            exit 1
        fi
        sleep 0.05
    done
    steward_port=$(sed -n 's/.*"https":"[^"]*:\([0-9]*\)".*/\1/p' "$site/run/steward.json")
}

# steward PATH [curl options]: over HTTPS, the certificate checked.
steward() {
    path=$1
    shift
    curl -sS --cacert "$site/ca/server-root.crt" "$@" "https://127.0.0.1:$steward_port$path"
}

# code PATH [curl options]
code() {
    steward "$@" -o /dev/null -w '%{http_code}'
}

is() { # is WHAT WANTED GOT
    if [ "$2" = "$3" ]; then ok "$1"; else bad "$1: $3 instead of $2"; fi
}

# refuses WHAT CODE TEXT COMMAND...: it ends with that code and says that text
refuses() {
    what=$1
    want=$2
    text=$3
    shift 3
    got=0
    "$@" >"$work/said" 2>&1 || got=$?
    if [ "$got" != "$want" ]; then
        bad "$what: exit code $got instead of $want: $(cat "$work/said")"
    elif grep -q -- "$text" "$work/said"; then
        ok "$what"
    else
        bad "$what: it says $(cat "$work/said")"
    fi
}

# ---- with devices and phones ----

# until_true SECONDS COMMAND...
until_true() {
    left=$(($1 * 20))
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        if [ $left -le 0 ]; then return 1; fi
        sleep 0.05
    done
}

unit() { # unit MEMBER
    $cradle steward units --json | sed -n '/"sn":"SN-000001"/p' | member "$1"
}

# provision ACCOUNT: the phone's outcome, JSON
provision() {
    printf 'correct-horse\n' | $cradle phone provision --ssid Home --passphrase-file - \
        --account "$1" --json 2>>phone.log || true
}

# waits [N]: the device waits for a phone, for at least the Nth time.
waits() {
    [ "$(grep -c 'waiting for a phone' device.log)" -ge "${1:-1}" ] && ls "$site"/air/ESP-PROV-*.json
}

telemetry() { rest GET "/api/plugins/telemetry/DEVICE/$1/keys/timeseries"; }
has_telemetry() { telemetry "$1" | grep -q uptime; }

# start_life COUNT: a site with so many units, cloud and steward that know each other (ports are free
# ones), a network to join, the accounts alice and bob with a phone each.
start_life() {
    finished=no
    cradle="$BIN/cradle -C $site"
    $cradle init --steward steward.cradle.test:8443 >/dev/null
    $cradle factory run --count "$1" >/dev/null
    $cradle factory pack >/dev/null
    start_cloud
    start_steward
    stop_cloud -TERM
    start_cloud --steward-url "https://127.0.0.1:$steward_port"
    $cradle thingsboard setup >/dev/null
    $cradle steward import >/dev/null
    sed -e "s/127.0.0.1:8883/127.0.0.1:$mqtts_port/; s/127.0.0.1:8443/127.0.0.1:$steward_port/" \
        "$site/air/networks.json" >networks.json
    mv networks.json "$site/air/networks.json"
    for name in alice bob; do
        printf 'the password of %s\n' $name >password
        $cradle steward account add $name --password-file password >/dev/null
        $cradle phone login $name --password-file password >/dev/null
    done
    login
}

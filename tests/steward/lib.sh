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

finish() {
    stop_steward -TERM
    stop_cloud -TERM
    rm -rf "$work"
}

# start_steward [options]: on a free port the first time, on the same one afterwards.
start_steward() {
    rm -f "$site/run/steward.json"
    "$BIN/cradle-steward" -C "$site" --listen "127.0.0.1:${steward_port:-0}" "$@" \
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

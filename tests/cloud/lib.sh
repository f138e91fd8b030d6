# SPDX-License-Identifier: Apache-2.0
# What the black-box scripts of this folder share: a temporary site with a running cradle-cloud.
# Sourced with BIN set to the folder of the programs. Everything started here ends with the script.
set -eu

work=$(mktemp -d)
site=$work/site
cloud_pid=""
failed=0

stop_cloud() {
    if [ -n "$cloud_pid" ]; then
        kill "$1" "$cloud_pid" 2>/dev/null || true
        wait "$cloud_pid" 2>/dev/null || true
        cloud_pid=""
    fi
}

finish() {
    stop_cloud -TERM
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# start_cloud [options]: on free ports the first time, on the same ones afterwards.
start_cloud() {
    rm -f "$site/run/cloud.json"
    "$BIN/cradle-cloud" -C "$site" --listen "127.0.0.1:${mqtts_port:-0}" \
        --http-listen "127.0.0.1:${https_port:-0}" "$@" 2>>"$work/cloud.log" &
    cloud_pid=$!
    i=0
    while [ ! -s "$site/run/cloud.json" ]; do
        i=$((i + 1))
        if [ $i -gt 200 ] || ! kill -0 "$cloud_pid" 2>/dev/null; then
            cat "$work/cloud.log" >&2
            echo "cradle-cloud did not start" >&2
            exit 1
        fi
        sleep 0.05
    done
    mqtts_port=$(sed -n 's/.*"mqtts":"[^"]*:\([0-9]*\)".*/\1/p' "$site/run/cloud.json")
    https_port=$(sed -n 's/.*"https":"[^"]*:\([0-9]*\)".*/\1/p' "$site/run/cloud.json")
}

# member NAME: the value of a text member of the JSON on standard input (flat enough for sed).
member() {
    sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1
}

login() {
    token=$(curl -sS --cacert "$site/ca/server-root.crt" -H 'Content-Type: application/json' \
        -d @"$site/cloud/admin.json" "https://127.0.0.1:$https_port/api/auth/login" | member token)
    [ -n "$token" ]
}

# rest METHOD PATH [curl options]
rest() {
    method=$1
    path=$2
    shift 2
    curl -sS --cacert "$site/ca/server-root.crt" -H "X-Authorization: Bearer $token" \
        -X "$method" "$@" "https://127.0.0.1:$https_port$path"
}

device_id() {
    rest GET "/api/tenant/devices?deviceName=$1" | sed -n 's/^{"id":{"entityType":"DEVICE","id":"\([^"]*\)".*/\1/p'
}

# The whole store as text: to compare before and after. The activity that time brings is left out.
dump() {
    sqlite3 "$site/cloud/cloud.db" \
        "SELECT hex(id), name, label, version FROM device; SELECT hex(id), device, credentials_id, version FROM credentials;"
}

ok() {
    echo "ok   $1"
}

bad() {
    echo "FAIL $1"
    failed=1
}

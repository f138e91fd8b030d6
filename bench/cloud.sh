#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The cloud rows of DESIGN section 9: cradle-cloud against Mosquitto, same machine, same
# certificates, same load, one after the other, twice; the better run of each counts, as a busy
# machine makes both slower and neither quicker.
#
#     bench/cloud.sh [--json] [BIN]        BIN: folder of the programs (default build/gcc/bin)
#     DEVICES=600 MESSAGES=100 bench/cloud.sh
set -euo pipefail
cd "$(dirname "$0")/.."
json=
[ "${1:-}" = --json ] && { json=1; shift; }
bin=$(realpath "${1:-build/gcc/bin}")
DEVICES=${DEVICES:-600}
MESSAGES=${MESSAGES:-60}
dir=$(mktemp -d)
pids=
finish() { for p in $pids; do kill "$p" 2>/dev/null || true; done; wait 2>/dev/null; rm -rf "$dir"; }
trap finish EXIT
ulimit -n 8192
mosquitto=$(command -v mosquitto || echo /usr/sbin/mosquitto)
[ -x "$mosquitto" ] || { echo "Mosquitto is not there; scripts/setup bench installs it" >&2; exit 1; }

site=$dir/site
"$bin/cradle" -C "$site" init >/dev/null
"$bin/cradle" -C "$site" factory run --count "$DEVICES" >/dev/null

wait_file() { for _ in $(seq 200); do [ -s "$1" ] && return; sleep 0.05; done; echo "no $1" >&2; exit 1; }
load() { "$bin/bench_load" --site "$site" --server "$1" --pid "$2" --devices "$DEVICES" --messages "$MESSAGES"; }
end() { kill "$1"; wait "$1" 2>/dev/null || true; }

cloud() { # <out>: a new store each time, so that every connect makes a device
    rm -rf "$site"/cloud/cloud.db* "$site/run/cloud.json"
    "$bin/cradle-cloud" -C "$site" --listen 127.0.0.1:0 --http-listen 127.0.0.1:0 2>"$dir/cloud.log" &
    local pid=$!
    pids="$pids $pid"
    wait_file "$site/run/cloud.json"
    load "$(sed -n 's/.*"mqtts":"\([^"]*\)".*/\1/p' "$site/run/cloud.json")" $pid >"$1"
    end $pid
}

broker() { # <out>
    cat "$site/ca/product.crt" "$site/ca/root.crt" >"$dir/clients.pem"
    port=$((20000 + RANDOM % 20000))
    cat >"$dir/mosquitto.conf" <<CONF
listener $port 127.0.0.1
cafile $dir/clients.pem
certfile $site/cloud/server.crt
keyfile $site/cloud/server.key
require_certificate true
use_identity_as_username true
allow_anonymous true
set_tcp_nodelay true
persistence false
log_type error
user root
CONF
    "$mosquitto" -c "$dir/mosquitto.conf" 2>"$dir/mosquitto.log" &
    local pid=$!
    pids="$pids $pid"
    for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.05; done
    load "127.0.0.1:$port" $pid >"$1"
    end $pid
}

for i in 1 2; do
    cloud "$dir/cloud.$i"
    broker "$dir/broker.$i"
done

member() { # <member> <files...>: the least
    local name=$1; shift
    sed -n "s/.*\"$name\":\([0-9.]*\).*/\1/p" "$@" | sort -g | head -1
}
row() { # <what> <member> <unit> <goal>
    local ours theirs
    ours=$(member "$2" "$dir"/cloud.?)
    theirs=$(member "$2" "$dir"/broker.?)
    awk -v what="$1" -v a="$ours" -v b="$theirs" -v unit="$3" -v goal="$4" -v json="$json" 'BEGIN {
        ratio = a / b; met = ratio <= goal
        if (json) printf "{\"what\":\"%s\",\"ours\":%s,\"mosquitto\":%s,\"unit\":\"%s\",\"value\":%.3f,\"goal\":%s,\"met\":%s}\n",
                         what, a, b, unit, ratio, goal, met ? "true" : "false"
        else printf "%-52s  %8.1f %-3s  %8.1f %-3s  %5.2f  <= %-5s %s\n",
                    what, a, unit, b, unit, ratio, goal, met ? "met" : "MISSED"
        exit !met }' || missed=1
}
missed=
[ -n "$json" ] || printf '%-52s  %12s  %12s  %5s  %-8s %s\n' \
    "WHAT ($DEVICES devices, $("$mosquitto" -h | head -1))" cradle-cloud Mosquitto RATIO GOAL VERDICT
row "mutual-TLS connect, device made, server CPU" connect_us us 0.25
row "three values, QoS 1, stored, server CPU" message_us us 1.5
row "memory of an idle device" idle_kib KiB 1
[ -z "$missed" ]

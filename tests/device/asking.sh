#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A device that asks its steward: the button while it runs and while it is off, what cradle-info says,
# tickets that are none, and HTTPS when the cloud lets none of its certificates in.
BIN=$1
. "$(dirname "$0")/../steward/lib.sh"
exec 2>&1
cd "$work"
start_life 1

run_device() {
    "$BIN/cradle" -C "$site" device run SN-000001 >>device.log 2>&1 &
    device_pid=$!
}
end_device() {
    kill -TERM "$device_pid"
    wait "$device_pid" 2>/dev/null || true
    device_pid=""
}
says() { grep -q -- "$1" device.log; }

run_device
until_true 10 waits || bad "it waits for a phone"
provision alice >said
is "Alice claims it" yours "$(member claim <said)"
until_true 10 says 'online: the steward says stream' && ok "it streams after the steward's word" ||
    bad "it streams after the steward's word"
if says 'asking: the steward does not answer'; then bad "answered at once"; else ok "answered at once"; fi

# -- the button --
is "reset while it runs" '{"sn":"SN-000001","running":true}' "$($cradle device reset SN-000001 --json)"
until_true 10 says 'blank -> unprovisioned: no Wi-Fi known$' || bad "it is reset"
resets() { [ "$(grep -c 'waiting for a phone as' device.log)" = 2 ] && waits; }
until_true 10 resets && ok "it waits for a phone again" || bad "it waits for a phone again"
provision alice >said
is "the same owner" yours "$(member claim <said)"
end_device
refuses "nobody presses what is off" 1 'does not run' $cradle device press SN-000001
refuses "no such unit" 1 'SN-000009' $cradle device reset SN-000009
: >device.log
run_device
until_true 10 says 'connecting -> online' && ok "stream holds over a restart" ||
    bad "stream holds over a restart"
end_device
is "reset while it is off" '{"sn":"SN-000001","running":false}' "$($cradle device reset SN-000001 --json)"
: >device.log
run_device
until_true 10 says 'unprovisioned: no Wi-Fi known' && ok "it is as new" || bad "it is as new"
until_true 10 waits || bad "it waits for a phone"
provision alice >said
is "the same owner once more" yours "$(member claim <said)"
end_device

# -- a cloud that refuses every certificate --
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=foreign \
    -keyout foreign.key -out foreign.crt -days 30 2>/dev/null
refuser_port=$((20000 + $$ % 20000))
openssl s_server -accept "127.0.0.1:$refuser_port" -cert "$site/cloud/server.crt" \
    -cert_chain "$site/cloud/server.crt" -key "$site/cloud/server.key" -CAfile foreign.crt \
    -Verify 3 -verify_return_error -quiet >refuser.log 2>&1 </dev/null &
refuser_pid=$!
cp "$site/air/networks.json" good.json
sed "s/127.0.0.1:$mqtts_port/127.0.0.1:$refuser_port/" good.json >"$site/air/networks.json"
: >device.log
: >steward.log
run_device
until_true 60 says 'connecting -> asking: the cloud refuses this device: asking the steward' &&
    ok "after three rounds it asks the steward itself" || bad "after three rounds it asks the steward itself"
is "three rounds" 3 "$(grep -c 'TLS alert' device.log)"
until_true 10 grep -q 'hello: stream' steward.log && ok "the steward hears it" || bad "the steward hears it"
says 'Serial number SN-000001, certificate [0-9a-f]*\.\.\., 109[45] days left' &&
    ok "it says which certificate is refused" || bad "it says which certificate is refused"
kill "$refuser_pid"
wait "$refuser_pid" 2>/dev/null || true
cp good.json "$site/air/networks.json"
until_true 60 says 'connecting -> online' && ok "and is back when the cloud is" || bad "and is back when the cloud is"
end_device
finished=yes
exit $failed

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From Alice to Bob and back, with the real programs: claim, telemetry, reset, another's claim, the
# steward killed in mid-transfer; what was Alice's is gone, and her copy of the key is worth nothing.
BIN=$1
. "$(dirname "$0")/lib.sh"
exec 2>&1
cd "$work"
start_life 1

# -- Alice's --
"$BIN/cradle" -C "$site" device run SN-000001 >>device.log 2>&1 &
device_pid=$!
until_true 10 waits 1 || bad "the device waits for a phone"
provision alice >said
is "Alice claims it" yours "$(member claim <said)"
is "it is hers" alice "$(unit owner)"
first=$(unit device)
is "on the cloud's record" "$first" "$(device_id SN-000001)"
until_true 10 has_telemetry "$first" && ok "it streams" || bad "it streams: $(telemetry "$first")"
"$BIN/cradle" image spiffs extract "$site/factory/units/SN-000001/identity.bin" -o copy >/dev/null

# -- Bob's, with a steward that dies where it hurts --
$cradle device reset SN-000001 >/dev/null
until_true 10 waits 2 || bad "after a reset it waits again"
provision bob >said &
phone_pid=$!
committed() { grep -q 'commit: done' steward.log; }
until_true 20 committed || bad "Bob's claim is committed: $(tail -n 3 steward.log)"
stop_steward -KILL
is "handing over" handing-over "$(unit state)"
start_steward
wait $phone_pid
is "Bob claims it" yours "$(member claim <said)"
is "it is his" bob "$(unit owner)"
until_true 10 grep -q 'has changed hands' steward.log && ok "the transfer is over" || bad "the transfer is over"
second=$(unit device)
if [ -n "$second" ] && [ "$first" != "$second" ]; then ok "a new record"; else bad "a new record: $second"; fi
is "the old one is gone" 404 "$(rest GET "/api/device/$first" -o /dev/null -w '%{http_code}')"
is "its telemetry, too" 0 "$(sqlite3 "$site/cloud/cloud.db" \
    "SELECT count(*) FROM point WHERE device NOT IN (SELECT row FROM device)")"
until_true 10 has_telemetry "$second" && ok "it streams for Bob" || bad "it streams for Bob"

# -- the key that Alice may have copied --
key_with() { $cradle steward show SN-000001 --json | grep -o "\"standing\":\"$1\",\"origin\":\"$2\""; }
until_true 5 key_with denied birth && ok "the birth key is denied" || bad "the birth key is denied"
until_true 5 key_with current claim && ok "the new key counts" || bad "the new key counts"
got=0
timeout 10 mosquitto_pub -h localhost -p "$mqtts_port" --cafile "$site/ca/server-root.crt" \
    --cert copy/device.crt --key copy/device.key -t v1/devices/me/telemetry -q 1 -m '{"x":1}' \
    >/dev/null 2>&1 || got=$?
if [ $got -ne 0 ]; then ok "nobody gets in with a copy"; else bad "the copy got in"; fi

# -- the receipt --
link=$($cradle steward receipt --json | sed -n '$p' | member link)
steward "$link" >receipt.jws
if $cradle steward receipt verify receipt.jws | grep -q 'the signature is right'; then
    ok "the receipt"
else
    bad "the receipt: $(cat receipt.jws)"
fi
is "it says telemetry is erased" '"item":"series","state":"erased"' \
    "$($cradle steward receipt verify receipt.jws --json | grep -o '"item":"series","state":"[a-z]*"')"
sed 's/\.[^.]\{4\}\([^.]*\)$/.AAAA\1/' receipt.jws >forged.jws
refuses "a forged one" 1 'was changed' $cradle steward receipt verify forged.jws
is "Alice finds it" "https://127.0.0.1:$steward_port$link" \
    "$($cradle phone receipts --account alice --json | grep -o 'https://[^"]*' | head -n 1)"
$cradle steward receipt --revoke "$link" >/dev/null || bad "revoking"
is "revoked" 404 "$(code "$link")"

# -- the theft lock --
sqlite3 "$site/steward/steward.db" "UPDATE unit SET lock = 1"
$cradle device reset SN-000001 >/dev/null
until_true 10 waits 3 || bad "after a second reset it waits again"
provision alice >said &
phone_pid=$!
held() { grep -q 'claim: held' steward.log; }
until_true 20 held && ok "Alice's claim waits for Bob" || bad "Alice's claim waits for Bob"
is "still his" bob "$(unit owner)"
$cradle phone release SN-000001 --account bob >/dev/null
wait $phone_pid
until_true 60 grep -q 'claim: granted' steward.log
is_alices() { [ "$(unit owner)" = alice ] && [ "$(unit state)" = streaming ]; }
until_true 60 is_alices && ok "Bob lets it go" || bad "Bob lets it go: $(unit owner) $(unit state)"

finished=yes
exit $failed

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The other two ways to hand a device over, with the real programs, the steward killed in the middle:
# its record is wiped and handed on (reassign), or goes and the device makes a new one (--adopt).
BIN=$1
. "$(dirname "$0")/lib.sh"
exec 2>&1
cd "$work"
committed() { grep -q 'commit: done' steward.log; }
over() { grep -q 'has changed hands' steward.log; }
first_value() {
    rest GET "/api/plugins/telemetry/DEVICE/$1/values/timeseries?keys=sample&startTs=0&endTs=9999999999999&limit=1&orderBy=ASC" |
        sed -n 's/.*"ts":\([0-9]*\).*/\1/p'
}
settled() { [ "$(unit owner)" = bob ] && [ "$(unit state)" = streaming ] && has_telemetry "$(unit device)"; }

for way in reassign adopt; do
    site=$work/$way
    mqtts_port=0 https_port=0 steward_port=0
    rm -f ./*.log
    steward_options=""
    if [ $way = adopt ]; then steward_options=--adopt; fi
    start_life 1
    if [ $way = reassign ]; then
        $cradle steward import --all --dispose reassign >/dev/null
        is "the policy of a list that is read again" reassign "$($cradle steward show SN-000001 --json | member dispose)"
    fi
    "$BIN/cradle" -C "$site" device run SN-000001 >>device.log 2>&1 &
    device_pid=$!
    until_true 10 waits 1 || bad "$way: the device waits for a phone"
    provision alice >said
    is "$way: Alice claims it" yours "$(member claim <said)"
    first=$(unit device)
    until_true 10 has_telemetry "$first" || bad "$way: it streams"
    rest POST "/api/plugins/telemetry/DEVICE/$first/SERVER_SCOPE" -H 'Content-Type: application/json' \
        -d '{"secret":"Alices"}' -o /dev/null
    rest POST "/api/plugins/telemetry/DEVICE/$first/SHARED_SCOPE" -H 'Content-Type: application/json' \
        -d '{"wish":"Alices"}' -o /dev/null
    $cradle device reset SN-000001 >/dev/null
    begun=$(date +%s%3N)
    until_true 10 waits 2 || bad "$way: after a reset it waits again"
    provision bob >said &
    phone_pid=$!
    until_true 20 committed || bad "$way: Bob's claim is committed"
    stop_steward -KILL
    start_steward
    wait $phone_pid
    is "$way: Bob claims it" yours "$(member claim <said)"
    until_true 20 over && ok "$way: the transfer is over" || bad "$way: the transfer is over"
    until_true 20 settled && ok "$way: it streams for Bob" || bad "$way: it streams for Bob: $(unit owner) $(unit state)"
    second=$(unit device)
    if [ $way = reassign ]; then is "$way: the same record" "$first" "$second"; else
        if [ "$first" != "$second" ]; then ok "a new record"; else bad "a new record"; fi
        is "the old one is gone" 404 "$(rest GET "/api/device/$first" -o /dev/null -w '%{http_code}')"
    fi
    is "$way: the steward and the cloud mean the same" "$second" "$(device_id SN-000001)"
    is "$way: Bob's customer" "owner bob" "$(rest GET "/api/device/info/$second" | member customerTitle)"
    value=$(first_value "$second")
    if [ "${value:-0}" -gt "$begun" ]; then ok "$way: no value of Alice's"; else bad "$way: no value of Alice's: $value, $begun"; fi
    is "$way: nor an attribute" "" \
        "$(rest GET "/api/plugins/telemetry/DEVICE/$second/values/attributes" | grep -o Alices || true)"
    link=$($cradle steward receipt --json | sed -n '$p' | member link)
    steward "$link" >receipt.jws
    $cradle steward receipt verify receipt.jws | grep -q 'the signature is right' && ok "$way: the receipt" ||
        bad "$way: the receipt"
    kill "$device_pid"
    wait "$device_pid" 2>/dev/null || true
    device_pid=""
    stop_steward -TERM
    stop_cloud -TERM
done

finished=yes
exit $failed

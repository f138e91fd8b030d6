#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who comes to the door with a certificate in a device's name, and who changes at the cloud what is
# the steward's: nothing changes for a device at work, or it is put right. The cloud strict, and as
# lax as ThingsBoard is.
BIN=$1
. "$(dirname "$0")/lib.sh"
exec 2>&1
cd "$work"

# leaf FOLDER CN DAYS CA-CERT CA-KEY: a key, and a leaf that this CA signs; DAYS below 0: expired
leaf() {
    mkdir -p "$1"
    openssl ecparam -name prime256v1 -genkey -noout -out "$1/device.key" 2>/dev/null
    openssl req -new -key "$1/device.key" -subj "/CN=$2" -out "$1/csr"
    openssl x509 -req -in "$1/csr" -CA "$4" -CAkey "$5" -CAcreateserial -CAserial serial \
        -days "$3" -out "$1/leaf.crt" 2>/dev/null
}
from_line() { # from_line FOLDER CN DAYS: with the chain up to the product CA
    leaf "$1" "$2" "$3" "$site/ca/line.crt" "$site/keys/line.key"
    cat "$1/leaf.crt" "$site/ca/line.crt" "$site/ca/product.crt" >"$1/device.crt"
}
from_device() { # from_device FOLDER CN: signed by the key of a device, whose leaf goes along
    leaf "$1" "$2" 30 thief/leaf.crt thief/device.key
    cat "$1/leaf.crt" thief/leaf.crt "$site/ca/line.crt" "$site/ca/product.crt" >"$1/device.crt"
}
enters() { # enters FOLDER
    timeout 10 mosquitto_pub -h localhost -p "$mqtts_port" --cafile "$site/ca/server-root.crt" \
        --cert "$1/device.crt" --key "$1/device.key" -t v1/devices/me/telemetry -q 1 -m '{"x":1}' \
        >/dev/null 2>&1
}
credentials() { rest GET "/api/device/$1/credentials" | member credentialsId; }
values() { # values ID: how many values of one series
    rest GET "/api/plugins/telemetry/DEVICE/$1/values/timeseries?keys=sample&startTs=0&endTs=9999999999999&limit=100000" |
        grep -o '"ts"' | wc -l
}
sessions() { grep -c 'connected' device.log || true; }
more_than() { [ "$(values "$1")" -gt "$2" ]; }
member_of() { rest GET "/api/device/$1" | tr -d ' ' | member "$2"; }
customer() { rest GET "/api/device/$1" | sed -n 's/.*"customerId":{[^}]*"id":"\([^"]*\)".*/\1/p'; }
change() { # change ID SED-EXPRESSION: the whole object back, edited
    rest GET "/api/device/$1" | sed "$2" >changed.json
    rest POST /api/device -H 'Content-Type: application/json' -d @changed.json -o /dev/null -w '%{http_code}'
}

# at_work MODE: a device streams for its owner, and others come
at_work() {
    victim=$(device_id SN-000001)
    in_operating() { rest GET "/api/device/info/$victim" | grep -q '"deviceProfileName":"operating"'; }
    until_true 10 in_operating || bad "$1: it leaves the lobby"
    before=$(credentials "$victim")
    sessions=$(sessions)
    closed=$(grep -c closed cloud.log || true)
    from_line late SN-000001 -1
    from_line other SN-000001 30
    from_line thief SN-000777 30
    from_device child SN-000001
    for who in late other child; do
        count=$(values "$victim")
        if enters $who; then bad "$1: $who got in"; else ok "$1: $who stays out"; fi
        is "$1: $who: the certificate" "$before" "$(credentials "$victim")"
        until_true 5 more_than "$victim" "$((count + 1))" && ok "$1: $who: it streams on" ||
            bad "$1: $who: it streams on"
    done
    is "$1: its session was not touched" "$sessions" "$(sessions)"
    is "$1: no session was closed for it" "$closed" \
        "$(grep -c closed cloud.log || true)"
    is "$1: none of their values" 404x "404x$(telemetry "$victim" | grep -o '"x"' || true)"
}

# by_hand MODE: what others write at the cloud
by_hand() {
    customer=$(customer "$victim")
    count=$(values "$victim")
    is "$1: made a gateway" 200 \
        "$(change "$victim" 's/"additionalInfo":\(null\|{[^}]*}\)/"additionalInfo":{"gateway":true,"colour":"red"}/')"
    no_gateway() { ! rest GET "/api/device/$victim" | grep -q '"gateway":true'; }
    until_true 10 no_gateway && ok "$1: it is none any more" || bad "$1: it is none any more"
    hers_again() { [ "$(customer "$victim")" = "$customer" ]; }
    until_true 5 hers_again && ok "$1: still its owner's" || bad "$1: still its owner's: $(customer "$victim")"
    rest GET "/api/device/$victim" | grep -q '"colour":"red"' && ok "$1: what the owner wrote is kept" ||
        bad "$1: what the owner wrote is kept"
    is "$1: renamed" 200 "$(change "$victim" 's/"name":"SN-000001"/"name":"$[params.x]"/')"
    named() { [ "$(rest GET "/api/device/$victim" | member name)" = SN-000001 ]; }
    until_true 10 named && ok "$1: its name is put right" || bad "$1: its name is put right"
    other=$(rest POST /api/customer -H 'Content-Type: application/json' -d "{\"title\":\"thief $1\"}" |
        sed -n 's/^{"id":{[^}]*"id":"\([^"]*\)".*/\1/p')
    is "$1: given away" 200 "$(rest POST "/api/customer/$other/device/$victim" -o /dev/null -w '%{http_code}')"
    until_true 10 hers_again && ok "$1: its owner is put right" || bad "$1: its owner is put right"
    is "$1: the owner's customer is deleted" 200 \
        "$(rest DELETE "/api/customer/$customer" -o /dev/null -w '%{http_code}')"
    anew() { c=$(customer "$victim") && [ "$c" != "$customer" ] && [ "${c#13814000}" = "$c" ]; }
    until_true 10 anew && ok "$1: and made anew" || bad "$1: and made anew: $(customer "$victim")"
    is "$1: the same certificate all the time" "$before" "$(credentials "$victim")"
    until_true 10 more_than "$victim" "$((count + 2))" && ok "$1: it streams" || bad "$1: it streams"
    is "$1: each said as an alert" 3 "$(grep -c 'ALERT SN-000001' steward.log)"
}

# first NAME UNIT MODE FOLDER: a wrong leaf was in the lobby before the device
first() {
    unit=$2
    if enters "$4"; then entered=in; else entered=out; fi
    "$BIN/cradle" -C "$site" device run "$unit" >>"$unit.log" 2>&1 &
    device_pid=$!
    advertised() { grep -q 'waiting for a phone' "$unit.log"; }
    until_true 10 advertised || bad "$3: $unit waits for a phone"
    service=$(cat "$site"/air/ESP-PROV-*.json | member name)
    printf 'correct-horse\n' | $cradle phone provision "$service" --ssid Home --passphrase-file - \
        --account alice --json >said 2>>phone.log || true
    is "$3: $1 ($entered): the true device is hers in the end" yours "$(member claim <said)"
    id=$(device_id "$unit")
    until_true 20 has_telemetry "$id" && ok "$3: $1: it streams" || bad "$3: $1: it streams"
    is "$3: $1: one record" 1 \
        "$(rest GET "/api/tenant/deviceInfos?pageSize=10&page=0&textSearch=$unit" | grep -o '"deviceProfileName"' | wc -l)"
    id=$(device_id "$unit")
    works() { rest GET "/api/device/info/$id" | grep -q '"deviceProfileName":"operating"'; }
    until_true 10 works || bad "$3: $1: it leaves the lobby"
    is "$3: $1: as its steward knows it" streaming \
        "$($cradle steward show "$unit" --json | member state)"
    if enters "$4"; then bad "$3: $1: the wrong leaf still opens"; else ok "$3: $1: the wrong leaf opens nothing"; fi
    kill "$device_pid"
    wait "$device_pid" 2>/dev/null || true
    device_pid=""
}

for mode in strict lax; do
    site=$work/$mode
    mqtts_port=0 https_port=0 steward_port=0
    rm -f ./*.log
    rm -rf late other thief child
    lax=""
    if [ $mode = lax ]; then lax=--as-thingsboard; fi
    steward_options="--sweep 1"
    start_life 4
    stop_cloud -TERM
    start_cloud --steward-url "https://127.0.0.1:$steward_port" $lax
    login
    "$BIN/cradle" -C "$site" device run SN-000001 >>device.log 2>&1 &
    device_pid=$!
    until_true 10 waits 1 || bad "$mode: the device waits for a phone"
    provision alice >said
    is "$mode: Alice claims it" yours "$(member claim <said)"
    until_true 10 has_telemetry "$(device_id SN-000001)" || bad "$mode: it streams"
    at_work $mode
    by_hand $mode
    kill "$device_pid"
    wait "$device_pid" 2>/dev/null || true
    device_pid=""
    from_line wrong SN-000002 20
    first "known by pack list" SN-000002 $mode wrong
    # two that no pack list names
    $cradle factory run --count 2 >/dev/null
    from_line wrong SN-000005 -1
    first "unknown, expired" SN-000005 $mode wrong
    from_device wrong SN-000006
    first "unknown, a child" SN-000006 $mode wrong
    # one that comes first with a certificate of the line itself is taken for the unit, until the
    # pack list says better
    $cradle factory run --count 1 >/dev/null
    from_line wrong SN-000007 20
    enters wrong || true
    met() { grep -q 'SN-000007 is met in the lobby' steward.log; }
    until_true 10 met && ok "$mode: taken for the unit" || bad "$mode: taken for the unit"
    $cradle factory pack >/dev/null
    $cradle steward import >/dev/null
    sleep 2
    first "listed afterwards" SN-000007 $mode wrong
    stop_steward -TERM
    stop_cloud -TERM
done

finished=yes
exit $failed

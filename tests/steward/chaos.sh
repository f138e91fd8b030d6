#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SIGKILL at random instants: device, cloud or steward, while a device is provisioned, claimed and
# handed over. Each round ends with one owner, one record, and a device that streams.
# chaos.sh BIN [ROUNDS [SEED]]
BIN=$1
. "$(dirname "$0")/lib.sh"
exec 2>&1
cd "$work"
rounds=${2:-4}
seed=${3:-$(date +%s)}
echo "seed $seed" # of the instants: what happens at them is the scheduler's
random=$seed
below() { # below N: the next random number, in $number
    random=$(((random * 1103515245 + 12345) % 2147483648))
    number=$((random / 65536 % $1))
}

start_device() {
    "$BIN/cradle" -C "$site" device run SN-000001 >>device.log 2>&1 &
    device_pid=$!
}
kill_device() {
    kill -KILL "$device_pid" 2>/dev/null || true
    wait "$device_pid" 2>/dev/null || true
}
start_the_cloud() { start_cloud --steward-url "https://127.0.0.1:$steward_port"; }

strike() { # strike WHO: killed and started again
    case $1 in
    device)
        kill_device
        start_device
        ;;
    cloud)
        stop_cloud -KILL
        start_the_cloud
        ;;
    steward)
        stop_steward -KILL
        start_steward
        ;;
    esac
}
held_by() { [ "$(unit owner)" = "$1" ] && [ "$(unit state)" = streaming ]; }
waiting() { ls "$site"/air/ESP-PROV-*.json; }
one_record() {
    [ "$(rest GET "/api/tenant/deviceInfos?pageSize=10&page=0" | grep -o '"deviceProfileName"' | wc -l)" = 1 ]
}
fresh() { # newer telemetry than when it was asked first, under the record that the steward knows
    device=$(unit device)
    [ -n "$device" ] && has_sample "$device"
}
has_sample() {
    rest GET "/api/plugins/telemetry/DEVICE/$1/values/timeseries?keys=sample&startTs=$since&endTs=9999999999999&limit=10" |
        grep -q '"ts"'
}

start_life 1
steward_options="--sweep 2"
strike steward
start_device
owner=alice
round=0
while [ $round -lt "$rounds" ]; do
    round=$((round + 1))
    until_true 30 waiting || bad "round $round: the device waits for a phone"
    struck=""
    (
        # a phone that is cut off tries again, as its owner does
        tries=0
        while [ $tries -lt 8 ]; do
            tries=$((tries + 1))
            printf 'correct-horse\n' | timeout 60 "$BIN/cradle" -C "$site" phone provision --ssid Home \
                --passphrase-file - --account $owner --no-wait --json >>phone.out 2>>phone.log && break
            sleep 0.5
        done
    ) &
    phone_pid=$!
    strikes=0
    while [ $strikes -lt 3 ]; do
        strikes=$((strikes + 1))
        below 900
        sleep "0.$(printf %03d "$number")"
        below 3
        who=$(echo device cloud steward | cut -d' ' -f$((number + 1)))
        strike "$who"
        struck="$struck $who"
    done
    wait $phone_pid
    if until_true 60 held_by $owner; then ok "round $round ($struck ): $owner's"; else
        bad "round $round ($struck ): $owner's, but $(unit owner), $(unit state)"
        break
    fi
    since=$(date +%s%3N)
    until_true 20 fresh && ok "round $round: it streams" || bad "round $round: it streams"
    until_true 15 one_record && ok "round $round: one record" || bad "round $round: one record"
    below 2
    if [ "$number" = 1 ]; then owner=$(if [ $owner = alice ]; then echo bob; else echo alice; fi); fi
    i=0
    until "$BIN/cradle" -C "$site" device reset SN-000001 >/dev/null 2>&1 || [ $((i = i + 1)) -gt 50 ]; do sleep 0.1; done
done

finished=yes
exit $failed

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Remote calls both ways over REST and MQTT: to `cradle device run`, to a device that mosquitto_sub
# and mosquitto_pub play, to nobody; and from a device to a steward that openssl plays.
BIN=$1
. "$(dirname "$0")/lib.sh"
exec 2>&1

# Ends what was started here, by its id; newest first.
started=""
late=""
end_started() {
    for pid in $started; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    started=""
}
trap 'started="$late $started"; end_started; finish' EXIT

"$BIN/cradle" -C "$site" init --name "Calls" >/dev/null
"$BIN/cradle" -C "$site" factory run --count 3 >/dev/null
steward_key_text=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
steward_port=$((20000 + $$ % 20000))
echo "$steward_key_text" >"$work/steward.key"
chmod 600 "$work/steward.key"
with_steward() {
    start_cloud --steward-url "https://localhost:$steward_port/" --steward-key "$work/steward.key"
}
with_steward
login
cd "$work"
for sn in SN-000001 SN-000002 SN-000003; do
    "$BIN/cradle" image spiffs extract "$site/factory/units/$sn/identity.bin" -o $sn >/dev/null
    sed '1,/END CERT/d' $sn/device.crt >$sn/chain.crt
done
json='Content-Type: application/json'
rpc() { # rpc PATH BODY: the answer's body, a space, its status
    rest POST "$1" -H "$json" -d "$2" -w ' %{http_code}'
}
is() { # is WHAT WANTED GOT
    if [ "$2" = "$3" ]; then ok "$1"; else bad "$1: [$3] instead of [$2]"; fi
}
has() { # has WHAT PART TEXT
    case "$3" in
    *"$2"*) ok "$1" ;;
    *) bad "$1: $3" ;;
    esac
}
# ./peer PROGRAM SN [options]: a program, so that its id in the background is that of the client
cat >peer <<EOF
#!/bin/sh
program=\$1
sn=\$2
shift 2
exec "\$program" -h localhost -p $mqtts_port --cafile "$site/ca/server-root.crt" \
    --cert "\$sn/device.crt" --key "\$sn/device.key" "\$@"
EOF
chmod +x peer
until_has() { # until_has FILE TEXT: waits at most ten seconds
    i=0
    until grep -q -- "$2" "$1" 2>/dev/null; do
        i=$((i + 1))
        if [ $i -gt 200 ]; then return 1; fi
        sleep 0.05
    done
}
status_of() { rest GET "/api/rpc/persistent/$1" | member status; }
until_status() { # until_status ID STATUS
    i=0
    until [ "$(status_of "$1")" = "$2" ]; do
        i=$((i + 1))
        if [ $i -gt 100 ]; then return 1; fi
        sleep 0.05
    done
}

# The subscription and the question have to go over one connection: packets by hand, below 128 bytes.
text_packet() { # text_packet TYPE LENGTH-OF-WHAT-FOLLOWS-THE-TOPIC TOPIC
    printf "\\$(printf '%03o' "$1")\\$(printf '%03o' $((2 + ${#3} + $2)))\\000\\$(printf '%03o' ${#3})%s" "$3"
}
packets() { # packets ID METHOD: CONNECT (clean, no keep-alive), SUBSCRIBE at QoS 0, PUBLISH
    printf '\020\014\000\004MQTT\004\002\000\000\000\000'
    printf '\202\041\000\001\000\034v1/devices/me/rpc/response/+\000'
    question="{\"method\":\"$2\",\"params\":{\"s\":\"x\"}}"
    text_packet 48 ${#question} "v1/devices/me/rpc/request/$1"
    printf '%s' "$question"
}
# ask SN ID METHOD FILE: asks, in the background; what the device hears is in FILE
ask() {
    packets "$2" "$3" | openssl s_client -quiet -connect "localhost:$mqtts_port" \
        -CAfile "$site/ca/server-root.crt" -cert "$1/device.crt" -key "$1/device.key" \
        -cert_chain "$1/chain.crt" >"$4" 2>/dev/null &
    asker=$!
}
answer_to() { # answer_to ID FILE SECONDS
    i=0
    until grep -a -q "v1/devices/me/rpc/response/$1." "$2"; do
        i=$((i + 1))
        if [ $i -gt $(($3 * 10)) ]; then echo "(nothing)"; return; fi
        sleep 0.1
    done
    grep -a -o "v1/devices/me/rpc/response/$1.*" "$2" | sed "s|^v1/devices/me/rpc/response/$1||"
}

# -- a device that does not answer: mosquitto_sub ------------------------------------------------
timeout 10 mosquitto_pub -h localhost -p "$mqtts_port" --cafile "$site/ca/server-root.crt" \
    --cert SN-000001/device.crt --key SN-000001/device.key -t v1/devices/me/telemetry -q 1 -m '{"x":1}'
one=$(device_id SN-000001)
[ -n "$one" ] || exit 1

is "no JSON" 400 "$(rest POST "/api/rpc/twoway/$one" -H "$json" -d '{"method":' -o no.json -w '%{http_code}')"
has "no JSON: its text" '"message":"Invalid request body"' "$(cat no.json)"
is "no method" 500 "$(rest POST "/api/rpc/twoway/$one" -H "$json" -d '{"params":1}' -o /dev/null -w '%{http_code}')"
is "unknown device" "Device with requested id wasn't found! 404" \
    "$(rpc /api/rpc/oneway/11111111-1111-1111-1111-111111111111 '{"method":"a"}')"
is "without a token" 401 "$(curl -sS --cacert "$site/ca/server-root.crt" -o /dev/null -w '%{http_code}' \
    -H "$json" -d '{"method":"a"}' "https://127.0.0.1:$https_port/api/rpc/oneway/$one")"

# Offline: all at once, each five seconds (a shorter time-out is raised). They have ids 0 to 3.
begin=$(date +%s)
rpc "/api/rpc/twoway/$one" '{"method":"a","timeout":100}' >v2.out &
a=$!
rpc "/api/plugins/rpc/twoway/$one" '{"method":"b","timeout":100}' >v1.out &
b=$!
rpc "/api/rpc/oneway/$one" '{"method":"c","timeout":100}' >v2one.out &
c=$!
rpc "/api/rpc/oneway/$one" "{\"method\":\"d\",\"expirationTime\":1}" >late.out &
wait $a $b $c $!
took=$(($(date +%s) - begin))
is "offline, v2" " 504" "$(cat v2.out)"
is "offline, v1" " 409" "$(cat v1.out)"
is "offline, one-way" " 504" "$(cat v2one.out)"
is "its time is over already" " 504" "$(cat late.out)"
if [ $took -ge 4 ] && [ $took -le 8 ]; then ok "after five seconds"; else bad "after $took seconds"; fi

# Called while it is away, delivered when it comes.
rpc "/api/rpc/oneway/$one" '{"method":"pending","params":[1, {"a b" : "c \" d"}]}' >pending.out &
pending=$!
sleep 0.3
# Its answer goes out on the same connection that subscribes: mosquitto_sub cannot publish, and a
# second connection of the same device would end the first. So the device is one of two kinds here.
./peer mosquitto_sub SN-000001 -q 1 -v -t v1/devices/me/rpc/request/+ >sub.out &
started="$! $started"
wait $pending
is "one-way, delivered on subscribe" " 200" "$(cat pending.out)"
until_has sub.out '{"method":"pending","params":\[1,{"a b":"c \\" d"}\]}' &&
    ok "with its parameters" || bad "not as called: $(cat sub.out)"
is "one-way" " 200" "$(rpc "/api/rpc/oneway/$one" '{"method":"led"}')"
until_has sub.out '"method":"led","params":null' && ok "params null" || bad "params: $(cat sub.out)"
rpc "/api/plugins/rpc/twoway/$one" '{"method":"mute","timeout":5000}' >mute1.out &
a=$!
rpc "/api/rpc/twoway/$one" '{"method":"mute","timeout":5000}' >mute2.out &
wait $a $!
is "subscribed, no answer, v1" " 408" "$(cat mute1.out)"
is "subscribed, no answer, v2" " 504" "$(cat mute2.out)"
persistent=$(rpc "/api/rpc/oneway/$one" '{"method":"keep","persistent":true}' | member rpcId)
until_status "$persistent" DELIVERED && ok "persistent one-way: DELIVERED" || bad "persistent: $(status_of "$persistent")"
end_started

# -- persistent, over a restart ------------------------------------------------------------------
sleep 0.3 # until the cloud has seen that the device is gone
expires=$((($(date +%s) + 600) * 1000))
id=$(rpc "/api/rpc/twoway/$one" "{\"method\":\"later\",\"params\":{\"n\":1},\"persistent\":true,\"expirationTime\":$expires,\"additionalInfo\":{\"by\":\"me\"}}" | member rpcId)
gone=$(rpc "/api/rpc/twoway/$one" "{\"method\":\"never\",\"persistent\":true,\"expirationTime\":$expires}" | member rpcId)
is "QUEUED" QUEUED "$(status_of "$id")"
has "what is kept" '"additionalInfo":{"by":"me"}' "$(rest GET "/api/rpc/persistent/$id")"
list="/api/rpc/persistent/device/$one?pageSize=10&page=0"
has "listed by status" '"totalElements":2' "$(rest GET "$list&rpcStatus=QUEUED")"
has "all of the device" '"totalElements":3' "$(rest GET "$list")"
is "no such status" 400 "$(rest GET "$list&rpcStatus=DELETED" -o /dev/null -w '%{http_code}')"
is "taken back" " 200" "$(rest DELETE "/api/rpc/persistent/$gone" -w ' %{http_code}')"
is "it is gone" 404 "$(rest GET "/api/rpc/persistent/$gone" -o /dev/null -w '%{http_code}')"
stop_cloud -KILL
with_steward
ask SN-000003 1 getTime late.out # needs a minute
late=$asker
is "QUEUED after SIGKILL" QUEUED "$(status_of "$id")"
./peer mosquitto_sub SN-000001 -q 1 -v -t v1/devices/me/rpc/request/+ >again.out &
started="$! $started"
until_status "$id" DELIVERED && ok "then DELIVERED" || bad "then: $(status_of "$id")"
until_has again.out '^v1/devices/me/rpc/request/0 {"method":"later","params":{"n":1}}$' &&
    ok "ids begin at 0 again" || bad "delivered as: $(cat again.out)"
if grep -q never again.out; then bad "what was taken back was sent"; else ok "what was taken back is not sent"; fi
end_started
# The device answers in another session; one message is enough, whoever sends it.
./peer mosquitto_pub SN-000001 -q 1 -t v1/devices/me/rpc/response/0 -m '{"done":1}'
until_status "$id" SUCCESSFUL && ok "SUCCESSFUL" || bad "answered: $(status_of "$id")"
has "its response" '"response":{"done":1}' "$(rest GET "/api/rpc/persistent/$id")"

# -- two-way with an answer: what is no JSON is 406 ----------------------------------------------
rpc "/api/rpc/twoway/$one" '{"method":"x"}' >text.out &
a=$!
sleep 0.3
./peer mosquitto_sub SN-000001 -q 0 -C 1 -W 5 -t v1/devices/me/rpc/request/+ >/dev/null
./peer mosquitto_pub SN-000001 -q 1 -t v1/devices/me/rpc/response/1 -m 'no json'
wait $a
is "an answer that is no JSON" " 406" "$(cat text.out)"

# -- cradle device run: a call from the cloud -----------------------------------------------------
mkdir -p "$site/air"
cat >"$site/air/networks.json" <<EOF
{"networks":[{"ssid":"Home","password":"secret12","auth":3,"channel":6,"rssi":-45,
"bssid":"02:00:00:00:00:01","up":true,"hosts":{"cloud.cradle.test:8883":"127.0.0.1:$mqtts_port"}}]}
EOF
"$BIN/cradle" -C "$site" device run SN-000002 >device.log 2>&1 &
started="$! $started"
i=0
until ls "$site"/air/*-*.json >/dev/null 2>&1 || [ $((i = i + 1)) -gt 100 ]; do sleep 0.05; done
echo secret12 | "$BIN/cradle" -C "$site" phone provision --ssid Home --passphrase-file - >phone.log 2>&1 ||
    bad "not provisioned: $(cat phone.log device.log)"
i=0
until [ -n "$(device_id SN-000002)" ] || [ $((i = i + 1)) -gt 100 ]; do sleep 0.1; done
two=$(device_id SN-000002)
is "cradle device run, v2" '{"error":"unknown method"} 200' "$(rpc "/api/rpc/twoway/$two" '{"method":"dance"}')"
is "cradle device run, v1" '{"error":"unknown method"} 200' "$(rpc "/api/plugins/rpc/twoway/$two" '{"method":"dance"}')"
end_started

# -- the device is deleted while a call waits ----------------------------------------------------
begin=$(date +%s)
rpc "/api/rpc/twoway/$two" '{"method":"a","timeout":30000}' >deleted.out &
a=$!
kept=$(rpc "/api/rpc/oneway/$two" '{"method":"b","persistent":true,"timeout":60000}' | member rpcId)
sleep 0.3
rest DELETE "/api/device/$two"
wait $a
is "its calls end with a device" " 504" "$(cat deleted.out)"
if [ $(($(date +%s) - begin)) -lt 10 ]; then ok "at once"; else bad "only at the deadline"; fi
is "the persistent ones, too" 404 "$(rest GET "/api/rpc/persistent/$kept" -o /dev/null -w '%{http_code}')"

# -- a device asks -------------------------------------------------------------------------------
# steward CERT KEY: openssl plays it for one question, which is then in steward.in
steward() {
    rm -f steward.out steward.in
    mkfifo steward.out
    openssl s_server -quiet -naccept 1 -accept "$steward_port" -cert "$1" -cert_chain "$1" \
        -key "$2" <steward.out >steward.in 2>/dev/null &
    server=$!
    started="$server $started"
    exec 9>steward.out
    i=0
    until grep -q ":$(printf '%04X' "$steward_port") 0\{8,\}:0000 0A" /proc/net/tcp /proc/net/tcp6 ||
        [ $((i = i + 1)) -gt 100 ]; do sleep 0.05; done
}
steward_says() { # steward_says STATUS BODY
    until_has steward.in '"method"' || return 1
    printf 'HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
        "$1" ${#2} "$2" >&9
}

ask SN-000001 2 getSessionLimits limits.out
has "getSessionLimits" '{"maxPayloadSize":65536,' "$(answer_to 2 limits.out 5)"
kill $asker
is "the steward is down" "(nothing)" "$(ask SN-000001 6 cradle.hello down.out; answer_to 6 down.out 2; kill $asker)"
until_has "$work/cloud.log" 'do="see that it runs at https://localhost:'"$steward_port"'/rpc"' &&
    ok "and the log says so" || bad "the log says nothing"

steward "$site/cloud/server.crt" "$site/cloud/server.key"
ask SN-000001 7 cradle.hello hello.out
steward_says '200 OK' '{"hello":[1,2]}'
is "the steward's answer" '{"hello":[1,2]}' "$(answer_to 7 hello.out 20)"
has "where" "POST /rpc HTTP/1.1" "$(cat steward.in)"
has "the question" '{"method":"cradle.hello","params":{"s":"x"}}' "$(cat steward.in)"
has "who asks" "X-Device-Id: $one" "$(cat steward.in)"
has "who carries it" "Authorization: Bearer $steward_key_text" "$(cat steward.in)"
kill $asker
exec 9>&-
end_started

steward "$site/cloud/server.crt" "$site/cloud/server.key"
ask SN-000001 8 cradle.hello refused.out
steward_says '503 Service Unavailable' '{"error":"later"}'
until_has "$work/cloud.log" 'it answered with status 503' && ok "a refusal is logged" || bad "no refusal in the log"
is "a refusal is no answer" "(nothing)" "$(answer_to 8 refused.out 1)"
kill $asker
exec 9>&-
end_started

# A steward with a certificate of another CA hears nothing.
openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.crt -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost 2>/dev/null
steward other.crt other.key
ask SN-000001 9 cradle.hello other.out
until_has "$work/cloud.log" 'warn steward why="SSL' && ok "a stranger is in the log" || bad "the log says nothing"
if grep -q method steward.in; then bad "a stranger hears devices"; else ok "and hears nothing"; fi
kill $asker
exec 9>&-
end_started
if grep -q "$steward_key_text" "$work/cloud.log"; then bad "the key is in the log"; else ok "the key is not in the log"; fi

is "nobody answers a device for a minute" '{"error":"timeout"}' "$(answer_to 1 late.out 70)"
kill $late
late=""

# -- the end -------------------------------------------------------------------------------------
rpc "/api/rpc/twoway/$one" '{"method":"a","timeout":30000}' >end.out 2>&1 &
a=$!
sleep 0.3
begin=$(date +%s)
stop_cloud -TERM
wait $a || true
if [ $(($(date +%s) - begin)) -lt 5 ]; then ok "a waiting call does not hold up the end"; else bad "the end waits"; fi
if grep -q "no answer was made" "$work/cloud.log"; then bad "a request was left without an answer"; fi
exit $failed

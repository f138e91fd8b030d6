#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Garbage on every port leaves the cloud serving; SIGKILL under telemetry loses no acknowledged
# message.
BIN=$1
. "$(dirname "$0")/lib.sh"
exec 2>&1

"$BIN/cradle" -C "$site" init --name "Hostile" >/dev/null
"$BIN/cradle" -C "$site" factory run --count 1 >/dev/null
start_cloud
login
cd "$work"

# The unit's own identity, out of its flash.
"$BIN/cradle" image spiffs extract "$site/factory/units/SN-000001/identity.bin" -o identity >/dev/null
publish() {
    timeout 20 mosquitto_pub -h localhost -p "$mqtts_port" --cafile "$site/ca/server-root.crt" \
        --cert identity/device.crt --key identity/device.key -t v1/devices/me/telemetry -q 1 "$@"
}
serving() {
    if publish -m '{"alive":1}' && login; then ok "still serving after $1"; else bad "not serving after $1"; fi
}

# -- garbage ----------------------------------------------------------------------------------
for port in $mqtts_port $https_port; do
    head -c 100000 /dev/urandom | timeout 5 bash -c "cat >/dev/tcp/127.0.0.1/$port" 2>/dev/null || true
    printf 'GET / HTTP/1.0\r\n\r\n' | timeout 5 bash -c "cat >/dev/tcp/127.0.0.1/$port" 2>/dev/null || true
    printf '\026\003\001\002\000\001\000' | timeout 5 bash -c "cat >/dev/tcp/127.0.0.1/$port" 2>/dev/null || true
done
serving "random bytes, plain HTTP and half a ClientHello"

# -- inside TLS, with a good certificate ------------------------------------------------------
tls() {
    timeout 5 openssl s_client -quiet -connect "127.0.0.1:$mqtts_port" -cert identity/device.crt \
        -cert_chain identity/device.crt -key identity/device.key -CAfile "$site/ca/server-root.crt" \
        >/dev/null 2>&1 || true
}
head -c 65536 /dev/urandom | tls
printf '\020' | tls
{ printf '\020\200\200\100\000\004MQTT\004\002\000\074\377\377'; head -c 1048576 /dev/zero; } | tls
printf '\377\377\377\377\377\377' | tls
printf '\020\015\000\004MQTT\004\002\000\074\000\001c\062\377\377\377' | tls
serving "random bytes, half packets and a 1 MB CONNECT inside TLS"

curl -sS --cacert "$site/ca/server-root.crt" -o /dev/null -H "X-Big: $(head -c 20000 /dev/zero | tr '\0' a)" \
    "https://127.0.0.1:$https_port/api/auth/user" 2>/dev/null || true
curl -sS --cacert "$site/ca/server-root.crt" -o /dev/null --path-as-is \
    "https://127.0.0.1:$https_port/api/../../../etc/passwd" 2>/dev/null || true
serving "a huge header and a path that climbs"

# 500 QoS 1 messages in one go, five times what may wait: each is acknowledged in the end.
{
    printf '\020\015\000\004MQTT\004\002\000\074\000\001c'
    n=0
    while [ $n -lt 500 ]; do
        n=$((n + 1))
        # shellcheck disable=SC2059
        printf "\\062\\017\\000\\004v2/t\\$(printf %03o $((n / 256)))\\$(printf %03o $((n % 256))){\"b\":1}"
    done
} >burst
{ cat burst; sleep 3; } | timeout 6 openssl s_client -quiet -connect "127.0.0.1:$mqtts_port" \
    -cert identity/device.crt -cert_chain identity/device.crt -key identity/device.key \
    -CAfile "$site/ca/server-root.crt" >burst.out 2>/dev/null || true
if [ "$(wc -c <burst.out)" = 2004 ]; then
    ok "500 messages at once: CONNACK and 500 PUBACKs"
else
    bad "500 messages at once: $(wc -c <burst.out) bytes of answers instead of 2004"
fi

# -- idle connections -------------------------------------------------------------------------
i=0
idle=""
while [ $i -lt 100 ]; do
    sleep 30 2>/dev/null | timeout 30 bash -c "exec 3<>/dev/tcp/127.0.0.1/$mqtts_port; cat <&3 >/dev/null" >/dev/null 2>&1 &
    idle="$idle $!"
    i=$((i + 1))
done
sleep 1
serving "100 idle connections"
# shellcheck disable=SC2086
kill $idle 2>/dev/null || true

# -- SIGKILL under telemetry ------------------------------------------------------------------
# mosquitto_pub -l sends a line a message and says each PUBACK with --debug.
id=$(device_id SN-000001)
n=0
while :; do
    n=$((n + 1))
    printf '{"ts":%d,"values":{"n":%d}}\n' $((1700000000000 + n)) "$n"
    [ $n -lt 4000 ] || break
done >lines
publish -l -d <lines >pub.log 2>&1 &
pub=$!
i=0
while [ "$(cat pub.log 2>/dev/null | grep -c "received PUBACK" || true)" -lt 300 ] && [ $i -lt 100 ]; do
    sleep 0.05
    i=$((i + 1))
done
kill -9 "$cloud_pid"
wait "$cloud_pid" 2>/dev/null || true
cloud_pid=""
kill $pub 2>/dev/null || true
wait $pub 2>/dev/null || true
acked=$(grep -c 'received PUBACK' pub.log || true)
start_cloud
login
stored=$(rest GET "/api/plugins/telemetry/DEVICE/$id/values/timeseries?keys=n&startTs=1700000000000&endTs=1800000000000&limit=100000" |
    grep -o '"ts":17' | wc -l)
if [ "$acked" -ge 300 ] && [ "$stored" -ge "$acked" ]; then
    ok "SIGKILL under telemetry: $acked acknowledged, $stored stored"
else
    bad "SIGKILL under telemetry: $acked acknowledged, $stored stored"
fi
serving "a SIGKILL and a restart"
[ $failed = 0 ] || { head -c 600 pub.log; }
exit $failed

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Identities made by hand with openssl, as in the mission, against cradle-cloud through Debian's
# mosquitto_pub: who comes in is provisioned and readable with curl; who does not changes nothing.
BIN=$1
. "$(dirname "$0")/lib.sh"
exec 2>&1

"$BIN/cradle" -C "$site" init --name "Mission" >/dev/null
start_cloud
login
cd "$work"
ca=$site/ca

# key NAME, csr NAME CN: the mission's first two commands
key() { openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1.key" 2>/dev/null; }
csr() { openssl req -new -key "$1.key" -subj "/CN=$2" -out "$1.csr"; }
# sign NAME ISSUER-CERT ISSUER-KEY [options]: the third; -days 1095 unless given
sign() {
    name=$1
    issuer=$2
    issuer_key=$3
    shift 3
    openssl x509 -req -in "$name.csr" -CA "$issuer" -CAkey "$issuer_key" -CAcreateserial \
        -CAserial "$work/serial" -sha256 -out "$name.leaf" "$@" 2>/dev/null
}
chain() { cat "$@"; }
# send NAME VALUE: connects with NAME.crt and NAME.key and publishes; the exit code of mosquitto_pub
send() {
    timeout 10 mosquitto_pub -h localhost -p "$mqtts_port" --cafile "$ca/server-root.crt" \
        --cert "$1.crt" --key "$1.key" -t v1/devices/me/telemetry -q 1 -m "{\"value\":$2}" >"$1.out" 2>&1
}

# refused NAME REASON WHAT: the attempt fails, changes nothing, and makes one line with that reason
refused() {
    before=$(dump)
    lines=$(grep -c ' refused ' "$work/cloud.log" || true)
    if send "$1" 666; then
        bad "$3: was accepted"
        return
    fi
    now=$(grep -c ' refused ' "$work/cloud.log" || true)
    last=$(grep ' refused ' "$work/cloud.log" | tail -n 1)
    if [ "$(dump)" != "$before" ]; then
        bad "$3: changed the store"
    elif [ "$now" -ne $((lines + 1)) ]; then
        bad "$3: $((now - lines)) log lines instead of one"
    else
        case "$last" in
        *"reason=$2 "*) ok "$3: refused, $2" ;;
        *) bad "$3: logged as: $last" ;;
        esac
    fi
}

# -- the mission's own recipe -----------------------------------------------------------------
key good
csr good SN-000001
sign good "$ca/line.crt" "$site/keys/line.key" -days 1095
chain good.leaf "$ca/line.crt" "$ca/product.crt" >good.crt
if send good 42; then
    id=$(device_id SN-000001)
    value=$(rest GET "/api/plugins/telemetry/DEVICE/$id/values/timeseries?keys=value" | member value)
    if [ "$value" = 42 ]; then ok "the mission's recipe: provisioned, 42 read back over REST"; else bad "read back \"$value\""; fi
else
    bad "the mission's recipe: $(cat good.out)"
fi
cp good.key alone.key
cp good.leaf alone.crt
if send alone 43; then ok "the stored leaf alone"; else bad "the stored leaf alone: $(cat alone.out)"; fi

# -- who must stay outside --------------------------------------------------------------------
key stranger
csr stranger SN-000002
sign stranger "$ca/line.crt" "$site/keys/line.key" -days 1095
cp stranger.leaf stranger.crt
refused stranger incomplete "a leaf without its chain"

openssl req -x509 -newkey rsa:2048 -nodes -keyout other-ca.key -out other-ca.crt -days 10 \
    -subj "/CN=Other CA" 2>/dev/null
key foreign
csr foreign SN-000001
sign foreign other-ca.crt other-ca.key -days 1095
chain foreign.leaf other-ca.crt >foreign.crt
refused foreign foreign-ca "a certificate from another CA, in the name of a known device"

# openssl x509 has no start date: -days 0 makes one that ends as it begins
key expired
csr expired SN-000001
sign expired "$ca/line.crt" "$site/keys/line.key" -days 0
sleep 1
chain expired.leaf "$ca/line.crt" "$ca/product.crt" >expired.crt
refused expired expired "an expired certificate of a known device"

printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n' >eku.cnf
key server
csr server SN-000003
sign server "$ca/line.crt" "$site/keys/line.key" -days 10 -extfile eku.cnf
chain server.leaf "$ca/line.crt" "$ca/product.crt" >server.crt
refused server wrong-eku "a server's certificate (wrong EKU)"

key child
csr child SN-000001
sign child good.leaf good.key -days 10
chain child.leaf good.leaf "$ca/line.crt" "$ca/product.crt" >child.crt
refused child issuer-not-ca "a child signed by a device's key, in the name of a victim"

chain good.leaf "$ca/product.crt" "$ca/line.crt" >shuffled.crt
cp good.key shuffled.key
# its leaf is on record, so what follows it is not looked at
if send shuffled 44; then ok "a known leaf with its chain in the wrong order"; else bad "a known leaf, chain in the wrong order"; fi

# -- the true device still works --------------------------------------------------------------
if send good 45; then
    value=$(rest GET "/api/plugins/telemetry/DEVICE/$id/values/timeseries?keys=value" | member value)
    if [ "$value" = 45 ]; then ok "the true device is untouched"; else bad "read back \"$value\""; fi
else
    bad "the true device was locked out"
fi
[ "$(rest GET '/api/tenant/devices?pageSize=10&page=0' | grep -o '"totalElements":[0-9]*')" = '"totalElements":1' ] ||
    bad "there is more than one device"
exit $failed

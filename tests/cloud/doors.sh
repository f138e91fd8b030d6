#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who gets in and what it does to others, with real handshakes: strictly, and with --as-thingsboard
# as a live ThingsBoard 4.2.1 did it. Then what a customer's user may do to the own device over REST.
BIN=$1
. "$(dirname "$0")/lib.sh"
exec 2>&1

"$BIN/cradle" -C "$site" init --name "Doors" >/dev/null
"$BIN/cradle" -C "$site" factory run --count 1 >/dev/null
cd "$work"
json='Content-Type: application/json'
code() { rest "$@" -o /dev/null -w '%{http_code}'; }
id_of() { sed -n 's/^{"id":{"entityType":"[A-Z_]*","id":"\([^"]*\)".*/\1/p'; }
is() { # is WHAT WANTED GOT
    if [ "$2" = "$3" ]; then ok "$mode: $1"; else bad "$mode: $1: $3 instead of $2"; fi
}
# leaf FOLDER CN DAYS CA-CERT CA-KEY: FOLDER/leaf.crt and its key; DAYS below 0: expired
leaf() {
    mkdir -p "$1"
    openssl ecparam -name prime256v1 -genkey -noout -out "$1/device.key" 2>/dev/null
    openssl req -new -key "$1/device.key" -subj "/CN=$2" -out "$1/csr"
    openssl x509 -req -in "$1/csr" -CA "$4" -CAkey "$5" -CAcreateserial -CAserial serial -days "$3" \
        -out "$1/leaf.crt" 2>/dev/null
}
from_line() { # from_line FOLDER CN DAYS: with the chain up to the product CA
    leaf "$1" "$2" "$3" "$site/ca/line.crt" "$site/keys/line.key"
    cat "$1/leaf.crt" "$site/ca/line.crt" "$site/ca/product.crt" >"$1/device.crt"
}
# knock FOLDER FILE: in, refused (CONNACK 5) or alert
knock() {
    if timeout 10 mosquitto_pub -h localhost -p "$mqtts_port" --cafile "$site/ca/server-root.crt" \
        --cert "$1/$2" --key "$1/device.key" -t v1/devices/me/telemetry -q 1 -m '{"x":1}' >knock.out 2>&1; then
        echo in
    elif grep -q -i "not authori" knock.out; then
        echo refused
    else
        echo alert
    fi
}
credentials() { rest GET "/api/device/$1/credentials" | sed -n 's/.*"credentialsId":"\([^"]*\)".*/\1/p'; }
hold() { # hold FOLDER: a session that stays
    mosquitto_sub -h localhost -p "$mqtts_port" --cafile "$site/ca/server-root.crt" --cert "$1/leaf.crt" \
        --key "$1/device.key" -t v1/devices/me/attributes >/dev/null 2>&1 &
    held=$!
    i=0
    until [ "$(rest GET "/api/tenant/deviceInfos?pageSize=1&page=0&active=true&textSearch=$2" | member name)" = "$2" ] ||
        [ $((i = i + 1)) -gt 100 ]; do sleep 0.05; done
}
closed_count() { grep -c "closed device=$1 .*credentials changed" cloud.log || true; }

from_line good SN-A 30
from_line other SN-A 20
from_line late SN-A -1
from_line late_new SN-B -1
from_line thief SN-T 30
leaf child SN-A 30 thief/leaf.crt thief/device.key
cat child/leaf.crt thief/leaf.crt "$site/ca/line.crt" "$site/ca/product.crt" >child/device.crt
openssl req -x509 -new -key good/device.key -subj /CN=SN-A -days 10 -out good/self.crt 2>/dev/null
cat good/self.crt "$site/ca/line.crt" "$site/ca/product.crt" >good/self-chain.crt

for mode in strict lax; do
    rm -f "$site"/cloud/cloud.db*
    rm -f "$site/cloud/admin.json" cloud.log
    if [ $mode = strict ]; then start_cloud; else start_cloud --as-thingsboard; fi
    login
    wanted() { if [ $mode = strict ]; then echo "$1"; else echo "$2"; fi; }

    is "an unknown leaf alone" refused "$(knock good leaf.crt)"
    is "with its chain" in "$(knock good device.crt)"
    id=$(device_id SN-A)
    good=$(credentials "$id")
    is "now alone" in "$(knock good leaf.crt)"
    is "self-signed, with our CAs" alert "$(knock good self-chain.crt)"
    is "self-signed alone" "$(wanted alert refused)" "$(knock good self.crt)"
    is "a new name, expired" refused "$(knock late_new device.crt)"
    is "and is it there" "$(wanted 404 200)" "$(code GET '/api/tenant/devices?deviceName=SN-B')"

    hold good SN-A
    before=$(closed_count SN-A)
    is "the name, expired" refused "$(knock late device.crt)"
    is "does it throw the good one out" "$(wanted 0 1)" $(($(closed_count SN-A) - before))
    kill $held
    wait $held 2>/dev/null || true
    is "does the good one get in" "$(wanted in refused)" "$(knock good leaf.crt)"
    is "and with its chain" in "$(knock good device.crt)"

    is "a child of a device's certificate" "$(wanted alert in)" "$(knock child device.crt)"
    is "is the good one's leaf still on record" "$(wanted "$good" changed)" \
        "$(if [ "$(credentials "$id")" = "$good" ]; then echo "$good"; else echo changed; fi)"
    is "another leaf of the name" in "$(knock other device.crt)"
    is "is the first one out" refused "$(knock good leaf.crt)"

    # -- the operating profile: only what is on record, in both modes --
    profile=$(rest POST /api/deviceProfile -H "$json" -d '{"name":"operating","type":"DEFAULT","transportType":"DEFAULT","provisionType":"DISABLED","profileData":{"configuration":{"type":"DEFAULT"},"transportConfiguration":{"type":"DEFAULT"},"provisionConfiguration":{"type":"DISABLED"}}}' | id_of)
    body="{\"id\":{\"entityType\":\"DEVICE\",\"id\":\"$id\"},\"name\":\"SN-A\",\"deviceProfileId\":{\"entityType\":\"DEVICE_PROFILE\",\"id\":\"$profile\"}}"
    is "moved to operating" 200 "$(code POST /api/device -H "$json" -d "$body")"
    now=$(dump)
    is "operating: on record, alone" in "$(knock other leaf.crt)"
    is "operating: on record, with chain" in "$(knock other device.crt)"
    is "operating: another leaf" refused "$(knock good device.crt)"
    is "operating: expired" refused "$(knock late device.crt)"
    is "operating: child" "$(wanted alert refused)" "$(knock child device.crt)"
    is "operating: nothing changed" "$now" "$(dump)"

    # -- junk credentials --
    held_credentials=$(rest GET "/api/device/$id/credentials")
    junk=$(echo "$held_credentials" | sed 's/"credentialsValue":"[^"]*"/"credentialsValue":"junk"/')
    is "junk credentials" "$(wanted 400 200)" "$(code POST /api/device/credentials -H "$json" -d "$junk")"
    is "who is out then" "$(wanted in refused)" "$(knock other leaf.crt)"

    # -- a customer's user and the own device --
    customer=$(rest POST /api/customer -H "$json" -d '{"title":"Alice"}' | id_of)
    next=$(rest POST /api/customer -H "$json" -d '{"title":"Bob"}' | id_of)
    rest POST "/api/customer/$customer/device/$id" >/dev/null
    user=$(rest POST '/api/user?sendActivationMail=false' -H "$json" \
        -d "{\"email\":\"alice@example.org\",\"authority\":\"CUSTOMER_USER\",\"customerId\":{\"entityType\":\"CUSTOMER\",\"id\":\"$customer\"}}" | id_of)
    link=$(rest GET "/api/user/$user/activationLink")
    rest POST /api/noauth/activate -H "$json" -d "{\"activateToken\":\"${link##*activateToken=}\",\"password\":\"s3cret!\"}" >/dev/null
    call=$(rest POST "/api/rpc/oneway/$id" -H "$json" -d '{"method":"later","persistent":true,"timeout":600000}' | member rpcId)
    admin=$token
    token=$(curl -sS --cacert "$site/ca/server-root.crt" -H "$json" -d '{"username":"alice@example.org","password":"s3cret!"}' \
        "https://127.0.0.1:$https_port/api/auth/login" | member token)
    save() { # save NAME PROFILE CUSTOMER INFO
        code POST /api/device -H "$json" -d "{\"id\":{\"entityType\":\"DEVICE\",\"id\":\"$id\"},\"name\":\"$1\",\"label\":\"mine\",\"deviceProfileId\":{\"entityType\":\"DEVICE_PROFILE\",\"id\":\"$2\"},\"customerId\":{\"entityType\":\"CUSTOMER\",\"id\":\"$3\"},\"additionalInfo\":$4}"
    }
    lobby=$(token=$admin; rest GET '/api/deviceProfileInfos?pageSize=10&page=0&textSearch=lobby' | sed -n 's/.*"id":{"entityType":"DEVICE_PROFILE","id":"\([^"]*\)"},"tenantId":{[^}]*},"name":"lobby".*/\1/p')
    is "a label of her own" 200 "$(save SN-A "$profile" "$customer" '{"note":"x"}')"
    is "another name" "$(wanted 403 200)" "$(save SN-X "$profile" "$customer" null)"
    is "gateway" "$(wanted 403 200)" "$(save SN-A "$profile" "$customer" '{"gateway":true}')"
    is "no profile" "$(wanted 403 200)" "$(save SN-A "" "$customer" null)"
    is "another profile" "$(wanted 403 200)" "$(save SN-A "$lobby" "$customer" null)"
    is "her waiting call" 200 "$(code GET "/api/rpc/persistent/$call")"
    is "another customer" "$(wanted 403 200)" "$(save SN-A "$profile" "$next" null)"
    is "is it hers still" "$(wanted 200 403)" "$(code GET "/api/device/$id")"
    token=$admin
    is "given to Bob" 200 "$(code POST "/api/customer/$next/device/$id")"
    is "does her call go with it" "$(wanted 404 200)" "$(code GET "/api/rpc/persistent/$call")"
    if grep -q "no answer was made" cloud.log; then bad "$mode: a request was left without an answer"; fi
    stop_cloud -TERM
done
exit $failed

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A customer and its user over REST: what the user sees, and what not; a device that moves to the
# operating profile is safe from other leaves of its name.
BIN=$1
. "$(dirname "$0")/lib.sh"
exec 2>&1

"$BIN/cradle" -C "$site" init --name "Customers" >/dev/null
"$BIN/cradle" -C "$site" factory run --count 2 >/dev/null
start_cloud
login
cd "$work"
for sn in SN-000001 SN-000002; do
    "$BIN/cradle" image spiffs extract "$site/factory/units/$sn/identity.bin" -o $sn >/dev/null
done
publish() { # publish FOLDER
    timeout 10 mosquitto_pub -h localhost -p "$mqtts_port" --cafile "$site/ca/server-root.crt" \
        --cert "$1/device.crt" --key "$1/device.key" -t v1/devices/me/telemetry -q 1 -m '{"x":1}' 2>/dev/null
}
id_of() { sed -n 's/^{"id":{"entityType":"[A-Z_]*","id":"\([^"]*\)".*/\1/p'; }
code() { rest "$@" -o /dev/null -w '%{http_code}'; }
is() { # is WHAT WANTED GOT
    if [ "$2" = "$3" ]; then ok "$1"; else bad "$1: $3 instead of $2"; fi
}
json='Content-Type: application/json'

publish SN-000001
publish SN-000002
mine=$(device_id SN-000001)
other=$(device_id SN-000002)
customer=$(rest POST /api/customer -H "$json" -d '{"title":"Alice"}' | id_of)
is "assigned" 200 "$(code POST "/api/customer/$customer/device/$mine")"

# -- a user with a password of her own, without a mail server --
user=$(rest POST '/api/user?sendActivationMail=false' -H "$json" \
    -d "{\"email\":\"alice@example.org\",\"authority\":\"CUSTOMER_USER\",\"customerId\":{\"entityType\":\"CUSTOMER\",\"id\":\"$customer\"}}" | id_of)
link=$(rest GET "/api/user/$user/activationLink")
activate=${link##*activateToken=}
is "a short password is refused" 400 "$(code POST /api/noauth/activate -H "$json" -d "{\"activateToken\":\"$activate\",\"password\":\"123\"}")"
is "activated" 200 "$(code POST /api/noauth/activate -H "$json" -d "{\"activateToken\":\"$activate\",\"password\":\"s3cret!\"}")"
is "a link works once" 400 "$(code POST /api/noauth/activate -H "$json" -d "{\"activateToken\":\"$activate\",\"password\":\"s3cret!\"}")"
is "no link for an active user" 400 "$(code GET "/api/user/$user/activationLink")"
admin=$token
token=$(curl -sS --cacert "$site/ca/server-root.crt" -H "$json" -d '{"username":"alice@example.org","password":"s3cret!"}' \
    "https://127.0.0.1:$https_port/api/auth/login" | member token)

# -- what she may --
is "her device" 200 "$(code GET "/api/device/$mine")"
is "her device's telemetry" 200 "$(code GET "/api/plugins/telemetry/DEVICE/$mine/keys/timeseries")"
is "another's device" 403 "$(code GET "/api/device/$other")"
is "another's telemetry" 403 "$(code GET "/api/plugins/telemetry/DEVICE/$other/keys/timeseries")"
is "an unknown device" 404 "$(code GET /api/device/11111111-1111-1111-1111-111111111111)"
is "the tenant's devices" 403 "$(code GET '/api/tenant/devices?pageSize=1&page=0')"
is "her customer's devices" 200 "$(code GET "/api/customer/$customer/devices?pageSize=1&page=0")"
is "deleting a device" 403 "$(code DELETE "/api/device/$mine")"
is "writing credentials" 403 "$(code POST /api/device/credentials -H "$json" -d '{}')"
is "making a device" 403 "$(code POST /api/device -H "$json" -d '{"name":"x"}')"
is "making a customer" 403 "$(code POST /api/customer -H "$json" -d '{"title":"x"}')"
is "tokens of others" 403 "$(code GET "/api/user/$user/token")"
token=$admin

# -- the operating profile --
profile=$(rest POST /api/deviceProfile -H "$json" -d '{"name":"operating","type":"DEFAULT","transportType":"DEFAULT","provisionType":"DISABLED","profileData":{"configuration":{"type":"DEFAULT"},"transportConfiguration":{"type":"DEFAULT"},"provisionConfiguration":{"type":"DISABLED"}}}' | id_of)
is "moved to the operating profile" 200 "$(code POST /api/device -H "$json" \
    -d "{\"id\":{\"entityType\":\"DEVICE\",\"id\":\"$mine\"},\"name\":\"SN-000001\",\"deviceProfileId\":{\"entityType\":\"DEVICE_PROFILE\",\"id\":\"$profile\"},\"customerId\":{\"entityType\":\"CUSTOMER\",\"id\":\"$customer\"}}")"
if publish SN-000001; then ok "the leaf on record still gets in"; else bad "the leaf on record is locked out"; fi
openssl ecparam -name prime256v1 -genkey -noout -out new.key 2>/dev/null
openssl req -new -key new.key -subj /CN=SN-000001 -out new.csr
openssl x509 -req -in new.csr -CA "$site/ca/line.crt" -CAkey "$site/keys/line.key" -CAcreateserial \
    -CAserial serial -days 10 -out new.leaf 2>/dev/null
mkdir -p other && cp new.key other/device.key
cat new.leaf "$site/ca/line.crt" "$site/ca/product.crt" >other/device.crt
before=$(dump)
if publish other; then bad "another leaf of the name gets into the operating profile"; else ok "another leaf of the name is refused"; fi
if [ "$(dump)" = "$before" ]; then ok "and has changed nothing"; else bad "it changed the store"; fi

is "the customer deleted" 200 "$(code DELETE "/api/customer/$customer")"
is "her user is gone with it" 404 "$(code GET "/api/user/$user")"
case "$(rest GET "/api/device/$mine")" in
*'"customerId":{"entityType":"CUSTOMER","id":"13814000-1dd2-11b2-8080-808080808080"}'*) ok "the device is nobody's again" ;;
*) bad "the device is still assigned" ;;
esac
exit $failed

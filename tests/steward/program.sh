#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The program cradle-steward and the commands beside it: starting, stopping, being killed, wrong
# files; accounts, pack lists, the owners' API; who may speak for devices.
BIN=$1
. "$(dirname "$0")/lib.sh"
exec 2>&1
cd "$work"
cradle="$BIN/cradle -C $site"

# -- without a steward in the site --
"$BIN/cradle" -C "$work/plain" init >/dev/null
refuses "a site without a steward" 1 'cradle init --steward' "$BIN/cradle-steward" -C "$work/plain"
refuses "no accounts there either" 1 'cradle init --steward' "$BIN/cradle" -C "$work/plain" steward account list

# -- starting --
$cradle init --steward steward.cradle.test:8443 >/dev/null
refuses "an option that is none" 2 'is open or release' "$BIN/cradle-steward" -C "$site" --lock shut
refuses "an unknown option" 2 'colour' "$BIN/cradle-steward" -C "$site" --colour red
chmod 644 "$site/steward/forward.key"
refuses "a secret that others read" 1 'chmod 600' "$BIN/cradle-steward" -C "$site"
chmod 600 "$site/steward/forward.key"
mv "$site/steward/ticket.key" ticket.key
refuses "a missing secret" 1 'ticket.key' "$BIN/cradle-steward" -C "$site"
mv ticket.key "$site/steward/ticket.key"
refuses "a cloud that never was" 1 'start cradle-cloud first' "$BIN/cradle-steward" -C "$site"
start_cloud
refuses "it is started through cradle, too" 2 'is on or off' $cradle steward --claims maybe
start_steward
is "the record is private" 600 "$(stat -c %a "$site/steward/steward.db")"
refuses "a second steward" 1 'another steward' "$BIN/cradle-steward" -C "$site" --listen 127.0.0.1:0

# -- accounts, beside the running steward --
printf 'correct horse\n' | $cradle steward account add alice >/dev/null
printf 'battery staple\n' >bob.txt
$cradle steward account add bob --password-file bob.txt >/dev/null
short() { echo short | $cradle steward account add carol; }
again() { echo another horse | $cradle steward account add alice; }
refuses "a short password" 2 '8 to 128' short
refuses "a name that is taken" 1 'already' again
is "two accounts" '{"account":"alice","units":0,"customer":""}{"account":"bob","units":0,"customer":""}' \
    "$($cradle steward account list --json | tr -d '\n')"
login='{"name":"alice","password":"correct horse"}'
token=$(steward /api/login -d "$login" | member token)
is "a log-in" 43 "${#token}"
is "a wrong password" 401 "$(code /api/login -d '{"name":"alice","password":"wrong horse"}')"
is "no token" 401 "$(code /api/devices)"
is "no devices yet" '{"devices":[]}' "$(steward /api/devices -H "Authorization: Bearer $token")"
ticket=$(steward /api/ticket -H "Authorization: Bearer $token" \
    -d '{"sn":"SN-000001","ep":"AQIDAAAAAAAAAAAAAAAAAA"}' | member ticket)
if [ ${#ticket} -gt 180 ] && [ ${#ticket} -le 228 ]; then ok "a ticket"; else bad "a ticket: $ticket"; fi
# its MAC, by another tool
mac=$(printf %s "${ticket%.*}" | openssl dgst -sha256 -mac HMAC \
    -macopt "hexkey:$(cat "$site/steward/ticket.key")" -binary | base64 | tr '+/' '-_' | tr -d '=')
is "a ticket's MAC" "$mac" "${ticket##*.}"

# -- who may speak for devices --
key=$(cat "$site/steward/forward.key")
device='X-Device-Id: 784f394c-42b6-435a-983c-b7beff2784f9'
is "no forward key" 401 "$(code /rpc -H "$device" -d '{}')"
is "a wrong forward key" 401 "$(code /rpc -H "$device" -H "Authorization: Bearer 0${key#?}x" -d '{}')"
is "no device id" 400 "$(code /rpc -H "Authorization: Bearer $key" -d '{}')"
is "no statement" 400 "$(code /rpc -H "$device" -H "Authorization: Bearer $key" -d '{}')"
is "no statement by HTTPS" 400 "$(code /device -d '{"method":"cradle.hello","params":{"s":"a.b.c"}}')"
is "too much" 413 "$(head -c 20000 /dev/zero | code /device --data-binary @-)"
is "an unknown path" 404 "$(code /nothing)"
is "a GET of it" 404 "$(code /rpc)"
is "the bundle" "$(cat "$site/steward/bundle.jws")" "$(steward /bundle)"
if grep -q "$key" steward.log; then bad "the forward key is in the log"; else ok "no secret in the log"; fi

i=0
while [ $i -lt 20 ]; do # curl asks ten times over one connection
    steward '/rpc?[1-10]' -d '{}' >/dev/null
    i=$((i + 1))
done
lines=$(grep -c 'without the forward key' steward.log)
if [ "$lines" -ge 30 ] && [ "$lines" -le 80 ]; then ok "strangers do not fill the log"; else bad "strangers do not fill the log: $lines"; fi

steward '/device?[1-150]' -d '{}' -w '%{http_code}\n' -o /dev/null >codes
is "one sender's questions: the first hundred" 100 "$(head -n 100 codes | grep -c 400)"
if grep -q 429 codes; then ok "then it is slowed down"; else bad "then it is slowed down"; fi

# -- pack lists --
$cradle factory run --count 2 >/dev/null
$cradle factory label SN-000001 -f zpl -o label.zpl >/dev/null
$cradle factory pack >/dev/null
is "a pack list" '{"added":2,"known":0}' "$($cradle steward import --lock release --json)"
is "the same once more" '{"added":0,"known":2}' "$($cradle steward import --json)"
sed 's/"site":"[0-9a-f]*"/"site":"00000000000000000000000000000000"/' "$site/factory/pack.json" >other.json
refuses "a list without a signature" 1 'no signature' $cradle steward import other.json
refuses "another site's" 1 'another site' $cradle steward import other.json --unsigned
cp "$site/factory/pack.jws" other.jws
refuses "a changed list" 1 'changed after it was signed' $cradle steward import other.json
refuses "a changed list, --unsigned" 1 'changed after it was signed' $cradle steward import other.json --unsigned
is "unknown yet" unknown "$(steward '/api/device?sn=SN-000001' -H "Authorization: Bearer $token" | member state)"
# the code on the label is the one that the steward knows the hash of
label=$(sed -n '/FDClaim code/{n;s/.*^FD\(....\)-\(....\)^FS/\1\2/p;}' label.zpl)
is "the label's claim code" 200 "$(code /api/code -H "Authorization: Bearer $token" \
    -d "{\"sn\":\"SN-000001\",\"code\":\"$label\"}")"
is "another unit's" 403 "$(code /api/code -H "Authorization: Bearer $token" \
    -d "{\"sn\":\"SN-000002\",\"code\":\"$label\"}")"
is "its policy" release "$($cradle steward show SN-000001 --json | member lock)"
$cradle steward release SN-000001 >/dev/null
is "released" operator "$($cradle steward show SN-000001 --json | member consent)"
$cradle steward release SN-000001 --off >/dev/null
is "taken back" none "$($cradle steward show SN-000001 --json | member consent)"
$cradle steward stolen SN-000002 >/dev/null
if $cradle steward units | grep -q 'SN-000002.*stolen'; then ok "stolen"; else bad "stolen"; fi
refuses "a unit that is none" 1 'knows no unit' $cradle steward stolen SN-000009
refuses "a verb that is none" 2 'there is no' $cradle steward sell
refuses "a receipt that is none" 1 'no such receipt' $cradle steward receipt 00112233445566778899aabbccddeeff

# -- killed and started again --
stop_steward -KILL
start_steward
is "the log-in outlives it" 200 "$(code /api/devices -H "Authorization: Bearer $token")"
printf 'a new password\n' | $cradle steward account password alice >/dev/null
is "a new password ends it" 401 "$(code /api/devices -H "Authorization: Bearer $token")"

# -- its cloud --
stop_steward -TERM
is "it ends cleanly" 0 "$steward_code"
if [ -e "$site/run/steward.json" ]; then bad "run/steward.json stays"; else ok "run/steward.json is gone"; fi
start_steward
i=0
until grep -q 'no device profile "operating"' steward.log; do
    i=$((i + 1))
    if [ $i -gt 100 ]; then break; fi
    sleep 0.05
done
if [ $i -le 100 ]; then ok "it says what the cloud lacks"; else bad "it says what the cloud lacks"; fi

# -- logging in there --
stop_steward -TERM
(umask 077 && echo '{"username":"tenant@thingsboard.org","password":"wrong"}' >wrong.json)
rm -f steward.log
start_steward --cloud-login wrong.json
sleep 3
if grep -q 'correct wrong.json' steward.log; then ok "it says which file"; else bad "it says which file"; fi
stop_steward -TERM
refuses "a CA that is none" 1 'CA file' "$BIN/cradle-steward" -C "$site" --cloud-ca nowhere.crt

# -- a record of tomorrow --
sqlite3 "$site/steward/steward.db" 'PRAGMA user_version = 9'
refuses "a newer record" 1 'newer cradle-steward' "$BIN/cradle-steward" -C "$site"

exit $failed

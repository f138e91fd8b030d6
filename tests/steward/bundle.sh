#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A new bundle reaches a device in the field; a forged one and an older one do not.
BIN=$1
. "$(dirname "$0")/lib.sh"
exec 2>&1
cd "$work"
start_life 1

"$BIN/cradle" -C "$site" device run SN-000001 >>device.log 2>&1 &
device_pid=$!
until_true 10 waits 1 || bad "the device waits for a phone"
provision alice >said
is "Alice claims it" yours "$(member claim <said)"
device=$(unit device)
# Assigned to its owner: a strict cloud takes calls back that wait while that happens.
is_hers() { rest GET "/api/device/info/$device" | grep -q '"customerTitle":"owner alice"'; }
until_true 10 is_hers || bad "the cloud knows whose it is"

# What the device says it has is in its hello, which the steward asks for as long as it is older.
ring() {
    rest POST "/api/rpc/twoway/$device" -H 'Content-Type: application/json' -d '{"method":"cradle.call","timeout":10000}'
}
fetched() { [ "$(grep -c "SN-000001 bundle: bundle" steward.log)" -ge "$1" ]; }

refuses "no bundle without the anchor's key" 1 "anchor.key" sh -c "mv '$site/keys/anchor.key' away.key; $cradle bundle make"
mv away.key "$site/keys/anchor.key"
is "the next version" 2 "$($cradle --json bundle make | sed -n 's/.*"version":\([0-9]*\).*/\1/p')"
stop_steward -TERM
start_steward
is "rung" "{}" "$(ring)"
until_true 10 fetched 1 && ok "the device fetches it" || bad "it does not fetch it: $(tail -n 3 steward.log)"
before=$(grep -c 'SN-000001 hello' steward.log)
ring >/dev/null
until_true 10 sh -c "[ \$(grep -c 'SN-000001 hello' steward.log) -gt $before ]" || bad "no hello after it"
sleep 0.5
if fetched 2; then bad "fetched twice"; else ok "and has it: it does not ask again"; fi

# Signed by somebody else: the steward does not even start with it.
cp "$site/steward/bundle.jws" good.jws
sed 's/\.[^.]*$/.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/' good.jws >"$site/steward/bundle.jws"
refuses "a forged one" 1 "bundle" $cradle bundle show
stop_steward -TERM
refuses "not by the steward either" 1 "bundle" "$BIN/cradle-steward" -C "$site" --listen 127.0.0.1:0
cp good.jws "$site/steward/bundle.jws"
finished=yes
exit $failed

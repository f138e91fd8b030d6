#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A phone that cannot carry a ticket: the owner enters the code of the label at the steward and
# presses the button. Two people who know the code: neither gets it.
BIN=$1
. "$(dirname "$0")/lib.sh"
exec 2>&1
cd "$work"
start_life 1
code=K7WQ2M9X
hash=$(printf %s $code | openssl dgst -sha256 -r | cut -c1-64)
sed "s/\"code_hash\":null/\"code_hash\":\"$hash\"/" "$site/factory/pack.json" >pack.json
is "a pack list with codes" '{"added":0,"known":1}' "$($cradle steward import pack.json --unsigned --json)"

join() { # without an account, as a stock app does
    printf 'correct-horse\n' | $cradle phone provision --ssid Home --passphrase-file - >/dev/null 2>>phone.log
}
enter() { # enter NAME CODE
    echo "$2" | $cradle phone code SN-000001 - --account "$1"
}
held() { [ "$(unit state)" = held ]; }
asks() { grep -q 'hello: hold' steward.log; }

"$BIN/cradle" -C "$site" device run SN-000001 >>device.log 2>&1 &
device_pid=$!
until_true 10 waits 1 || bad "the device waits for a phone"
refuses "a wrong code" 1 'do not belong together' enter alice K7WQ2M9Y
join && ok "it joins" || bad "it joins"
until_true 10 asks && ok "it is told to hold" || bad "it is told to hold"
until_true 5 held && ok "nobody's yet" || bad "nobody's yet: $(unit state)"
enter alice $code >/dev/null && ok "the right code" || bad "the right code"
is "a code alone is not enough" "" "$(unit owner)"
$cradle device press SN-000001 >/dev/null
hers() { [ "$(unit owner)" = alice ] && [ "$(unit state)" = streaming ]; }
until_true 30 hers && ok "code and press: hers" || bad "code and press: $(unit owner) $(unit state)"

# -- after a reset two people enter it --
$cradle device reset SN-000001 >/dev/null
until_true 10 waits 2 || bad "after a reset it waits again"
join && ok "it joins again" || bad "it joins again"
until_true 10 held && ok "held again" || bad "held again: $(unit state)"
enter bob $code >/dev/null && enter alice $code >/dev/null && ok "two codes" || bad "two codes"
$cradle device press SN-000001 >/dev/null
sleep 2
is "neither: the owner stays" alice "$(unit owner)"
is "and nothing streams" held "$(unit state)"

finished=yes
exit $failed

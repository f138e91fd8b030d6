#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Serial numbers with a check character and of several products, made by two lines at once: none
# comes twice, a mistyped one is told from one that does not exist.
set -euo pipefail
cradle=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() { echo "FAILED: $*"; exit 1; }
refused() { # <words> <command...>
    local words=$1; shift
    if "$@" >out 2>&1; then fail "it let this pass: $*"; fi
    grep -qF -- "$words" out || { cat out; fail "expected \"$words\" from: $*"; }
}
sns() { grep -o '"sn":"[^"]*"' | cut -d'"' -f4; }

refused "ThingsBoard" "$cradle" -C no init --sn-pattern '%06d' --sn-check luhn
refused "luhn or iso7064" "$cradle" -C no init --sn-check crc
refused "begin with the same text" "$cradle" -C no init --product 'two=SN-%04d'
"$cradle" -C acme init --sn-pattern 'AC-%06d' --sn-check iso7064 --model one \
    --product 'two=A2-%06d{luhn}' --checkpoint-dir safe >/dev/null
refused 'cradle.json names one, two' "$cradle" -C acme factory run --product three

"$cradle" -C acme --json factory run --count 70 >a &
"$cradle" -C acme --json factory run --count 70 --product two --writer line-2 >b &
wait %1
wait %2
sns <a >one
sns <b >two
[ "$(cat one two | wc -l)" = 140 ] || fail "not all were made"
[ -z "$(cat one two | sort | uniq -d)" ] || fail "a serial number came twice"
[ "$(grep -c '^AC-[0-9]\{6\}[0-9A-Z]$' one)" = 70 ] || fail "form of the first product's"
[ "$(grep -c '^A2-[0-9]\{7\}$' two)" = 70 ] || fail "form of the second product's"
# Nor do two units have one number.
[ -z "$(cut -c4-9 one two | sort | uniq -d)" ] || fail "a number came twice"
"$cradle" -C acme factory show "$(head -1 two)" | grep -q 'model.*two' || fail "the model"
"$cradle" -C acme custody verify | grep -q ' of 2 writers.* 0 faults' || fail "verify"

sn=$(head -1 two)
last=${sn: -1}
refused "check character" "$cradle" -C acme factory show "${sn%?}$(((last + 1) % 10))"
refused "check character" "$cradle" -C acme custody show "${sn%?}$(((last + 1) % 10))"
refused "there is no unit" "$cradle" -C acme factory show AC-999

# Who worked there: a pseudonym, the same one until the person is forgotten.
who() { "$cradle" -C acme --json custody show "$1" | sed -n 's/.*"operator":"\([^"]*\)".*/\1/p' | head -1; }
make() { "$cradle" -C acme --json factory run --operator "$1" | sns; }
anna=$(who "$(make 'Anna B.')")
[[ $anna =~ ^p-[0-9a-f]{16}$ ]] || fail "no pseudonym: $anna"
first=$(make 'Anna B.')
[ "$(who "$first")" = "$anna" ] || fail "another pseudonym for the same person"
[ "$(who "$(make Bert)")" != "$anna" ] || fail "one pseudonym for two"
[ "$(stat -c %a acme/factory/people.json)" = 600 ] || fail "people.json can be read by others"
grep -qa Anna acme/factory/custody.db* && fail "a name is in the record"
"$cradle" -C acme custody forget 'Anna B.' | grep -q "$anna" || fail "forget"
grep -q Anna acme/factory/people.json && fail "a forgotten person is in people.json"
refused "nobody is known" "$cradle" -C acme custody forget 'Anna B.'
[ "$(who "$(make 'Anna B.')")" != "$anna" ] || fail "a forgotten person is known again"
[ "$(who "$first")" = "$anna" ] || fail "the record changed"
"$cradle" -C acme custody verify >/dev/null || fail "verify"
echo ok

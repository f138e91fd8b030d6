#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The back-up drill of docs/line-engineer.md: an old back-up is put in place, nothing is given out
# twice, the record tells what it lacks; checkpoints that cannot be believed stop the line.
set -euo pipefail
cradle=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() { echo "FAILED: $*"; exit 1; }
sns() { "$cradle" -C acme --json factory "$@" | grep -o '"sn":"[^"]*"' | cut -d'"' -f4 | sort; }
refused() { # <words> <command...>
    local words=$1; shift
    if "$@" >out 2>&1; then fail "it let this pass: $*"; fi
    grep -qF -- "$words" out || { cat out; fail "expected \"$words\" from: $*"; }
}

"$cradle" -C acme init --checkpoint-dir safe >/dev/null
grep -q "\"checkpoint_dir\":\"$dir/safe\"" acme/cradle.json || fail "the setting is missing"
refused "outside" "$cradle" -C other init --checkpoint-dir other/run
[ ! -e other/cradle.json ] && [ ! -e other/run ] || fail "something is left of a refused site"

sns run --count 5 >made.1
cp -a acme backup
sns run --count 70 >made.2
"$cradle" -C acme custody verify | grep -q ' 0 faults' || fail "verify"
"$cradle" -C acme custody checkpoint -o note.jws | grep -q 'numbers up to' || fail "checkpoint"

# The old back-up in place of the site.
mv acme lost
cp -a backup acme
refused "cut" "$cradle" -C acme custody verify
refused "cut" "$cradle" -C acme custody verify --checkpoint note.jws
sns run --count 3 >made.3 2>/dev/null
[ -z "$(sort made.1 made.2 made.3 | uniq -d)" ] || fail "a serial number came twice"
"$cradle" -C acme factory run --count 1 2>&1 | grep -q 'custody restored' ||
    fail "the run does not say that a back-up was restored"
"$cradle" -C acme factory identity </dev/null 2>&1 | grep -q 'custody restored' ||
    fail "station 3 does not say it"
"$cradle" -C acme custody restored | grep -q 'up to [1-9][0-9]* entries were lost' || fail "restored"
"$cradle" -C acme custody verify | grep -q ' 0 faults' || fail "verify after restored"
"$cradle" -C acme factory run --count 2 >out 2>&1
grep -q 'custody restored' out && fail "it still complains"
refused "nothing is missing" "$cradle" -C acme custody restored
sns list >all
cat made.1 made.3 | sort >want
[ "$(comm -13 all want | wc -l)" = 0 ] || fail "units are missing"

# A record that is gone altogether.
mv acme/factory/custody.db hidden.db
rm -f acme/factory/custody.db-*
sns run --count 1 >made.4 2>/dev/null
[ -z "$(cat made.1 made.2 made.3 made.4 | sort | uniq -d)" ] || fail "a number came twice"
rm -f acme/factory/custody.db*
mv hidden.db acme/factory/custody.db

# Checkpoints that are not to be believed: damaged, from elsewhere, signed by somebody else.
newest=$(ls safe/*.jws | tail -1)
cp "$newest" good
head -c 200 good >"$newest"
refused "move it away" "$cradle" -C acme factory run --count 1
refused "move it away" "$cradle" -C acme custody verify
"$cradle" -C stranger init >/dev/null
"$cradle" -C stranger factory run --count 1 >/dev/null
"$cradle" -C stranger custody checkpoint -o foreign.jws >/dev/null
cp foreign.jws "$newest"
refused "forged, or another site's" "$cradle" -C acme factory run --count 1
refused "is refused" "$cradle" -C acme custody verify --checkpoint foreign.jws
refused "custody.db" "$cradle" -C acme custody verify --checkpoint acme/factory/custody.db
cp good "$newest"

# The medium is not there.
mv safe away
refused "mount it" "$cradle" -C acme factory run --count 1
mv away safe
"$cradle" -C acme factory run --count 1 >/dev/null 2>&1
[ "$(ls safe/*.jws | wc -l)" -le 10 ] || fail "too many checkpoints are kept"
# One unit, all of it, for an archive.
sn=$(head -1 made.1)
"$cradle" -C acme custody export "$sn" -o unit.jsonl
grep -q "\"kind\":\"identity\".*\"hash\":\"[0-9a-f]\{64\}\"" unit.jsonl || fail "export"
echo ok

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Boards go through the stations as on a line: one line in, one line out. usage: stations.sh BIN
set -eu
BIN=$1
work=$(mktemp -d)
site=$work/site
failed=0

finish() {
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

cradle() { "$BIN/cradle" -C "$site" "$@"; }
ok() { printf 'ok: %s\n' "$1"; }
bad() {
    printf 'FAILED: %s\n' "$1"
    failed=1
}
# says WHAT CODE PATTERN COMMAND...: it ends with that code and prints a line that matches
says() {
    what=$1
    want=$2
    pattern=$3
    shift 3
    code=0
    "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    if [ "$code" = "$want" ] && cat "$work/out" "$work/err" | grep -q -- "$pattern"; then
        ok "$what"
    else
        bad "$what: code $code: $(cat "$work/out" "$work/err")"
    fi
}
# is WHAT WANTED GOT
is() {
    if [ "$2" = "$3" ]; then ok "$1"; else bad "$1: \"$3\" instead of \"$2\""; fi
}
entries() { cradle --json custody show "$1" 2>/dev/null | grep -o "\"kind\":\"$2\"" | wc -l; }

cradle init --name Acme >/dev/null

# -- station 1
printf 'A0:B1:C2:00:00:01\r\nA0B1C2000002 power=3.31\n\nA0B1C2000003 antenna=fail\nrubbish\n' |
    cradle factory assemble --lot L7 --check sensors=ok,antenna=ok >"$work/lines" || true
is "a scanner's lines are answered one by one" "OK
OK
FAIL
FAIL" "$(cut -d' ' -f1 "$work/lines")"
says "the same facts again" 0 "was already" \
    cradle factory assemble A0:B1:C2:00:00:01 --lot L7 --check sensors=ok,antenna=ok
says "other facts are refused" 1 "other facts" cradle factory assemble A0:B1:C2:00:00:01 --lot L8
says "checked anew" 0 "^OK" cradle factory assemble A0:B1:C2:00:00:01 --lot L8 --again
says "JSON for programs" 0 '"ok":true,"state":"assembled"' \
    cradle --json factory assemble A0:B1:C2:00:00:04

# -- station 2
says "a board that failed does not move on" 1 "did not pass station 1" \
    cradle factory flash A0:B1:C2:00:00:03
says "unknown board" 1 "there is no board" cradle factory flash A0:B1:C2:00:00:09
says "flash bytes" 0 "flashed$" cradle factory flash A0:B1:C2:00:00:01 A0:B1:C2:00:00:02
says "flashed again" 0 "was already" cradle factory flash A0:B1:C2:00:00:01
says "esptool must be esptool" 1 "is not esptool" cradle factory flash --port "$work/none" \
    --esptool /bin/true A0:B1:C2:00:00:01

# -- station 3
says "not flashed yet" 1 "cradle factory flash" cradle factory identity A0:B1:C2:00:00:04
says "identity" 0 "SN-000001 identified" cradle factory identity A0:B1:C2:00:00:01
says "the same board has the same SN" 0 "SN-000001 identified (was already)" \
    cradle factory identity A0:B1:C2:00:00:01
says "the other has another" 0 "SN-000002 identified" cradle factory identity A0:B1:C2:00:00:02
is "one identity in custody" 1 "$(entries SN-000001 identity)"

# -- station 3 with the signer away
cradle factory flash A0:B1:C2:00:00:04 >/dev/null
says "requests go out" 0 "SN-000003 requested" \
    cradle factory identity --csr-out "$work/requests.pem" A0:B1:C2:00:00:04
openssl req -in "$work/requests.pem" -noout -verify 2>"$work/err" && ok "OpenSSL reads the request"
if cradle ca sign --help 2>/dev/null | grep -q -- --batch; then
    mv "$site/keys/line.key" "$work/line.key"
    says "the signer is away" 1 "line.key" cradle factory run
    mv "$work/line.key" "$site/keys/line.key"
    cradle ca sign --batch "$work/requests.pem" --out "$work/chains.pem" >/dev/null
    says "chains come in" 0 "SN-000003 identified" \
        cradle factory identity --import "$work/chains.pem"
    says "twice" 0 "was already" cradle factory identity --import "$work/chains.pem"
fi

# -- station 4
cat >"$work/limits.json" <<'END'
{"temperature":{"min":-20,"max":60},"humidity":{"min":0,"max":100}}
END
says "a unit lives on the bench" 0 "^OK SN-000001 tested.*temperature=" \
    cradle factory test --limits "$work/limits.json" SN-000001
says "tested again" 0 "was already" cradle factory test SN-000001
echo '{"temperature":{"max":-10}}' >"$work/cold.json"
says "a value outside its limits" 1 "^FAIL SN-000002 temperature: temperature is" \
    cradle factory test --limits "$work/cold.json" SN-000002
echo '{"pressure":{"max":-10}}' >"$work/pressure.json"
says "a value that does not come" 1 "telemetry: it did not send pressure" \
    cradle factory test --limits "$work/pressure.json" --timeout 2 SN-000002
says "a call that nobody answers" 1 "self-test" \
    cradle factory test --self-test noSuchThing SN-000002
says "bad limits" 1 "needs a min" sh -c "echo '{\"a\":{}}' >$work/l; \
    $BIN/cradle -C $site factory test --limits $work/l SN-000002"
says "it passes after all" 0 "^OK" cradle factory test SN-000002
is "every outcome is in custody" 4 "$(entries SN-000002 test)"
is "nothing stays of the bench" "" "$(ls "$site/factory" | grep bench || true)"
is "the unit is as it was made" "" "$(ls "$site/devices" 2>/dev/null || true)"

# -- a bench whose process is killed leaves nothing for long
cradle factory run --count 3 >/dev/null
"$BIN/cradle" -C "$site" factory test SN-000004 >/dev/null 2>&1 &
pid=$!
i=0
while ! ls "$site"/factory/bench-*/run/device-SN-000004.json >/dev/null 2>&1 && [ $i -lt 100 ]; do
    i=$((i + 1))
    sleep 0.05
done
kill -9 $pid
wait $pid 2>/dev/null || true # its end is no news
says "after a kill the test is done again" 0 "OK SN-000004 tested" cradle factory test SN-000004
is "what the killed bench left is gone" "" "$(ls "$site/factory" | grep bench || true)"
printf 'SN-000005\nSN-000006\nSN-000099\n' | cradle factory test --jobs 3 >"$work/lines" || true
is "several at a time, answered in order" "OK SN-000005
OK SN-000006
FAIL SN-000099" "$(cut -d' ' -f1,2 "$work/lines")"

# -- units with a proof of possession
"$BIN/cradle" -C "$work/pop" init --pop >/dev/null
"$BIN/cradle" -C "$work/pop" factory run >/dev/null
says "with a proof of possession" 0 "^OK" "$BIN/cradle" -C "$work/pop" factory test SN-000001

# -- a site on which nothing was made yet
"$BIN/cradle" -C "$work/new" init >/dev/null
says "the line begins on a new site" 0 "test: 2 ok, 0 failed" \
    "$BIN/cradle" -C "$work/new" factory run --count 2 --test

# -- units that ask a steward: the bench answers for it, with a key that is worth nothing outside
"$BIN/cradle" -C "$work/ask" init --steward steward.cradle.test:8443 >/dev/null
"$BIN/cradle" -C "$work/ask" factory run --count 2 >/dev/null
mkdir "$work/away"
mv "$work/ask/keys/steward.key" "$work/away/" # the line does not have it
says "units that ask a steward" 0 "^OK SN-000002" \
    "$BIN/cradle" -C "$work/ask" factory test SN-000001 SN-000002
[ -e "$work/ask/devices/SN-000001" ] && bad "a tested unit ships as it was made"
"$BIN/cradle" -C "$work/ask" factory label --all --format zpl >/dev/null
says "they are shipped" 0 "" "$BIN/cradle" -C "$work/ask" factory pack --ship
[ -e "$work/ask/devices/SN-000001/flash.ovl" ] || bad "a shipped unit is marked in its flash"
mv "$work/ask/keys/bench.key" "$work/away/"
says "without the bench key" 1 "bench.key does not exist" \
    "$BIN/cradle" -C "$work/ask" factory test --again SN-000002

# -- Espressif's own program, where it is installed: it takes our words
cradle factory assemble A0:B1:C2:00:00:0A >/dev/null
cradle factory flash A0:B1:C2:00:00:0A >/dev/null
for tool in esptool esptool.py; do
    if command -v $tool >/dev/null; then
        says "$tool knows what we ask" 1 "could not open\|Could not open" \
            cradle factory identity --port "$work/none" --esptool $tool A0:B1:C2:00:00:0A
    fi
done

# -- the line, and two of them at once
for i in 1 2 3 4 5 6; do echo "A0:B1:C2:00:01:0$i"; done >"$work/macs"
cradle factory assemble <"$work/macs" >/dev/null
echo A0:B1:C2:00:FF:FF >>"$work/macs"
says "the line for a batch of boards" 1 "FAIL a0:b1:c2:00:ff:ff flash: there is no board" \
    cradle factory run --boards "$work/macs" --test --limits "$work/limits.json" --label
is "six units went all the way" "label: 6 ok, 0 failed" "$(grep '^label:' "$work/out")"
is "they are labelled" 6 "$(cradle factory report --csv | grep -c '^SN.*,a0:b1:c2:00:01:.*,labelled,')"
"$BIN/cradle" -C "$site" factory run --count 150 --writer line-2 >"$work/two" 2>&1 &
pid=$!
cradle factory run --count 150 >"$work/one" 2>&1 || bad "the first of two lines"
wait $pid || bad "the second of two lines"
is "two lines at once give 300 serial numbers" 300 \
    "$(cat "$work/one" "$work/two" | grep -o '^SN-[0-9]*' | sort -u | wc -l)"
is "each with a chain of its own" 3 "$(cradle --json custody verify | grep -o '"writers":[0-9]*' |
    cut -d: -f2)"

# -- what comes after
says "rework" 0 "OK SN-000001 identified with a new certificate" cradle factory rework SN-000001
is "the old certificate is denied" "1 1" \
    "$(entries SN-000001 deny) $(cradle ca deny --list | grep -c superseded || true)"
says "it is tested again" 0 "^OK SN-000001 tested temperature" cradle factory test SN-000001
says "scrap needs a reason" 2 "--why" cradle factory scrap SN-000002
says "scrap" 0 "^OK SN-000002 scrapped" cradle factory scrap SN-000002 --why "fell down"
says "what was scrapped is not tested" 1 "was scrapped" cradle factory test SN-000002
says "the report" 0 "^test .*%" cradle factory report
says "the report for programs" 0 '"cause":"pressure\|"cause":"telemetry"' cradle --json factory report

says "custody holds together" 0 " 0 faults" cradle custody verify
exit $failed

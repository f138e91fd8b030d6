#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The line under kill -9, with a full and a read-only disk, and with old back-ups put in place.
#
#     KILLS=200 UNITS=10000 SEED=1 tests/soak/line.sh build/gcc/bin/cradle
#
# KILLS rounds (default 10), each with one or two lines on one site that are killed at random
# instants; UNITS units (default 0: left out) through flash bytes, identity and labels without an
# error. After all of it: no serial number was ever printed twice, every unit that custody knows has
# the image that it recorded, whole, and every chain verifies. The seed is printed: the same seed
# gives the same instants, though not the same scheduling.
set -euo pipefail
program=$(realpath "$1")
KILLS=${KILLS:-10}
UNITS=${UNITS:-0}
SEED=${SEED:-$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
RANDOM=$SEED
echo "seed $SEED, $KILLS kills, $UNITS units"
dir=$(mktemp -d)
cleanup() { [ -n "${KEEP:-}" ] || { chmod -R u+w "$dir" 2>/dev/null || true; rm -rf "$dir"; }; }
trap cleanup EXIT
cd "$dir"
# A copy: a build that goes on meanwhile changes nothing here.
cp "$program" ./cradle
chmod 755 . cradle
cradle=$dir/cradle

fail() { echo "FAILED (seed $SEED): $*"; exit 1; }
verified() { "$cradle" -C "$1" custody verify >verdict 2>&1 || { cat verdict; fail "$2"; }; }
pause() { sleep "$(printf '0.%03d' "$1")"; }
# A file that was cut by a kill does not run into the next one.
numbers() { grep -oh '"sn":"[^"]*"' "$@" | cut -d'"' -f4; }
unique() { [ -z "$(sort "$1" | uniq -d | head -3)" ] || fail "$2: $(sort "$1" | uniq -d | head -3)"; }

# Every unit's image is read and compared with custody by the pack list.
sound() { # <site> <what was done>
    "$cradle" -C "$1" factory pack --out list.json >/dev/null 2>err || { cat err; fail "$2"; }
}

# ---- killed at random instants, alone and two at once ----
"$cradle" -C acme init --checkpoint-dir "$dir/safe" >/dev/null
for ((i = 1; i <= KILLS; i++)); do
    "$cradle" -C acme --json factory run --count 100000 >"out.$i.a" 2>err.a &
    a=$!
    b=
    if ((RANDOM % 2)); then
        "$cradle" -C acme --json factory run --count 100000 --writer line-2 >"out.$i.b" 2>err.b &
        b=$!
    fi
    pause $((RANDOM % 700))
    kill -9 $a || { cat err.a; fail "a line ended by itself"; }
    wait $a 2>/dev/null || true
    if [ -n "$b" ]; then
        pause $((RANDOM % 100))
        kill -9 $b || { cat err.b; fail "a line ended by itself"; }
        wait $b 2>/dev/null || true
    fi
    [ ! -e acme/factory/custody.db ] || [ ! -s acme/factory/custody.db ] ||
        verified acme "after kill $i"
done
# Each line settles what its own dead runs left.
"$cradle" -C acme --json factory run --count 1 >out.last.a
"$cradle" -C acme --json factory run --count 1 --writer line-2 >out.last.b
numbers out.* >printed
unique printed "killed lines gave a serial number twice"
"$cradle" -C acme --json factory list | grep -o '"sn":"[^"]*"' | cut -d'"' -f4 >listed
unique listed "a unit is listed twice"
# A unit that was reported exists.
sort printed >printed.s
sort listed >listed.s
[ -z "$(comm -23 printed.s listed.s | head -3)" ] || fail "a unit was reported that does not exist"
[ -z "$(ls acme/factory/units | sort | comm -23 - listed.s | head -3)" ] ||
    fail "files are left of what is no unit"
sound acme "an image of a killed line"
verified acme "at the end"
echo "$KILLS kills: $(wc -l <listed) units, none twice, all images whole"

# ---- an old back-up is put in place of the site, again and again ----
rounds=$((KILLS / 20 + 1))
"$cradle" -C drill init --checkpoint-dir "$dir/drill.safe" >/dev/null
"$cradle" -C drill --json factory run --count 10 >forth.0
for ((i = 1; i <= rounds; i++)); do
    cp -a drill older
    "$cradle" -C drill --json factory run --count 100000 >"back.$i" 2>/dev/null &
    a=$!
    pause $((200 + RANDOM % 600))
    kill -9 $a
    wait $a 2>/dev/null || true
    rm -rf drill
    mv older drill
    "$cradle" -C drill --json factory run --count 3 >"forth.$i" 2>/dev/null
    [ "$(numbers "forth.$i" | wc -l)" = 3 ] || fail "no units after a back-up was restored"
done
numbers back.* forth.* >both
unique both "a restored back-up gave a serial number twice"
"$cradle" -C drill custody restored >/dev/null || fail "restored"
verified drill "after restored back-ups"
echo "$rounds restored back-ups: none twice"

# ---- a full disk: a file system of its own, in a mount namespace of its own ----
full() {
    mkdir small
    mount -t tmpfs -o size=3m tmpfs small
    "$cradle" -C small/site init >/dev/null
    "$cradle" -C small/site --json factory run --count 5 >before
    if "$cradle" -C small/site factory run --count 100000 >/dev/null 2>err; then
        fail "100000 units on a disk of 3 MB"
    fi
    grep -qi 'space\|full' err || { cat err; fail "no clear error"; }
    [ "$(wc -l <err)" = 1 ] || { cat err; fail "more than one error"; }
    head -c 10000000 /dev/zero >small/filler 2>/dev/null || true
    if "$cradle" -C small/site factory run --count 1 >/dev/null 2>err; then
        fail "a unit on a full disk"
    fi
    "$cradle" -C small/site custody verify >/dev/null 2>err || grep -q 'disk is full' err ||
        { cat err; fail "verify on a full disk"; }
    rm -f small/filler
    mount -o remount,size=16m small
    "$cradle" -C small/site --json factory run --count 3 >after 2>err || { cat err; fail "room again"; }
    verified small/site "after a full disk"
    sound small/site "after a full disk"
    numbers before after >all
    unique all "a full disk"
    umount small
}
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
    export -f full fail verified sound numbers unique
    export cradle SEED
    unshare -m --propagation private bash -euo pipefail -c full
    echo "full disk: a clear error, custody whole, on it goes with room again"
else
    echo "full disk: left out (no right to a mount namespace)"
fi

# ---- a disk that cannot be written; root may write anything, so somebody else tries ----
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    mkdir locked
    chown 65534:65534 locked
    nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/ "$@"; }
    nobody ./cradle -C locked/site init >/dev/null
    nobody ./cradle -C locked/site factory run --count 2 >/dev/null
    chmod -R a-w locked
    if nobody ./cradle -C locked/site factory run --count 1 >/dev/null 2>err; then
        fail "a unit on a disk that cannot be written"
    fi
    [ "$(wc -l <err)" = 1 ] && grep -qi 'denied\|rights\|read-only\|readonly' err ||
        { cat err; fail "no clear error on a read-only disk"; }
    nobody ./cradle -C locked/site custody verify >/dev/null || fail "verify on a read-only disk"
    chmod -R u+w locked
    nobody ./cradle -C locked/site factory run --count 1 >/dev/null || fail "writable again"
    verified locked/site "after a read-only disk"
    echo "read-only disk: a clear error, custody whole, on it goes when it is writable again"
else
    echo "read-only disk: left out (not root, or no setpriv)"
fi

# ---- many units, without an error ----
if ((UNITS > 0)); then
    "$cradle" -C many init >/dev/null
    "$cradle" -C many --json factory run --count "$UNITS" >made || fail "$UNITS units"
    numbers made >sns
    [ "$(sort -u sns | wc -l)" = "$UNITS" ] || fail "not $UNITS units"
    "$cradle" -C many factory label --format zpl --out "$dir/labels.zpl" <sns >said ||
        { grep -v '^OK' said | head -3; fail "labels"; }
    [ "$(grep -c '\^XA' labels.zpl)" = "$UNITS" ] || fail "not $UNITS labels"
    sound many "an image of $UNITS"
    verified many "$UNITS units"
    echo "$UNITS units through flash bytes, identity and labels: no error"
fi
echo ok

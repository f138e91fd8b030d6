#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `cradle image` as a person uses it: results, exit codes, errors that say what to do.
set -u
cradle=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0

is() { # is WHAT WANTED FOUND
    if [ "$2" != "$3" ]; then
        echo "FAILED $1: wanted \"$2\", found \"$3\""
        failed=1
    fi
}

fails() { # fails CODE WORDS ARG...: on standard error
    code=$1
    words=$2
    shift 2
    text=$("$cradle" image "$@" 2>&1 >/dev/null)
    is "exit code of image $*" "$code" $?
    case "$text" in
    *"$words"*) ;;
    *) is "error of image $*" "$words" "$text" ;;
    esac
}

sha() {
    sha256sum "$1" | cut -c1-64
}

# SPIFFS: the worked example; spiffsgen.py of ESP-IDF v6.0.2 made this hash.
mkdir files
printf 'hello\n' >files/a.txt
i=0
while [ $i -lt 256 ]; do
    printf "\\$(printf %03o $i)"
    i=$((i + 1))
done >cycle
i=0
while [ $i -lt 118 ]; do
    cat cycle
    i=$((i + 1))
done | head -c 30000 >files/big.bin
"$cradle" image spiffs build files --size 64K -o s.bin || failed=1
is "SPIFFS image" 8d3103a0d9f5686d4d998a2699936cc58ec1bdd5da1729280f05d7b054bc3f4a "$(sha s.bin)"
is "mode of an image" 600 "$(stat -c %a s.bin)"
is "files listed" '[{"name":"/a.txt","size":6,"id":1},{"name":"/big.bin","size":30000,"id":2}]' \
    "$("$cradle" --json image spiffs list s.bin | tr -d '\n' | sed 's/, {/,{/')"
"$cradle" image spiffs extract s.bin -o out >/dev/null || failed=1
cmp -s out/big.bin files/big.bin || is "extracted file" same different
is "mode of an extracted file" 600 "$(stat -c %a out/a.txt)"
fails 1 "exists already" spiffs extract s.bin -o out
printf 'big.bin\na.txt\n' >list
"$cradle" image spiffs build files --files-from list --size 64K -o t.bin || failed=1
is "order of a list" "/big.bin /a.txt" \
    "$("$cradle" image spiffs list t.bin | awk 'NR > 1 {print $3}' | paste -sd' ')"
fails 2 "--size N is the size" spiffs build files -o x
fails 2 "-o OUT says" spiffs build files --size 64K
fails 2 "wants a size such as" spiffs build files --size many -o x
fails 2 "are both given" spiffs build files --size 64K --use-magic --no-magic -o x
fails 1 'full at "/big.bin"' spiffs build files --size 32K -o x
fails 1 "at most 8192 are accepted" spiffs build files --size 8K -o x
fails 1 "but the partition has 0x7000" spiffs list files/big.bin --size 0x7000
head -c 28672 files/big.bin >noise.bin
fails 1 "no SPIFFS of this size" spiffs list noise.bin
fails 1 "does not exist" spiffs list missing.bin
[ -e x ] && is "a failed build" "no file" "a file"

# Partition table: gen_esp32part.py (v6.0.2) makes the same of Cradle's nine rows.
cat >table.csv <<'CSV'
# Name, Type, SubType, Offset, Size, Flags
nvs,        data, nvs,       0xe000,  0x6000
otadata,    data, ota,       ,        0x2000
phy_init,   data, phy,       ,        0x1000
identity,   data, spiffs,    ,        36K
ota_0,      app,  ota_0,     ,        0x1e0000
ota_1,      app,  ota_1,     ,        0x1e0000
cradle_nvs, data, nvs,       ,        0x8000
nvs_keys,   data, nvs_keys,  ,        0x1000
outbox,     data, undefined, ,        0x17000
CSV
"$cradle" image partitions build table.csv --offset 0xd000 --flash-size 4M -o table.bin || failed=1
is "partition table" 1431ef4c534870029463eedc23a4def0994de0eb82dcf6dde9026529343cb3c8 \
    "$(sha table.bin)"
is "table as CSV" "identity,data,spiffs,0x17000,36K," \
    "$("$cradle" image partitions show table.bin --csv | grep identity)"
printf 'a,data,nvs,0x8000,0x6000\n' >wrong.csv
fails 1 "wrong.csv: line 1: its offset 0x8000 is below 0x9000" partitions build wrong.csv -o x
fails 1 "beyond a flash of 0x200000" partitions build table.csv --offset 0xd000 --flash-size 2M -o x

# A whole flash: what is there, and what is wrong with it; never the content of an identity.
mkdir identity
echo "a private key" >identity/device.key
"$cradle" image spiffs build identity --size 36K -o identity.bin || failed=1
"$cradle" image app --app-version 1.2.3 -o app.bin || failed=1
head -c 4194304 /dev/zero | tr '\000' '\377' >flash.bin
put() { # put FILE SECTOR
    dd if="$1" of=flash.bin bs=4096 seek="$2" conv=notrunc status=none
}
put table.bin 13
put identity.bin 23
put app.bin 32
"$cradle" image show flash.bin >shown || failed=1
grep -q 'ota_0 .*yes .*cradle-linux .*1\.2\.3 .*sound' shown || is "app shown" there "$(cat shown)"
grep -q '/device.key, 14 bytes' shown || is "identity shown" there "$(cat shown)"
grep -q 'private' shown && is "content of an identity" hidden shown
printf 'XXXX' | dd of=flash.bin bs=1 seek=$((0x20000 + 40)) conv=notrunc status=none
"$cradle" image show flash.bin >shown
is "exit code for a damaged app" 1 $?
grep -q 'SHA-256 at the end' shown || is "damage shown" there "$(cat shown)"
fails 1 "only erased flash" show flash.bin --offset 0x8000
fails 1 "whole sectors" show app.bin
fails 2 "there is no" nonsense
exit $failed

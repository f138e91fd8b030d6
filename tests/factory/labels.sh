#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Station 5 from the command line: labels read back with zbar, PDF made a picture by poppler, codes
# and hashes compared with sha256sum, the pack list's signature checked with openssl alone.
BIN=$1
. "$(dirname "$0")/../steward/lib.sh"
exec 2>&1
cd "$work"
cradle="$BIN/cradle -C $site"

$cradle init --pop --model sensor-2 --steward steward.cradle.test:8443 >/dev/null
$cradle factory run --count 30 >/dev/null

# -- PNG, one line in, one line out --
is "one unit" "OK SN-000001 labelled" "$($cradle factory label SN-000001)"
is "again" "OK SN-000001 labelled already" "$($cradle factory label SN-000001)"
png=$site/factory/labels/SN-000001.png
is "it is private" 600 "$(stat -c %a "$png")"
pop=$($cradle factory show SN-000001 --json | member pop)
name=$($cradle factory show SN-000001 --json | member service)
is "its QR code" "{\"ver\":\"v1\",\"name\":\"$name\",\"pop\":\"$pop\",\"transport\":\"ble\"}" \
    "$("$BIN/read_codes" "$png" 2>/dev/null)"
is "a scanner's lines" "OK SN-000002 labelled
OK SN-000003 labelled" "$(printf 'SN-000002\r\n\n  SN-000003\n' | $cradle factory label)"
is "wrong ones" "FAIL SN-999999 there is no unit SN-999999; \`cradle factory list\` shows the units
OK SN-000004 labelled" "$(printf 'SN-999999\nSN-000004\n' | $cradle factory label || true)"
refuses "and the exit code" 1 FAIL $cradle factory label SN-999999

# -- ZPL --
$cradle factory label SN-000005 SN-000006 -f zpl -o two.zpl >/dev/null
is "two labels in a file" 2 "$(grep -c '^^XA' two.zpl)"
code=$(sed -n '/FDClaim code/{n;s/.*^FD\(....\)-\(....\)^FS/\1\2/p;}' two.zpl | head -1)
is "a code's length" 8 "${#code}"
hash=$(printf %s "$code" | sha256sum | cut -d' ' -f1)
is "its hash in custody" "$hash" "$($cradle custody show SN-000005 | member code_hash)"
if grep -rq "$code" "$site"; then bad "the code is in the site"; else ok "the code is on the label only"; fi
refuses "a file with labels stays" 1 'exists already' $cradle factory label SN-000007 -f zpl -o two.zpl
$cradle factory label SN-000005 --reprint -f zpl -o new.zpl >/dev/null
new=$(sed -n '/FDClaim code/{n;s/.*^FD\(....\)-\(....\)^FS/\1\2/p;}' new.zpl)
if [ "$code" = "$new" ]; then bad "a reprint has the same code"; else ok "a reprint has another code"; fi
hash=$(printf %s "$new" | sha256sum | cut -d' ' -f1)

# -- PDF: those that are left, a sheet of 24 --
$cradle factory label --all -f pdf -o all.pdf --json >said.json
is "all of them" 30 "$(grep -c '"ok":true' said.json)"
is "those that had none" 24 "$(grep -c '"state":"labelled"' said.json)"
is "one sheet" 1 "$(pdfinfo all.pdf | sed -n 's/^Pages: *//p')"
is "A4" 'A4' "$(pdfinfo all.pdf | sed -n 's/^Page size:.*(\(.*\))/\1/p')"
# each label by itself, from its place: 62 mm by 29 mm, 3 mm apart, in the middle of the sheet
for place in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23; do
    pdftoppm -r 254 -png -x $((90 + place % 3 * 650)) -y $((220 + place / 3 * 320)) \
        -W 620 -H 290 -singlefile all.pdf "sheet-$place"
done
"$BIN/read_codes" sheet-*.png 2>/dev/null | sort -u >read.txt
is "codes on the sheet" 24 "$(wc -l <read.txt | tr -d ' ')"
for i in 07 19 30; do
    unit=SN-0000$i
    pop=$($cradle factory show $unit --json | member pop)
    if grep -q "\"pop\":\"$pop\"" read.txt; then ok "$unit is on it"; else bad "$unit is not on it"; fi
done
if pdftotext -layout all.pdf - | grep -q 'SN-000019'; then ok "as text, too"; else bad "no text"; fi
refuses "too many for A4" 2 'A4 has 210 by 297' $cradle factory label --all -f pdf --sheet 4x8
refuses "a size that is none" 2 'width by height' $cradle factory label --all --size 62
refuses "a format that is none" 2 'png, pdf or zpl' $cradle factory label --all --format gif

# -- the pack list --
$cradle factory pack --csv pack.csv -o list.json >/dev/null
is "its rows" 31 "$(wc -l <pack.csv | tr -d ' ')"
is "the last code's hash" "$hash" "$(sed -n 's/^SN-000005,[^,]*,[^,]*,\([^,]*\),.*/\1/p' pack.csv)"
is "the same in JSON" "$hash" "$(grep '"sn":"SN-000005"' list.json | member code_hash)"
leaf=$(grep '"sn":"SN-000005"' list.json | member leaf | base64 -d | sha256sum | cut -d' ' -f1)
is "its certificate" "$leaf" "$(sed -n 's/^SN-000005,[^,]*,\([^,]*\),.*/\1/p' pack.csv)"
if $cradle factory pack --verify list.json >/dev/null; then ok "the signature"; else bad "the signature"; fi

# the same without us: signing input = header . base64url(SHA-256 of the list)
b64url() { base64 -w0 | tr '+/' '-_' | tr -d '='; }
unb64url() { tr -- '-_' '+/' | awk '{ while (length($0) % 4) $0 = $0 "="; print }' | base64 -d; }
printf '%s.%s' "$(cut -d. -f1 list.jws)" "$(openssl dgst -sha256 -binary list.json | b64url)" >input
raw=$(cut -d. -f3 list.jws | unb64url | od -An -v -tx1 | tr -d ' \n')
r=$(echo "$raw" | cut -c1-64)
s=$(echo "$raw" | cut -c65-128)
printf 'asn1=SEQUENCE:sig\n[sig]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' "$r" "$s" >sig.cnf
openssl asn1parse -genconf sig.cnf -noout -out sig.der
if openssl dgst -sha256 -verify "$site/keys/pack.pub" -signature sig.der input >/dev/null; then
    ok "the signature, by openssl"
else
    bad "the signature, by openssl"
fi
sed -i 's/SN-000005/SN-000055/' list.json
refuses "a changed list" 1 'changed after it was signed' $cradle factory pack --verify list.json
rm list.jws
refuses "no signature" 1 'no signature' $cradle factory pack --verify list.json
refuses "--verify stands alone" 2 'stands alone' $cradle factory pack --verify list.json --ship

# -- shipping --
is "shipped" '30 0' "$($cradle factory pack --ship --json |
    sed -n 's/.*"shipped":\([0-9]*\),"unlabelled":\([0-9]*\).*/\1 \2/p')"
is "in custody" "$(sha256sum <"$site/factory/pack.json" | cut -d' ' -f1)" \
    "$($cradle custody show SN-000030 | member pack)"
is "once" 0 "$($cradle factory pack --ship --json | sed -n 's/.*"shipped":\([0-9]*\).*/\1/p')"
is "the steward takes it" '{"added":30,"known":0}' "$($cradle steward import --json)"
is "custody is whole" 0 "$($cradle custody verify | sed -n 's/.* \([0-9]*\) faults$/\1/p')"

# -- two stations with the same units --
$cradle factory run --count 40 >/dev/null
$cradle factory label --all >one.txt &
$cradle factory label --all >two.txt
wait $!
is "each has one label" 40 "$(cat one.txt two.txt | grep -c ' labelled$')"
is "and both say so" 140 "$(cat one.txt two.txt | grep -c '^OK ')"

# -- killed at any moment: run again, and each label's code is the one whose hash is in custody --
$cradle factory run --count 100 >/dev/null
for pause in 0.02 0.05 0.08 0.11 0.14 0.17 0.2 0.25; do
    $cradle factory label --all -f zpl >/dev/null 2>&1 &
    sleep $pause
    kill -9 $! 2>/dev/null || true
    wait $! 2>/dev/null || true
done
is "the rest" 170 "$($cradle factory label --all -f zpl | grep -c '^OK ')"
$cradle factory pack --csv killed.csv >/dev/null
wrong=0
i=71
while [ $i -le 170 ]; do
    unit=$(printf 'SN-%06d' $i)
    code=$(sed -n '/FDClaim code/{n;s/.*^FD\(....\)-\(....\)^FS/\1\2/p;}' "$site/factory/labels/$unit.zpl")
    hash=$(printf %s "$code" | sha256sum | cut -d' ' -f1)
    grep -q "^$unit,.*,$hash," killed.csv || wrong=$((wrong + 1))
    i=$((i + 1))
done
is "labels whose code is not in custody" 0 $wrong
is "custody is whole" 0 "$($cradle custody verify | sed -n 's/.* \([0-9]*\) faults$/\1/p')"
exit $failed

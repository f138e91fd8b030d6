#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `cradle ca` against Debian's openssl: what one makes, the other accepts; what must be refused is,
# and leaves nothing behind.
set -eu
exec 2>&1
BIN=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
site=$work/site
failed=0
unset CRADLE_PASSPHRASE || true

ok() { echo "ok   $1"; }
bad() {
    echo "FAIL $1"
    failed=1
}
cradle() { "$BIN/cradle" -C "$site" "$@"; }
# yes WHAT COMMAND...: succeeds. no WHAT WORD COMMAND...: fails and says WORD.
yes() {
    what=$1
    shift
    if "$@" >"$work/out" 2>&1; then ok "$what"; else bad "$what: $(cat "$work/out")"; fi
}
no() {
    what=$1
    word=$2
    shift 2
    if "$@" >"$work/out" 2>&1; then
        bad "$what: was accepted"
    elif grep -q -- "$word" "$work/out"; then
        ok "$what: refused"
    else
        bad "$what: refused with $(cat "$work/out")"
    fi
}
# strict CHAIN: openssl's own opinion of a device certificate
strict() {
    openssl verify -x509_strict -purpose sslclient -CAfile "$site/ca/root.crt" -untrusted "$1" "$1"
}
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

"$BIN/cradle" -C "$site" init --name Acme >/dev/null
cd "$work"

# -- show ---------------------------------------------------------------------------------------
yes "show lists the CAs" sh -c "'$BIN/cradle' -C '$site' ca show | grep -q '^line .*Acme Line CA .*P-256 .*here'"
yes "show one as JSON" sh -c "'$BIN/cradle' -C '$site' ca show product --json | grep -q '\"path_length\":1'"
yes "openssl and show agree on the fingerprint" sh -c "
    a=\$(openssl x509 -in '$site/ca/line.crt' -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f)
    '$BIN/cradle' -C '$site' ca show line --json | grep -q \"\$a\""
no "show of nothing" "no CA" cradle ca show line.7

# -- issue --------------------------------------------------------------------------------------
yes "issue with a key of its own" cradle ca issue --sn LAB-1 --key-out a.key -o a.crt
yes "openssl takes it, x509_strict, sslclient" strict a.crt
yes "the key is private" sh -c "[ \$(stat -c %a a.key) = 600 ]"
yes "the key fits" sh -c "[ \"\$(openssl pkey -in a.key -pubout)\" = \"\$(openssl x509 -in a.crt -noout -pubkey)\" ]"
yes "verify says yes" cradle ca verify a.crt --key a.key
no "the same SN again" "--again" cradle ca issue --sn LAB-1 --key-out b.key -o b.crt
no "an SN like a number" "number" cradle ca issue --sn 000123 --key-out b.key -o b.crt
no "a file that exists" "exists already" cradle ca issue --sn LAB-2 --key-out b.key -o a.crt
no "too long a life" "outlive" cradle ca issue --sn LAB-2 --key-out b.key -o b.crt --days 20000
no "an unknown CA" "line or renewal" cradle ca issue --sn LAB-2 --key-out b.key -o b.crt --by product
if [ -e b.key ] || [ -e b.crt ]; then bad "a refusal left files"; else ok "refusals leave no files"; fi
yes "with --again" cradle ca issue --sn LAB-1 --key-out b.key -o b.crt --again --by renewal
yes "openssl takes the renewal CA's too" strict b.crt

# -- requests made by openssl -------------------------------------------------------------------
key d.key
openssl req -new -key d.key -subj /CN=LAB-3 -out d.csr
yes "openssl's request" cradle ca issue --sn LAB-3 --csr d.csr -o d.crt --days 10
yes "openssl takes the answer" strict d.crt
no "a request for another SN" "not for LAB-4" cradle ca issue --sn LAB-4 --csr d.csr -o x.crt
openssl req -new -key d.key -subj /O=Evil/CN=LAB-5 -addext basicConstraints=critical,CA:TRUE \
    -addext subjectAltName=DNS:evil.test -addext keyUsage=keyCertSign -out evil.csr
yes "a request that asks for more" cradle ca sign evil.csr -o evil.crt
if openssl x509 -in evil.crt -noout -text | grep -qE "CA:TRUE|evil|Evil|Certificate Sign"; then
    bad "something was copied from the request"
else
    ok "nothing is copied from the request"
fi
openssl req -new -key d.key -subj /CN=LAB-6/CN=LAB-7 -out two.csr
no "two CNs" "several CNs" cradle ca sign two.csr -o x.crt
openssl req -new -key d.key -subj /O=Acme -out none.csr
no "no CN" "no CN" cradle ca sign none.csr -o x.crt
openssl req -new -newkey rsa:1024 -nodes -keyout weak.key -subj /CN=LAB-8 -out weak.csr 2>/dev/null
no "RSA-1024" "2048" cradle ca sign weak.csr -o x.crt
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout p384.key -subj /CN=LAB-8 \
    -out p384.csr 2>/dev/null
no "P-384" "P-256" cradle ca sign p384.csr -o x.crt
openssl req -new -key d.key -subj /CN=12345 -out number.csr
no "a number" "number" cradle ca sign number.csr -o x.crt
openssl req -in d.csr -outform DER -out d.der
size=$(stat -c %s d.der)
head -c $((size - 1)) d.der >bent.der
printf '\377' >>bent.der
no "a bent signature" "not signed with its own key" cradle ca sign bent.der -o x.crt
no "no request at all" "not a certificate request" cradle ca sign a.crt -o x.crt
openssl req -new -newkey rsa:2048 -nodes -keyout rsa.key -subj /CN=LAB-9 -out rsa.csr 2>/dev/null
yes "RSA-2048" cradle ca sign rsa.csr -o rsa.crt
yes "openssl takes it" strict rsa.crt

# -- batches ------------------------------------------------------------------------------------
: >batch.pem
for n in 31 12 25 7 18; do
    key k.key
    openssl req -new -key k.key -subj /CN=BOX-$n >>batch.pem
done
yes "a batch" cradle ca sign --batch batch.pem -o chains.pem
# Leaves are the first of each three.
order=$(awk '/BEGIN/ {n++} n % 3 == 1' chains.pem | awk -v RS='-----END CERTIFICATE-----\n' \
    '{print $0 RS | "openssl x509 -noout -subject"; close("openssl x509 -noout -subject")}' |
    sed 's/.*BOX-//' | tr '\n' ' ')
if [ "$order" = "31 12 25 7 18 " ]; then ok "in the same order"; else bad "the order is $order"; fi
if [ "$(grep -c BEGIN chains.pem)" = 15 ]; then ok "each with its chain"; else bad "not five chains"; fi
entries=$(cradle custody verify | cut -d' ' -f1)
key k.key
openssl req -new -key k.key -subj /CN=BOX-40 >mixed.pem
cat weak.csr >>mixed.pem
no "one bad request in a batch" "request" cradle ca sign --batch mixed.pem -o x.crt
cat batch.pem >twice.pem
cat batch.pem >>twice.pem
no "an SN twice in a batch" "two requests" cradle ca sign --batch twice.pem -o x.crt --again
cat k.key >>mixed.pem
no "a private key in a batch" "request" cradle ca sign --batch k.key -o x.crt
if [ "$(cradle custody verify | cut -d' ' -f1)" = "$entries" ]; then ok "custody knows of none of them"; else
    bad "refused requests left entries in custody"
fi
[ ! -e x.crt ] || bad "a refused request made a file"

# -- the mission's recipe, both ways ------------------------------------------------------------
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out m.key 2>/dev/null
openssl req -new -key m.key -subj /CN=MIS-1 -out m.csr
openssl x509 -req -in m.csr -CA "$site/ca/line.crt" -CAkey "$site/keys/line.key" -CAcreateserial \
    -CAserial serial -days 1095 -sha256 -out m.leaf 2>/dev/null
cat m.leaf "$site/ca/line.crt" "$site/ca/product.crt" >m.crt
yes "openssl's leaf by our CA's key (X.509 v1)" cradle ca verify m.crt --key m.key
yes "the same without its chain" sh -c "'$BIN/cradle' -C '$site' ca verify m.leaf | grep -q 'taken from the site'"
yes "and it becomes a unit" cradle factory adopt --key m.key --cert m.crt --chain "$site/ca/server-root.crt"

# -- verify says no -----------------------------------------------------------------------------
no "a key that is not its own" "NO .*private key" cradle ca verify a.crt --key d.key
openssl x509 -req -in d.csr -signkey d.key -days 3 -out self.crt 2>/dev/null
no "a foreign certificate" "NO .*leads to this product CA" cradle ca verify self.crt
openssl x509 -req -in d.csr -CA "$site/ca/line.crt" -CAkey "$site/keys/line.key" -CAserial serial -days 10 \
    -extfile /dev/stdin -out srv.crt 2>/dev/null <<'END'
extendedKeyUsage=serverAuth
END
no "a server's certificate" "NO .*for a TLS client" cradle ca verify srv.crt
sed '/BEGIN/!s/A/B/' a.crt >torn.crt
no "a damaged certificate" "." cradle ca verify torn.crt

# -- deny, and the lists ------------------------------------------------------------------------
no "deny without a name" "wants" cradle ca deny
no "a reason that is none" "--reason is one of" cradle ca deny a.crt --reason because
no "an SN without a certificate" "knows no certificate" cradle ca deny --sn LAB-77
no "a foreign one" "not issued by a CA of this site" cradle ca deny self.crt
no "a CA by mistake" "--ca says" cradle ca deny "$site/ca/line.crt"
yes "deny a file" cradle ca deny d.crt --reason keyCompromise
yes "deny it again" sh -c "'$BIN/cradle' -C '$site' ca deny d.crt | grep -q 'Denied already'"
no "it is denied" "NO .*deny-list" cradle ca verify d.crt
yes "deny all of an SN" sh -c "'$BIN/cradle' -C '$site' ca deny --sn LAB-1 --reason superseded | grep -q '^2 certificates'"
no "the first of it" "NO .*deny-list" cradle ca verify a.crt
no "the second of it" "NO .*deny-list" cradle ca verify b.crt
yes "an adopted unit by its SN" cradle ca deny --sn MIS-1
yes "custody has it" sh -c "'$BIN/cradle' -C '$site' custody show LAB-1 | grep -q superseded"
# The JWS by hand: base64url, and r | s made into what openssl verifies.
b64() { tr '_-' '/+' | awk '{while (length($0) % 4) $0 = $0 "="; print}' | base64 -d; }
cut -d. -f3 "$site/ca/deny.jws" | b64 | od -An -v -tx1 | tr -d ' \n' >sig.hex
printf 'asn1=SEQUENCE:sig\n[sig]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' "$(cut -c1-64 sig.hex)" \
    "$(cut -c65-128 sig.hex)" >sig.conf
openssl asn1parse -genconf sig.conf -out sig.der -noout
cut -d. -f1,2 "$site/ca/deny.jws" | tr -d '\n' >signed
openssl x509 -in "$site/ca/product.crt" -noout -pubkey >product.pub
yes "openssl verifies the list with the product CA" openssl dgst -sha256 -verify product.pub \
    -signature sig.der signed
leaves=$(cut -d. -f2 "$site/ca/deny.jws" | b64 | grep -o '"leaf":"[^"]*"' | wc -l)
if [ "$leaves" = 4 ]; then ok "four are on it"; else bad "$leaves are on the list"; fi
yes "revocation lists" cradle ca crl -o crl.pem
no "openssl finds the denied one revoked" "revoked" openssl verify -crl_check -CRLfile crl.pem \
    -CAfile "$site/ca/root.crt" -untrusted d.crt d.crt
yes "and the others good" openssl verify -crl_check -CRLfile crl.pem -CAfile "$site/ca/root.crt" \
    -untrusted rsa.crt rsa.crt
yes "openssl reads the reason" sh -c "openssl crl -in crl.pem -noout -text | grep -q 'Key Compromise'"
yes "the mission's v1 leaf is in it" sh -c "openssl crl -in crl.pem -noout -text |
    grep -qi \"Serial Number: \$(openssl x509 -in m.leaf -noout -serial | sed 's/.*=//')\""

# -- roll ---------------------------------------------------------------------------------------
cp "$site/keys/line.key" former.key
yes "roll the line" cradle ca roll line
yes "what the former CA signed is good" cradle ca verify rsa.crt
yes "issue by the new one" cradle ca issue --sn LAB-20 --key-out n.key -o n.crt
yes "openssl takes it" strict n.crt
yes "it is by the new one" sh -c "openssl x509 -in n.crt -noout -issuer | grep -q 'Acme Line CA 2'"
yes "a factory run uses it" cradle factory run --count 1
if grep -rqF "$(sed -n 2p former.key)" "$site"; then bad "the old key is still in the site"; else
    ok "the old key is gone"
fi
no "no list of the former CA without its key" "not in this site" cradle ca crl --by line.1 -o crl2.pem
yes "with its key" cradle ca crl --by line.1 --key former.key -o crl2.pem
yes "roll the renewal CA, keeping the key" cradle ca roll renewal --keep-old kept.key
yes "it is the old one" sh -c "openssl x509 -in '$site/ca/renewal.1.crt' -noout -pubkey |
    cmp -s - /dev/fd/3 3<<END
\$(openssl pkey -in kept.key -pubout)
END"
no "roll the root" "line and renewal" cradle ca roll root
no "too short for devices" "too short" cradle ca roll line --days 100

# -- a factory run leaves out what was issued ---------------------------------------------------
yes "a number of the pattern" cradle ca issue --sn SN-000003 --key-out o.key -o o.crt
cradle factory run --count 2 >/dev/null
no "a factory run leaves it out" "SN-000003" sh -c "'$BIN/cradle' -C '$site' factory list | grep SN-000003 >/dev/null &&
    exit 0; echo SN-000003 is no unit; exit 1"
yes "and the next one is made" sh -c "'$BIN/cradle' -C '$site' factory list | grep -q SN-000004"

# -- the key elsewhere, and under a passphrase --------------------------------------------------
mv "$site/keys/product.key" away.key
no "deny without the product CA's key" "--key FILE" cradle ca deny n.crt
no "deny with a wrong key" "not the product CA's" cradle ca deny n.crt --key "$site/keys/line.key"
yes "deny with the key elsewhere" cradle ca deny n.crt --key away.key
chmod 644 away.key
no "a key that others can read" "chmod 600" cradle ca roll line --key away.key
chmod 600 away.key
printf 'correct horse\n' >pass
printf 'short\n' >pass-short
no "too short a passphrase" "at least 8" cradle ca passphrase away.key --passphrase-fd 3 3<pass-short
yes "encrypt a key" cradle ca passphrase away.key --passphrase-fd 3 3<pass
yes "it is encrypted, and private" sh -c "grep -q 'BEGIN ENCRYPTED' away.key && [ \$(stat -c %a away.key) = 600 ]"
yes "openssl opens it" openssl pkey -in away.key -passin file:pass -noout
yes "show says so" sh -c "cp away.key '$site/keys/product.key' && '$BIN/cradle' -C '$site' ca show |
    grep -q 'product .*here, encrypted' && rm '$site/keys/product.key'"
no "no terminal, no passphrase" "--passphrase-fd" setsid "$BIN/cradle" -C "$site" ca roll line --key away.key
printf 'wrong horse\n' >pass-wrong
no "a wrong passphrase" "does not open the key" cradle ca roll line --key away.key --passphrase-fd 3 3<pass-wrong
if grep -q "wrong horse" out; then bad "the passphrase is in the error"; else ok "the error does not say it"; fi
no "a descriptor that is not open" "open file descriptor" cradle ca roll line --key away.key --passphrase-fd 9
printf 'line secret\ncorrect horse\n' >pass-two
yes "roll with passphrases" cradle ca roll line --encrypt --key away.key --passphrase-fd 3 3<pass-two
printf 'line secret\n' >pass-line
no "issue without it" "--passphrase-fd" setsid "$BIN/cradle" -C "$site" ca issue --sn LAB-30 --key-out p.key -o p.crt
yes "issue with it" cradle ca issue --sn LAB-30 --key-out p.key -o p.crt --passphrase-fd 3 3<pass-line
yes "openssl takes it" strict p.crt
yes "take it off" cradle ca passphrase line --remove --passphrase-fd 3 3<pass-line
yes "issue without it again" cradle ca issue --sn LAB-31 --key-out q.key -o q.crt
if find "$site" \( -name '*.key' -o -name '*.key.*' \) -perm /077 | grep -q .; then
    bad "a key that others can read: $(find "$site" -name '*.key*' -perm /077)"
else
    ok "no key can be read by others"
fi
yes "custody is sound" cradle custody verify

# -- init with keys elsewhere -------------------------------------------------------------------
mkdir medium
new() {
    dir=$1
    shift
    "$BIN/cradle" -C "$dir" init --name Acme "$@"
}
no "a root key inside the site" "inside the site" new s1 --root-key s1/keys/../root.key
no "a medium that is not there" "cannot put a key" new s1 --root-key nowhere/root.key
[ ! -e s1/cradle.json ] || bad "a refused init made a site"
printf 'ceremony pass\n' >pass-init
yes "init, the root's key away and encrypted" new s1 --root-key medium/root.key --encrypt --passphrase-fd 3 3<pass-init
if [ -e s1/keys/root.key ]; then bad "the root's key is in the site"; else ok "the root's key is not in the site"; fi
yes "it is on the medium, private, encrypted" sh -c "[ \$(stat -c %a medium/root.key) = 600 ] && grep -q ENCRYPTED medium/root.key"
yes "it is the root's" sh -c "[ \"\$(openssl pkey -in medium/root.key -passin file:pass-init -pubout)\" = \"\$(openssl x509 -in s1/ca/root.crt -noout -pubkey)\" ]"
yes "show says elsewhere" sh -c "'$BIN/cradle' -C s1 ca show | grep -q '^root .*elsewhere'"
yes "and the product CA's is encrypted" sh -c "'$BIN/cradle' -C s1 ca show | grep -q '^product .*encrypted'"
yes "the site works without it" "$BIN/cradle" -C s1 factory run --count 1
no "the medium is not overwritten" "exists" new s2 --root-key medium/root.key
yes "it is still the first one" openssl pkey -in medium/root.key -passin file:pass-init -noout
yes "the product CA's key away" new s2 --product-key medium/product.key
no "roll asks for it" "--key FILE" "$BIN/cradle" -C s2 ca roll line
yes "roll with it" "$BIN/cradle" -C s2 ca roll line --key medium/product.key
no "a failure later takes the key back" "." new s3 --product-key medium/late.key --server-name 'bad name!'
[ ! -e medium/late.key ] || bad "a key of a site that was not made is left"

# -- an existing root, an existing product CA ---------------------------------------------------
# authority NAME SUBJECT EXTENSIONS DAYS [ISSUER]
authority() {
    key "$1.key"
    chmod 600 "$1.key"
    openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
    printf '%b' "$3" >"$1.ext"
    if [ $# -gt 4 ]; then
        openssl x509 -req -in "$1.csr" -CA "$5.crt" -CAkey "$5.key" -CAserial serial -CAcreateserial -days "$4" \
            -extfile "$1.ext" -out "$1.crt" 2>/dev/null
    else
        openssl x509 -req -in "$1.csr" -signkey "$1.key" -days "$4" -extfile "$1.ext" -out "$1.crt" 2>/dev/null
    fi
}
usable='keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
authority corp "/O=Corp/CN=Corp Root" "basicConstraints=critical,CA:TRUE\n$usable" 3000
authority prod "/O=Corp/CN=Corp Product" "basicConstraints=critical,CA:TRUE,pathlen:1\n$usable" 2500 corp
authority zero "/O=Corp/CN=Corp Zero" "basicConstraints=critical,CA:TRUE,pathlen:0\n$usable" 2500 corp
authority leafy "/O=Corp/CN=Corp Leaf" "basicConstraints=critical,CA:FALSE\n" 2500 corp
authority short "/O=Corp/CN=Corp Short" "basicConstraints=critical,CA:TRUE\n$usable" 900 corp
authority web "/O=Corp/CN=Corp Web" "basicConstraints=critical,CA:TRUE\nextendedKeyUsage=serverAuth\n$usable" 2500 corp
no "an imported root without its key" "--root-key" new i0 --root-cert corp.crt
no "an imported product CA without its key" "--product-key" new i0 --product-cert prod.crt
no "a key that does not fit" "is not the key of" new i0 --root-cert corp.crt --root-key prod.key
no "no CA" "is no CA" new i0 --product-cert leafy.crt --product-key leafy.key
no "path length 0" "path length 0" new i0 --product-cert zero.crt --product-key zero.key
no "a root of path length 1" "needs 2" new i0 --root-cert prod.crt --root-key prod.key
no "a CA that ends too soon" "outlive" new i0 --product-cert short.crt --product-key short.key
no "a CA for servers only" "would be refused" new i0 --product-cert web.crt --product-key web.key
no "a root that did not issue it" "was not issued by" new i0 --product-cert prod.crt --product-key prod.key --root-cert s2/ca/root.crt
[ ! -e i0/cradle.json ] || bad "a refused import made a site"
[ -s prod.key ] || bad "a refused import removed the key"
yes "import a root" new i1 --root-cert corp.crt --root-key corp.key
yes "and its devices" "$BIN/cradle" -C i1 ca issue --sn LAB-1 --key-out i1.key -o i1.crt
yes "openssl takes them under the corporate root" openssl verify -x509_strict -purpose sslclient -CAfile corp.crt \
    -untrusted i1.crt i1.crt
yes "its key was not copied" sh -c "! grep -rqF \"\$(sed -n 2p corp.key)\" i1"
yes "import a product CA with its root" new i2 --product-cert prod.crt --product-key prod.key --root-cert corp.crt
yes "and its devices" "$BIN/cradle" -C i2 ca issue --sn LAB-1 --key-out i2.key -o i2.crt
yes "openssl takes them too" openssl verify -x509_strict -purpose sslclient -CAfile corp.crt -untrusted i2.crt i2.crt
yes "deny with the imported CA's key" "$BIN/cradle" -C i2 ca deny i2.crt --key prod.key
no "it is denied" "NO .*deny-list" "$BIN/cradle" -C i2 ca verify i2.crt
yes "import a product CA alone" new i3 --product-cert prod.crt --product-key prod.key
yes "show does without the root" sh -c "'$BIN/cradle' -C i3 ca show | grep -q 'Corp Product'"
yes "an RSA site" new r1 --key rsa2048
yes "its devices" "$BIN/cradle" -C r1 ca issue --sn LAB-1 --key-out r1.key -o r1.crt
yes "openssl takes them" openssl verify -x509_strict -purpose sslclient -CAfile r1/ca/root.crt -untrusted r1.crt r1.crt
yes "its deny-list is RS256" sh -c "'$BIN/cradle' -C r1 ca deny r1.crt && cut -d. -f1 r1/ca/deny.jws | tr '_-' '/+' |
    base64 -d 2>/dev/null | grep -q RS256"
no "and it is read" "NO .*deny-list" "$BIN/cradle" -C r1 ca verify r1.crt
exit $failed

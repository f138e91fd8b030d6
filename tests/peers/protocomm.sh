#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Espressif's esp_prov.py provisions our device's end over its SoftAP transport: security 0, 1 and 2,
# wrong secrets, scan, wrong passphrase, reset; and our messages against Espressif's Python codecs.
# Against the test board (all security versions) and, when there is one, `cradle device run`.
#
#   IDF_PATH      a checkout of ESP-IDF
#   NETPROV_PATH  network_provisioning (idf-extra-components); default: a wifi_provisioning esp_prov
#                 in IDF_PATH/tools/esp_prov (ESP-IDF 5.x)
#   PROV_PYTHON   a Python with the packages protobuf and cryptography; default: a venv made here
set -u
cd "$(dirname "$0")/../.." || exit 2
bin=${CRADLE_BIN:-$PWD/build/gcc/bin}
work=$(mktemp -d)
failed=0
board=

finish() {
    [ -n "$board" ] && kill "$board" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT

say() { # say passed|FAILED|"not run" NAME [why]
    printf '%-7s %s%s\n' "$1" "$2" "${3:+: $3}"
    if [ "$1" = FAILED ]; then failed=1; fi
}

skip_all() {
    say "not run" "esp_prov.py" "$1"
    exit 0
}

find_tool() {
    [ -n "${IDF_PATH:-}" ] || skip_all "IDF_PATH is not given"
    [ -d "$IDF_PATH/components/protocomm/python" ] || skip_all "no protocomm in IDF_PATH"
    for dir in "${NETPROV_PATH:-/nonexistent}/tool/esp_prov" "$IDF_PATH/tools/esp_prov"; do
        if [ -f "$dir/esp_prov.py" ]; then
            tool=$dir
            return
        fi
    done
    skip_all "no esp_prov.py: give NETPROV_PATH (network_provisioning), or an ESP-IDF 5.x"
}

find_python() {
    python=${PROV_PYTHON:-}
    if [ -z "$python" ]; then
        python3 -m venv "$work/venv" >"$work/venv.log" 2>&1 &&
            "$work/venv/bin/pip" -q install protobuf cryptography >>"$work/venv.log" 2>&1 ||
            skip_all "no Python environment: $(tail -1 "$work/venv.log")"
        python=$work/venv/bin/python
    fi
    "$python" -c 'import google.protobuf, cryptography' 2>/dev/null ||
        skip_all "$python lacks protobuf or cryptography"
}

# esp_prov.py imports bleak only for Bluetooth, which is not what is tested here.
prov() { # prov ADDRESS ARG... -> $work/out
    (cd "$tool" && timeout 60 "$python" esp_prov.py --transport softap --service_name "$@") \
        >"$work/out" 2>&1
}

start_board() { # start_board SECURITY SECRET [PATCH] -> $address
    stop_board
    : >"$work/board"
    "$bin/provisioning_board" "$@" >"$work/board" 2>&1 &
    board=$!
    address=
    for _ in $(seq 50); do
        address=$(head -1 "$work/board")
        [ -n "$address" ] && return
        sleep 0.1
    done
}

stop_board() {
    [ -n "$board" ] && kill "$board" 2>/dev/null
    board=
}

expect() { # expect NAME FILE TEXT
    if grep -qF -- "$3" "$work/$2"; then
        say passed "$1"
    else
        say FAILED "$1" "no \"$3\" in: $(tail -3 "$work/$2" | tr '\n' ' ')"
    fi
}

joined() { # joined NAME ARG...: esp_prov.py brings the board onto the network
    local name=$1
    shift
    prov "$address" "$@" --ssid Alice-Home --passphrase wonderland
    if grep -q 'Provisioning was successful' "$work/out"; then
        expect "$name" board "proven: Alice-Home wonderland"
    else
        say FAILED "$name" "$(tail -1 "$work/out")"
    fi
}

refused() { # refused NAME WHY ARG...
    local name=$1 why=$2
    shift 2
    prov "$address" "$@" --ssid Alice-Home --passphrase wonderland
    if grep -q 'Error in establishing session' "$work/out"; then
        expect "$name" board "refused: $why"
    else
        say FAILED "$name" "$(tail -1 "$work/out")"
    fi
}

board_cases() {
    start_board 0 ""
    joined "security 0" --sec_ver 0
    start_board 1 ""
    joined "security 1 without PoP" --sec_ver 1
    start_board 1 ""
    joined "security detected by the tool"
    start_board 1 abcd1234
    refused "security 1, wrong PoP" "the client's proof of possession is wrong" \
        --sec_ver 1 --pop abcd1235
    joined "security 1 with PoP, at once after a wrong one" --sec_ver 1 --pop abcd1234
    local user="--sec2_username wifiprov"
    start_board 2 abcd1234
    refused "security 2, wrong password" "the client's user name or password is wrong" \
        --sec_ver 2 $user --sec2_pwd abcd1235
    joined "security 2" --sec_ver 2 $user --sec2_pwd abcd1234
    start_board 2 abcd1234 0
    joined "security 2, patch version 0" --sec_ver 2 $user --sec2_pwd abcd1234
    start_board 1 ""
    prov "$address" --sec_ver 1 --ssid Alice-Home --passphrase wonderlan
    expect "wrong passphrase is told" out "Failure reason: Incorrect Password"
    prov "$address" --sec_ver 1 --ssid Nowhere --passphrase wonderland
    expect "missing network is told" out "Failure reason: Incorrect SSID"
    prov "$address" --sec_ver 1 --reset
    expect "reset after a failure" out "Resetting WiFi"
    joined "and right after it the right one" --sec_ver 1
    start_board 1 ""
    printf '1\nwonderland\n' | prov "$address" --sec_ver 1
    expect "scan through the device" out "Alice-Home                        020000000001    6 -45  WPA2_PSK"
    expect "and a network chosen from it" board "proven: Alice-Home wonderland"
    stop_board
}

# The messages of our unit tests, as Espressif's own generated code makes them.
codec_cases() {
    cat >"$work/codec.py" <<'PY'
import sys
sys.path.insert(0, '.')
import proto
c = getattr(proto, 'network_config_pb2', None) or proto.wifi_config_pb2
s = getattr(proto, 'network_scan_pb2', None) or proto.wifi_scan_pb2
config = getattr(c, 'NetworkConfigPayload', None) or c.WiFiConfigPayload
scan = getattr(s, 'NetworkScanPayload', None) or s.WiFiScanPayload
bad = 0

def parse(kind, text, check):
    global bad
    m = kind()
    m.ParseFromString(bytes.fromhex(text))
    again = m.SerializeToString().hex()
    if again != text or not check(m):
        bad = 1
        print('differs:', text, again, m)

def field(m, *names):
    for n in names:
        if n in m.DESCRIPTOR.fields_by_name:
            return getattr(m, n)
    raise KeyError(names)

def status(m):
    return field(m, 'resp_get_wifi_status', 'resp_get_status')

def wifi(m):
    return field(status(m), 'wifi_connected', 'connected')

parse(config, '08015a215a1f0a0b3139322e3136382e312e3710031a04686f6d652206aabbccddeeff2806',
      lambda m: wifi(m).ip4_addr == '192.168.1.7' and wifi(m).channel == 6 and wifi(m).ssid == b'home')
parse(config, '08015a0410035000', lambda m: field(status(m), 'wifi_fail_reason', 'fail_reason') == 0)
parse(config, '08015a0410035001', lambda m: field(status(m), 'wifi_fail_reason', 'fail_reason') == 1)
parse(config, '080262180a0a416c6963652d486f6d65120a776f6e6465726c616e64',
      lambda m: field(m, 'cmd_set_wifi_config', 'cmd_set_config').ssid == b'Alice-Home')
parse(scan, '520408012078', lambda m: field(m, 'cmd_scan_wifi_start', 'cmd_scan_start').blocking)
parse(scan, '08036a0408011002',
      lambda m: field(m, 'resp_scan_wifi_status', 'resp_scan_status').result_count == 2)
parse(scan, '08057a250a230a0a416c6963652d486f6d65100618d3ffffffffffffffff0122060200000000012803',
      lambda m: field(m, 'resp_scan_wifi_result', 'resp_scan_result').entries[0].rssi == -45)
sys.exit(bad)
PY
    if (cd "$tool" && "$python" "$work/codec.py") >"$work/out" 2>&1; then
        say passed "messages equal those of Espressif's Python codecs"
    else
        say FAILED "messages equal those of Espressif's Python codecs" "$(tail -1 "$work/out")"
    fi
}

# start_unit [init options]: a factory unit, run by `cradle device run`; sets $address and $pop.
start_unit() {
    stop_board
    rm -rf "$site"
    if ! { "$bin/cradle" -C "$site" init --name Peers "$@" && "$bin/cradle" -C "$site" factory run \
        --count 1; } >"$work/site.log" 2>&1; then
        say FAILED "cradle device run" "$(tail -1 "$work/site.log")"
        return 1
    fi
    printf '%s' '{"networks":[{"ssid":"Alice-Home","password":"wonderland","rssi":-45}]}' \
        >"$site/air/networks.json"
    pop=$("$bin/cradle" -C "$site" --json factory show SN-000001 | sed -n 's/.*"pop":"\([^"]*\)".*/\1/p')
    "$bin/cradle" -C "$site" device run SN-000001 >"$work/board" 2>&1 &
    board=$!
    address=
    for _ in $(seq 100); do
        address=$(cat "$site"/air/ESP-PROV-*.json 2>/dev/null |
            sed -n 's/.*"address" *: *"\([^"]*\)".*/\1/p')
        [ -n "$address" ] && break
        sleep 0.1
    done
}

unit_joined() { # unit_joined NAME ARG...
    local name="cradle device run, $1"
    shift
    prov "$address" "$@" --ssid Alice-Home --passphrase wonderland
    expect "$name" out "Provisioning was successful"
}

device_cases() {
    site=$work/site
    start_unit --security 0 && unit_joined "security 0" --sec_ver 0
    start_unit || return
    prov "$address" --sec_ver 1 --ssid Alice-Home --passphrase wonderlan
    expect "cradle device run: wrong passphrase is told" out "Failure reason: Incorrect Password"
    unit_joined "security 1 without PoP, at once after a wrong passphrase" --sec_ver 1
    start_unit --pop || return
    prov "$address" --sec_ver 1 --pop "wrong$pop" --ssid Alice-Home --passphrase wonderland
    expect "cradle device run: wrong PoP is refused" out "Error in establishing session"
    unit_joined "security 1 with PoP, at once after a wrong one" --sec_ver 1 --pop "$pop"
    stop_board
}

find_tool
find_python
if [ ! -x "$bin/provisioning_board" ]; then
    skip_all "$bin/provisioning_board is not built"
fi
codec_cases
board_cases
device_cases
exit $failed

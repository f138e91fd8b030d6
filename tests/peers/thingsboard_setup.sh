#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `cradle thingsboard setup` on a live ThingsBoard: dry run, setup, setup again, a device's call
# through the rule chain to a steward over TLS, what must not get there, remove. Everything has names
# of its own on that server, and is taken away again.
#
#   TB_URL       its REST API                      http://127.0.0.1:8080
#   TB_MQTTS     its MQTT over TLS                 localhost:8883
#   TB_CA        PEM that both are trusted by
#   TB_USERNAME  the tenant administrator
#   TB_PASSWORD
#   CRADLE_BIN   our programs (default build/gcc/bin)
#   PEER_HOST    how that server reaches this machine (default 127.0.0.1)
#
# Wants curl and python3.
set -u
cd "$(dirname "$0")/../.." || exit 2
bin=${CRADLE_BIN:-$PWD/build/gcc/bin}
work=$(mktemp -d)
site=$work/site
tag=peer$$
failed=0
steward=
token=
device=

finish() {
    [ -n "$steward" ] && kill "$steward" 2>/dev/null
    if [ -n "$token" ]; then
        find_device
        [ -n "$device" ] && rest DELETE "/api/device/$device" >/dev/null
        setup remove --shared >/dev/null 2>&1
    fi
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { # say passed|FAILED|"not run" NAME [why]
    printf '%-7s %s%s\n' "$1" "$2" "${3:+: $3}"
    if [ "$1" = FAILED ]; then failed=1; fi
}

skip_all() {
    say "not run" "thingsboard_setup" "$1"
    exit 0
}

check() { # check NAME CONDITION... : a command that must succeed
    local name=$1
    shift
    if "$@"; then say passed "$name"; else say FAILED "$name" "$(tail -3 "$work/out" | tr '\n' ' ')"; fi
}

no() {
    ! "$@"
}

for name in TB_URL TB_MQTTS TB_CA TB_USERNAME TB_PASSWORD; do
    [ -n "${!name:-}" ] || skip_all "$name is not given"
done
for tool in curl python3; do
    command -v $tool >/dev/null || skip_all "no $tool"
done

rest() { # rest METHOD PATH [curl options]
    local method=$1 path=$2
    shift 2
    curl -sS --cacert "$TB_CA" -H "X-Authorization: Bearer $token" -X "$method" "$@" "$TB_URL$path"
}

find_device() {
    device=$(rest GET "/api/tenant/devices?deviceName=$tag-000001" |
        sed -n 's/^{"id":{"entityType":"DEVICE","id":"\([^"]*\)".*/\1/p')
}

login() {
    token=$(printf '{"username":"%s","password":"%s"}' "$TB_USERNAME" "$TB_PASSWORD" |
        curl -sS --cacert "$TB_CA" -H 'Content-Type: application/json' -d @- \
            "$TB_URL/api/auth/login" | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
    [ -n "$token" ] || skip_all "no login at $TB_URL"
}

# setup SUBVERB [options]: the verb, with names of our own; output in $work/out.
setup() {
    local verb=$1
    shift
    CRADLE_TB_USERNAME=$TB_USERNAME CRADLE_TB_PASSWORD=$TB_PASSWORD "$bin/cradle" -C "$site" \
        thingsboard "$verb" --url "$TB_URL" --ca "$TB_CA" --lobby "$tag-lobby" \
        --operating "$tag-operating" --chain "$tag-chain" \
        --steward-url "https://$host:$port" "$@" >"$work/out" 2>&1
}

# states NUMBER STATE: so many lines of the last output say so.
states() {
    [ "$(grep -c "  $2  " "$work/out")" -eq "$1" ]
}

named() { # how many profiles and chains have our tag
    rest GET "/api/deviceProfileInfos?pageSize=100&page=0&textSearch=$tag" |
        grep -o "\"name\":\"$tag" | wc -l
    rest GET "/api/ruleChains?pageSize=100&page=0&textSearch=$tag" |
        grep -o "\"name\":\"$tag" | wc -l
}

# A steward that writes down what it is asked, and says who was asked about.
start_steward() {
    cat >"$work/steward.py" <<'PY'
import http.server, json, ssl, sys
site, log = sys.argv[1:3]
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        with open(log, 'a') as f:
            f.write(json.dumps({'path': self.path, 'authorization': self.headers.get('Authorization'),
                                'id': self.headers.get('X-Device-Id'), 'body': body}) + '\n')
        status = 503 if body['method'] == 'cradle.refuse' else 200
        answer = json.dumps({'s': 'answer to ' + body['params']['s']}).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *a):
        pass
server = http.server.ThreadingHTTPServer(('0.0.0.0', 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(site + '/steward/server.crt', site + '/steward/server.key')
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
PY
    : >"$work/asked"
    python3 "$work/steward.py" "$site" "$work/asked" >"$work/port" 2>"$work/steward.log" &
    steward=$!
    for _ in $(seq 50); do
        port=$(cat "$work/port")
        [ -n "$port" ] && return
        sleep 0.1
    done
    skip_all "the fake steward did not start: $(cat "$work/steward.log")"
}

# A device: connects with its certificate, asks, waits for the answer. (mosquitto_rr subscribes to one
# response topic only, which ThingsBoard refuses.)
cat >"$work/device.py" <<'PY'
import socket, ssl, struct, sys, time
host, port, ca, cert, key, topic, payload, wait = sys.argv[1:9]

def text(s):
    return struct.pack('!H', len(s)) + s.encode()

def packet(kind, body):
    length, n = b'', len(body)
    while True:
        n, digit = n >> 7, n & 127
        length += bytes([digit | (128 if n else 0)])
        if not n:
            return bytes([kind]) + length + body

def read(s):
    kind, length, shift = s.recv(1)[0], 0, 0
    while True:
        digit = s.recv(1)[0]
        length |= (digit & 127) << shift
        shift += 7
        if digit < 128:
            break
    body = b''
    while len(body) < length:
        body += s.recv(length - len(body))
    return kind, body

context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(cert, key)
s = context.wrap_socket(socket.create_connection((host, int(port)), 10), server_hostname=host)
s.sendall(packet(0x10, text('MQTT') + bytes([4, 2, 0, 60]) + text('peer')))
kind, body = read(s)
if kind != 0x20 or body[1] != 0:
    sys.exit('CONNACK %d' % body[1])
s.sendall(packet(0x82, b'\0\1' + text('v1/devices/me/rpc/response/+') + b'\1'))
s.sendall(packet(0x32, text(topic) + b'\0\2' + payload.encode()))
end, acknowledged = time.time() + float(wait), False
while time.time() < end:
    s.settimeout(max(0.01, end - time.time()))
    try:
        kind, body = read(s)
    except (socket.timeout, IndexError):
        break
    acknowledged = acknowledged or kind == 0x40
    if kind >> 4 == 3:
        n = struct.unpack('!H', body[:2])[0]
        if not body[2:2 + n].endswith(b'/7'):
            sys.exit('another topic')
        print(body[2 + n + (2 if kind & 6 else 0):].decode())
        break
    if acknowledged and topic.endswith('telemetry'):
        break
sys.exit(0 if acknowledged else 'not acknowledged')
PY

device() { # device TOPIC PAYLOAD SECONDS
    python3 "$work/device.py" "${TB_MQTTS%:*}" "${TB_MQTTS##*:}" "$TB_CA" "$work/id/device.crt" \
        "$work/id/device.key" "$@" >"$work/heard" 2>"$work/out"
}

call() { # call METHOD TEXT [seconds]: what the device hears
    device v1/devices/me/rpc/request/7 "{\"method\":\"$1\",\"params\":{\"s\":\"$2\"}}" "${3:-10}"
}

asked() { # the steward was asked that: a Python expression over `a`
    python3 - "$work/asked" "$1" "$device" "$(cat "$site/steward/forward.key")" <<'PY'
import json, sys
lines = [json.loads(l) for l in open(sys.argv[1])]
device, key = sys.argv[3:5]
sys.exit(0 if any(eval(sys.argv[2]) for a in lines) else 1)
PY
}

host=${PEER_HOST:-127.0.0.1}
login
{ "$bin/cradle" -C "$site" init --name Peers --steward "$host:8443" --sn-pattern "$tag-%06d" &&
    "$bin/cradle" -C "$site" factory run --count 1 &&
    "$bin/cradle" image spiffs extract "$site/factory/units/$tag-000001/identity.bin" \
        -o "$work/id"; } >"$work/out" 2>&1 || skip_all "no site: $(tail -1 "$work/out")"
start_steward

setup setup --dry-run --shared
check "a dry run says what it would do" states 5 "would be made"
check "... and does nothing" [ "$(named | tr '\n' ' ')" = "0 0 " ]
setup setup --shared
check "setup makes chain, profiles, placeholders" states 5 made
setup setup --shared
check "setup again finds everything right" states 6 right
check "... and made nothing twice" [ "$(named | tr '\n' ' ')" = "4 1 " ]

call cradle.x "first words" 20 # first contact, and the chain's first message
find_device
check "first contact lands in the lobby" [ -n "$device" ]
sleep 1
call cradle.x "who am I"
check "the device hears the steward's own answer" \
    [ "$(cat "$work/heard")" = '{"s":"answer to who am I"}' ]
check "the steward hears whose it is, and the key" \
    asked 'a["path"] == "/rpc" and a["id"] == device and a["authorization"] == "Bearer " + key and a["body"] == {"method": "cradle.x", "params": {"s": "who am I"}}'
call other.x "not for the steward" 3
check "other calls do not get to the steward" no asked 'a["body"]["method"] == "other.x"'
call cradle.refuse "no" 3
check "a steward that refuses: the device hears nothing" [ ! -s "$work/heard" ]
device v1/devices/me/telemetry '{"temp":21}' 5
sleep 1
rest GET "/api/plugins/telemetry/DEVICE/$device/values/timeseries?keys=temp" >"$work/out"
check "telemetry goes on through the root chain" grep -q '"value":"21"' "$work/out"

setup remove --shared
check "remove refuses while a device is there" grep -q "has 1 devices" "$work/out"
check "... and removes nothing" [ "$(named | tr '\n' ' ')" = "4 1 " ]
rest DELETE "/api/device/$device" >"$work/out"
device=
setup setup --steward-url "https://$host:1" 2>/dev/null # an option given twice is a mistake
check "an option given twice is refused" grep -q "steward-url" "$work/out"
tr 0-9a-f 1-9a-f0 <"$site/steward/forward.key" >"$work/key"
cat "$work/key" >"$site/steward/forward.key"
setup setup --shared
check "another key: only the chain is changed" states 1 changed
setup remove --shared --dry-run
check "a dry remove says what it would do" states 5 "would be removed"
setup remove --shared
check "remove takes all of it" states 5 removed
check "nothing is left" [ "$(named | tr '\n' ' ')" = "0 0 " ]
exit $failed

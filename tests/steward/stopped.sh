#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A demo on somebody's ThingsBoard (here a cradle-cloud of its own) that is stopped half-way, or that
# cannot begin: one clear error, and nothing stays behind.
BIN=$1
. "$(dirname "$0")/lib.sh"
exec 2>&1
cd "$work"
"$BIN/cradle" -C "$site" init --steward steward.cradle.test:8443 >/dev/null
start_cloud --steward-url https://127.0.0.1:9
login
mkdir tmp
export TMPDIR="$work/tmp"

# demo [options]: plays there
demo() {
    timeout 60 "$BIN/cradle" demo --thingsboard "$@"
}
everything() {
    for list in tenant/deviceInfos customers deviceProfileInfos; do
        rest GET "/api/$list?pageSize=100&page=0" | grep -o '"\(name\|title\)":"[^"]*"' || true
    done
}
CRADLE_TB_URL=https://127.0.0.1:$https_port
CRADLE_TB_MQTTS=127.0.0.1:$mqtts_port
CRADLE_TB_CA=$site/ca/server-root.crt
CRADLE_TB_LOGIN=$site/cloud/admin.json
export CRADLE_TB_URL CRADLE_TB_MQTTS CRADLE_TB_CA CRADLE_TB_LOGIN
before=$(everything)

(umask 077 && echo '{"username":"tenant@thingsboard.org","password":"wrong"}' >wrong.json)
cp wrong.json open.json
chmod 644 open.json
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -out other.crt \
    -subj /CN=other -days 3 2>/dev/null
refuses "a wrong login" 1 '401' demo --login wrong.json
refuses "a login that others read" 1 'chmod 600' demo --login open.json
refuses "no login" 1 'login file' demo --login nowhere.json
refuses "no CA" 1 'CA file' demo --ca nowhere.crt
refuses "another CA" 1 'certificate' demo --ca other.crt
refuses "a cloud that is away" 1 'connect' demo --url https://127.0.0.1:1
refuses "MQTTS that is away" 1 'cannot be reached' demo --mqtts 127.0.0.1:1
refuses "MQTTS without a port" 2 'HOST:PORT' demo --mqtts localhost

# stopped SIGNAL SECONDS
stopped() {
    setsid "$BIN/cradle" demo --thingsboard >said 2>&1 &
    pid=$!
    sleep "$2"
    # our own child, and a leader of its own session
    kill "-$1" $pid
    got=0
    wait $pid || got=$?
    is "SIG$1 after $2 s" 1 $got
    grep -q 'stopped by a signal' said || bad "SIG$1 after $2 s: $(tail -n 2 said)"
}
stopped TERM 0.3
stopped HUP 1
stopped TERM 2.5
stopped TERM 4
is "nothing of it is left" "$before" "$(everything)"
is "nor a site" "" "$(ls tmp)"
exit $failed

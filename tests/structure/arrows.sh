#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the arrows between rooms (docs/architecture.md): a library includes only lower libraries,
# rooms never include one another, the device's brain includes only what runs on a chip.
set -eu
cd "${1:-$(dirname "$0")/../..}"

check() {
    # Input lines: <file>:<included path>
    awk -F: '
    BEGIN {
        n = split("base proc json statement flash pki site term net protocomm mqtt tbdevice http " \
                  "tbrest ownership custody ble", libs, " ")
        for (i = 1; i <= n; i++) rank[libs[i]] = i
        # What a room may include besides libraries and itself.
        room["core"] = " "; room["device"] = " core "; room["firmware"] = " core "
        room["factory"] = " "; room["phone"] = " "; room["cloud"] = " "; room["steward"] = " "
        room["fleet"] = " core device "; room["demo"] = " "
        room["cli"] = " core device factory phone steward demo fleet "
        # The brain runs without an operating system.
        chip = " json/json.h statement/statement.h base/bytes.h "
    }
    {
        file = $1; inc = $2
        split(file, f, "/"); split(inc, t, "/")
        from = f[1]; to = t[1]
        if (from == "lib") {
            me = f[2]
            if (to == me) next
            if (!(to in rank)) { print file ": a library includes the room header " inc; bad = 1; next }
            if (!(me in rank)) { print file ": lib/" me " has no place in the order"; bad = 1; next }
            if (rank[to] >= rank[me]) { print file ": includes the higher library " inc; bad = 1 }
        } else if (from in room) {
            if (to == from) next
            if (from == "core") {
                if (index(chip, " " inc " ") == 0) { print file ": core includes " inc; bad = 1 }
                next
            }
            if (to in rank) next
            if (index(room[from], " " to " ") == 0) { print file ": includes the room " inc; bad = 1 }
        }
    }
    END { exit bad }'
}

list() {
    find lib core device firmware factory phone cloud steward fleet demo cli \
        \( -name '*.c' -o -name '*.h' \) 2>/dev/null |
        xargs grep -nHE '^#include "' |
        sed -E 's/^([^:]*):[0-9]+:#include "([^"]*)".*/\1:\2/' | grep '/.*:.*/' |
        grep -v '\.pb-c\.h$' || true
}

# The checker itself must be able to say no.
for wrong in "core/a.c:base/err.h" "phone/a.c:factory/factory.h" "lib/json/a.c:pki/key.h" \
             "lib/json/a.c:cloud/store.h" "cloud/a.c:device/device.h"; do
    if echo "$wrong" | check >/dev/null; then
        echo "the checker lets $wrong pass"
        exit 1
    fi
done
for right in "core/a.c:json/json.h" "device/a.c:core/device.h" "lib/pki/a.c:json/json.h" \
             "cli/a.c:factory/factory.h"; do
    if ! echo "$right" | check; then
        echo "the checker refuses $right"
        exit 1
    fi
done

list | check && echo "arrows: $(list | wc -l) includes in order"

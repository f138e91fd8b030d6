#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What draws labels is in the factory's program and in no server: a server links what it needs.
#   links.sh BIN
set -eu
needed() { # the libraries that a program names, one a line
    objdump -p "$1" | sed -n 's/^ *NEEDED *//p'
}
drawing='^lib(cairo|qrencode|zbar|fontconfig|freetype|pixman)'

if ! needed "$1/cradle" | grep -qE "$drawing"; then
    echo "cradle links nothing that draws: this check would see nothing"
    exit 1
fi
for server in cradle-cloud cradle-steward; do
    if [ "$(needed "$1/$server" | wc -l)" = 0 ]; then
        echo "$server: its libraries cannot be read"
        exit 1
    fi
    if needed "$1/$server" | grep -E "$drawing"; then
        echo "$server links what only the factory needs"
        exit 1
    fi
done
echo "links: no server draws labels"

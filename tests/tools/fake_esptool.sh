#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Stands in for esptool and a chip. The chip is a directory, named by --port: `flash` (its bytes),
# `mac`, `generation` (4 or 5; command names of the other are refused), `calls` (what was asked,
# a line each). If `broken` is there, what is read comes back with another first byte.
set -eu

if [ "${1:-}" = version ]; then
    chip=$(dirname "$0") # a copy of this script lies in the chip's directory
    if [ "$(cat "$chip/generation")" = 4 ]; then
        printf 'esptool.py v4.8.1\n4.8.1\n'
    else
        printf 'esptool v5.3.1\n5.3.1\n'
    fi
    exit 0
fi
[ "$1" = --port ] && [ "$3" = --baud ] || { echo "unexpected arguments: $*" >&2; exit 2; }
chip=$2
shift 4
echo "$*" >>"$chip/calls"
if [ "$(cat "$chip/generation")" = 4 ]; then
    names="read_mac write_flash read_flash"
else
    names="read-mac write-flash read-flash"
fi
case " $names " in *" $1 "*) ;; *) echo "invalid choice: $1" >&2; exit 2 ;; esac
[ ! -e "$chip/absent" ] || { echo "A fatal error occurred: Failed to connect" >&2; exit 2; }
case $1 in
read?mac)
    echo "Chip is ESP32-C6 (QFN40)"
    echo "MAC: 60:55:f9:ff:fe:f6:0a:0b"
    echo "BASE MAC: $(tr a-f A-F <"$chip/mac")"
    ;;
write?flash)
    shift
    while [ $# -gt 0 ]; do
        echo "Writing at $1... (50 %)"
        dd if="$2" of="$chip/flash" bs=4096 seek=$(($1 / 4096)) conv=notrunc status=none
        echo "Writing at $1... (100 %)"
        shift 2
    done
    ;;
read?flash)
    dd if="$chip/flash" bs=1 skip=$(($2)) count=$(($3)) status=none iflag=fullblock >"$4" 2>/dev/null
    [ ! -e "$chip/broken" ] || printf 'X' | dd of="$4" conv=notrunc status=none
    ;;
esac

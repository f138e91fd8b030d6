#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Code, static RAM and worst stack of the device's brain, compiled for an ESP32-C3: core/,
# lib/statement, lib/json and what they use of lib/base. Exit 1 when over the limits below. The design
# hopes for 24 KB of code; with renewal, claims and two carriers for them it has become more.
# Counted is everything that goes into flash, string literals too, but for the C library.
# Flags: -Os, rv32imc, -mtune=size, -msave-restore (ESP-IDF: CONFIG_COMPILER_SAVE_RESTORE_LIBCALLS)
# and -flto. A firmware that is built without the last two needs some 4 KB more.
set -eu
cd "$(dirname "$0")/.."
CODE_GOAL=$((24 * 1024))
CODE_MAX=$((27 * 1024))
RAM_MAX=$((8 * 1024))
CC=${CC_CHIP:-riscv64-unknown-elf-gcc}
PREFIX=${CC%gcc}
FLAGS="-march=rv32imc -misa-spec=2.2 -mabi=ilp32 --specs=picolibc.specs -std=c11 -Os -msave-restore
    -mtune=size -ffunction-sections -fdata-sections -Wall -Wextra -Werror -Ilib -I."
out=build/size
rm -rf $out
mkdir -p $out

# What a firmware calls, and the memory that it gives: everything else is thrown away by the linker.
cat > $out/firmware.c <<'END'
#include "core/device.h"
cradle_device_t device;
static void *volatile keep;
void firmware(const cradle_port_t *port, const cradle_product_t *product,
              const cradle_facts_t *facts, const cradle_event_t *event, cradle_action_t *action,
              cradle_status_t *status);
void firmware(const cradle_port_t *port, const cradle_product_t *product,
              const cradle_facts_t *facts, const cradle_event_t *event, cradle_action_t *action,
              cradle_status_t *status)
{
    cradle_device_init(&device, port, product, facts, 1);
    cradle_device_handle(&device, event, cradle_device_deadline(&device));
    while (cradle_device_next(&device, action)) {
    }
    cradle_device_telemetry(&device, "{}", 2, 3);
    cradle_device_status(&device, status);
    keep = (void *)(uintptr_t)cradle_state_name(status->state);
}
END
sources="$out/firmware.c core/*.c lib/statement/[!r]*.c lib/json/json_reader.c lib/json/json_value.c
    lib/json/json_writer.c lib/json/utf8.c lib/base/bytes.c"
# Once without -flto, for the stack and for the names.
objects=""
for source in $sources; do
    object=$out/$(basename "$source" .c).o
    $CC $FLAGS -fcallgraph-info=su -c "$source" -o "$object"
    objects="$objects $object"
done
# shellcheck disable=SC2086
$CC $FLAGS -flto -nostartfiles -Wl,--gc-sections -Wl,-e,firmware $out/firmware.o \
    ${sources#* } -o $out/brain.elf

# What a link without -flto has that is not in our objects is the C library's (memcpy, strlen, 64-bit
# division): counted apart, because a firmware has it anyway. All the rest is ours.
# shellcheck disable=SC2086
$CC $FLAGS -nostartfiles -Wl,--gc-sections -Wl,-e,firmware $objects -o $out/plain.elf
"${PREFIX}nm" $objects | awk '$2 ~ /[TtRrDdBb]/ {print $3}' | sort -u > $out/ours
"${PREFIX}nm" $out/plain.elf | awk '{print $3}' | sort -u | comm -23 - $out/ours > $out/theirs
"${PREFIX}nm" -S --size-sort $out/brain.elf > $out/symbols
text=$("${PREFIX}size" $out/brain.elf | awk 'NR == 2 { print $1 }')
awk -v code_max=$CODE_MAX -v code_goal=$CODE_GOAL -v ram_max=$RAM_MAX -v text="$text" '
    NR == FNR { theirs[$1] = 1; next }
    { size = 0; for (i = 1; i <= length($2); i++)
          size = size * 16 + index("0123456789abcdef", substr($2, i, 1)) - 1 }
    $3 ~ /[BbDd]/ { if (!($4 in theirs)) ram += size; next }
    $4 == "firmware" { library += size; next }
    $4 in theirs { library += size }
    END {
        code = text - library
        printf "code     %6d bytes of %d (core, lib/statement, lib/json, lib/base; goal %d)\n",
               code, code_max, code_goal
        printf "library  %6d bytes (C library and compiler, shared with the firmware)\n", library
        printf "RAM      %6d bytes of %d (one cradle_device_t: a 32-entry window, one message)\n",
               ram, ram_max
        exit (code > code_max || ram > ram_max || code <= 0 || ram == 0)
    }' $out/theirs $out/symbols && fits=0 || fits=1
cat $out/*.ci | awk -v root=cradle_device_ -f scripts/stack.awk || fits=1
exit $fits

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `cradle image` against ESP-IDF's spiffsgen.py and gen_esp32part.py on random input, and against
# the SPIFFS driver in C with ESP-IDF's configuration.
#
#   IDF_PATH     a checkout of ESP-IDF
#   SPIFFS_PATH  the SPIFFS driver; default: the submodule IDF_PATH/components/spiffs/spiffs
#   ESPTOOL_PYTHON   a Python with esptool; default: python3
#   FLASH_SEED, FLASH_ROUNDS   see flash/compare.py
set -u
cd "$(dirname "$0")/../.." || exit 2
cradle=${CRADLE_BIN:-$PWD/build/gcc/bin}/cradle
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { # say passed|FAILED|"not run" NAME WHY
    printf '%-7s %s: %s\n' "$1" "$2" "$3"
}

if [ -z "${IDF_PATH:-}" ]; then
    say "not run" "spiffsgen.py, gen_esp32part.py, SPIFFS driver" "IDF_PATH is not given"
    exit 0
fi
if ! command -v python3 >/dev/null; then
    say "not run" "spiffsgen.py, gen_esp32part.py, SPIFFS driver" "there is no python3"
    exit 0
fi
if ! "$cradle" image --help >/dev/null 2>&1; then
    say FAILED "cradle image" "$cradle cannot be run"
    exit 1
fi
printf 'ESP-IDF %s\n' "$(sed -n 's/^set(IDF_VERSION_M[AI][JN]OR \([0-9]*\)).*/\1/p;
    s/^set(IDF_VERSION_PATCH \([0-9]*\)).*/\1/p' "$IDF_PATH/tools/cmake/version.cmake" \
    2>/dev/null | paste -sd.)"

# The configuration header is ESP-IDF's own; what it includes of the rest of ESP-IDF is stood in for.
# The values are Kconfig's defaults.
build_driver() {
    mkdir -p "$work/include"
    cat >"$work/include/sdkconfig.h" <<'H'
#define CONFIG_SPIFFS_CACHE 1
#define CONFIG_SPIFFS_CACHE_WR 1
#define CONFIG_SPIFFS_PAGE_CHECK 1
#define CONFIG_SPIFFS_GC_MAX_RUNS 10
#define CONFIG_SPIFFS_PAGE_SIZE 256
#define CONFIG_SPIFFS_OBJ_NAME_LEN 32
#define CONFIG_SPIFFS_META_LENGTH 4
#define CONFIG_SPIFFS_USE_MAGIC 1
#define CONFIG_SPIFFS_USE_MAGIC_LENGTH 1
H
    printf '#include <inttypes.h>\n#define ESP_LOGD(...)\n' >"$work/include/esp_log.h"
    echo '#define ESP_STATIC_ASSERT _Static_assert' >"$work/include/esp_assert.h"
    ${CC:-cc} -std=gnu11 -O1 -w -I"$work/include" -I"$IDF_PATH/components/spiffs/include" \
        -I"$source" -o "$work/spiffs_driver" tests/peers/flash/spiffs_driver.c \
        "$source"/spiffs_*.c >"$work/cc.log" 2>&1
}

driver=
source=${SPIFFS_PATH:-$IDF_PATH/components/spiffs/spiffs}/src
if [ ! -f "$source/spiffs_nucleus.c" ]; then
    say "not run" "SPIFFS driver" "no sources in $source (submodule not checked out; SPIFFS_PATH)"
elif ! build_driver; then
    say FAILED "SPIFFS driver" "does not compile: $(head -1 "$work/cc.log")"
    exit 1
else
    driver=$work/spiffs_driver
fi
"${ESPTOOL_PYTHON:-python3}" tests/peers/flash/compare.py "$IDF_PATH" "$cradle" "$work" $driver

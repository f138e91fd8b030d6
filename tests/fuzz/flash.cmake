# SPDX-License-Identifier: Apache-2.0
foreach(target spiffs partition appimage otadata settings outbox overlay)
    cradle_fuzz(${target} SOURCES fuzz/fuzz_${target}.c LIBS cradle_flash)
endforeach()

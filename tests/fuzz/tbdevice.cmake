# SPDX-License-Identifier: Apache-2.0
cradle_fuzz(tbdevice SOURCES fuzz/fuzz_tbdevice.c LIBS cradle_tbdevice)

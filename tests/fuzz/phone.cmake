# SPDX-License-Identifier: Apache-2.0
cradle_fuzz(phone SOURCES fuzz/fuzz_phone.c LIBS cradle_phone)

# SPDX-License-Identifier: Apache-2.0
cradle_fuzz(deny SOURCES fuzz/fuzz_deny.c LIBS cradle_pki)
cradle_fuzz(pki_pem SOURCES fuzz/fuzz_pki_pem.c LIBS cradle_pki)

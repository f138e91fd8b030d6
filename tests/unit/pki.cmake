# SPDX-License-Identifier: Apache-2.0
cradle_test(pki_key SOURCES unit/test_pki_key.c unit/pki_fixture.c LIBS cradle_pki)
cradle_test(pki_cert SOURCES unit/test_pki_cert.c unit/pki_fixture.c LIBS cradle_pki)
cradle_test(pki_chain SOURCES unit/test_pki_chain.c unit/pki_fixture.c LIBS cradle_pki)
cradle_test(pki_own SOURCES unit/test_pki_own.c LIBS cradle_pki)
cradle_test(pki_batch SOURCES unit/test_pki_batch.c unit/pki_fixture.c LIBS cradle_pki)
cradle_test(pki_deny SOURCES unit/test_pki_deny.c unit/pki_fixture.c LIBS cradle_pki)

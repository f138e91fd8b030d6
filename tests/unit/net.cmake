# SPDX-License-Identifier: Apache-2.0
cradle_test(loop SOURCES unit/test_loop.c LIBS cradle_net)
cradle_test(address SOURCES unit/test_address.c LIBS cradle_net)
cradle_test(tls SOURCES unit/test_tls.c unit/pki_fixture.c LIBS cradle_net)

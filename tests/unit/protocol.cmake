# SPDX-License-Identifier: Apache-2.0
cradle_test(protocol SOURCES unit/test_protocol.c
    LIBS cradle_statement cradle_pki cradle_base PkgConfig::OPENSSL)

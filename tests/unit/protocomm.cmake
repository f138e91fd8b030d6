# SPDX-License-Identifier: Apache-2.0
cradle_test(protocomm_security SOURCES unit/test_protocomm_security.c LIBS cradle_protocomm)

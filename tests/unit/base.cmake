# SPDX-License-Identifier: Apache-2.0
cradle_test(base SOURCES unit/test_base.c LIBS cradle_base)

# SPDX-License-Identifier: Apache-2.0
cradle_test(term SOURCES unit/test_term.c LIBS cradle_term)

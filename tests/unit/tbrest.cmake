# SPDX-License-Identifier: Apache-2.0
cradle_test(tbrest SOURCES unit/test_tbrest.c LIBS cradle_tbrest cradle_http)

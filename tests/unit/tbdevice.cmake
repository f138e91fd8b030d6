# SPDX-License-Identifier: Apache-2.0
cradle_test(tbdevice SOURCES unit/test_tbdevice.c LIBS cradle_tbdevice)

# SPDX-License-Identifier: Apache-2.0
cradle_test(tbdevice SOURCES unit/test_tbdevice.c LIBS cradle_tbdevice)
cradle_test(tb_recorded SOURCES unit/test_tb_recorded.c LIBS cradle_tbdevice cradle_mqtt cradle_base)

# SPDX-License-Identifier: Apache-2.0
cradle_test(spiffs SOURCES unit/test_spiffs.c LIBS cradle_flash)
cradle_test(partition SOURCES unit/test_partition.c LIBS cradle_flash)
cradle_test(appimage SOURCES unit/test_appimage.c LIBS cradle_flash)
cradle_test(settings SOURCES unit/test_settings.c LIBS cradle_flash)
cradle_test(outbox SOURCES unit/test_outbox.c LIBS cradle_flash)
cradle_test(otadata SOURCES unit/test_otadata.c LIBS cradle_flash)
cradle_test(flash SOURCES unit/test_flash.c LIBS cradle_flash)
cradle_test(flash_unit SOURCES unit/test_flash_unit.c LIBS cradle_flash)

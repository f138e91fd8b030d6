# SPDX-License-Identifier: Apache-2.0
cradle_test(mqtt SOURCES unit/test_mqtt.c LIBS cradle_mqtt cradle_base)

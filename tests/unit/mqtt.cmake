# SPDX-License-Identifier: Apache-2.0
cradle_test(mqtt SOURCES unit/test_mqtt.c LIBS cradle_mqtt cradle_base)
cradle_test(mqtt_codec SOURCES unit/test_mqtt_codec.c LIBS cradle_mqtt cradle_base)
cradle_test(mqtt_server SOURCES unit/test_mqtt_server.c LIBS cradle_mqtt)
cradle_test(mqtt_client SOURCES unit/test_mqtt_client.c LIBS cradle_mqtt)

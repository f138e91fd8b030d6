# SPDX-License-Identifier: Apache-2.0
cradle_fuzz(mqtt_codec SOURCES fuzz/fuzz_mqtt_codec.c LIBS cradle_mqtt)
cradle_fuzz(mqtt_server SOURCES fuzz/fuzz_mqtt_server.c LIBS cradle_mqtt)
cradle_fuzz(mqtt_client SOURCES fuzz/fuzz_mqtt_client.c LIBS cradle_mqtt)

# SPDX-License-Identifier: Apache-2.0
cradle_test(cloud_store SOURCES unit/test_cloud_store.c LIBS cradle_cloud_store)
cradle_test(cloud_alarm SOURCES unit/test_cloud_alarm.c LIBS cradle_cloud_store)
cradle_test(cloud_door SOURCES unit/test_cloud_door.c unit/pki_fixture.c LIBS cradle_cloud_mqtt)
# With a loop of its own in place of lib/net's.
cradle_test(cloud_rpc
    SOURCES unit/test_cloud_rpc.c ../cloud/rpc.c ../cloud/rpc_text.c ../cloud/log.c
    LIBS cradle_cloud_store cradle_tbdevice cradle_json)

# SPDX-License-Identifier: Apache-2.0
cradle_test(cloud_store SOURCES unit/test_cloud_store.c LIBS cradle_cloud_store)
cradle_test(cloud_door SOURCES unit/test_cloud_door.c unit/pki_fixture.c LIBS cradle_cloud_mqtt)

# SPDX-License-Identifier: Apache-2.0
cradle_test(device_boot SOURCES unit/test_device_boot.c unit/pki_fixture.c LIBS cradle_device)
cradle_test(device_radio SOURCES unit/test_device_radio.c LIBS cradle_device)
cradle_test(device_keys SOURCES unit/test_device_keys.c unit/pki_fixture.c LIBS cradle_device)
cradle_test(device_provisioning SOURCES unit/test_device_provisioning.c
    LIBS cradle_device cradle_protocomm_client)

# SPDX-License-Identifier: Apache-2.0
cradle_test(protocomm_security SOURCES unit/test_protocomm_security.c LIBS cradle_protocomm)
cradle_test(protocomm_device SOURCES unit/test_protocomm_device.c unit/fake_provisioning.c
    LIBS cradle_protocomm)
cradle_test(protocomm_httpd SOURCES unit/test_protocomm_httpd.c unit/fake_provisioning.c
    LIBS cradle_protocomm)

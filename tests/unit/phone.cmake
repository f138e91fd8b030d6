# SPDX-License-Identifier: Apache-2.0
cradle_test(phone SOURCES unit/test_phone.c unit/fake_provisioning.c
    LIBS cradle_phone Threads::Threads)

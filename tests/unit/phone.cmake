# SPDX-License-Identifier: Apache-2.0
cradle_test(phone SOURCES unit/test_phone.c unit/fake_provisioning.c
    LIBS cradle_phone Threads::Threads)
cradle_test(phone_owner
    SOURCES unit/test_phone_owner.c unit/fake_provisioning.c unit/fake_steward.c
    LIBS cradle_phone cradle_protocomm cradle_http cradle_site Threads::Threads)

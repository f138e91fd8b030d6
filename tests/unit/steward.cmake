# SPDX-License-Identifier: Apache-2.0
cradle_test(steward_record SOURCES unit/test_steward_record.c unit/record_fixture.c LIBS cradle_steward_record)
cradle_test(steward_accounts SOURCES unit/test_steward_accounts.c unit/record_fixture.c LIBS cradle_steward_record)
cradle_test(steward_channel
    SOURCES unit/test_steward_channel.c unit/steward_fixture.c unit/steward_cloud.c
    LIBS cradle_steward_channel)
cradle_test(steward_transfer
    SOURCES unit/test_steward_transfer.c unit/steward_fixture.c unit/steward_cloud.c
    LIBS cradle_steward_channel TIMEOUT 120)
cradle_test(steward_owner SOURCES unit/test_steward_owner.c unit/asker.c LIBS cradle_steward_owner)
cradle_test(steward_site
    SOURCES unit/test_steward_site.c unit/steward_fixture.c unit/steward_cloud.c
    LIBS cradle_steward_site)

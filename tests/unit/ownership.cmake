# SPDX-License-Identifier: Apache-2.0
cradle_test(ownership_decide SOURCES unit/test_ownership_decide.c LIBS cradle_ownership)
cradle_test(ownership_keys SOURCES unit/test_ownership_keys.c LIBS cradle_ownership)
cradle_test(ownership_check SOURCES unit/test_ownership_check.c LIBS cradle_ownership)
cradle_test(ownership_transfer SOURCES unit/test_ownership_transfer.c unit/transfer_cloud.c
    LIBS cradle_ownership)

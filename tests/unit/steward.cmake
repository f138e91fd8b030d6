# SPDX-License-Identifier: Apache-2.0
cradle_test(steward_record SOURCES unit/test_steward_record.c LIBS cradle_steward_record)

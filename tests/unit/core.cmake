# SPDX-License-Identifier: Apache-2.0
cradle_test(core SOURCES unit/test_core.c unit/core_fake.c LIBS cradle_core)

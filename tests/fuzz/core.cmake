# SPDX-License-Identifier: Apache-2.0
if(CRADLE_FUZZ)
    cradle_pkg(CMOCKA cmocka) # the fake port's checks
    cradle_fuzz(core SOURCES fuzz/fuzz_core.c unit/core_fake.c LIBS cradle_core PkgConfig::CMOCKA)
    cradle_fuzz(core_steward SOURCES fuzz/fuzz_core_steward.c unit/core_steward_fake.c
        unit/core_steward_life.c unit/core_fake.c unit/statement_fixture.c
        LIBS cradle_core cradle_statement cradle_json cradle_base PkgConfig::CMOCKA)
endif()

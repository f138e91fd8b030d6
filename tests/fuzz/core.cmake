# SPDX-License-Identifier: Apache-2.0
if(CRADLE_FUZZ)
    cradle_pkg(CMOCKA cmocka) # the fake port's checks
    cradle_fuzz(core SOURCES fuzz/fuzz_core.c unit/core_fake.c LIBS cradle_core PkgConfig::CMOCKA)
endif()

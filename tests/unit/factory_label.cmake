# SPDX-License-Identifier: Apache-2.0
if(BUILD_TESTING)
    cradle_pkg(ZBAR zbar)
endif()
cradle_test(factory_label
    SOURCES unit/test_factory_label.c unit/label_fixture.c
    LIBS cradle_factory PkgConfig::ZBAR)
cradle_test(factory_labelling
    SOURCES unit/test_factory_labelling.c unit/label_fixture.c unit/factory_fixture.c
    LIBS cradle_factory PkgConfig::ZBAR)

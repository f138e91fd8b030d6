# SPDX-License-Identifier: Apache-2.0
cradle_test(factory SOURCES unit/test_factory.c unit/factory_fixture.c LIBS cradle_factory)
cradle_test(factory_adopt
    SOURCES unit/test_factory_adopt.c unit/factory_fixture.c unit/pki_fixture.c LIBS cradle_factory)
cradle_test(factory_steward
    SOURCES unit/test_factory_steward.c unit/factory_fixture.c LIBS cradle_factory)
cradle_test(factory_ca SOURCES unit/test_factory_ca.c unit/factory_fixture.c LIBS cradle_factory)
cradle_test(factory_board SOURCES unit/test_factory_board.c unit/factory_fixture.c LIBS cradle_factory)
cradle_test(factory_flash SOURCES unit/test_factory_flash.c unit/factory_fixture.c LIBS cradle_factory)
cradle_test(factory_identity
    SOURCES unit/test_factory_identity.c unit/factory_fixture.c LIBS cradle_factory)
cradle_test(factory_after
    SOURCES unit/test_factory_after.c unit/factory_fixture.c LIBS cradle_factory)
cradle_test(factory_answer SOURCES unit/test_factory_answer.c LIBS cradle_factory)

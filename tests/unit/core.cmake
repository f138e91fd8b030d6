# SPDX-License-Identifier: Apache-2.0
cradle_test(core SOURCES unit/test_core.c unit/core_fake.c LIBS cradle_core)
cradle_test(core_telemetry SOURCES unit/test_core_telemetry.c unit/core_product.c unit/core_fake.c
    LIBS cradle_core)
cradle_test(core_orders SOURCES unit/test_core_orders.c unit/core_product.c unit/core_fake.c
    LIBS cradle_core)
cradle_test(core_sim SOURCES unit/test_core_sim.c unit/core_fake.c LIBS cradle_core)
cradle_test(core_steward SOURCES unit/test_core_steward.c unit/core_steward_fake.c
    unit/core_steward_life.c unit/core_fake.c unit/statement_fixture.c
    LIBS cradle_core cradle_statement cradle_json cradle_base)

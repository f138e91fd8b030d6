# SPDX-License-Identifier: Apache-2.0
cradle_test(statement_jws SOURCES unit/test_statement_jws.c unit/statement_fixture.c
    LIBS cradle_statement)
cradle_test(statement SOURCES unit/test_statement.c unit/statement_fixture.c LIBS cradle_statement)
cradle_test(statement_others SOURCES unit/test_statement_others.c unit/statement_fixture.c
    LIBS cradle_statement)

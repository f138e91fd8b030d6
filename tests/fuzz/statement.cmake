# SPDX-License-Identifier: Apache-2.0
cradle_fuzz(statement SOURCES fuzz/fuzz_statement.c LIBS cradle_statement)

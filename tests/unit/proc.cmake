# SPDX-License-Identifier: Apache-2.0
cradle_test(proc SOURCES unit/test_proc.c LIBS cradle_proc)

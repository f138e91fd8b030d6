# SPDX-License-Identifier: Apache-2.0
cradle_test(custody SOURCES unit/test_custody.c LIBS cradle_custody)

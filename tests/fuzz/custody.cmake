# SPDX-License-Identifier: Apache-2.0
cradle_fuzz(custody_point SOURCES fuzz/fuzz_custody_point.c LIBS cradle_custody)

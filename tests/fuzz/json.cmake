# SPDX-License-Identifier: Apache-2.0
cradle_fuzz(json SOURCES fuzz/fuzz_json.c LIBS cradle_json)

# SPDX-License-Identifier: Apache-2.0
cradle_test(json SOURCES unit/test_json.c LIBS cradle_json)
cradle_test(json_writer SOURCES unit/test_json_writer.c LIBS cradle_json)
cradle_test(json_edit SOURCES unit/test_json_edit.c LIBS cradle_json)

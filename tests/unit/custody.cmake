# SPDX-License-Identifier: Apache-2.0
cradle_test(custody SOURCES unit/test_custody.c LIBS cradle_custody)
cradle_test(custody_point SOURCES unit/test_custody_point.c LIBS cradle_custody)
cradle_pkg(SQLITE sqlite3)
cradle_test(custody_edit SOURCES unit/test_custody_edit.c LIBS cradle_custody PkgConfig::SQLITE)

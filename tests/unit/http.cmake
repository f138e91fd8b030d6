# SPDX-License-Identifier: Apache-2.0
cradle_test(http_query SOURCES unit/test_http_query.c LIBS cradle_http)
cradle_test(http SOURCES unit/test_http.c LIBS cradle_http)

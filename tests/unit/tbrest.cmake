# SPDX-License-Identifier: Apache-2.0
if(TARGET cradle_http)
    cradle_test(tbrest SOURCES unit/test_tbrest.c LIBS cradle_tbrest cradle_http)
endif()

# SPDX-License-Identifier: Apache-2.0
if(TARGET cradle_cloud_rest)
    cradle_test(cloud_auth SOURCES unit/test_cloud_auth.c LIBS cradle_cloud_rest)
    cradle_test(cloud_jwt SOURCES unit/test_cloud_jwt.c LIBS cradle_cloud_rest)
    cradle_test(cloud_rest SOURCES unit/test_cloud_rest.c unit/asker.c LIBS cradle_cloud_rest)
endif()

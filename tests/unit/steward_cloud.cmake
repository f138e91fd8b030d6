# SPDX-License-Identifier: Apache-2.0
# What speaks to a cloud over REST, with a cradle-cloud beside it (or a ThingsBoard: cloud_lab.h).
cradle_test(steward_cloud SOURCES unit/test_steward_cloud.c unit/cloud_lab.c
    LIBS cradle_steward_cloud cradle_site cradle_proc TIMEOUT 120)
cradle_test(steward_handover SOURCES unit/test_steward_handover.c unit/cloud_lab.c
    LIBS cradle_steward_channel cradle_steward_cloud cradle_site cradle_proc TIMEOUT 300)
cradle_test(steward_setup
    SOURCES unit/test_steward_setup.c unit/cloud_lab.c unit/fake_thingsboard.c
    LIBS cradle_steward_cloud cradle_http cradle_site cradle_proc Threads::Threads)
foreach(name steward_cloud steward_handover steward_setup)
    if(TARGET test_${name})
        target_compile_definitions(test_${name} PRIVATE
            CRADLE_BIN="$<TARGET_FILE_DIR:cradle-cloud>")
        add_dependencies(test_${name} cradle-cloud)
    endif()
endforeach()

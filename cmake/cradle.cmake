# SPDX-License-Identifier: Apache-2.0
# Compiler rules and the three kinds of target that the rooms are made of.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

option(CRADLE_SANITIZE "Build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
option(CRADLE_FUZZ "Build the fuzz targets (clang only)" OFF)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_library(cradle_flags INTERFACE)
target_compile_definitions(cradle_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_compile_options(cradle_flags INTERFACE
    -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
    -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wno-format-zero-length -Wundef -Wimplicit-fallthrough
    -Wnull-dereference -Wdouble-promotion -fno-common -fstack-protector-strong)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # snprintf is used to cut texts; what must not be cut is checked by its result.
    target_compile_options(cradle_flags INTERFACE -Wno-format-truncation)
endif()
if(CRADLE_SANITIZE)
    target_compile_options(cradle_flags INTERFACE
        -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
        -Wno-null-dereference)
    target_link_options(cradle_flags INTERFACE -fsanitize=address,undefined)
endif()

# cradle_pkg(<target> <pkg-config name>): an imported system library, looked up once.
function(cradle_pkg name module)
    if(NOT TARGET PkgConfig::${name})
        pkg_check_modules(${name} REQUIRED IMPORTED_TARGET GLOBAL ${module})
    endif()
endfunction()

# cradle_library(<name> SOURCES ... [LIBS ...]): target cradle_<name>. Headers are included as
# "<room>/<header>.h" relative to lib/ for libraries and to the root for rooms.
function(cradle_library name)
    cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
    add_library(cradle_${name} STATIC ${A_SOURCES})
    target_include_directories(cradle_${name} PUBLIC
        "${CMAKE_SOURCE_DIR}/lib" "${CMAKE_SOURCE_DIR}")
    target_link_libraries(cradle_${name} PUBLIC ${A_LIBS} PRIVATE cradle_flags)
endfunction()

# cradle_program(<name> SOURCES ... [LIBS ...]): an executable in <build>/bin.
function(cradle_program name)
    cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
    add_executable(${name} ${A_SOURCES})
    set_target_properties(${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
    target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/lib" "${CMAKE_SOURCE_DIR}")
    target_link_libraries(${name} PRIVATE ${A_LIBS} cradle_flags)
endfunction()

# cradle_test(<name> SOURCES ... [LIBS ...]): a cmocka program, run by ctest with a time limit.
# It runs in the source directory, so that fixtures are found as tests/fixtures/...
function(cradle_test name)
    cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;LIBS" ${ARGN})
    if(NOT BUILD_TESTING)
        return()
    endif()
    cradle_pkg(CMOCKA cmocka)
    add_executable(test_${name} ${A_SOURCES})
    target_include_directories(test_${name} PRIVATE
        "${CMAKE_SOURCE_DIR}/lib" "${CMAKE_SOURCE_DIR}")
    target_link_libraries(test_${name} PRIVATE ${A_LIBS} PkgConfig::CMOCKA cradle_flags)
    add_test(NAME ${name} COMMAND test_${name} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    if(NOT A_TIMEOUT)
        set(A_TIMEOUT 60)
    endif()
    set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT})
endfunction()

# cradle_fuzz(<name> SOURCES ... [LIBS ...]): a libFuzzer target fuzz_<name>; corpus in
# tests/fuzz/<name>/. Built only with -DCRADLE_FUZZ=ON and clang.
function(cradle_fuzz name)
    cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
    if(NOT CRADLE_FUZZ)
        return()
    endif()
    add_executable(fuzz_${name} ${A_SOURCES})
    set_target_properties(fuzz_${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz")
    target_include_directories(fuzz_${name} PRIVATE
        "${CMAKE_SOURCE_DIR}/lib" "${CMAKE_SOURCE_DIR}")
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined -Wno-missing-prototypes)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
    target_link_libraries(fuzz_${name} PRIVATE ${A_LIBS} cradle_flags)
endfunction()

# SPDX-License-Identifier: Apache-2.0
cradle_fuzz(cloud_answer SOURCES fuzz/fuzz_cloud_answer.c LIBS cradle_steward_cloud)

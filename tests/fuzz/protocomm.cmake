# SPDX-License-Identifier: Apache-2.0
cradle_fuzz(protocomm_session SOURCES fuzz/fuzz_protocomm_session.c LIBS cradle_protocomm)
cradle_fuzz(protocomm_request SOURCES fuzz/fuzz_protocomm_request.c unit/fake_provisioning.c
    LIBS cradle_protocomm)
cradle_fuzz(protocomm_http SOURCES fuzz/fuzz_protocomm_http.c LIBS cradle_protocomm)

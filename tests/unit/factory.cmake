# SPDX-License-Identifier: Apache-2.0
cradle_test(factory SOURCES unit/test_factory.c unit/pki_fixture.c LIBS cradle_factory)

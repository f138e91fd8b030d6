# SPDX-License-Identifier: Apache-2.0
cradle_test(site SOURCES unit/test_site.c LIBS cradle_site)
cradle_test(site_create SOURCES unit/test_site_create.c LIBS cradle_site)
cradle_test(site_steward SOURCES unit/test_site_steward.c LIBS cradle_site)
cradle_test(site_ca SOURCES unit/test_site_ca.c LIBS cradle_site)
cradle_test(site_deny SOURCES unit/test_site_deny.c LIBS cradle_site)

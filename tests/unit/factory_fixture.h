/* SPDX-License-Identifier: Apache-2.0 */
/* factory_fixture: sites to make units in, and what must hold of them at any time. A check that
   does not hold fails the running test. */
#ifndef CRADLE_TESTS_FACTORY_FIXTURE_H
#define CRADLE_TESTS_FACTORY_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "factory/factory.h"

#define UNITS_MAX 4096
typedef struct {
    factory_unit_t unit[UNITS_MAX];
    size_t count;
} units_t;

extern char base[];                 /* a temporary directory                      */
extern site_t site;                 /* the running test's                         */
extern int64_t now;                 /* seconds since 1970                         */
extern const char *factory_steward; /* of the sites that are made from now on; NULL: none */
extern units_t units;               /* as factory_read_units or a check left them */

int factory_setup(void **state);
int factory_teardown(void **state);

/* A new site; factory_fresh is one with the usual pattern. */
void factory_site(const char *pattern, bool pop);
int factory_fresh(void **state);

/* A path in the site; two of them are valid at a time. */
char *factory_path(const char *relative);

/* Makes units; all of them, or the test fails. */
factory_result_t factory_make(uint64_t count);

bool factory_add_unit(void *context, const factory_unit_t *unit); /* context: units_t */
void factory_read_units(void);

/* Every unit's image is the one that was recorded, and sound. */
void factory_check_images(void);

/* Every unit has its own SN, MAC and key, and custody is whole; with `idle`, no reservation is open
   and no file is there of what is no unit. */
void factory_check_books(bool idle);

void factory_check_site(void); /* both */

#endif

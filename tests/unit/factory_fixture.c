/* SPDX-License-Identifier: Apache-2.0 */
#include "factory_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "custody/custody.h"

char base[] = "/tmp/cradle-factory-XXXXXX";
site_t site;
int64_t now;
const char *factory_steward;

/* ---- a site for each test ---- */

void factory_site(const char *pattern, bool pop)
{
    static int number;
    char dir[FILE_PATH_MAX];
    err_t err = ERR_INIT;
    snprintf(dir, sizeof dir, "%s/%d", base, ++number);
    const site_create_t request = {.dir = dir,
                                   .name = "Acme",
                                   .sn_pattern = pattern,
                                   .pop = pop,
                                   .now = now - 86400,
                                   .steward = factory_steward};
    if (!site_create(&request, &site, &err)) {
        fail_msg("%s", err.text);
    }
}

int factory_setup(void **state)
{
    (void)state;
    now = (int64_t)time(NULL);
    return mkdtemp(base) == NULL ? -1 : 0;
}

int factory_teardown(void **state)
{
    (void)state;
    return file_remove_tree(base, NULL) ? 0 : -1;
}

int factory_fresh(void **state)
{
    (void)state;
    factory_site("SN-%06d", false);
    return 0;
}

char *factory_path(const char *relative)
{
    static char path[2][FILE_PATH_MAX];
    static int at;
    at = !at;
    assert_true(site_path(&site, relative, path[at], NULL));
    return path[at];
}

factory_result_t factory_make(uint64_t count)
{
    const factory_run_t what = {.count = count};
    factory_result_t result;
    err_t err = ERR_INIT;
    if (!factory_run(&site, &what, &result, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(result.made, count);
    return result;
}

/* ---- what must hold at any time ---- */

units_t units;

bool factory_add_unit(void *context, const factory_unit_t *unit)
{
    units_t *u = context;
    assert_true(u->count < UNITS_MAX);
    u->unit[u->count++] = *unit;
    return true;
}

static int by_sn(const void *a, const void *b)
{
    return strcmp(((const factory_unit_t *)a)->sn, ((const factory_unit_t *)b)->sn);
}

static int by_mac(const void *a, const void *b)
{
    return strcmp(((const factory_unit_t *)a)->mac, ((const factory_unit_t *)b)->mac);
}

void factory_read_units(void)
{
    err_t err = ERR_INIT;
    units.count = 0;
    if (!factory_each(&site, factory_add_unit, &units, &err)) {
        fail_msg("%s", err.text);
    }
}

static void fault(void *context, const custody_finding_t *finding)
{
    (void)context;
    print_error("%s\n", finding->text);
}

static bool is_none(void *context, const custody_reservation_t *reservation)
{
    (void)reservation;
    *(bool *)context = false;
    return true;
}

static size_t count_directories(void)
{
    DIR *dir = opendir(factory_path("factory/units"));
    size_t count = 0;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        count += e->d_name[0] != '.';
    }
    closedir(dir);
    return count;
}

/* Every unit's image is the one that was recorded, and sound. */
void factory_check_images(void)
{
    for (size_t i = 0; i < units.count; i++) {
        factory_detail_t detail;
        err_t err = ERR_INIT;
        if (!factory_show(&site, units.unit[i].sn, &detail, &err)) {
            fail_msg("%s", err.text);
        }
    }
}

/* Every unit has its own SN, MAC and key, and custody is whole; with `idle`, no reservation is open
   and no file is there of what is no unit. */
void factory_check_books(bool idle)
{
    custody_t *custody;
    custody_verdict_t verdict;
    bool settled = true;
    factory_read_units();
    qsort(units.unit, units.count, sizeof *units.unit, by_mac);
    for (size_t i = 1; i < units.count; i++) {
        assert_string_not_equal(units.unit[i - 1].mac, units.unit[i].mac);
    }
    qsort(units.unit, units.count, sizeof *units.unit, by_sn);
    for (size_t i = 1; i < units.count; i++) {
        assert_string_not_equal(units.unit[i - 1].sn, units.unit[i].sn);
        assert_string_not_equal(units.unit[i - 1].leaf_sha256, units.unit[i].leaf_sha256);
    }
    assert_true(custody_open(factory_path("factory/custody.db"), FACTORY_WRITER, &custody, NULL));
    assert_true(custody_verify(custody, NULL, 0, fault, NULL, &verdict, NULL));
    assert_int_equal(verdict.faults, 0);
    assert_true(custody_open_reservations(custody, is_none, &settled, NULL));
    custody_close(custody);
    if (idle) {
        assert_true(settled);
        assert_int_equal(count_directories(), units.count);
    }
}

void factory_check_site(void)
{
    factory_check_books(true);
    factory_check_images();
}

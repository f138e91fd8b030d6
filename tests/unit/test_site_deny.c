/* SPDX-License-Identifier: Apache-2.0 */
/* lib/site/deny: the deny-list's file, changed, watched, damaged, lost and rolled back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "pki/signer.h"
#include "site/deny.h"

#define NOW 1767225600

static char base[] = "/tmp/cradle-site-deny-XXXXXX";
static char file[FILE_PATH_MAX];
static site_t site;

static int setup(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    char dir[FILE_PATH_MAX];
    if (mkdtemp(base) == NULL || !file_join(dir, base, "site", NULL)) {
        return -1;
    }
    site_create_t request = {.dir = dir, .name = "Acme", .now = NOW};
    return site_create(&request, &site, &err) && site_path(&site, SITE_DENY, file, NULL) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(base, NULL) ? 0 : -1;
}

static bool save_with(const char *key, const pki_deny_t *deny, err_t *err)
{
    char path[FILE_PATH_MAX];
    pki_signer_t *signer;
    assert_true(site_key_path(&site, key, path, NULL));
    assert_true(pki_signer_open(path, &signer, NULL));
    bool ok = site_deny_save(&site, deny, signer, NOW, err);
    pki_signer_close(signer);
    return ok;
}

static void deny_one(uint8_t byte, uint8_t leaf[32])
{
    pki_deny_t *deny;
    pki_denied_t d = {.at = NOW};
    bool added;
    memset(d.leaf, byte, 32);
    memcpy(leaf, d.leaf, 32);
    assert_true(site_deny_load(&site, &deny, NULL));
    assert_true(pki_deny_add(deny, &d, &added, NULL));
    assert_true(save_with("product", deny, NULL));
    pki_deny_free(deny);
}

static void test_watch(void **state)
{
    (void)state;
    site_deny_t *watch;
    pki_deny_t *deny;
    uint8_t one[32], two[32];
    char *old;
    size_t old_len;
    err_t err = ERR_INIT;
    assert_true(site_deny_watch(&site, &watch, &err));
    assert_true(site_deny_refresh(watch, &err));
    deny_one(1, one);
    assert_false(site_deny_has(watch, one)); /* not looked yet */
    assert_true(site_deny_refresh(watch, &err));
    assert_true(site_deny_has(watch, one));
    assert_true(file_read(file, PKI_DENY_TEXT_MAX, &old, &old_len, NULL));
    deny_one(2, two);
    assert_true(site_deny_refresh(watch, &err));
    assert_true(site_deny_hook(watch, NULL, two));

    /* The older file: refused once, and what was denied stays denied. */
    assert_true(file_write(file, old, old_len, 0644, NULL));
    assert_false(site_deny_refresh(watch, &err));
    assert_non_null(strstr(err.text, "older (change 1) than the one in force (change 2)"));
    assert_true(site_deny_refresh(watch, NULL));
    assert_true(site_deny_has(watch, two));
    /* Gone, and damaged. */
    assert_int_equal(unlink(file), 0);
    assert_false(site_deny_refresh(watch, NULL));
    assert_true(site_deny_has(watch, one));
    old[old_len - 2] = old[old_len - 2] == 'A' ? 'B' : 'A';
    assert_true(file_write(file, old, old_len, 0644, NULL));
    err_clear(&err);
    assert_false(site_deny_refresh(watch, &err));
    assert_non_null(strstr(err.text, "stays in force"));
    assert_true(site_deny_has(watch, two));
    site_deny_close(watch);
    err_clear(&err);
    assert_false(site_deny_watch(&site, &watch, &err));
    assert_non_null(strstr(err.text, "deny.jws"));
    assert_false(site_deny_load(&site, &deny, NULL));
    assert_int_equal(unlink(file), 0);
    free(old);
}

static void test_only_the_product_ca(void **state)
{
    (void)state;
    pki_deny_t *deny;
    err_t err = ERR_INIT;
    assert_true(pki_deny_new(site.id, &deny, NULL));
    assert_false(save_with("line", deny, &err));
    assert_non_null(strstr(err.text, "not the product CA's"));
    assert_false(save_with("steward", deny, NULL));
    assert_false(file_exists(file));
    pki_deny_free(deny);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_only_the_product_ca),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

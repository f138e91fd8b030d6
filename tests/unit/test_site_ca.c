/* SPDX-License-Identifier: Apache-2.0 */
/* lib/site/ca: which CAs a site has, rolled ones too, and where their keys are. */
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
#include "site/ca.h"

static char base[] = "/tmp/cradle-site-ca-XXXXXX";
static site_t site;

static int setup(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    char dir[FILE_PATH_MAX];
    if (mkdtemp(base) == NULL || !file_join(dir, base, "site", NULL)) {
        return -1;
    }
    site_create_t request = {.dir = dir, .name = "Acme", .now = 1767225600};
    if (!site_create(&request, &site, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(base, NULL) ? 0 : -1;
}

/* ca/FROM.crt again as ca/TO, a whole file name. */
static void copy_as(const char *from, const char *to)
{
    char path[FILE_PATH_MAX];
    char *text;
    size_t len;
    assert_true(site_ca_path(&site, from, path, NULL));
    assert_true(file_read(path, PKI_PEM_MAX, &text, &len, NULL));
    snprintf(path, sizeof path, "%s/ca/%s", site.dir, to);
    assert_true(file_write(path, text, len, 0644, NULL));
    free(text);
}

static void drop(const char *file)
{
    char path[FILE_PATH_MAX];
    snprintf(path, sizeof path, "%s/ca/%s", site.dir, file);
    assert_int_equal(unlink(path), 0);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const good[] = {"root",        "product",        "line",   "renewal",
                                       "server-root", "server-issuing", "line.1", "renewal.99999"};
    static const char *const bad[] = {"",        "Line",   "line.",      "line.0",      "line.01",
                                      "line.-1", "line.x", "line.1.crt", "line.123456", "product.1",
                                      "../line", "line/1"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(site_ca_name_valid(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(site_ca_name_valid(bad[i]));
    }
    assert_true(site_ca_issues_devices("line"));
    assert_true(site_ca_issues_devices("renewal.7"));
    assert_false(site_ca_issues_devices("product"));
    assert_false(site_ca_issues_devices("server-issuing"));
}

static void test_issuing_with_rolled(void **state)
{
    (void)state;
    static const char *const files[] = {"line.10.crt",    "renewal.1.crt", "line.2.crt",
                                        "line.3.crt.tmp", "line.03.crt",   "cloud-root.crt"};
    static const char *const wanted[] = {"line", "renewal", "line.2", "line.10", "renewal.1"};
    char names[SITE_ISSUING_MAX][SITE_CA_NAME_SIZE];
    size_t count;
    err_t err = ERR_INIT;
    for (size_t i = 0; i < 6; i++) {
        copy_as(strncmp(files[i], "renewal", 7) == 0 ? "renewal" : "line", files[i]);
    }
    assert_true(site_issuing_names(&site, names, &count, &err));
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(names[i], wanted[i]);
    }
    pki_chain_t product;
    pki_chain_t issuing;
    pki_trust_t *trust;
    assert_true(site_device_trust(&site, &product, &issuing, &trust, &err));
    assert_int_equal(product.count, 1);
    assert_int_equal(issuing.count, 5);
    char cn[PKI_CN_MAX + 1];
    pki_cert_cn(issuing.cert[SITE_LINE], cn);
    assert_string_equal(cn, "Acme Line CA");
    pki_cert_cn(issuing.cert[SITE_RENEWAL], cn);
    assert_string_equal(cn, "Acme Renewal CA");
    pki_chain_free(&product);
    pki_chain_free(&issuing);
    pki_trust_free(trust);

    /* Full, and then one too many. */
    copy_as("line", "line.11.crt");
    copy_as("line", "line.12.crt");
    assert_true(site_issuing_names(&site, names, &count, &err));
    assert_int_equal(count, SITE_ISSUING_MAX);
    copy_as("line", "line.13.crt");
    assert_false(site_issuing_names(&site, names, &count, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_non_null(strstr(err.text, "move the oldest"));
    static const char *const all[] = {"line.10.crt",    "renewal.1.crt", "line.2.crt",
                                      "line.3.crt.tmp", "line.03.crt",   "cloud-root.crt",
                                      "line.11.crt",    "line.12.crt",   "line.13.crt"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        drop(all[i]);
    }
}

static void test_a_stranger_among_them(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    pki_chain_t issuing;
    pki_trust_t *trust = NULL;
    copy_as("server-issuing", "line.1.crt");
    assert_true(site_issuing(&site, &issuing, &err));
    pki_chain_free(&issuing);
    assert_false(site_device_trust(&site, NULL, NULL, &trust, &err));
    assert_null(trust);
    assert_non_null(strstr(err.text, "was not signed by the product CA"));
    drop("line.1.crt");
}

static void test_where_keys_are(void **state)
{
    (void)state;
    site_cas_t cas;
    char path[FILE_PATH_MAX];
    char away[FILE_PATH_MAX];
    err_t err = ERR_INIT;
    assert_true(site_key_path(&site, "root", path, NULL));
    assert_true(file_join(away, base, "root.key", NULL));
    assert_int_equal(rename(path, away), 0);
    assert_true(site_cas_load(&site, &cas, &err));
    assert_int_equal(cas.count, 6);
    assert_int_equal(site_cas_find(&cas, "root")->key, SITE_KEY_ELSEWHERE);
    assert_int_equal(site_cas_find(&cas, "product")->key, SITE_KEY_HERE);
    assert_null(site_cas_find(&cas, "line.1"));
    site_cas_free(&cas);

    const char *text = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n";
    assert_true(file_write_new(path, text, strlen(text), 0600, NULL));
    assert_true(site_cas_load(&site, &cas, &err));
    assert_int_equal(site_cas_find(&cas, "root")->key, SITE_KEY_ENCRYPTED);
    site_cas_free(&cas);
    assert_int_equal(rename(away, path), 0);

    /* A damaged certificate is named; a root that is not there is not missed. */
    snprintf(path, sizeof path, "%s/ca/root.crt", site.dir);
    assert_int_equal(rename(path, away), 0);
    assert_true(site_cas_load(&site, &cas, &err));
    assert_null(site_cas_find(&cas, "root"));
    site_cas_free(&cas);
    assert_true(file_write(path, "x", 1, 0644, NULL));
    assert_false(site_cas_load(&site, &cas, &err));
    assert_non_null(strstr(err.text, "root.crt"));
    assert_int_equal(rename(away, path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_issuing_with_rolled),
        cmocka_unit_test(test_a_stranger_among_them),
        cmocka_unit_test(test_where_keys_are),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

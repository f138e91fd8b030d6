/* SPDX-License-Identifier: Apache-2.0 */
/* factory: units of keys and certificates that were made elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "factory_fixture.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "pki_fixture.h"

static EVP_PKEY *rsa[2]; /* by turns, because making one takes so long */

static int setup(void **state)
{
    rsa[0] = fixture_key("RSA-2048");
    rsa[1] = fixture_key("RSA-2048");
    return factory_setup(state);
}

static int teardown(void **state)
{
    EVP_PKEY_free(rsa[0]);
    EVP_PKEY_free(rsa[1]);
    return factory_teardown(state);
}

typedef struct {
    char key[FILE_PATH_MAX];
    char cert[FILE_PATH_MAX];
    char chain[FILE_PATH_MAX];
    factory_adopt_t files;
} papers_t;

/* The mission's three files: an RSA key, an X.509 v1 leaf alone in its file, signed by `ca`. */
static void make_papers(papers_t *p, const char *cn, X509 *ca, EVP_PKEY *ca_key)
{
    static int number;
    EVP_PKEY *key = rsa[number % 2];
    const mint_t mint = {.cn = cn,
                         .key = key,
                         .issuer = ca,
                         .issuer_key = ca_key,
                         .v1 = true,
                         .from = now - 3600,
                         .to = now + 100 * DAY};
    X509 *leaf = fixture_mint(&mint);
    char *pem;
    size_t len;
    number++;
    snprintf(p->key, sizeof p->key, "%s/device%d.key", base, number);
    snprintf(p->cert, sizeof p->cert, "%s/device%d.crt", base, number);
    snprintf(p->chain, sizeof p->chain, "%s/server_chain%d.pem", base, number);
    assert_true(pki_key_save(key, p->key, NULL));
    assert_true(pki_cert_save(leaf, p->cert, NULL));
    assert_true(site_server_chain(&site, &pem, &len, NULL));
    assert_true(file_write(p->chain, pem, len, 0644, NULL));
    free(pem);
    X509_free(leaf);
    p->files = (factory_adopt_t){.key = p->key, .cert = p->cert, .chain = p->chain};
}

static void make_ours(papers_t *p, const char *cn)
{
    char path[FILE_PATH_MAX];
    X509 *ca = NULL;
    EVP_PKEY *key = NULL;
    assert_true(site_ca_path(&site, "line", path, NULL) && pki_cert_load(path, &ca, NULL));
    assert_true(site_key_path(&site, "line", path, NULL) && pki_key_load(path, &key, NULL));
    make_papers(p, cn, ca, key);
    pki_cert_free(ca);
    pki_key_free(key);
}

static void refused(const papers_t *p, const char *why)
{
    factory_unit_t unit;
    err_t err = ERR_INIT;
    assert_false(factory_adopt(&site, &p->files, &unit, &err));
    if (strstr(err.text, why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.text, why);
    }
}

static void test_adopt(void **state)
{
    (void)state;
    papers_t p;
    factory_unit_t unit;
    factory_detail_t detail;
    err_t err = ERR_INIT;
    make_ours(&p, "OLD-7");
    if (!factory_adopt(&site, &p.files, &unit, &err)) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(unit.sn, "OLD-7");
    assert_true(unit.adopted);
    assert_int_equal(strncmp(unit.mac, "06:", 3), 0);
    assert_true(factory_show(&site, "OLD-7", &detail, NULL));
    assert_false(detail.has_json);
    assert_memory_equal(&detail.unit, &unit, sizeof unit);
    refused(&p, "taken");
    make_ours(&p, "OLD-7"); /* another certificate of the same SN */
    refused(&p, "taken");
    factory_check_site();
    assert_int_equal(units.count, 1);
}

/* An adopted SN that the pattern will come to: the line leaves it out. */
static void test_adopt_ahead(void **state)
{
    (void)state;
    papers_t p;
    factory_unit_t unit;
    make_ours(&p, "SN-000002");
    assert_true(factory_adopt(&site, &p.files, &unit, NULL));
    factory_make(3);
    factory_check_site();
    assert_int_equal(units.count, 4);
    assert_string_equal(units.unit[3].sn, "SN-000004");
    make_ours(&p, "SN-000003");
    refused(&p, "taken");
}

static void test_adopt_refusals(void **state)
{
    (void)state;
    papers_t p;
    papers_t other;
    factory_make(1);
    make_ours(&p, "A-1");
    make_ours(&other, "A-2");
    p.files.key = other.key;
    refused(&p, "is not the key of");
    p.files.key = p.key;
    assert_int_equal(chmod(p.key, 0644), 0);
    refused(&p, p.key);
    assert_int_equal(chmod(p.key, 0600), 0);
    p.files.chain = p.key; /* a private key where certificates belong */
    refused(&p, p.key);
    make_ours(&p, "../../etc");
    refused(&p, "common name");
    make_ours(&p, "12345"); /* a number for ThingsBoard */
    refused(&p, "common name");
    make_ours(&p, "SN-000001");
    refused(&p, "taken");
    /* a number that a run took but did not make a unit of */
    const factory_run_t what = {.count = 2};
    factory_result_t result;
    assert_true(file_make_dirs(factory_path("factory/units/SN-000002/identity.bin"), 0700, NULL));
    assert_false(factory_run(&site, &what, &result, NULL));
    make_ours(&p, "SN-000002");
    refused(&p, "void");
    factory_check_site();
    assert_int_equal(units.count, 1);
}

static void test_adopt_foreign(void **state)
{
    (void)state;
    papers_t p;
    factory_unit_t unit;
    err_t err = ERR_INIT;
    EVP_PKEY *key = fixture_key("P-256");
    const mint_t mint = {.cn = "Foreign CA", .key = key, .ext = ext_ca, .to = now + 1000 * DAY};
    X509 *ca = fixture_mint(&mint);
    make_papers(&p, "F-1", ca, key);
    refused(&p, "--foreign");
    p.files.foreign = true;
    if (!factory_adopt(&site, &p.files, &unit, &err)) {
        fail_msg("%s", err.text);
    }
    factory_check_site();
    assert_int_equal(units.count, 1);
    X509_free(ca);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_adopt, factory_fresh),
        cmocka_unit_test_setup(test_adopt_ahead, factory_fresh),
        cmocka_unit_test_setup(test_adopt_refusals, factory_fresh),
        cmocka_unit_test_setup(test_adopt_foreign, factory_fresh),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* factory: units of a site with a steward, and the pack list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "factory_fixture.h"
#include "flash/spiffs.h"
#include "json/json.h"
#include "pki/cert.h"
#include "site/bundle.h"

#define STEWARD "steward.acme.test:8443"

static int with_steward(void **state)
{
    factory_steward = STEWARD;
    return factory_fresh(state);
}

static int without_steward(void **state)
{
    factory_steward = NULL;
    return factory_fresh(state);
}

/* A file of a unit's image, heap; NULL when it is not there. */
static char *unit_file(const char *sn, const char *name, size_t *len)
{
    const spiffs_config_t config = spiffs_config_default(FACTORY_IDENTITY_SIZE);
    spiffs_t fs;
    spiffs_entry_t entry;
    char path[FILE_PATH_MAX];
    char *image;
    char *data = NULL;
    size_t size;
    assert_true(site_unit_path(&site, sn, "identity.bin", path, NULL));
    assert_true(file_read(path, FACTORY_IDENTITY_SIZE, &image, &size, NULL));
    assert_true(spiffs_open(&fs, &config, image, size, NULL));
    if (spiffs_find(&fs, name, &entry, NULL)) {
        assert_true(spiffs_read(&fs, &entry, 65536, &data, len, NULL));
    }
    free(image);
    return data;
}

static void test_units(void **state)
{
    (void)state;
    char bundle[JWS_BUNDLE_MAX + 1];
    size_t bundle_len;
    factory_detail_t detail;
    factory_make(2);
    factory_check_site();
    assert_true(site_bundle_load(&site, bundle, &bundle_len, NULL, NULL));
    for (int i = 0; i < 2; i++) {
        size_t len;
        const char *sn = i == 0 ? "SN-000001" : "SN-000002";
        char *text = unit_file(sn, "/bundle.jws", &len);
        assert_non_null(text);
        assert_int_equal(len, bundle_len);
        assert_memory_equal(text, bundle, len);
        free(text);
        text = unit_file(sn, "/device.json", &len);
        assert_non_null(strstr(text, "\"steward\":\"" STEWARD "\""));
        assert_non_null(strstr(text, "\"ask\":true"));
        free(text);
        assert_true(factory_show(&site, sn, &detail, NULL));
        assert_string_equal(detail.identity.steward, STEWARD);
        assert_true(detail.identity.ask);
        assert_int_equal(detail.bundle_version, 1);
    }
}

static void test_without(void **state)
{
    (void)state;
    factory_detail_t detail;
    size_t len;
    factory_make(1);
    assert_null(unit_file("SN-000001", "/bundle.jws", &len));
    assert_true(factory_show(&site, "SN-000001", &detail, NULL));
    assert_string_equal(detail.identity.steward, "");
    assert_false(detail.identity.ask);
    assert_int_equal(detail.bundle_version, 0);
    char *text = unit_file("SN-000001", "/device.json", &len);
    assert_null(strstr(text, "steward"));
    assert_non_null(strstr(text, "\"ask\":false"));
    free(text);
}

/* Units of later runs have the newer one; the older units stay sound. */
static void test_newer_bundle(void **state)
{
    (void)state;
    char text[JWS_BUNDLE_MAX + 1];
    size_t len;
    factory_detail_t detail;
    site_bundle_t wanted = {.version = 2, .issued = now};
    factory_make(1);
    assert_true(site_bundle_make(&site, &wanted, text, &len, NULL));
    assert_true(file_write(factory_path(SITE_BUNDLE), text, len, 0644, NULL));
    factory_make(1);
    assert_true(factory_show(&site, "SN-000001", &detail, NULL));
    assert_int_equal(detail.bundle_version, 1);
    assert_true(factory_show(&site, "SN-000002", &detail, NULL));
    assert_int_equal(detail.bundle_version, 2);
    factory_check_site();
}

/* A run does not begin with a bundle that its units would not believe. */
static void test_bad_bundle(void **state)
{
    (void)state;
    char *text;
    size_t len;
    const factory_run_t what = {.count = 1};
    factory_result_t result;
    err_t err = ERR_INIT;
    assert_true(file_read(factory_path(SITE_BUNDLE), JWS_BUNDLE_MAX, &text, &len, NULL));
    text[len - 10] = text[len - 10] == 'A' ? 'B' : 'A';
    assert_true(file_write(factory_path(SITE_BUNDLE), text, len, 0644, NULL));
    free(text);
    assert_false(factory_run(&site, &what, &result, &err));
    assert_non_null(strstr(err.text, "not signed by the anchor key"));
    assert_int_equal(unlink(factory_path(SITE_BUNDLE)), 0);
    err_clear(&err);
    assert_false(factory_run(&site, &what, &result, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_non_null(strstr(err.text, "bundle.jws"));
    factory_read_units();
    assert_int_equal(units.count, 0);
}

/* The largest unit that can be: RSA all the way up, names as long as they may be, three roots. */
static void test_room(void **state)
{
    (void)state;
    char host[SITE_HOST_SIZE];
    char text[JWS_BUNDLE_MAX + 1];
    char path[FILE_PATH_MAX];
    size_t len;
    memset(host, 'a', sizeof host);
    for (size_t i = 63; i < 253; i += 64) {
        host[i] = '.';
    }
    strcpy(host + 253, ":65535");
    char dir[FILE_PATH_MAX];
    snprintf(dir, sizeof dir, "%s/room", base);
    err_t err = ERR_INIT;
    const site_create_t request = {.dir = dir,
                                   .name = "1234567890123456789012345678901234567890",
                                   .model = "12345678901234567890123456789012",
                                   .hw = "1234567890123456",
                                   .cloud = host,
                                   .steward = host,
                                   .key_type = PKI_KEY_RSA2048,
                                   .pop = true,
                                   .now = now - 60};
    if (!site_create(&request, &site, &err)) {
        fail_msg("%s", err.text);
    }
    pki_chain_t root;
    pki_chain_t anchors = PKI_CHAIN_INIT;
    site_bundle_t wanted = {.version = 1, .issued = now, .anchors = &anchors};
    assert_true(site_ca_path(&site, "server-root", path, NULL));
    assert_true(pki_chain_load(path, &root, NULL));
    size_t roots = 0; /* as many as a bundle has room for */
    while (roots < BUNDLE_ANCHORS_MAX && pki_chain_add(&anchors, root.cert[0], NULL) &&
           site_bundle_make(&site, &wanted, text, &len, NULL)) {
        assert_true(file_write(factory_path(SITE_BUNDLE), text, len, 0644, NULL));
        roots++;
    }
    assert_true(roots >= 1);
    pki_chain_free(&root);
    pki_chain_free(&anchors);
    factory_make(1);
    factory_check_site();
}

/* ---- the pack list ---- */

static bool pack_to(const char *path, uint64_t *count, err_t *err)
{
    const factory_pack_t wanted = {.path = path};
    factory_packed_t packed;
    bool ok = factory_pack(&site, &wanted, &packed, err);
    if (count != NULL) {
        *count = packed.units;
    }
    return ok;
}

static char *read_pack(const char *path, size_t *len)
{
    char *text;
    assert_true(file_read(path, 1 << 20, &text, len, NULL));
    assert_true(json_valid(text, *len));
    return text;
}

static void expect_text(const char *text, size_t len, const char *at, const char *expected)
{
    json_token_t value;
    if (!json_find(text, len, at, &value) || !json_equals(&value, expected)) {
        fail_msg("%s is not \"%s\" in %s", at, expected, text);
    }
}

static size_t left_overs(void)
{
    DIR *dir = opendir(factory_path("factory"));
    size_t count = 0;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        count += strncmp(e->d_name, "pack.json.", 10) == 0;
    }
    closedir(dir);
    return count;
}

/* The units as objects of their own: "units" is an array. */
static size_t check_units(const char *text, size_t len)
{
    size_t count = 0;
    for (const char *p = text; (p = memmem(p, len - (size_t)(p - text), "{\"sn\"", 5)) != NULL;
         count++) {
        const char *end = strchr(p, '}');
        size_t n = (size_t)(end + 1 - p);
        json_token_t value;
        char base64[4096];
        uint8_t der[PKI_CERT_DER_MAX];
        size_t size;
        X509 *leaf;
        pki_facts_t facts;
        assert_true(json_valid(p, n));
        expect_text(p, n, "sn", units.unit[count].sn);
        expect_text(p, n, "service", units.unit[count].service);
        assert_true(json_find(p, n, "code_hash", &value));
        assert_int_equal(value.type, JSON_NULL);
        assert_true(json_find(p, n, "leaf", &value));
        assert_true(json_string(&value, base64, sizeof base64, &size));
        assert_true(bytes_from_base64(base64, size, der, sizeof der, &size));
        assert_true(pki_cert_from_der(der, size, &leaf, NULL));
        assert_true(pki_cert_facts(leaf, &facts, NULL));
        assert_string_equal(facts.sha256_hex, units.unit[count].leaf_sha256);
        pki_cert_free(leaf);
        p = end;
    }
    return count;
}

static void test_pack(void **state)
{
    (void)state;
    uint64_t count = 99;
    size_t len;
    struct stat st;
    assert_true(pack_to(NULL, &count, NULL));
    assert_int_equal(count, 0);
    char *text = read_pack(factory_path(FACTORY_PACK), &len);
    assert_int_equal(check_units(text, len), 0);
    free(text);
    factory_make(3);
    assert_true(pack_to(NULL, &count, NULL));
    assert_int_equal(count, 3);
    assert_int_equal(stat(factory_path(FACTORY_PACK), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    text = read_pack(factory_path(FACTORY_PACK), &len);
    expect_text(text, len, "site", site.id);
    assert_null(strstr(text, "PRIVATE"));
    factory_read_units();
    assert_int_equal(check_units(text, len), 3);
    char elsewhere[FILE_PATH_MAX];
    snprintf(elsewhere, sizeof elsewhere, "%s/pack-elsewhere.json", base);
    assert_true(pack_to(elsewhere, NULL, NULL));
    char *other = read_pack(elsewhere, &len);
    assert_string_equal(text, other);
    free(other);
    free(text);
    assert_int_equal(left_overs(), 0);
}

/* A unit that is not what custody says is not shipped, and the old list stays. */
static void test_pack_refuses(void **state)
{
    (void)state;
    char path[FILE_PATH_MAX];
    char *image;
    char *before;
    size_t len;
    size_t before_len;
    err_t err = ERR_INIT;
    factory_make(2);
    assert_true(pack_to(NULL, NULL, NULL));
    before = read_pack(factory_path(FACTORY_PACK), &before_len);
    assert_true(site_unit_path(&site, "SN-000002", "identity.bin", path, NULL));
    assert_true(file_read(path, FACTORY_IDENTITY_SIZE, &image, &len, NULL));
    image[len - 1] = (char)(image[len - 1] ^ 1);
    assert_true(file_write(path, image, len, 0600, NULL));
    free(image);
    assert_false(pack_to(NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_non_null(strstr(err.text, "SN-000002"));
    char *after = read_pack(factory_path(FACTORY_PACK), &len);
    assert_string_equal(before, after);
    assert_int_equal(left_overs(), 0);
    free(before);
    free(after);
    err_clear(&err);
    assert_false(pack_to("/no/such/dir/pack.json", NULL, &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_units, with_steward),
        cmocka_unit_test_setup(test_without, without_steward),
        cmocka_unit_test_setup(test_newer_bundle, with_steward),
        cmocka_unit_test_setup(test_bad_bundle, with_steward),
        cmocka_unit_test(test_room),
        cmocka_unit_test_setup(test_pack, with_steward),
        cmocka_unit_test_setup(test_pack_refuses, with_steward),
    };
    return cmocka_run_group_tests(tests, factory_setup, factory_teardown);
}

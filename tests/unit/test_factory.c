/* SPDX-License-Identifier: Apache-2.0 */
/* factory: units as they are on the disk, several runs at once, runs that are killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "factory_fixture.h"
#include "flash/flash.h"
#include "flash/spiffs.h"
#include "pki/cert.h"
#include "pki/chain.h"
#include "pki/key.h"

/* ---- units ---- */

static char *read_unit_file(const spiffs_t *fs, const char *name, size_t *len)
{
    char *data;
    assert_true(spiffs_read_file(fs, name, 65536, &data, len, NULL));
    return data;
}

static void check_chain(const char *pem, size_t len, const char *sn)
{
    static const char *const NAMES[] = {"line", "product"};
    pki_chain_t chain;
    pki_chain_t product;
    pki_trust_t *trust;
    char path[FILE_PATH_MAX];
    char cn[PKI_CN_MAX + 1];
    const pki_chain_policy_t policy = {.now = now + 60};
    pki_chain_verdict_t verdict;
    assert_true(pki_chain_parse(pem, len, &chain, NULL));
    assert_int_equal(chain.count, 3);
    for (size_t i = 0; i < 2; i++) {
        X509 *ca = NULL;
        assert_true(site_ca_path(&site, NAMES[i], path, NULL) && pki_cert_load(path, &ca, NULL));
        assert_true(pki_cert_equal(ca, chain.cert[i + 1]));
        pki_cert_free(ca);
    }
    assert_true(pki_chain_load(path, &product, NULL));
    assert_true(pki_trust_new(&product, NULL, &trust, NULL));
    assert_int_equal(pki_chain_check(trust, chain.cert, chain.count, &policy, &verdict),
                     PKI_CHAIN_OK);
    assert_int_equal(pki_cert_cn(chain.cert[0], cn), PKI_CN_OK);
    assert_string_equal(cn, sn);
    pki_trust_free(trust);
    pki_chain_free(&product);
    pki_chain_free(&chain);
}

static void check_json(const char *text, size_t len)
{
    site_identity_t identity;
    EVP_PKEY *key;
    uint8_t spki[PKI_SPKI_MAX];
    size_t spki_len;
    char path[FILE_PATH_MAX];
    assert_true(site_identity_parse(text, len, &identity, NULL));
    assert_string_equal(identity.site, site.id);
    assert_string_equal(identity.cloud, site.cloud);
    assert_string_equal(identity.model, site.model);
    assert_int_equal(identity.security, 1);
    assert_true(site_pub_path(&site, "firmware", path, NULL));
    assert_true(pki_key_public_load(path, &key, NULL));
    assert_true(pki_key_public_der(key, spki, sizeof spki, &spki_len, NULL));
    assert_int_equal(identity.firmware_key_len, spki_len);
    assert_memory_equal(identity.firmware_key, spki, spki_len);
    pki_key_free(key);
}

/* The files of one unit, read with nothing of the factory. */
static void check_files(const factory_unit_t *unit)
{
    const spiffs_config_t config = spiffs_config_default(FACTORY_IDENTITY_SIZE);
    char path[FILE_PATH_MAX];
    char *image;
    char *server;
    size_t len;
    size_t server_len;
    spiffs_t fs;
    struct stat st;
    assert_true(site_unit_path(&site, unit->sn, "identity.bin", path, NULL));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, FACTORY_IDENTITY_SIZE);
    assert_true(file_read(path, FACTORY_IDENTITY_SIZE, &image, &len, NULL));
    assert_true(spiffs_open(&fs, &config, image, len, NULL));
    char *cert = read_unit_file(&fs, "/device.crt", &len);
    check_chain(cert, len, unit->sn);
    free(cert);
    char *json = read_unit_file(&fs, "/device.json", &len);
    check_json(json, len);
    free(json);
    char *chain = read_unit_file(&fs, "/server_chain.pem", &len);
    assert_true(site_server_chain(&site, &server, &server_len, NULL));
    assert_int_equal(len, server_len);
    assert_memory_equal(chain, server, len);
    free(server);
    free(chain);
    free(image);
    char *chip;
    char expected[64];
    assert_true(site_unit_path(&site, unit->sn, "chip.json", path, NULL));
    assert_true(file_read(path, 100, &chip, &len, NULL));
    snprintf(expected, sizeof expected, "{\"mac\":\"%s\"}\n", unit->mac);
    assert_string_equal(chip, expected);
    free(chip);
}

static void test_three_units(void **state)
{
    (void)state;
    factory_unit_t seen[3] = {0};
    units_t *made = calloc(1, sizeof *made);
    const factory_run_t what = {.count = 3, .made = factory_add_unit, .context = made};
    factory_result_t result;
    assert_true(factory_run(&site, &what, &result, NULL));
    assert_int_equal(result.made, 3);
    assert_int_equal(made->count, 3);
    memcpy(seen, made->unit, sizeof seen);
    free(made);
    factory_read_units();
    assert_int_equal(units.count, 3);
    for (size_t i = 0; i < 3; i++) {
        char sn[SITE_SN_SIZE];
        snprintf(sn, sizeof sn, "SN-%06zu", i + 1);
        assert_string_equal(seen[i].sn, sn);
        assert_memory_equal(&seen[i], &units.unit[i], sizeof seen[i]);
        assert_int_equal(strncmp(seen[i].mac, "02:", 3), 0);
        assert_false(seen[i].adopted);
        check_files(&seen[i]);
    }
    factory_check_site();
    assert_int_equal(factory_make(1).voided, 0);
    factory_read_units();
    assert_string_equal(units.unit[3].sn, "SN-000004");
}

static void test_base_stays(void **state)
{
    (void)state;
    char *first;
    char *second;
    size_t len;
    size_t len2;
    factory_make(1);
    assert_true(file_read(factory_path("factory/base.bin"), 0x400000, &first, &len, NULL));
    factory_make(1);
    assert_true(file_read(factory_path("factory/base.bin"), 0x400000, &second, &len2, NULL));
    assert_int_equal(len, len2);
    assert_memory_equal(first, second, len);
    free(first);
    free(second);
}

/* Bits of the key in a unit's leaf. */
static int key_size(const char *sn)
{
    const spiffs_config_t config = spiffs_config_default(FACTORY_IDENTITY_SIZE);
    char path[FILE_PATH_MAX];
    char *image;
    size_t len;
    spiffs_t fs;
    pki_chain_t chain;
    assert_true(site_unit_path(&site, sn, "identity.bin", path, NULL));
    assert_true(file_read(path, FACTORY_IDENTITY_SIZE, &image, &len, NULL));
    assert_true(spiffs_open(&fs, &config, image, len, NULL));
    char *pem = read_unit_file(&fs, "/device.crt", &len);
    assert_true(pki_chain_parse(pem, len, &chain, NULL));
    int bits = EVP_PKEY_get_bits(X509_get0_pubkey(chain.cert[0]));
    pki_chain_free(&chain);
    free(pem);
    free(image);
    return bits;
}

static void test_pop_and_rsa(void **state)
{
    (void)state;
    factory_detail_t a;
    factory_detail_t b;
    factory_site("R%d-x", true);
    site.key_type = PKI_KEY_RSA2048; /* of the devices; RSA keys for all CAs would take seconds */
    factory_make(2);
    assert_true(factory_show(&site, "R1-x", &a, NULL));
    assert_true(factory_show(&site, "R2-x", &b, NULL));
    assert_true(a.has_json);
    assert_int_equal(strlen(a.identity.pop), 16);
    assert_string_not_equal(a.identity.pop, b.identity.pop);
    factory_check_site();
    assert_int_equal(key_size("R1-x"), 2048);
}

static void test_service_names(void **state)
{
    (void)state;
    char out[FACTORY_SERVICE_SIZE];
    assert_true(factory_service_name("02:00:5e:10:a1:b2", out));
    assert_string_equal(out, "ESP-PROV-A1B2");
    assert_false(factory_service_name("02:00:5e:10:a1:b", out));
    assert_false(factory_service_name("02:00:5e:10:a1:b2:", out));
    assert_false(factory_service_name("02:00:5e:10:a1-b2", out));
    assert_false(factory_service_name("02:00:5e:10:g1:b2", out));
    assert_false(factory_service_name("", out));
    assert_string_equal(out, "");
}

static void test_bad_runs(void **state)
{
    (void)state;
    factory_result_t result;
    err_t err = ERR_INIT;
    factory_run_t what = {.count = 0};
    assert_false(factory_run(&site, &what, &result, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    what.count = FACTORY_COUNT_MAX + 1;
    assert_false(factory_run(&site, &what, &result, NULL));
    factory_site("S%01d", false);
    factory_make(7);
    what.count = 3; /* two are left */
    err_clear(&err);
    assert_false(factory_run(&site, &what, &result, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_int_equal(result.made, 0);
    factory_make(2);
    factory_check_site();
    assert_int_equal(units.count, 9);
    err_clear(&err);
    assert_int_equal(unlink(factory_path("keys/line.key")), 0); /* no key, no units, nothing left */
    assert_false(factory_run(&site, &what, &result, &err));
    factory_check_site();
}

/* Something is in the way of the third unit: the run fails, its numbers are void, and the next run
   goes on after them. */
static void test_failing_run(void **state)
{
    (void)state;
    const factory_run_t what = {.count = 5};
    factory_result_t result;
    err_t err = ERR_INIT;
    assert_true(file_make_dirs(factory_path("factory/units/SN-000003/identity.bin"), 0700, NULL));
    assert_false(factory_run(&site, &what, &result, &err));
    assert_non_null(strstr(err.text, "SN-000003"));
    assert_int_equal(result.made, 0);
    factory_check_site();
    assert_int_equal(units.count, 0);
    assert_int_equal(factory_make(1).voided, 0); /* settled by the failing run itself */
    factory_read_units();
    assert_string_equal(units.unit[0].sn, "SN-000006");
}

static bool stop(void *context, const factory_unit_t *unit)
{
    (void)unit;
    ++*(int *)context;
    return false;
}

static void test_stopping(void **state)
{
    (void)state;
    int calls = 0;
    const factory_run_t what = {.count = 1000, .made = stop, .context = &calls};
    factory_result_t result;
    assert_true(factory_run(&site, &what, &result, NULL));
    assert_true(result.made > 0 && result.made < 1000);
    assert_int_equal(calls, result.made); /* the units of the block exist and are told */
    factory_check_site();
    assert_int_equal(units.count, result.made);
}

/* ---- several processes, killed ones ---- */

static pid_t start_run(uint64_t count)
{
    pid_t child = fork();
    if (child == 0) {
        const factory_run_t what = {.count = count};
        factory_result_t result;
        err_t err = ERR_INIT;
        bool ok = factory_run(&site, &what, &result, &err);
        if (!ok) {
            fprintf(stderr, "%s\n", err.text);
        }
        _exit(ok && result.made == count && result.voided == 0 ? 0 : 1);
    }
    assert_true(child > 0);
    return child;
}

static void test_two_at_once(void **state)
{
    (void)state;
    pid_t children[3];
    for (size_t i = 0; i < 3; i++) {
        children[i] = start_run(70);
    }
    for (size_t i = 0; i < 3; i++) {
        int status;
        waitpid(children[i], &status, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    factory_check_site();
    assert_int_equal(units.count, 210);
}

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* Killed at many instants: between, before and within blocks. Units that custody knows are sound
   after each kill, the next run voids what was lost, and no SN is given twice. */
static void test_killed(void **state)
{
    (void)state;
    uint64_t voided = 0;
    size_t before = 0;
    for (int i = 0; i < 8 || (voided == 0 && i < 40); i++) { /* a busy machine begins late */
        pid_t child = start_run(2000);
        sleep_ms(15 + 17 * i);
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        if (before > 0) { /* the first may have died while the file was born */
            factory_check_books(false);
            assert_true(units.count >= before);
        }
        voided += factory_make(1).voided;
        factory_check_books(true);
        before = units.count;
    }
    factory_check_images();
    assert_true(voided > 0); /* else nothing was killed in the middle */
}

/* A run that is alive is not taken for a dead one. */
static bool run_beside(void *context, const factory_unit_t *unit)
{
    bool *done = context;
    (void)unit;
    if (!*done) {
        *done = true;
        pid_t child = start_run(2); /* fails when it voids anything */
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    return true;
}

static void test_alive(void **state)
{
    (void)state;
    bool done = false;
    const factory_run_t what = {.count = 70, .made = run_beside, .context = &done};
    factory_result_t result;
    assert_true(factory_run(&site, &what, &result, NULL));
    assert_true(done);
    factory_check_site();
    assert_int_equal(units.count, 72);
}

/* ---- showing and exporting ---- */

static void test_changed_image(void **state)
{
    (void)state;
    factory_detail_t detail;
    char path[FILE_PATH_MAX];
    char *a;
    size_t len;
    err_t err = ERR_INIT;
    factory_make(2);
    assert_true(site_unit_path(&site, "SN-000002", "identity.bin", path, NULL));
    assert_true(file_read(path, FACTORY_IDENTITY_SIZE, &a, &len, NULL));
    a[len - 1] = (char)(a[len - 1] ^ 1); /* somewhere that no file uses */
    assert_true(file_write(path, a, len, 0600, NULL));
    assert_false(factory_show(&site, "SN-000002", &detail, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    free(a);
    /* another unit's image: sound, but not this unit's */
    assert_true(site_unit_path(&site, "SN-000001", "identity.bin", path, NULL));
    assert_true(file_read(path, FACTORY_IDENTITY_SIZE, &a, &len, NULL));
    assert_true(site_unit_path(&site, "SN-000002", "identity.bin", path, NULL));
    assert_true(file_write(path, a, len, 0600, NULL));
    free(a);
    err_clear(&err);
    assert_false(factory_show(&site, "SN-000002", &detail, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_true(factory_show(&site, "SN-000001", &detail, NULL));
    err_clear(&err);
    assert_false(factory_show(&site, "SN-000003", &detail, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_false(factory_show(&site, "../SN-000001", &detail, NULL));
}

static void test_export(void **state)
{
    (void)state;
    char out[FILE_PATH_MAX];
    char path[FILE_PATH_MAX];
    char *image;
    size_t len;
    region_t region;
    uint8_t *flash_bytes = malloc(FACTORY_IDENTITY_SIZE);
    struct stat st;
    err_t err = ERR_INIT;
    factory_make(1);
    snprintf(out, sizeof out, "%s", factory_path("unit.bin"));
    assert_true(factory_export(&site, "SN-000001", out, NULL));
    assert_int_equal(stat(out, &st), 0);
    assert_int_equal(st.st_size, 0x400000);
    assert_int_equal(st.st_mode & 0777, 0600);
    flash_t *flash = flash_open_image(out, false, NULL);
    assert_non_null(flash);
    assert_true(flash_partition(flash, "identity", &region, NULL));
    assert_int_equal(region.size, FACTORY_IDENTITY_SIZE);
    assert_true(flash_read(flash, 0x17000, flash_bytes, FACTORY_IDENTITY_SIZE, NULL));
    assert_true(site_unit_path(&site, "SN-000001", "identity.bin", path, NULL));
    assert_true(file_read(path, FACTORY_IDENTITY_SIZE, &image, &len, NULL));
    assert_memory_equal(image, flash_bytes, FACTORY_IDENTITY_SIZE);
    free(image);
    free(flash_bytes);
    flash_close(flash);
    assert_false(factory_export(&site, "SN-000001", out, &err)); /* it is there */
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_false(factory_export(&site, "SN-000002", factory_path("other.bin"), NULL));
    assert_false(file_exists(factory_path("other.bin")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_three_units, factory_fresh),
        cmocka_unit_test_setup(test_base_stays, factory_fresh),
        cmocka_unit_test(test_pop_and_rsa),
        cmocka_unit_test(test_service_names),
        cmocka_unit_test_setup(test_bad_runs, factory_fresh),
        cmocka_unit_test_setup(test_failing_run, factory_fresh),
        cmocka_unit_test_setup(test_stopping, factory_fresh),
        cmocka_unit_test_setup(test_two_at_once, factory_fresh),
        cmocka_unit_test_setup(test_killed, factory_fresh),
        cmocka_unit_test_setup(test_alive, factory_fresh),
        cmocka_unit_test_setup(test_changed_image, factory_fresh),
        cmocka_unit_test_setup(test_export, factory_fresh),
    };
    return cmocka_run_group_tests(tests, factory_setup, factory_teardown);
}

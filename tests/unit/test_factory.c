/* SPDX-License-Identifier: Apache-2.0 */
/* factory: units as they are on the disk, several runs at once, runs that are killed, adoption. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
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
#include "custody/custody.h"
#include "factory/factory.h"
#include "flash/appimage.h"
#include "flash/flash.h"
#include "flash/spiffs.h"
#include "pki/cert.h"
#include "pki/chain.h"
#include "pki/key.h"
#include "pki/signer.h"
#include "pki_fixture.h"

static EVP_PKEY *rsa[2]; /* of adopted units, by turns, because making one takes so long */
static char base[] = "/tmp/cradle-factory-XXXXXX";
static site_t site;
static int64_t now;

/* ---- a site for each test ---- */

static void make_site(const char *pattern, bool pop)
{
    static int number;
    char dir[FILE_PATH_MAX];
    err_t err = ERR_INIT;
    snprintf(dir, sizeof dir, "%s/%d", base, ++number);
    const site_create_t request = {
        .dir = dir, .name = "Acme", .sn_pattern = pattern, .pop = pop, .now = now - 86400};
    if (!site_create(&request, &site, &err)) {
        fail_msg("%s", err.text);
    }
}

static int setup(void **state)
{
    (void)state;
    now = (int64_t)time(NULL);
    rsa[0] = fixture_key("RSA-2048");
    rsa[1] = fixture_key("RSA-2048");
    return mkdtemp(base) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa[0]);
    EVP_PKEY_free(rsa[1]);
    return file_remove_tree(base, NULL) ? 0 : -1;
}

static int fresh(void **state)
{
    (void)state;
    make_site("SN-%06d", false);
    return 0;
}

static char *path_of(const char *relative)
{
    static char path[2][FILE_PATH_MAX];
    static int at;
    at = !at;
    assert_true(site_path(&site, relative, path[at], NULL));
    return path[at];
}

static factory_result_t run(uint64_t count)
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

#define UNITS_MAX 4096
typedef struct {
    factory_unit_t unit[UNITS_MAX];
    size_t count;
} units_t;

static units_t units;

static bool add(void *context, const factory_unit_t *unit)
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

static void read_units(void)
{
    err_t err = ERR_INIT;
    units.count = 0;
    if (!factory_each(&site, add, &units, &err)) {
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
    DIR *dir = opendir(path_of("factory/units"));
    size_t count = 0;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        count += e->d_name[0] != '.';
    }
    closedir(dir);
    return count;
}

/* Every unit's image is the one that was recorded, and sound. */
static void check_images(void)
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
static void check_books(bool idle)
{
    custody_t *custody;
    custody_verdict_t verdict;
    bool settled = true;
    read_units();
    qsort(units.unit, units.count, sizeof *units.unit, by_mac);
    for (size_t i = 1; i < units.count; i++) {
        assert_string_not_equal(units.unit[i - 1].mac, units.unit[i].mac);
    }
    qsort(units.unit, units.count, sizeof *units.unit, by_sn);
    for (size_t i = 1; i < units.count; i++) {
        assert_string_not_equal(units.unit[i - 1].sn, units.unit[i].sn);
        assert_string_not_equal(units.unit[i - 1].leaf_sha256, units.unit[i].leaf_sha256);
    }
    assert_true(custody_open(path_of("factory/custody.db"), FACTORY_WRITER, &custody, NULL));
    assert_true(custody_verify(custody, NULL, 0, fault, NULL, &verdict, NULL));
    assert_int_equal(verdict.faults, 0);
    assert_true(custody_open_reservations(custody, is_none, &settled, NULL));
    custody_close(custody);
    if (idle) {
        assert_true(settled);
        assert_int_equal(count_directories(), units.count);
    }
}

static void check_site(void)
{
    check_books(true);
    check_images();
}

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
        X509 *ca;
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
    const factory_run_t what = {.count = 3, .made = add, .context = made};
    factory_result_t result;
    assert_true(factory_run(&site, &what, &result, NULL));
    assert_int_equal(result.made, 3);
    assert_int_equal(made->count, 3);
    memcpy(seen, made->unit, sizeof seen);
    free(made);
    read_units();
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
    check_site();
    assert_int_equal(run(1).voided, 0);
    read_units();
    assert_string_equal(units.unit[3].sn, "SN-000004");
}

static void test_base_stays(void **state)
{
    (void)state;
    char *first;
    char *second;
    size_t len;
    size_t len2;
    run(1);
    assert_true(file_read(path_of("factory/base.bin"), 0x400000, &first, &len, NULL));
    run(1);
    assert_true(file_read(path_of("factory/base.bin"), 0x400000, &second, &len2, NULL));
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
    make_site("R%d-x", true);
    site.key_type = PKI_KEY_RSA2048; /* of the devices; RSA keys for all CAs would take seconds */
    run(2);
    assert_true(factory_show(&site, "R1-x", &a, NULL));
    assert_true(factory_show(&site, "R2-x", &b, NULL));
    assert_true(a.has_json);
    assert_int_equal(strlen(a.identity.pop), 16);
    assert_string_not_equal(a.identity.pop, b.identity.pop);
    check_site();
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
    make_site("S%01d", false);
    run(7);
    what.count = 3; /* two are left */
    err_clear(&err);
    assert_false(factory_run(&site, &what, &result, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_int_equal(result.made, 0);
    run(2);
    check_site();
    assert_int_equal(units.count, 9);
    err_clear(&err);
    assert_int_equal(unlink(path_of("keys/line.key")), 0); /* no key, no units, nothing left */
    assert_false(factory_run(&site, &what, &result, &err));
    check_site();
}

/* Something is in the way of the third unit: the run fails, its numbers are void, and the next run
   goes on after them. */
static void test_failing_run(void **state)
{
    (void)state;
    const factory_run_t what = {.count = 5};
    factory_result_t result;
    err_t err = ERR_INIT;
    assert_true(file_make_dirs(path_of("factory/units/SN-000003/identity.bin"), 0700, NULL));
    assert_false(factory_run(&site, &what, &result, &err));
    assert_non_null(strstr(err.text, "SN-000003"));
    assert_int_equal(result.made, 0);
    check_site();
    assert_int_equal(units.count, 0);
    assert_int_equal(run(1).voided, 0); /* settled by the failing run itself */
    read_units();
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
    check_site();
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
    check_site();
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
    for (int i = 0; i < 8; i++) {
        pid_t child = start_run(2000);
        sleep_ms(15 + 17 * i);
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        if (file_exists(path_of("factory/custody.db"))) {
            check_books(false);
            assert_true(units.count >= before);
        }
        voided += run(1).voided;
        check_books(true);
        before = units.count;
    }
    check_images();
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
    check_site();
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
    run(2);
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
    run(1);
    snprintf(out, sizeof out, "%s", path_of("unit.bin"));
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
    assert_false(factory_export(&site, "SN-000002", path_of("other.bin"), NULL));
    assert_false(file_exists(path_of("other.bin")));
}

/* ---- adoption ---- */

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
    X509 *ca;
    EVP_PKEY *key;
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
    check_site();
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
    run(3);
    check_site();
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
    run(1);
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
    assert_true(file_make_dirs(path_of("factory/units/SN-000002/identity.bin"), 0700, NULL));
    assert_false(factory_run(&site, &what, &result, NULL));
    make_ours(&p, "SN-000002");
    refused(&p, "void");
    check_site();
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
    check_site();
    assert_int_equal(units.count, 1);
    X509_free(ca);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_three_units, fresh),
        cmocka_unit_test_setup(test_base_stays, fresh),
        cmocka_unit_test(test_pop_and_rsa),
        cmocka_unit_test(test_service_names),
        cmocka_unit_test_setup(test_bad_runs, fresh),
        cmocka_unit_test_setup(test_failing_run, fresh),
        cmocka_unit_test_setup(test_stopping, fresh),
        cmocka_unit_test_setup(test_two_at_once, fresh),
        cmocka_unit_test_setup(test_killed, fresh),
        cmocka_unit_test_setup(test_alive, fresh),
        cmocka_unit_test_setup(test_changed_image, fresh),
        cmocka_unit_test_setup(test_export, fresh),
        cmocka_unit_test_setup(test_adopt, fresh),
        cmocka_unit_test_setup(test_adopt_ahead, fresh),
        cmocka_unit_test_setup(test_adopt_refusals, fresh),
        cmocka_unit_test_setup(test_adopt_foreign, fresh),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

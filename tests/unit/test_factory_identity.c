/* SPDX-License-Identifier: Apache-2.0 */
/* Station 3 for boards: at once, with the signer away, and onto a chip. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <openssl/evp.h>

#include "base/file.h"
#include "custody/custody.h"
#include "factory/identity.h"
#include "factory_fixture.h"
#include "pki/batch.h"
#include "pki/issue.h"
#include "pki/key.h"

static factory_station_t *station;
static const factory_identity_t HERE;

static void ready_board(const char *mac)
{
    factory_board_t board = {.lot = "L1"};
    const factory_flash_t bytes = {.port = NULL};
    factory_flasher_t *flasher;
    char copy[FACTORY_MAC_SIZE];
    bool already;
    snprintf(board.mac, sizeof board.mac, "%s", mac);
    snprintf(copy, sizeof copy, "%s", mac);
    assert_true(factory_assemble(station, &board, NULL, false, NULL, NULL));
    assert_true(factory_flasher_open(&site, &bytes, &flasher, NULL));
    assert_true(factory_flash(station, flasher, copy, &already, NULL));
    factory_flasher_close(flasher);
}

static char *mac_of(int number)
{
    static char mac[FACTORY_MAC_SIZE];
    snprintf(mac, sizeof mac, "a0:b1:c2:d3:00:%02x", number);
    return mac;
}

static size_t fill(factory_job_t *jobs, int from, int to)
{
    size_t count = 0;
    memset(jobs, 0, FACTORY_JOBS_MAX * sizeof *jobs);
    for (int i = from; i <= to; i++) {
        snprintf(jobs[count++].mac, FACTORY_MAC_SIZE, "%s", mac_of(i));
    }
    return count;
}

static int fresh(void **state)
{
    factory_fresh(state);
    return factory_station_open(&site, NULL, &station, NULL) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    factory_station_close(station);
    factory_check_books(false);
    factory_check_images();
    return 0;
}

static bool exists(const char *folder, const char *sn, const char *file)
{
    char name[128];
    snprintf(name, sizeof name, "factory/%s/%s%s", folder, sn, file);
    return file_exists(factory_path(name));
}

/* ---- tests ---- */

static void test_boards(void **state)
{
    (void)state;
    factory_job_t jobs[FACTORY_JOBS_MAX];
    factory_item_t item;
    char sn[SITE_SN_SIZE];
    ready_board(mac_of(1));
    ready_board(mac_of(2));
    size_t count = fill(jobs, 1, 3); /* 3 is not known */
    assert_false(factory_identity(station, &HERE, jobs, count, NULL));
    assert_true(jobs[0].ok && jobs[1].ok);
    assert_false(jobs[2].ok);
    assert_non_null(strstr(jobs[2].err.text, "cradle factory assemble"));
    assert_string_equal(jobs[0].unit.mac, mac_of(1));
    assert_true(jobs[0].unit.board);
    assert_string_not_equal(jobs[0].unit.sn, jobs[1].unit.sn);
    snprintf(sn, sizeof sn, "%s", jobs[0].unit.sn);
    assert_true(factory_find_sn(station, sn, &item, NULL));
    assert_int_equal(factory_item_state(&item), FACTORY_IDENTIFIED);
    assert_string_equal(item.mac, mac_of(1));
    /* Again: the same SN and nothing new, also when it is there twice. */
    count = fill(jobs, 1, 2);
    jobs[count] = jobs[0];
    assert_true(factory_identity(station, &HERE, jobs, count + 1, NULL));
    assert_true(jobs[0].already && jobs[1].already && jobs[2].already);
    assert_string_equal(jobs[0].unit.sn, sn);
    assert_string_equal(jobs[2].unit.sn, sn);
    factory_read_units();
    assert_int_equal(units.count, 2);
    assert_true(units.unit[0].board);
    assert_false(exists("units", sn, "/device.key"));
}

static void test_same_board_twice_at_once(void **state)
{
    (void)state;
    factory_job_t jobs[FACTORY_JOBS_MAX];
    ready_board(mac_of(1));
    size_t count = fill(jobs, 1, 1);
    jobs[count++] = jobs[0];
    assert_true(factory_identity(station, &HERE, jobs, count, NULL));
    assert_string_equal(jobs[0].unit.sn, jobs[1].unit.sn);
    assert_false(jobs[0].already);
    assert_true(jobs[1].already);
    factory_read_units();
    assert_int_equal(units.count, 1);
}

static void test_not_flashed_and_keep_key(void **state)
{
    (void)state;
    factory_job_t jobs[FACTORY_JOBS_MAX];
    factory_board_t board = {.lot = "L1"};
    const factory_identity_t keep = {.keep_key = true};
    struct stat st;
    char name[128];
    snprintf(board.mac, sizeof board.mac, "%s", mac_of(1));
    assert_true(factory_assemble(station, &board, NULL, false, NULL, NULL));
    assert_false(factory_identity(station, &HERE, jobs, fill(jobs, 1, 1), NULL));
    assert_non_null(strstr(jobs[0].err.text, "cradle factory flash"));
    ready_board(mac_of(1));
    assert_true(factory_identity(station, &keep, jobs, fill(jobs, 1, 1), NULL));
    snprintf(name, sizeof name, "factory/units/%s/device.key", jobs[0].unit.sn);
    assert_int_equal(stat(factory_path(name), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* ---- with the signer away ---- */

/* What `cradle ca sign --batch` does: a chain for each request, in their order. With `key` the leaf
   number `at` is for that key instead. */
static void sign(const char *pem, size_t len, const char *path, size_t at, EVP_PKEY *key)
{
    pki_batch_t batch;
    pki_signer_t *signer;
    X509 *line;
    pki_chain_t product;
    FILE *out = fopen(path, "we");
    char name[FILE_PATH_MAX];
    err_t err = ERR_INIT;
    assert_non_null(out);
    if (!pki_batch_read(pem, len, &batch, &err)) {
        fail_msg("%s", err.text);
    }
    assert_true(site_key_path(&site, "line", name, NULL));
    assert_true(pki_signer_open(name, &signer, NULL));
    assert_true(site_ca_path(&site, "line", name, NULL));
    assert_true(pki_cert_load(name, &line, NULL));
    assert_true(site_ca_path(&site, "product", name, NULL));
    assert_true(pki_chain_load(name, &product, NULL));
    for (size_t i = 0; i < batch.count; i++) {
        const pki_device_request_t request = {.sn = batch.csr[i].cn,
                                              .key =
                                                  i == at && key != NULL ? key : batch.csr[i].key,
                                              .not_before = (int64_t)time(NULL) - 5};
        const pki_issuer_t issuer = {line, signer};
        pki_chain_t chain = PKI_CHAIN_INIT;
        X509 *cert;
        char *text;
        size_t text_len;
        assert_true(pki_issue_device(&request, &issuer, &cert, NULL));
        assert_true(pki_chain_add(&chain, cert, NULL) && pki_chain_add(&chain, line, NULL) &&
                    pki_chain_add(&chain, product.cert[0], NULL));
        assert_true(pki_chain_to_pem(&chain, &text, &text_len, NULL));
        assert_int_equal(fwrite(text, 1, text_len, out), text_len);
        free(text);
        pki_cert_free(cert);
        pki_chain_free(&chain);
    }
    assert_int_equal(fclose(out), 0);
    pki_chain_free(&product);
    pki_cert_free(line);
    pki_signer_close(signer);
    pki_batch_free(&batch);
}

static void count_ok(void *context, const factory_job_t *job)
{
    (*(int *)context) += job->ok;
}

static bool import(const char *path, int *ok)
{
    *ok = 0;
    return factory_identity_import(station, &HERE, path, count_ok, ok, NULL);
}

static void test_signer_away(void **state)
{
    (void)state;
    factory_job_t jobs[FACTORY_JOBS_MAX];
    char sn[SITE_SN_SIZE];
    char *pem = NULL, *again = NULL;
    size_t len = 0, again_len = 0;
    char line_key[FILE_PATH_MAX], hidden[FILE_PATH_MAX + 8];
    int ok;
    for (int i = 1; i <= 3; i++) {
        ready_board(mac_of(i));
    }
    /* The key of the line is not on this machine. */
    assert_true(site_key_path(&site, "line", line_key, NULL));
    snprintf(hidden, sizeof hidden, "%s.away", line_key);
    assert_int_equal(rename(line_key, hidden), 0);
    assert_true(factory_identity_request(station, &HERE, jobs, fill(jobs, 1, 3), &pem, &len, NULL));
    snprintf(sn, sizeof sn, "%s", jobs[0].unit.sn);
    assert_true(exists("pending", sn, "/device.key"));
    factory_read_units();
    assert_int_equal(units.count, 0);
    /* Asked again: the same SNs and keys. */
    assert_true(
        factory_identity_request(station, &HERE, jobs, fill(jobs, 1, 3), &again, &again_len, NULL));
    assert_true(jobs[0].already);
    assert_string_equal(jobs[0].unit.sn, sn);
    /* Another run of the line meanwhile takes other numbers, and does not tidy these away. */
    assert_int_equal(rename(hidden, line_key), 0);
    factory_make(2);
    assert_true(exists("pending", sn, "/device.key"));
    sign(again, again_len, factory_path("chains.pem"), 0, NULL);
    assert_int_equal(rename(line_key, hidden), 0);
    assert_true(import(factory_path("chains.pem"), &ok));
    assert_int_equal(ok, 3);
    assert_false(exists("pending", sn, ""));
    assert_true(import(factory_path("chains.pem"), &ok)); /* twice is nothing new */
    assert_int_equal(ok, 3);
    factory_read_units();
    assert_int_equal(units.count, 5);
    factory_item_t item;
    assert_true(factory_find_sn(station, sn, &item, NULL));
    assert_string_equal(item.mac, mac_of(1));
    assert_int_equal(rename(hidden, line_key), 0);
    free(pem);
    free(again);
}

static void test_wrong_chains(void **state)
{
    (void)state;
    factory_job_t jobs[FACTORY_JOBS_MAX];
    EVP_PKEY *other;
    char *pem = NULL;
    size_t len = 0;
    int ok;
    ready_board(mac_of(1));
    ready_board(mac_of(2));
    assert_true(factory_identity_request(station, &HERE, jobs, fill(jobs, 1, 2), &pem, &len, NULL));
    assert_true(pki_key_generate(PKI_KEY_P256, &other, NULL));
    sign(pem, len, factory_path("chains.pem"), 1, other); /* the second is for another key */
    assert_false(import(factory_path("chains.pem"), &ok));
    assert_int_equal(ok, 1);
    factory_read_units();
    assert_int_equal(units.count, 1);
    assert_true(exists("pending", jobs[1].unit.sn, "/device.key"));
    sign(pem, len, factory_path("chains.pem"), 0, NULL);
    /* The first has a certificate already, and this is another one. */
    assert_false(import(factory_path("chains.pem"), &ok));
    assert_int_equal(ok, 1);
    factory_read_units();
    assert_int_equal(units.count, 2);
    assert_true(file_write(factory_path("chains.pem"), "nothing", 7, 0600, NULL));
    assert_false(import(factory_path("chains.pem"), &ok));
    free(pem);
    pki_key_free(other);
}

/* ---- onto a chip ---- */

static void write_text(const char *name, const char *text, mode_t mode)
{
    assert_true(file_write(factory_path(name), text, strlen(text), mode, NULL));
}

static void test_chip(void **state)
{
    (void)state;
    factory_job_t jobs[FACTORY_JOBS_MAX];
    factory_flasher_t *flasher;
    factory_detail_t detail;
    char tool[FILE_PATH_MAX], chip[FILE_PATH_MAX];
    char *script, *bytes;
    size_t len;
    err_t err = ERR_INIT;
    assert_true(file_make_dirs(factory_path("chip"), 0700, NULL));
    assert_true(file_read("tests/tools/fake_esptool.sh", 65536, &script, &len, NULL));
    write_text("chip/esptool", script, 0700);
    free(script);
    write_text("chip/generation", "5", 0600);
    write_text("chip/mac", mac_of(1), 0600);
    write_text("chip/flash", "", 0600);
    snprintf(tool, sizeof tool, "%s", factory_path("chip/esptool"));
    snprintf(chip, sizeof chip, "%s", factory_path("chip"));
    const factory_flash_t settings = {.port = chip, .esptool = tool};
    ready_board(mac_of(1));
    ready_board(mac_of(2));
    if (!factory_flasher_open(&site, &settings, &flasher, &err)) {
        fail_msg("%s", err.text);
    }
    const factory_identity_t how = {.flasher = flasher};
    assert_false(factory_identity(station, &how, jobs, fill(jobs, 2, 2), NULL)); /* not attached */
    assert_true(factory_identity(station, &how, jobs, fill(jobs, 1, 1), &err));
    const char *sn = jobs[0].unit.sn;
    /* The key is on the chip and no longer here; what the lists need is. */
    assert_false(exists("units", sn, "/identity.bin"));
    assert_true(factory_show(&site, sn, &detail, &err));
    assert_string_equal(detail.unit.leaf_sha256, jobs[0].unit.leaf_sha256);
    assert_true(file_read(factory_path("chip/flash"), 0x400000, &bytes, &len, NULL));
    assert_true(len >= 0x17000 + FACTORY_IDENTITY_SIZE);
    assert_non_null(memmem(bytes + 0x17000, FACTORY_IDENTITY_SIZE, "PRIVATE KEY", 11));
    free(bytes);
    write_text("chip/mac", mac_of(2), 0600);
    write_text("chip/broken", "", 0600);
    assert_false(factory_identity(station, &how, jobs, fill(jobs, 2, 2), NULL));
    assert_non_null(strstr(jobs[0].err.text, "not read back as written"));
    factory_read_units();
    assert_int_equal(units.count, 1);
    factory_flasher_close(flasher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_boards, fresh, end),
        cmocka_unit_test_setup_teardown(test_same_board_twice_at_once, fresh, end),
        cmocka_unit_test_setup_teardown(test_not_flashed_and_keep_key, fresh, end),
        cmocka_unit_test_setup_teardown(test_signer_away, fresh, end),
        cmocka_unit_test_setup_teardown(test_wrong_chains, fresh, end),
        cmocka_unit_test_setup_teardown(test_chip, fresh, end),
    };
    return cmocka_run_group_tests(tests, factory_setup, factory_teardown);
}

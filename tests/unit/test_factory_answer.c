/* SPDX-License-Identifier: Apache-2.0 */
/* The bench's answers: *stream* to a unit's own hello, signed by the bench key, and to nobody else.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "factory/answer.h"
#include "factory/factory.h"
#include "flash/flash.h"
#include "flash/settings.h"
#include "flash/spiffs.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "pki/signer.h"
#include "pki/trust.h"
#include "site/bundle.h"
#include "site/secret.h"
#include "statement/statement.h"
#include "tbrest/tbrest.h"

typedef struct {
    char sn[SITE_SN_SIZE];
    EVP_PKEY *key;
    uint8_t hash[32];
} unit_t;

static site_t site;
static factory_answer_t *answer;
static unit_t units[2];
static char secret[SITE_SECRET_LEN + 1];

static void read_unit(unit_t *unit, const char *sn)
{
    char path[FILE_PATH_MAX];
    char *image;
    char *text;
    size_t len;
    size_t image_len;
    spiffs_t fs;
    pki_chain_t chain;
    const spiffs_config_t config = spiffs_config_default(FACTORY_IDENTITY_SIZE);
    snprintf(unit->sn, sizeof unit->sn, "%s", sn);
    assert_true(site_unit_path(&site, sn, "identity.bin", path, NULL));
    assert_true(file_read(path, 1 << 20, &image, &image_len, NULL));
    assert_true(spiffs_open(&fs, &config, image, image_len, NULL));
    assert_true(spiffs_read_file(&fs, SITE_IDENTITY_KEY, 65536, &text, &len, NULL));
    assert_true(pki_key_parse(text, len, NULL, &unit->key, NULL));
    free(text);
    assert_true(spiffs_read_file(&fs, SITE_IDENTITY_CERT, 65536, &text, &len, NULL));
    assert_true(pki_chain_parse(text, len, &chain, NULL));
    assert_true(pki_cert_hash(chain.cert[0], unit->hash));
    pki_chain_free(&chain);
    free(text);
    free(image);
}

static int setup(void **state)
{
    char dir[] = "/tmp/cradle-answer-XXXXXX";
    char path[FILE_PATH_MAX];
    char *text;
    size_t len;
    factory_result_t made;
    err_t err = ERR_INIT;
    const site_create_t request = {
        .dir = dir, .steward = SITE_STEWARD_HOST, .now = (int64_t)time(NULL) - 60};
    const factory_run_t run = {.count = 2};
    (void)state;
    assert_non_null(mkdtemp(dir));
    if (!site_create(&request, &site, &err) || !factory_run(&site, &run, &made, &err) ||
        !factory_answer_open(&answer, &site, &err)) {
        fail_msg("%s", err.text);
    }
    read_unit(&units[0], "SN-000001");
    read_unit(&units[1], "SN-000002");
    assert_true(site_path(&site, SITE_FORWARD_KEY, path, NULL));
    assert_true(file_read(path, 79, &text, &len, NULL));
    snprintf(secret, sizeof secret, "%.64s", text);
    free(text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    factory_answer_close(answer);
    pki_key_free(units[0].key);
    pki_key_free(units[1].key);
    return file_remove_tree(site.dir, NULL) ? 0 : 1;
}

/* What a unit says: signed with `key`, which need not be its own. */
static void say(const unit_t *unit, EVP_PKEY *key, statement_method_t method, char *out, size_t cap)
{
    uint8_t der[PKI_SIGNATURE_MAX];
    uint8_t raw[JWS_ES256_SIZE];
    size_t der_len;
    size_t at;
    size_t len;
    pki_signer_t *signer;
    statement_t s = {.alg = JWS_ES256,
                     .method = method,
                     .site = jws_text(site.id),
                     .sn = jws_text(unit->sn),
                     .days = 1000,
                     .firmware = jws_text("test 1")};
    memcpy(s.signer, unit->hash, sizeof s.signer);
    memcpy(s.leaf, unit->hash, sizeof s.leaf);
    memset(s.nonce, 7, sizeof s.nonce);
    assert_int_equal(carrier_begin_request(method, out, cap, &at), JWS_OK);
    assert_int_equal(statement_write(&s, out + at, cap - at, &len), JWS_OK);
    assert_true(pki_signer_from_key(key, &signer, NULL));
    assert_true(pki_signer_sign(signer, out + at, len, der, sizeof der, &der_len, NULL));
    pki_signer_close(signer);
    assert_true(jws_es256_from_der(der, der_len, raw));
    assert_int_equal(jws_append(out + at, cap - at, &len, raw, sizeof raw), JWS_OK);
    len += at;
    assert_int_equal(carrier_end_request(out, cap, &len), JWS_OK);
    out[len] = '\0';
}

static int ask(const char *bearer, const char *path, const char *body, tbrest_answer_t *reply)
{
    char ca[FILE_PATH_MAX];
    tbrest_t *rest;
    err_t err = ERR_INIT;
    assert_true(site_ca_path(&site, "server-root", ca, NULL));
    const tbrest_settings_t settings = {.url = factory_answer_url(answer), .ca_file = ca};
    if (!tbrest_open(&rest, &settings, &err) || !tbrest_use_tokens(rest, bearer, NULL, &err) ||
        !tbrest_call(rest, "POST", path, body, reply, &err)) {
        fail_msg("%s", err.text);
    }
    tbrest_close(rest);
    return reply->status;
}

static int status(const char *bearer, const char *path, const char *body)
{
    tbrest_answer_t reply;
    int code = ask(bearer, path, body, &reply);
    tbrest_answer_free(&reply);
    return code;
}

static void test_stream(void **state)
{
    (void)state;
    char body[CARRIER_REQUEST_MAX + 1];
    char text[JWS_BUNDLE_MAX + 1];
    char bundle_scratch[JWS_BUNDLE_MAX];
    char scratch[JWS_ANSWER_MAX];
    tbrest_answer_t reply;
    jws_text_t said;
    jws_text_t none;
    jws_bytes_t spki;
    jws_t jws;
    bundle_t bundle;
    answer_t a;
    uint8_t raw[JWS_ES256_SIZE];
    uint8_t der[JWS_ES256_DER_MAX];
    size_t len;
    EVP_PKEY *key;
    say(&units[0], units[0].key, STATEMENT_HELLO, body, sizeof body);
    assert_int_equal(ask(secret, "/rpc", body, &reply), 200);
    assert_int_equal(carrier_read_reply(reply.body, reply.len, &said, &none), JWS_OK);
    assert_int_equal(jws_open(JWS_ANSWER, said.text, said.len, &jws), JWS_OK);
    /* by a key that the bundle in the unit names as the bench's */
    jws_t bundle_jws;
    assert_true(site_bundle_load(&site, text, &len, NULL, NULL));
    assert_int_equal(jws_open(JWS_BUNDLE, text, len, &bundle_jws), JWS_OK);
    assert_int_equal(bundle_read(&bundle_jws, bundle_scratch, sizeof bundle_scratch, &bundle),
                     JWS_OK);
    assert_int_equal(bundle_find_key(&bundle, jws.kid, &spki), BUNDLE_BENCH);
    assert_true(pki_key_public_from_der(spki.data, spki.len, &key, NULL));
    assert_int_equal(jws_signature(&jws, raw, sizeof raw, &len), JWS_OK);
    assert_true(pki_verify(key, jws.text, jws.signing_len, der, jws_es256_to_der(raw, der)));
    pki_key_free(key);
    assert_int_equal(answer_read(&jws, scratch, sizeof scratch, &a), JWS_OK);
    assert_int_equal(a.result, ANSWER_STREAM);
    assert_memory_equal(a.leaf, units[0].hash, 32);
    assert_true(bundle_may_answer(BUNDLE_BENCH, &a, false));
    tbrest_answer_free(&reply);
}

static void test_refused(void **state)
{
    (void)state;
    char body[CARRIER_REQUEST_MAX + 1];
    unit_t nobody = units[0];
    say(&units[0], units[0].key, STATEMENT_HELLO, body, sizeof body);
    assert_int_equal(status("another secret", "/rpc", body), 401);
    assert_int_equal(status(secret, "/device", body), 404);
    assert_int_equal(status(secret, "/rpc", "{}"), 400);
    say(&units[0], units[1].key, STATEMENT_HELLO, body, sizeof body); /* another unit's key */
    assert_int_equal(status(secret, "/rpc", body), 403);
    memcpy(nobody.hash, units[1].hash, 32); /* another unit's certificate and key */
    say(&nobody, units[1].key, STATEMENT_HELLO, body, sizeof body);
    assert_int_equal(status(secret, "/rpc", body), 403);
    strcpy(nobody.sn, "SN-000099"); /* a unit that was never made */
    say(&nobody, units[1].key, STATEMENT_HELLO, body, sizeof body);
    assert_int_equal(status(secret, "/rpc", body), 403);
    say(&units[0], units[0].key, STATEMENT_COMMIT, body, sizeof body); /* more than it may say */
    assert_int_equal(status(secret, "/rpc", body), 400);
    say(&units[0], units[0].key, STATEMENT_BUNDLE, body, sizeof body);
    assert_int_equal(status(secret, "/rpc", body), 400);
}

/* A secret that was cut short would be one that anybody shows. */
static void test_damaged_secret(void **state)
{
    (void)state;
    factory_answer_t *other = NULL;
    char path[FILE_PATH_MAX];
    char text[SITE_SECRET_LEN + 1];
    err_t err = ERR_INIT;
    assert_true(site_path(&site, SITE_FORWARD_KEY, path, NULL));
    for (size_t len = 0; len < SITE_SECRET_LEN; len += 63) {
        err = (err_t)ERR_INIT;
        assert_true(file_write(path, secret, len, 0600, NULL));
        assert_false(factory_answer_open(&other, &site, &err));
        assert_int_equal(err.kind, ERR_INPUT);
    }
    err = (err_t)ERR_INIT;
    assert_true(file_write(path, secret, SITE_SECRET_LEN, 0644, NULL));
    assert_false(factory_answer_open(&other, &site, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_int_equal(chmod(path, 0600), 0);
    assert_true(site_secret_read(&site, SITE_FORWARD_KEY, text, NULL));
    assert_string_equal(text, secret);
}

static void test_mark(void **state)
{
    (void)state;
    char base[FILE_PATH_MAX];
    char identity[FILE_PATH_MAX];
    char overlay[FILE_PATH_MAX];
    char mark[4];
    size_t len;
    region_t region;
    err_t err = ERR_INIT;
    static settings_t settings;
    for (int i = 0; i < 2; i++) { /* twice is once */
        assert_true(factory_answer_end(&site, "SN-000002", &err));
    }
    assert_true(site_path(&site, "factory/base.bin", base, NULL));
    assert_true(site_unit_path(&site, "SN-000002", "identity.bin", identity, NULL));
    assert_true(site_device_path(&site, "SN-000002", "flash.ovl", overlay, NULL));
    const flash_unit_t unit = {
        .base = base, .identity = identity, .overlay = overlay, .read_only = true};
    flash_t *flash = flash_open_unit(&unit, &err);
    assert_non_null(flash);
    assert_true(flash_partition(flash, "cradle_nvs", &region, &err));
    assert_int_equal(settings_mount(&settings, &region), SETTINGS_OK);
    assert_int_equal(settings_get(&settings, "shipped", mark, sizeof mark, &len), SETTINGS_OK);
    flash_close(flash);
    assert_true(site_device_path(&site, "SN-000001", "flash.ovl", overlay, NULL));
    assert_false(file_exists(overlay));
    assert_true(factory_answer_end(&site, "SN-000077", &err)); /* on a chip: nothing to do here */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_damaged_secret),
        cmocka_unit_test(test_mark),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

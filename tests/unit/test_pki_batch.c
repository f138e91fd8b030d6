/* SPDX-License-Identifier: Apache-2.0 */
/* lib/pki: keys under a passphrase, and many requests or chains in one file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "pki/batch.h"
#include "pki/key.h"
#include "pki/signer.h"
#include "pki_fixture.h"

static char base[] = "/tmp/cradle-pki-batch-XXXXXX";
static char path[FILE_PATH_MAX];

static int setup(void **state)
{
    (void)state;
    return mkdtemp(base) != NULL && file_join(path, base, "sealed.key", NULL) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(base, NULL) ? 0 : -1;
}

/* ---- passphrases ---- */

typedef struct {
    const char *answer; /* NULL: refuses */
    int asked;
} person_t;

static bool ask(void *context, const char *file, char *out, size_t cap, err_t *err)
{
    person_t *person = context;
    assert_string_equal(file, path);
    person->asked++;
    if (person->answer == NULL) {
        return err_set(err, ERR_USAGE, "nobody answers");
    }
    snprintf(out, cap, "%s", person->answer);
    return true;
}

static void test_sealed_key(void **state)
{
    (void)state;
    person_t person = {"correct horse", 0};
    const pki_passphrase_t passphrase = {ask, &person};
    EVP_PKEY *key = fixture_key("P-256");
    EVP_PKEY *back;
    pki_signer_t *signer;
    err_t err = ERR_INIT;
    assert_false(pki_key_save_encrypted(key, path, "short", &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_false(file_exists(path));
    assert_true(pki_key_save_encrypted(key, path, "correct horse", NULL));

    char *pem;
    size_t len;
    assert_true(file_read_private(path, PKI_KEY_PEM_MAX, &pem, &len, NULL));
    assert_true(pki_key_is_encrypted(pem));
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    char secret[] = "correct horse";
    EVP_PKEY *theirs = PEM_read_bio_PrivateKey(bio, NULL, NULL, secret);
    assert_non_null(theirs);
    assert_int_equal(EVP_PKEY_eq(theirs, key), 1);
    EVP_PKEY_free(theirs);
    BIO_free(bio);
    free(pem);

    err_clear(&err);
    assert_false(pki_key_load(path, &back, &err));
    assert_non_null(strstr(err.text, "--passphrase-fd"));
    assert_null(back);
    assert_true(pki_key_load_with(path, &passphrase, &back, NULL));
    assert_int_equal(person.asked, 1);
    assert_int_equal(EVP_PKEY_eq(back, key), 1);
    pki_key_free(back);
    assert_true(pki_signer_open_with(path, &passphrase, &signer, NULL));
    assert_int_equal(person.asked, 2);
    pki_signer_close(signer);

    person.answer = "wrong horse";
    err_clear(&err);
    assert_false(pki_signer_open_with(path, &passphrase, &signer, &err));
    assert_non_null(strstr(err.text, "does not open the key"));
    assert_null(strstr(err.text, "wrong horse"));
    person.answer = NULL;
    err_clear(&err);
    assert_false(pki_key_load_with(path, &passphrase, &back, &err));
    assert_string_equal(err.text, "nobody answers");

    /* A plain file asks nobody. */
    assert_int_equal(unlink(path), 0);
    assert_true(pki_key_save_encrypted(key, path, NULL, NULL));
    person.asked = 0;
    assert_true(pki_key_load_with(path, &passphrase, &back, NULL));
    assert_int_equal(person.asked, 0);
    pki_key_free(back);
    pki_key_free(key);
}

static void test_device_keys(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        bool good;
    } keys[] = {{"P-256", true},     {"RSA-2048", true}, {"P-384", false},    {"P-521", false},
                {"RSA-1024", false}, {"ED25519", false}, {"secp256k1", false}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        EVP_PKEY *key = fixture_key(keys[i].kind);
        assert_int_equal(pki_key_check_device(key, NULL), keys[i].good);
        EVP_PKEY_free(key);
    }
}

/* ---- files of many ---- */

static BIO *sheet; /* what is being written */

static void put_request(const char *cn, const char *kind)
{
    EVP_PKEY *key = fixture_key(kind);
    X509_REQ *request = X509_REQ_new();
    X509_REQ_set_pubkey(request, key);
    X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(request), NID_commonName, MBSTRING_UTF8,
                               (const unsigned char *)cn, -1, -1, 0);
    assert_true(X509_REQ_sign(request, key, EVP_sha256()) > 0);
    BIO_printf(sheet, "text of %s that nobody reads\n", cn);
    assert_int_equal(PEM_write_bio_X509_REQ(sheet, request), 1);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
}

static bool read_sheet(pki_batch_t *batch, err_t *err)
{
    char *text;
    long len = BIO_get_mem_data(sheet, &text);
    return pki_batch_read(text, (size_t)len, batch, err);
}

static void test_requests(void **state)
{
    (void)state;
    pki_batch_t batch;
    char cn[16];
    sheet = BIO_new(BIO_s_mem());
    for (int i = 0; i < 40; i++) {
        snprintf(cn, sizeof cn, "SN-%06d", 40 - i);
        put_request(cn, "P-256");
    }
    assert_true(read_sheet(&batch, NULL));
    assert_int_equal(batch.count, 40);
    assert_string_equal(batch.csr[0].cn, "SN-000040");
    assert_string_equal(batch.csr[39].cn, "SN-000001");
    pki_batch_free(&batch);
    put_request("SN-000017", "P-256");
    err_t err = ERR_INIT;
    assert_false(read_sheet(&batch, &err));
    assert_non_null(strstr(err.text, "two requests of the batch are for SN-000017"));
    assert_int_equal(batch.count, 0);
    BIO_free(sheet);
}

static void test_bad_requests(void **state)
{
    (void)state;
    static const char *const blocks[] = {
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA",
        "-----BEGIN CERTIFICATE REQUEST-----\n!!!!\n-----END CERTIFICATE REQUEST-----\n",
    };
    pki_batch_t batch;
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        sheet = BIO_new(BIO_s_mem());
        put_request("SN-000001", "P-256");
        BIO_puts(sheet, blocks[i]);
        err_t err = ERR_INIT;
        assert_false(read_sheet(&batch, &err));
        assert_int_equal(err.kind, ERR_INPUT);
        assert_null(batch.csr);
        BIO_free(sheet);
    }
    sheet = BIO_new(BIO_s_mem());
    put_request("SN-000001", "P-256");
    put_request("SN-000002", "P-384");
    err_t err = ERR_INIT;
    assert_false(read_sheet(&batch, &err));
    assert_non_null(strstr(err.text, "request 2, SN-000002"));
    BIO_free(sheet);
    err_clear(&err);
    assert_false(pki_batch_read("nothing", 7, &batch, &err));
    assert_non_null(strstr(err.text, "no certificate request"));
}

static void test_chains(void **state)
{
    (void)state;
    EVP_PKEY *key = fixture_key("P-256");
    X509 *ca = fixture_mint(&(mint_t){.cn = "CA", .key = key, .ext = ext_ca});
    X509 *v1 = fixture_mint(
        &(mint_t){.cn = "SN-000001", .key = key, .issuer = ca, .issuer_key = key, .v1 = true});
    X509 *leaf = fixture_mint(&(mint_t){
        .cn = "SN-000002", .key = key, .issuer = ca, .issuer_key = key, .ext = ext_client});
    X509 *const order[] = {v1, ca, leaf, ca, ca, v1};
    pki_chains_t chains;
    char *text;
    sheet = BIO_new(BIO_s_mem());
    for (size_t i = 0; i < 6; i++) {
        PEM_write_bio_X509(sheet, order[i]);
    }
    long len = BIO_get_mem_data(sheet, &text);
    assert_true(pki_chains_read(text, (size_t)len, &chains, NULL));
    assert_int_equal(chains.count, 3);
    assert_int_equal(chains.chain[0].count, 2);
    assert_int_equal(chains.chain[1].count, 3);
    assert_int_equal(chains.chain[2].count, 1);
    assert_true(pki_cert_equal(chains.chain[1].cert[0], leaf));
    pki_chains_free(&chains);
    for (size_t i = 0; i < PKI_CHAIN_MAX; i++) {
        PEM_write_bio_X509(sheet, ca);
    }
    len = BIO_get_mem_data(sheet, &text);
    err_t err = ERR_INIT;
    assert_false(pki_chains_read(text, (size_t)len, &chains, &err));
    assert_non_null(strstr(err.text, "chain 3"));
    BIO_free(sheet);

    sheet = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(sheet, ca);
    len = BIO_get_mem_data(sheet, &text);
    err_clear(&err);
    assert_false(pki_chains_read(text, (size_t)len, &chains, &err));
    assert_non_null(strstr(err.text, "begins with a CA"));
    BIO_free(sheet);
    X509_free(leaf);
    X509_free(v1);
    X509_free(ca);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sealed_key), cmocka_unit_test(test_device_keys),
        cmocka_unit_test(test_requests),   cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_chains),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* lib/pki: keys, their files, signers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/bytes.h"
#include "base/file.h"
#include "pki/key.h"
#include "pki/p256.h"
#include "pki/signer.h"
#include "pki_fixture.h"

static char dir[] = "/tmp/cradle-pki-XXXXXX";

static int setup(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL) ? 0 : -1;
}

static const char *in_dir(const char *name)
{
    static char path[FILE_PATH_MAX];
    assert_true(file_join(path, dir, name, NULL));
    return path;
}

/* What OpenSSL itself writes for a key: the reference for the hand-made form. */
static size_t openssl_pem(EVP_PKEY *key, char *out, size_t cap)
{
    char *text;
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    long n = BIO_get_mem_data(bio, &text);
    assert_true((size_t)n < cap);
    memcpy(out, text, (size_t)n);
    out[n] = '\0';
    BIO_free(bio);
    return (size_t)n;
}

static void test_type_names(void **state)
{
    (void)state;
    pki_key_type_t type;
    assert_true(pki_key_type_parse("p256", &type) && type == PKI_KEY_P256);
    assert_true(pki_key_type_parse("rsa2048", &type) && type == PKI_KEY_RSA2048);
    assert_false(pki_key_type_parse("P256", &type));
    assert_false(pki_key_type_parse("", &type));
    assert_string_equal(pki_key_type_name(PKI_KEY_RSA2048), "rsa2048");
}

/* Our text of a P-256 key equals OpenSSL's, byte for byte, for many keys (short scalars too). */
static void test_p256_text_equals_openssl(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        char ours[PKI_KEY_PEM_MAX];
        char theirs[PKI_KEY_PEM_MAX];
        size_t len;
        EVP_PKEY *key;
        assert_true(pki_key_generate(PKI_KEY_P256, &key, NULL));
        assert_true(pki_p256_format(key, ours, sizeof ours, &len));
        assert_int_equal(len, openssl_pem(key, theirs, sizeof theirs));
        assert_string_equal(ours, theirs);

        EVP_PKEY *again = pki_p256_parse(ours, len);
        assert_non_null(again);
        assert_int_equal(EVP_PKEY_eq(again, key), 1);
        assert_true(pki_key_check_pair(again, NULL));
        assert_true(pki_key_check_own(again, NULL));
        pki_key_free(again);
        pki_key_free(key);
    }
}

static void test_p256_form_is_exact(void **state)
{
    (void)state;
    EVP_PKEY *key = fixture_key("P-256");
    char pem[PKI_KEY_PEM_MAX];
    size_t len;
    assert_true(pki_p256_format(key, pem, sizeof pem, &len));
    for (size_t cap = 0; cap <= len; cap++) {
        char small[PKI_KEY_PEM_MAX];
        assert_false(pki_p256_format(key, small, cap, NULL));
    }
    for (size_t cut = 0; cut < len; cut++) {
        assert_null(pki_p256_parse(pem, cut));
    }
    /* Each character changed: another key or none, never the same and never a crash. */
    for (size_t i = 0; i < len; i++) {
        char changed[PKI_KEY_PEM_MAX];
        memcpy(changed, pem, len);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        EVP_PKEY *other = pki_p256_parse(changed, len);
        if (other != NULL) {
            assert_false(pki_key_check_pair(other, NULL) && EVP_PKEY_eq(other, key) == 1);
            pki_key_free(other);
        }
    }
    EVP_PKEY *p384 = fixture_key("P-384");
    assert_false(pki_p256_format(p384, pem, sizeof pem, NULL));
    pki_key_free(p384);
    pki_key_free(key);
}

/* Scalars outside 1 .. n-1 are no keys, though their text has the right form. */
static void test_p256_scalar_range(void **state)
{
    (void)state;
    static const char order[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    static const char zero[] = "0000000000000000000000000000000000000000000000000000000000000000";
    EVP_PKEY *key = fixture_key("P-256");
    char pem[PKI_KEY_PEM_MAX];
    uint8_t der[138];
    size_t len;
    size_t der_len;
    const char *scalars[] = {order, zero};
    for (int i = 0; i < 2; i++) {
        assert_true(pki_p256_format(key, pem, sizeof pem, &len));
        char flat[200];
        size_t n = 0;
        for (char *p = pem + 28; n < 184; p++) {
            if (*p != '\n') {
                flat[n++] = *p;
            }
        }
        assert_true(bytes_from_base64(flat, 184, der, sizeof der, &der_len));
        assert_true(bytes_from_hex(scalars[i], 64, der + 36, 32));
        assert_true(bytes_to_base64(der, sizeof der, flat, sizeof flat));
        snprintf(pem, sizeof pem,
                 "-----BEGIN PRIVATE KEY-----\n%.64s\n%.64s\n%.56s\n"
                 "-----END PRIVATE KEY-----\n",
                 flat, flat + 64, flat + 128);
        assert_int_equal(strlen(pem), len);
        assert_null(pki_p256_parse(pem, len));
    }
    pki_key_free(key);
}

static void test_spki_equals_openssl(void **state)
{
    (void)state;
    const char *kinds[] = {"P-256", "P-384", "RSA-2048"};
    for (size_t i = 0; i < 3; i++) {
        EVP_PKEY *key = fixture_key(kinds[i]);
        uint8_t ours[PKI_SPKI_MAX];
        unsigned char *theirs = NULL;
        size_t len;
        int n = i2d_PUBKEY(key, &theirs);
        assert_true(pki_key_public_der(key, ours, sizeof ours, &len, NULL));
        assert_int_equal(len, n);
        assert_memory_equal(ours, theirs, len);
        EVP_PKEY *back;
        assert_true(pki_key_public_from_der(ours, len, &back, NULL));
        assert_int_equal(EVP_PKEY_eq(back, key), 1);
        pki_key_free(back);
        err_t err = ERR_INIT;
        assert_false(pki_key_public_from_der(ours, len - 1, &back, &err));
        assert_null(back);
        uint8_t small[40];
        assert_false(pki_key_public_der(key, small, sizeof small, &len, NULL));
        OPENSSL_free(theirs);
        pki_key_free(key);
    }
}

static void test_key_id(void **state)
{
    (void)state;
    EVP_PKEY *key = fixture_key("P-256");
    unsigned char *der = NULL;
    uint8_t hash[32];
    char hex[65];
    char id[PKI_KEY_ID_SIZE];
    int n = i2d_PUBKEY(key, &der);
    assert_int_equal(EVP_Digest(der, (size_t)n, hash, NULL, EVP_sha256(), NULL), 1);
    bytes_to_hex(hash, 32, hex, sizeof hex);
    assert_true(pki_key_id(key, id, NULL));
    assert_int_equal(strlen(id), 16);
    assert_memory_equal(id, hex, 16);
    OPENSSL_free(der);
    pki_key_free(key);
}

static void test_save_and_load(void **state)
{
    (void)state;
    for (int type = PKI_KEY_P256; type <= PKI_KEY_RSA2048; type++) {
        EVP_PKEY *key;
        EVP_PKEY *back;
        struct stat st;
        err_t err = ERR_INIT;
        const char *path = in_dir(pki_key_type_name((pki_key_type_t)type));
        mode_t old = umask(0);
        assert_true(pki_key_generate((pki_key_type_t)type, &key, NULL));
        assert_true(pki_key_save(key, path, NULL));
        umask(old);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_true(pki_key_load(path, &back, NULL));
        assert_int_equal(EVP_PKEY_eq(key, back), 1);
        assert_false(pki_key_save(key, path, &err)); /* never overwritten */
        assert_int_equal(err.kind, ERR_PRECONDITION);
        pki_key_free(back);
        pki_key_free(key);
    }
}

static void test_open_key_files_are_refused(void **state)
{
    (void)state;
    EVP_PKEY *key = fixture_key("P-256");
    EVP_PKEY *back;
    char path[FILE_PATH_MAX];
    snprintf(path, sizeof path, "%s", in_dir("open.key"));
    assert_true(pki_key_save(key, path, NULL));
    const mode_t modes[] = {0640, 0604, 0620, 0601, 0666};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        err_t err = ERR_INIT;
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_false(pki_key_load(path, &back, &err));
        assert_int_equal(err.kind, ERR_INPUT);
        assert_non_null(strstr(err.text, "chmod 600"));
        assert_null(back);
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_true(pki_key_load(path, &back, NULL));
    pki_key_free(back);
    pki_key_free(key);
}

static void check_refused(const char *name, const void *data, size_t len, const char *word)
{
    EVP_PKEY *back;
    err_t err = ERR_INIT;
    const char *path = in_dir(name);
    assert_true(file_write(path, data, len, 0600, NULL));
    assert_false(pki_key_load(path, &back, &err));
    if (strstr(err.text, word) == NULL) {
        fail_msg("%s: \"%s\" lacks \"%s\"", name, err.text, word);
    }
}

static void test_bad_key_files(void **state)
{
    (void)state;
    static char large[PKI_KEY_PEM_MAX + 1];
    EVP_PKEY *back;
    err_t err = ERR_INIT;
    check_refused("empty.key", "", 0, "not a private key");
    check_refused("text.key", "hello\n", 6, "not a private key");
    check_refused("large.key", large, sizeof large, "at most");
    assert_false(pki_key_load(in_dir("missing.key"), &back, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    err_clear(&err);
    assert_int_equal(mkfifo(in_dir("fifo.key"), 0600), 0);
    assert_false(pki_key_load(in_dir("fifo.key"), &back, &err)); /* and does not hang */
    assert_int_equal(err.kind, ERR_INPUT);

    const char *const kinds[] = {"RSA-1024", "secp256k1", "ED25519"};
    const char *const words[] = {"1024 bits", "secp256k1", "ED25519"};
    for (size_t i = 0; i < 3; i++) {
        char pem[PKI_KEY_PEM_MAX];
        EVP_PKEY *key = fixture_key(kinds[i]);
        size_t len = openssl_pem(key, pem, sizeof pem);
        check_refused("weak.key", pem, len, words[i]);
        pki_key_free(key);
    }
}

static void test_encrypted_key(void **state)
{
    (void)state;
    EVP_PKEY *key = fixture_key("P-256");
    EVP_PKEY *back;
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    err_t err = ERR_INIT;
    char word[] = "correct horse";
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), word,
                                                   (int)strlen(word), NULL, NULL),
                     1);
    long n = BIO_get_mem_data(bio, &text);
    assert_false(pki_key_parse(text, (size_t)n, NULL, &back, &err));
    assert_non_null(strstr(err.text, "encrypted"));
    err_clear(&err);
    assert_false(pki_key_parse(text, (size_t)n, "wrong", &back, &err));
    assert_non_null(strstr(err.text, "does not open"));
    assert_true(pki_key_parse(text, (size_t)n, word, &back, NULL));
    assert_int_equal(EVP_PKEY_eq(key, back), 1);
    BIO_free(bio);
    pki_key_free(back);
    pki_key_free(key);
}

/* The older forms that openssl ecparam and genrsa -traditional write. */
static void test_traditional_forms(void **state)
{
    (void)state;
    const char *const kinds[] = {"P-256", "RSA-2048"};
    for (size_t i = 0; i < 2; i++) {
        EVP_PKEY *key = fixture_key(kinds[i]);
        EVP_PKEY *back;
        char *text;
        BIO *bio = BIO_new(BIO_s_mem());
        assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL),
                         1);
        long n = BIO_get_mem_data(bio, &text);
        assert_true(pki_key_parse(text, (size_t)n, NULL, &back, NULL));
        assert_int_equal(EVP_PKEY_eq(key, back), 1);
        BIO_free(bio);
        pki_key_free(back);
        pki_key_free(key);
    }
}

static void test_public_files(void **state)
{
    (void)state;
    EVP_PKEY *key = fixture_key("P-256");
    EVP_PKEY *back;
    char path[FILE_PATH_MAX];
    char id[PKI_KEY_ID_SIZE];
    char id_back[PKI_KEY_ID_SIZE];
    err_t err = ERR_INIT;
    snprintf(path, sizeof path, "%s", in_dir("k.pub"));
    assert_true(pki_key_public_save(key, path, NULL));
    assert_true(pki_key_public_load(path, &back, NULL));
    assert_true(pki_key_id(key, id, NULL) && pki_key_id(back, id_back, NULL));
    assert_string_equal(id, id_back);
    /* A public key cannot be written as a private one. */
    char pem[PKI_KEY_PEM_MAX];
    assert_false(pki_key_to_pem(back, pem, sizeof pem, NULL, &err));
    pki_key_free(back);
    assert_true(file_write(path, "x", 1, 0644, NULL));
    assert_false(pki_key_public_load(path, &back, NULL));
    pki_key_free(key);
}

static void test_pair(void **state)
{
    (void)state;
    EVP_PKEY *a = fixture_key("P-256");
    EVP_PKEY *b = fixture_key("P-256");
    char pem_a[PKI_KEY_PEM_MAX];
    uint8_t point[PKI_P256_POINT];
    uint8_t der[138];
    char flat[200];
    size_t len;
    size_t n = 0;
    assert_true(pki_p256_format(a, pem_a, sizeof pem_a, NULL) && pki_p256_point(b, point));
    for (char *p = pem_a + 28; n < 184; p++) {
        if (*p != '\n') {
            flat[n++] = *p;
        }
    }
    assert_true(bytes_from_base64(flat, 184, der, sizeof der, &len));
    memcpy(der + 138 - 65, point, 65); /* the scalar of a with the point of b */
    assert_true(bytes_to_base64(der, sizeof der, flat, sizeof flat));
    snprintf(pem_a, sizeof pem_a,
             "-----BEGIN PRIVATE KEY-----\n%.64s\n%.64s\n%.56s\n-----END PRIVATE KEY-----\n", flat,
             flat + 64, flat + 128);
    EVP_PKEY *mixed;
    err_t err = ERR_INIT;
    assert_true(pki_key_parse(pem_a, strlen(pem_a), NULL, &mixed, NULL));
    assert_false(pki_key_check_pair(mixed, &err));
    assert_false(pki_key_check_own(mixed, NULL));
    assert_non_null(strstr(err.text, "do not fit"));
    pki_key_free(mixed);
    pki_key_free(a);
    pki_key_free(b);
}

static void test_signer(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    pki_signer_t *signer;
    assert_false(pki_signer_open("pkcs11:token=ca;object=line", &signer, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_null(signer);
    for (int type = PKI_KEY_P256; type <= PKI_KEY_RSA2048; type++) {
        EVP_PKEY *key;
        uint8_t sig[PKI_SIGNATURE_MAX];
        size_t len;
        char path[FILE_PATH_MAX];
        snprintf(path, sizeof path, "%s", in_dir(type == PKI_KEY_P256 ? "s1" : "s2"));
        assert_true(pki_key_generate((pki_key_type_t)type, &key, NULL));
        assert_true(pki_key_save(key, path, NULL));
        assert_true(pki_signer_open(path, &signer, NULL));
        assert_true(pki_signer_sign(signer, "hello", 5, sig, sizeof sig, &len, NULL));
        assert_true(pki_verify(key, "hello", 5, sig, len));
        assert_false(pki_verify(key, "hellO", 5, sig, len));
        assert_false(pki_verify(key, "hello", 5, sig, len - 1));
        sig[len / 2] ^= 1;
        assert_false(pki_verify(key, "hello", 5, sig, len));
        err_clear(&err);
        assert_false(pki_signer_sign(signer, "hello", 5, sig, 8, &len, &err));
        pki_signer_close(signer);
        pki_key_free(key);
    }
    pki_signer_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_type_names),
        cmocka_unit_test(test_p256_text_equals_openssl),
        cmocka_unit_test(test_p256_form_is_exact),
        cmocka_unit_test(test_p256_scalar_range),
        cmocka_unit_test(test_spki_equals_openssl),
        cmocka_unit_test(test_key_id),
        cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_open_key_files_are_refused),
        cmocka_unit_test(test_bad_key_files),
        cmocka_unit_test(test_encrypted_key),
        cmocka_unit_test(test_traditional_forms),
        cmocka_unit_test(test_public_files),
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_signer),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/file.h"
#include "pki/cert.h"
#include "pki/internal.h"
#include "pki/p256.h"

/* OWASP's number for HMAC-SHA-256, 2023. */
#define PBKDF2_ROUNDS 600000
#define PBKDF2_SALT   16

static const char *const type_names[] = {[PKI_KEY_P256] = "p256", [PKI_KEY_RSA2048] = "rsa2048"};

const char *pki_key_type_name(pki_key_type_t type)
{
    return type_names[type];
}

bool pki_key_type_parse(const char *name, pki_key_type_t *type)
{
    for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++) {
        if (strcmp(name, type_names[i]) == 0) {
            *type = (pki_key_type_t)i;
            return true;
        }
    }
    return false;
}

bool pki_key_generate(pki_key_type_t type, EVP_PKEY **key, err_t *err)
{
    *key = type == PKI_KEY_P256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048);
    if (*key == NULL) {
        return pki_fail(err, ERR_SYSTEM, "cannot make a %s key", pki_key_type_name(type));
    }
    return true;
}

void pki_key_free(EVP_PKEY *key)
{
    EVP_PKEY_free(key);
}

static bool curve_accepted(const EVP_PKEY *key, char *name, size_t cap)
{
    static const char *const accepted[] = {"prime256v1", "secp384r1", "secp521r1"};
    size_t len;
    if (EVP_PKEY_get_group_name(key, name, cap, &len) != 1) {
        snprintf(name, cap, "unnamed");
        return false;
    }
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        if (strcmp(name, accepted[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool pki_key_check(const EVP_PKEY *key, err_t *err)
{
    int id = key == NULL ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(key);
    if (id == EVP_PKEY_RSA) {
        int bits = EVP_PKEY_get_bits(key);
        if (bits >= 2048 && bits <= 4096) {
            return true;
        }
        return err_set(err, ERR_INPUT, "an RSA key of %d bits is not accepted: 2048 to 4096 are",
                       bits);
    }
    if (id == EVP_PKEY_EC) {
        char curve[64];
        int is_explicit = 0;
        if (!curve_accepted(key, curve, sizeof curve)) {
            ERR_clear_error();
            return err_set(err, ERR_INPUT, "the curve %s is not accepted: P-256, P-384, P-521 are",
                           curve);
        }
        EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit);
        if (is_explicit != 0) {
            return err_set(err, ERR_INPUT, "an EC key must name its curve, not spell it out");
        }
        return true;
    }
    return err_set(err, ERR_INPUT, "only ECDSA and RSA keys are accepted, this is %s",
                   id == EVP_PKEY_NONE ? "none that can be read" : OBJ_nid2sn(id));
}

bool pki_key_check_device(const EVP_PKEY *key, err_t *err)
{
    char curve[64];
    if (!pki_key_check(key, err)) {
        return false;
    }
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && curve_accepted(key, curve, sizeof curve) &&
        strcmp(curve, "prime256v1") != 0) {
        return err_set(err, ERR_INPUT,
                       "a device's key is P-256 or RSA of 2048 bits and more, not %s; make it with "
                       "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
                       curve);
    }
    return true;
}

typedef struct {
    const char *passphrase;
    bool asked;
} passphrase_t;

static int give_passphrase(char *out, int cap, int writing, void *context)
{
    passphrase_t *wanted = context;
    (void)writing;
    wanted->asked = true;
    size_t len = wanted->passphrase == NULL ? 0 : strlen(wanted->passphrase);
    if (len == 0 || len > (size_t)cap) {
        return -1;
    }
    memcpy(out, wanted->passphrase, len);
    return (int)len;
}

static EVP_PKEY *parse_pem(const char *pem, size_t len, passphrase_t *wanted)
{
    EVP_PKEY *key = pki_p256_parse(pem, len);
    if (key != NULL) {
        return key;
    }
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    if (bio != NULL) {
        key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, wanted);
    }
    BIO_free(bio);
    return key;
}

bool pki_key_parse(const char *pem, size_t len, const char *passphrase, EVP_PKEY **key, err_t *err)
{
    passphrase_t wanted = {passphrase, false};
    *key = NULL;
    if (len > PKI_KEY_PEM_MAX) {
        return err_set(err, ERR_INPUT, "%zu bytes are too many for a key: at most %d are read", len,
                       PKI_KEY_PEM_MAX);
    }
    EVP_PKEY *parsed = parse_pem(pem, len, &wanted);
    if (parsed == NULL && wanted.asked) {
        return pki_fail(err, ERR_INPUT,
                        passphrase == NULL
                            ? "the key is encrypted and no passphrase was given; run it on a "
                              "terminal, or with --passphrase-fd"
                            : "the passphrase does not open the key");
    }
    if (parsed == NULL) {
        return pki_fail(err, ERR_INPUT, "not a private key in PEM form");
    }
    ERR_clear_error();
    if (!pki_key_check(parsed, err)) {
        EVP_PKEY_free(parsed);
        return false;
    }
    *key = parsed;
    return true;
}

/* The memory BIO's content into the caller's buffer, and the BIO wiped and freed. */
static bool take_bio(BIO *bio, char *out, size_t cap, size_t *len)
{
    char *text;
    long n = BIO_get_mem_data(bio, &text);
    bool ok = n > 0 && (size_t)n < cap;
    if (ok) {
        memcpy(out, text, (size_t)n);
        out[n] = '\0';
        if (len != NULL) {
            *len = (size_t)n;
        }
    }
    if (n > 0) {
        bytes_wipe(text, (size_t)n);
    }
    BIO_free(bio);
    return ok;
}

bool pki_key_to_pem(const EVP_PKEY *key, char *out, size_t cap, size_t *len, err_t *err)
{
    if (pki_p256_format(key, out, cap, len)) {
        return true;
    }
    BIO *bio = BIO_new(BIO_s_secmem());
    if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        BIO_free(bio);
        return pki_fail(err, ERR_SYSTEM, "cannot write the key as PKCS#8");
    }
    if (!take_bio(bio, out, cap, len)) {
        return err_set(err, ERR_USAGE, "%zu bytes are too few for the key's PEM text", cap);
    }
    return true;
}

/* Looks at the open file, not at the name, so that nobody can swap it in between. */
static bool check_key_file(int fd, const char *path, err_t *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return err_errno(err, "%s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(err, ERR_INPUT, "%s is not a regular file", path);
    }
    if ((st.st_mode & 077) != 0) {
        return err_set(err, ERR_INPUT,
                       "%s has mode %04o: others can read this private key; run `chmod 600 %s`",
                       path, (unsigned)(st.st_mode & 07777), path);
    }
    if (st.st_size > PKI_KEY_PEM_MAX) {
        return err_set(err, ERR_INPUT, "%s has %lld bytes, a key at most %d", path,
                       (long long)st.st_size, PKI_KEY_PEM_MAX);
    }
    return true;
}

static bool read_key_file(const char *path, char *out, size_t cap, size_t *len, err_t *err)
{
    *len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        return err_set(err, ERR_PRECONDITION, "the key file %s does not exist", path);
    }
    if (fd < 0) {
        return err_errno(err, "cannot open the key file %s", path);
    }
    bool ok = check_key_file(fd, path, err);
    while (ok && *len < cap) {
        ssize_t n = read(fd, out + *len, cap - *len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            ok = err_errno(err, "reading the key file %s", path);
        }
        if (n <= 0) {
            break;
        }
        *len += (size_t)n;
    }
    close(fd);
    return ok;
}

bool pki_key_is_encrypted(const char *pem)
{
    return strstr(pem, "-----BEGIN ENCRYPTED PRIVATE KEY-----") != NULL ||
           strstr(pem, "Proc-Type: 4,ENCRYPTED") != NULL;
}

static pki_passphrase_t otherwise; /* ask NULL: nobody */

void pki_passphrase_default(const pki_passphrase_t *passphrase)
{
    otherwise = passphrase == NULL ? (pki_passphrase_t){NULL, NULL} : *passphrase;
}

bool pki_key_load_with(const char *path, const pki_passphrase_t *passphrase, EVP_PKEY **key,
                       err_t *err)
{
    char pem[PKI_KEY_PEM_MAX + 1];
    char secret[PKI_PASSPHRASE_SIZE] = "";
    size_t len;
    *key = NULL;
    bool ok = read_key_file(path, pem, PKI_KEY_PEM_MAX, &len, err);
    if (passphrase == NULL && otherwise.ask != NULL) {
        passphrase = &otherwise;
    }
    if (ok) {
        pem[len] = '\0';
        bool ask = passphrase != NULL && pki_key_is_encrypted(pem);
        ok = !ask || passphrase->ask(passphrase->context, path, secret, sizeof secret, err);
        ok = ok &&
             (pki_key_parse(pem, len, ask ? secret : NULL, key, err) || err_add(err, "%s", path));
    }
    bytes_wipe(pem, sizeof pem);
    bytes_wipe(secret, sizeof secret);
    return ok;
}

bool pki_key_load(const char *path, EVP_PKEY **key, err_t *err)
{
    return pki_key_load_with(path, NULL, key, err);
}

bool pki_key_save(const EVP_PKEY *key, const char *path, err_t *err)
{
    char pem[PKI_KEY_PEM_MAX];
    size_t len;
    bool ok = pki_key_to_pem(key, pem, sizeof pem, &len, err) &&
              file_write_new(path, pem, len, 0600, err);
    bytes_wipe(pem, sizeof pem);
    return ok;
}

/* RFC 8018: PBES2 with PBKDF2 and AES-256-CBC. OpenSSL's own default would be 2048 rounds. */
static X509_SIG *encrypt(const EVP_PKEY *key, const char *passphrase)
{
    PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key);
    X509_ALGOR *how = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), PBKDF2_ROUNDS, NULL, PBKDF2_SALT, NULL,
                                        NID_hmacWithSHA256);
    X509_SIG *sealed = NULL;
    if (plain != NULL && how != NULL) {
        sealed = PKCS8_set0_pbe(passphrase, (int)strlen(passphrase), plain, how);
    }
    if (sealed == NULL) {
        X509_ALGOR_free(how);
    }
    PKCS8_PRIV_KEY_INFO_free(plain);
    return sealed;
}

bool pki_key_save_encrypted(const EVP_PKEY *key, const char *path, const char *passphrase,
                            err_t *err)
{
    char pem[PKI_KEY_PEM_MAX];
    size_t len;
    if (passphrase == NULL) {
        return pki_key_save(key, path, err);
    }
    size_t size = strlen(passphrase);
    if (size < PKI_PASSPHRASE_MIN || size >= PKI_PASSPHRASE_SIZE) {
        return err_set(err, ERR_USAGE, "a passphrase has %d to %d characters; choose another",
                       PKI_PASSPHRASE_MIN, PKI_PASSPHRASE_SIZE - 1);
    }
    X509_SIG *sealed = encrypt(key, passphrase);
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = sealed != NULL && bio != NULL && PEM_write_bio_PKCS8(bio, sealed) == 1;
    X509_SIG_free(sealed);
    if (!ok) {
        BIO_free(bio);
        return pki_fail(err, ERR_SYSTEM, "cannot encrypt the key");
    }
    return (take_bio(bio, pem, sizeof pem, &len) ||
            err_set(err, ERR_INPUT, "the key is too large to write")) &&
           file_write_new(path, pem, len, 0600, err);
}

bool pki_key_public_der(const EVP_PKEY *key, uint8_t *out, size_t cap, size_t *len, err_t *err)
{
    if (pki_p256_spki(key, out, cap, len)) {
        return true;
    }
    int n = i2d_PUBKEY(key, NULL);
    if (n <= 0) {
        return pki_fail(err, ERR_INPUT, "the public key cannot be written");
    }
    if ((size_t)n > cap) {
        return err_set(err, ERR_USAGE, "%zu bytes are too few for a public key of %d", cap, n);
    }
    unsigned char *p = out;
    *len = (size_t)i2d_PUBKEY(key, &p);
    return true;
}

bool pki_key_public_from_der(const uint8_t *der, size_t len, EVP_PKEY **key, err_t *err)
{
    *key = NULL;
    if (len > PKI_SPKI_MAX) {
        return err_set(err, ERR_INPUT, "%zu bytes are too many for a public key", len);
    }
    const unsigned char *p = der;
    EVP_PKEY *parsed = d2i_PUBKEY(NULL, &p, (long)len);
    if (parsed == NULL || p != der + len) {
        EVP_PKEY_free(parsed);
        return pki_fail(err, ERR_INPUT, "not a public key (SubjectPublicKeyInfo, DER)");
    }
    if (!pki_key_check(parsed, err)) {
        EVP_PKEY_free(parsed);
        return false;
    }
    *key = parsed;
    return true;
}

bool pki_key_public_save(const EVP_PKEY *key, const char *path, err_t *err)
{
    char pem[PKI_KEY_PEM_MAX];
    size_t len;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL || PEM_write_bio_PUBKEY(bio, key) != 1) {
        BIO_free(bio);
        return pki_fail(err, ERR_SYSTEM, "cannot write the public key");
    }
    if (!take_bio(bio, pem, sizeof pem, &len)) {
        return err_set(err, ERR_INPUT, "the public key is too large to write");
    }
    return file_write_new(path, pem, len, 0644, err);
}

bool pki_key_public_load(const char *path, EVP_PKEY **key, err_t *err)
{
    char *pem;
    size_t len;
    *key = NULL;
    if (!file_read(path, PKI_KEY_PEM_MAX, &pem, &len, err)) {
        return false;
    }
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    EVP_PKEY *parsed = bio == NULL ? NULL : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    free(pem);
    if (parsed == NULL) {
        return pki_fail(err, ERR_INPUT, "%s is not a public key in PEM form", path);
    }
    if (!pki_key_check(parsed, err)) {
        EVP_PKEY_free(parsed);
        return err_add(err, "%s", path);
    }
    *key = parsed;
    return true;
}

/* What the private half signs, the public half verifies. OpenSSL's own check looks whether an RSA
   key's primes are prime again, which takes a sixth of making the key. */
static bool pair_signs(EVP_PKEY *key)
{
    static const unsigned char TEXT[] = "do the two halves of this key fit?";
    unsigned char sig[1024];
    size_t len = sizeof sig;
    EVP_MD_CTX *sign = EVP_MD_CTX_new();
    EVP_MD_CTX *verify = EVP_MD_CTX_new();
    bool ok = sign != NULL && verify != NULL &&
              EVP_DigestSignInit(sign, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(sign, sig, &len, TEXT, sizeof TEXT) == 1 &&
              EVP_DigestVerifyInit(verify, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(verify, sig, len, TEXT, sizeof TEXT) == 1;
    EVP_MD_CTX_free(sign);
    EVP_MD_CTX_free(verify);
    return ok;
}

static bool fits(bool ok, err_t *err)
{
    return ok || pki_fail(err, ERR_INPUT, "the private and the public half of the key do not fit");
}

bool pki_key_check_pair(EVP_PKEY *key, err_t *err)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool ok = ctx != NULL && EVP_PKEY_pairwise_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return fits(ok, err);
}

bool pki_key_check_own(EVP_PKEY *key, err_t *err)
{
    return EVP_PKEY_is_a(key, "RSA") ? fits(pair_signs(key), err) : pki_key_check_pair(key, err);
}

bool pki_key_id(const EVP_PKEY *key, char out[PKI_KEY_ID_SIZE], err_t *err)
{
    uint8_t der[PKI_SPKI_MAX];
    uint8_t hash[32];
    size_t len;
    out[0] = '\0';
    return pki_key_public_der(key, der, sizeof der, &len, err) && pki_sha256(der, len, hash, err) &&
           bytes_to_hex(hash, 8, out, PKI_KEY_ID_SIZE);
}

bool pki_key_matches(const EVP_PKEY *key, const X509 *cert)
{
    const EVP_PKEY *certified = X509_get0_pubkey(cert);
    return key != NULL && certified != NULL && EVP_PKEY_eq(certified, key) == 1;
}

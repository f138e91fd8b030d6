/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/own.h"

#include <string.h>
#include <time.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "pki/cert.h"
#include "pki/signer.h"

#define SERIAL_SIZE 20
#define KEY_ID_SIZE 20

enum { INTEGER = 0x02, BITS = 0x03, UTF8 = 0x0c, UTC = 0x17, GENERAL = 0x18, SEQUENCE = 0x30 };

typedef struct {
    const uint8_t *at;
    size_t len;
} span_t;

/* The next element of `from`, of that tag, in the shortest form (X.690 section 10.1). */
static bool take(span_t *from, uint8_t tag, span_t *content)
{
    size_t head = 2;
    if (from->len < 2 || from->at[0] != tag) {
        return false;
    }
    size_t len = from->at[1];
    if (len == 0x81 && from->len > 2 && from->at[2] >= 0x80) {
        len = from->at[2];
        head = 3;
    } else if (len == 0x82 && from->len > 3 && from->at[2] != 0) {
        len = (size_t)from->at[2] << 8 | from->at[3];
        head = 4;
    } else if (len >= 0x80) {
        return false;
    }
    if (from->len - head < len) {
        return false;
    }
    *content = (span_t){from->at + head, len};
    from->at += head + len;
    from->len -= head + len;
    return true;
}

static bool take_exactly(span_t *from, const uint8_t *bytes, size_t len)
{
    if (from->len < len || memcmp(from->at, bytes, len) != 0) {
        return false;
    }
    from->at += len;
    from->len -= len;
    return true;
}

#define TAKE_EXACTLY(from, bytes) take_exactly((from), (bytes), sizeof(bytes))

static const uint8_t VERSION[] = {0xa0, 0x03, 0x02, 0x01, 0x02};
/* ecdsa-with-SHA256 */
static const uint8_t ALGORITHM[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                    0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t COMMON_NAME[] = {0x06, 0x03, 0x55, 0x04, 0x03};
/* SubjectPublicKeyInfo { { id-ecPublicKey, prime256v1 }, BIT STRING { */
static const uint8_t PUBLIC_KEY[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                     0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                     0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
/* basicConstraints CA:FALSE and keyUsage digitalSignature, both critical; extendedKeyUsage
   clientAuth */
static const uint8_t USAGE[] = {0x30, 0x0c, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04,
                                0x02, 0x30, 0x00, 0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01,
                                0x01, 0xff, 0x04, 0x04, 0x03, 0x02, 0x07, 0x80, 0x30, 0x13, 0x06,
                                0x03, 0x55, 0x1d, 0x25, 0x04, 0x0c, 0x30, 0x0a, 0x06, 0x08, 0x2b,
                                0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02};
static const uint8_t SUBJECT_KEY[] = {0x30, 0x1d, 0x06, 0x03, 0x55, 0x1d,
                                      0x0e, 0x04, 0x16, 0x04, 0x14};
static const uint8_t AUTHORITY_KEY[] = {0x30, 0x1f, 0x06, 0x03, 0x55, 0x1d, 0x23,
                                        0x04, 0x18, 0x30, 0x16, 0x80, 0x14};

static bool digits(const uint8_t *at, int count, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return false;
        }
        *value = *value * 10 + at[i] - '0';
    }
    return true;
}

/* RFC 5280 section 4.1.2.5: UTCTime before 2050, GeneralizedTime from then on. */
static bool take_time(span_t *from, int64_t *seconds)
{
    span_t text;
    struct tm t = {0};
    int year = 0;
    if (take(from, UTC, &text)) {
        if (text.len != 13 || !digits(text.at, 2, &year)) {
            return false;
        }
        t.tm_year = year < 50 ? 100 + year : year;
        text.at += 2;
    } else if (take(from, GENERAL, &text)) {
        if (text.len != 15 || !digits(text.at, 4, &year) || year < 2050) {
            return false;
        }
        t.tm_year = year - 1900;
        text.at += 4;
    } else {
        return false;
    }
    if (!digits(text.at, 2, &t.tm_mon) || !digits(text.at + 2, 2, &t.tm_mday) ||
        !digits(text.at + 4, 2, &t.tm_hour) || !digits(text.at + 6, 2, &t.tm_min) ||
        !digits(text.at + 8, 2, &t.tm_sec) || text.at[10] != 'Z') {
        return false;
    }
    t.tm_mon--;
    *seconds = timegm(&t);
    return true;
}

static bool take_dates(span_t *from, int64_t now, pki_own_t *own)
{
    span_t dates;
    return take(from, SEQUENCE, &dates) && take_time(&dates, &own->not_before) &&
           take_time(&dates, &own->not_after) && dates.len == 0 && own->not_before <= now &&
           now <= own->not_after;
}

static bool take_issuer(span_t *from, X509 *ca)
{
    const unsigned char *name;
    size_t len;
    return X509_NAME_get0_der(X509_get_subject_name(ca), &name, &len) == 1 &&
           take_exactly(from, name, len);
}

static bool take_subject(span_t *from, const char *sn)
{
    span_t name;
    span_t set;
    span_t pair;
    span_t text;
    return take(from, SEQUENCE, &name) && take(&name, 0x31, &set) && name.len == 0 &&
           take(&set, SEQUENCE, &pair) && set.len == 0 && TAKE_EXACTLY(&pair, COMMON_NAME) &&
           take(&pair, UTF8, &text) && pair.len == 0 && text.len == strlen(sn) &&
           memcmp(text.at, sn, text.len) == 0;
}

/* RFC 5280 section 4.2.1.2, method 1. */
static bool key_id(const void *bits, size_t len, uint8_t id[KEY_ID_SIZE])
{
    return EVP_Digest(bits, len, id, NULL, EVP_sha1(), NULL) == 1;
}

static bool ca_key_id(X509 *ca, uint8_t id[KEY_ID_SIZE])
{
    const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(ca);
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(ca);
    if (own != NULL) {
        bool fits = ASN1_STRING_length(own) == KEY_ID_SIZE;
        if (fits) {
            memcpy(id, ASN1_STRING_get0_data(own), KEY_ID_SIZE);
        }
        return fits;
    }
    return key_id(ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits), id);
}

static bool take_extensions(span_t *from, X509 *ca, const pki_own_t *own)
{
    uint8_t subject[KEY_ID_SIZE];
    uint8_t authority[KEY_ID_SIZE];
    span_t outer;
    span_t list;
    return key_id(own->point, sizeof own->point, subject) && ca_key_id(ca, authority) &&
           take(from, 0xa3, &outer) && take(&outer, SEQUENCE, &list) && outer.len == 0 &&
           TAKE_EXACTLY(&list, USAGE) && TAKE_EXACTLY(&list, SUBJECT_KEY) &&
           TAKE_EXACTLY(&list, subject) && TAKE_EXACTLY(&list, AUTHORITY_KEY) &&
           TAKE_EXACTLY(&list, authority) && list.len == 0;
}

static bool read_body(span_t body, X509 *ca, const char *sn, int64_t now, pki_own_t *own)
{
    span_t serial;
    if (!TAKE_EXACTLY(&body, VERSION) || !take(&body, INTEGER, &serial) ||
        serial.len != SERIAL_SIZE || (serial.at[0] & 0xc0) != 0x40 ||
        !TAKE_EXACTLY(&body, ALGORITHM) || !take_issuer(&body, ca) ||
        !take_dates(&body, now, own) || !take_subject(&body, sn) ||
        !TAKE_EXACTLY(&body, PUBLIC_KEY) || body.len < sizeof own->point || body.at[0] != 4) {
        return false;
    }
    memcpy(own->point, body.at, sizeof own->point);
    body.at += sizeof own->point;
    body.len -= sizeof own->point;
    return take_extensions(&body, ca, own) && body.len == 0;
}

static bool fill_names(const uint8_t *der, size_t len, pki_own_t *own)
{
    char base64[4 * ((PKI_CERT_DER_MAX + 2) / 3) + 1];
    uint8_t hash[32];
    return len <= PKI_CERT_DER_MAX && bytes_to_base64(der, len, base64, sizeof base64) &&
           pki_sha3_hex(base64, strlen(base64), own->credentials_id, NULL) &&
           pki_sha256(der, len, hash, NULL) &&
           bytes_to_hex(hash, sizeof hash, own->sha256_hex, sizeof own->sha256_hex);
}

bool pki_own_read(const uint8_t *der, size_t len, X509 *ca, const char *sn, int64_t now,
                  pki_own_t *own)
{
    span_t all = {der, len};
    span_t cert;
    span_t body;
    span_t signature;
    memset(own, 0, sizeof *own);
    if (!take(&all, SEQUENCE, &cert) || all.len != 0) {
        return false;
    }
    const uint8_t *signed_from = cert.at;
    if (!take(&cert, SEQUENCE, &body)) {
        return false;
    }
    size_t signed_len = (size_t)(cert.at - signed_from);
    return TAKE_EXACTLY(&cert, ALGORITHM) && take(&cert, BITS, &signature) && cert.len == 0 &&
           signature.len > 1 && signature.at[0] == 0 && read_body(body, ca, sn, now, own) &&
           pki_verify(X509_get0_pubkey(ca), signed_from, signed_len, signature.at + 1,
                      signature.len - 1) &&
           fill_names(der, len, own);
}

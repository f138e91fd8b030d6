/* SPDX-License-Identifier: Apache-2.0 */
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
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/bytes.h"
#include "base/file.h"
#include "cloud/jwt.h"

#define NOW 1767225600

static jwt_key_t key;
static jwt_claims_t claims;
static char token[JWT_TOKEN_MAX];

static int sign_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof key.bytes; i++) {
        key.bytes[i] = (uint8_t)(i * 7 + 1);
    }
    claims = (jwt_claims_t){.subject = "tenant@cradle.test",
                            .scope = "TENANT_ADMIN",
                            .user_id = "784f394c-42b6-435a-983c-b7beff2784f9",
                            .session_id = "17f6a1d0-8a27-11f0-9d0e-7b1c0e7d9a11",
                            .tenant_id = "a84f394c-42b6-435a-983c-b7beff2784f9",
                            .customer_id = "13814000-1dd2-11b2-8080-808080808080",
                            .first_name = "\xc3\x84nne",
                            .enabled = true,
                            .issued_s = NOW,
                            .expires_s = NOW + 9000};
    return jwt_sign(&key, &claims, token, sizeof token) ? 0 : 1;
}

static jwt_result_t verify(const char *text, int64_t now_s)
{
    jwt_claims_t out;
    return jwt_verify(&key, text, strlen(text), now_s, &out);
}

/* Signs any header and body by hand, with any hash and key: what a forger can build. */
static void forge(const char *header, const char *body, const EVP_MD *md, const void *secret,
                  size_t secret_len, char *out)
{
    uint8_t signature[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    assert_true(bytes_to_base64url(header, strlen(header), out, JWT_TOKEN_MAX));
    strcat(out, ".");
    size_t at = strlen(out);
    assert_true(bytes_to_base64url(body, strlen(body), out + at, JWT_TOKEN_MAX - at));
    at = strlen(out);
    if (md != NULL) {
        assert_non_null(
            HMAC(md, secret, (int)secret_len, (const unsigned char *)out, at, signature, &len));
    }
    out[at++] = '.';
    assert_true(bytes_to_base64url(signature, len, out + at, JWT_TOKEN_MAX - at));
}

static const char BODY[] =
    "{\"sub\":\"tenant@cradle.test\",\"userId\":\"784f394c-42b6-435a-983c-b7beff2784f9\","
    "\"scopes\":[\"TENANT_ADMIN\"],\"exp\":1767234600,\"iat\":1767225600}";

static jwt_result_t forged(const char *header, const char *body, const EVP_MD *md)
{
    char text[JWT_TOKEN_MAX];
    forge(header, body, md, key.bytes, sizeof key.bytes, text);
    return verify(text, NOW);
}

static void claims_come_back(void **state)
{
    (void)state;
    jwt_claims_t out;
    assert_int_equal(jwt_verify(&key, token, strlen(token), NOW, &out), JWT_OK);
    assert_string_equal(out.subject, claims.subject);
    assert_string_equal(out.scope, claims.scope);
    assert_string_equal(out.user_id, claims.user_id);
    assert_string_equal(out.session_id, claims.session_id);
    assert_string_equal(out.tenant_id, claims.tenant_id);
    assert_string_equal(out.customer_id, claims.customer_id);
    assert_string_equal(out.first_name, claims.first_name);
    assert_string_equal(out.last_name, "");
    assert_true(out.enabled);
    assert_false(out.is_public);
    assert_int_equal(out.issued_s, NOW);
    assert_int_equal(out.expires_s, NOW + 9000);
}

/* Clients read `exp` without the key; the order and names are ThingsBoard's. */
static void body_is_what_clients_read(void **state)
{
    (void)state;
    char json[JWT_TOKEN_MAX];
    size_t len;
    const char *first = strchr(token, '.');
    const char *second = strchr(first + 1, '.');
    assert_true(bytes_from_base64url(token, (size_t)(first - token), json, sizeof json, &len));
    json[len] = '\0';
    assert_string_equal(json, "{\"alg\":\"HS512\"}");
    assert_true(
        bytes_from_base64url(first + 1, (size_t)(second - first - 1), json, sizeof json - 1, &len));
    json[len] = '\0';
    assert_string_equal(
        json,
        "{\"sub\":\"tenant@cradle.test\",\"userId\":\"784f394c-42b6-435a-983c-b7beff2784f9\","
        "\"scopes\":[\"TENANT_ADMIN\"],\"sessionId\":\"17f6a1d0-8a27-11f0-9d0e-7b1c0e7d9a11\","
        "\"exp\":1767234600,\"iss\":\"thingsboard.io\",\"iat\":1767225600,"
        "\"firstName\":\"\xc3\x84nne\",\"enabled\":true,\"isPublic\":false,"
        "\"tenantId\":\"a84f394c-42b6-435a-983c-b7beff2784f9\","
        "\"customerId\":\"13814000-1dd2-11b2-8080-808080808080\"}");
}

/* The forger's tool makes good tokens when it is given everything: the refusals below are not
   refusals of its handwriting. */
static void a_token_made_elsewhere_is_read(void **state)
{
    (void)state;
    assert_int_equal(forged("{\"alg\":\"HS512\"}", BODY, EVP_sha512()), JWT_OK);
    assert_int_equal(forged("{\"typ\":\"JWT\",\"alg\":\"HS512\"}", BODY, EVP_sha512()), JWT_OK);
}

static void other_algorithms_are_refused(void **state)
{
    (void)state;
    assert_int_equal(forged("{\"alg\":\"none\"}", BODY, NULL), JWT_MALFORMED);
    assert_int_equal(forged("{\"alg\":\"None\"}", BODY, EVP_sha512()), JWT_MALFORMED);
    assert_int_equal(forged("{\"alg\":\"HS256\"}", BODY, EVP_sha256()), JWT_MALFORMED);
    assert_int_equal(forged("{\"alg\":\"HS384\"}", BODY, EVP_sha384()), JWT_MALFORMED);
    assert_int_equal(forged("{\"alg\":\"hs512\"}", BODY, EVP_sha512()), JWT_MALFORMED);
    assert_int_equal(forged("{\"alg\":\"\"}", BODY, EVP_sha512()), JWT_MALFORMED);
    assert_int_equal(forged("{\"alg\":null}", BODY, EVP_sha512()), JWT_MALFORMED);
    assert_int_equal(forged("{}", BODY, EVP_sha512()), JWT_MALFORMED);
    assert_int_equal(forged("HS512", BODY, EVP_sha512()), JWT_MALFORMED);
    /* the right name over a shorter hash, or over none */
    assert_int_equal(forged("{\"alg\":\"HS512\"}", BODY, EVP_sha256()), JWT_FORGED);
    assert_int_equal(forged("{\"alg\":\"HS512\"}", BODY, NULL), JWT_FORGED);
}

static void another_key_is_refused(void **state)
{
    (void)state;
    jwt_key_t other = key;
    jwt_claims_t out;
    other.bytes[JWT_KEY_SIZE - 1] ^= 1;
    assert_int_equal(jwt_verify(&other, token, strlen(token), NOW, &out), JWT_FORGED);
    assert_int_equal(jwt_verify(&key, token, strlen(token), NOW, &out), JWT_OK);
}

/* Every single character counts, up to the last but the bits that base64 leaves unused. */
static void a_changed_character_is_refused(void **state)
{
    (void)state;
    char text[JWT_TOKEN_MAX];
    size_t len = strlen(token);
    for (size_t i = 0; i + 1 < len; i++) {
        strcpy(text, token);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        assert_int_not_equal(verify(text, NOW), JWT_OK);
    }
    for (size_t cut = 0; cut < len; cut++) {
        snprintf(text, cut + 1, "%s", token);
        assert_int_not_equal(verify(text, NOW), JWT_OK);
    }
    snprintf(text, sizeof text, "%s.", token);
    assert_int_not_equal(verify(text, NOW), JWT_OK);
    snprintf(text, sizeof text, "%sAAAA", token);
    assert_int_not_equal(verify(text, NOW), JWT_OK);
}

/* The signature of one token under the claims of another. */
static void claims_cannot_be_swapped(void **state)
{
    (void)state;
    char richer[JWT_TOKEN_MAX];
    jwt_claims_t c = claims;
    strcpy(c.scope, "SYS_ADMIN");
    assert_true(jwt_sign(&key, &c, richer, sizeof richer));
    strcpy(strrchr(richer, '.'), strrchr(token, '.'));
    assert_int_equal(verify(richer, NOW), JWT_FORGED);
}

static void tokens_expire(void **state)
{
    (void)state;
    assert_int_equal(verify(token, NOW + 8999), JWT_OK);
    assert_int_equal(verify(token, NOW + 9000), JWT_EXPIRED);
    assert_int_equal(verify(token, INT64_MAX), JWT_EXPIRED);
    /* a forged token is called forged, whatever its date says */
    char text[JWT_TOKEN_MAX];
    forge("{\"alg\":\"HS512\"}", BODY, EVP_sha512(), "x", 1, text);
    assert_int_equal(verify(text, NOW + 9000), JWT_FORGED);
}

/* One character more than an id has. */
#define LONG_ID                                                                                    \
    "{\"sub\":\"s\",\"userId\":\"0123456789012345678901234567890123456\",\"scopes\":[\"A\"],"      \
    "\"exp\":1767234600,\"iat\":1}"

static void claims_that_miss_something_are_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"userId\":\"u\",\"scopes\":[\"A\"],\"exp\":1767234600,\"iat\":1}",
        "{\"sub\":\"s\",\"scopes\":[\"A\"],\"exp\":1767234600,\"iat\":1}",
        "{\"sub\":\"s\",\"userId\":\"u\",\"exp\":1767234600,\"iat\":1}",
        "{\"sub\":\"s\",\"userId\":\"u\",\"scopes\":[],\"exp\":1767234600,\"iat\":1}",
        "{\"sub\":\"s\",\"userId\":\"u\",\"scopes\":\"A\",\"exp\":1767234600,\"iat\":1}",
        "{\"sub\":\"s\",\"userId\":\"u\",\"scopes\":[\"A\"],\"iat\":1}",
        "{\"sub\":\"s\",\"userId\":\"u\",\"scopes\":[\"A\"],\"exp\":1767234600}",
        "{\"sub\":\"s\",\"userId\":\"u\",\"scopes\":[\"A\"],\"exp\":\"1767234600\",\"iat\":1}",
        "{\"sub\":\"s\",\"userId\":\"u\",\"scopes\":[\"A\"],\"exp\":1e300,\"iat\":1}",
        "{\"sub\":7,\"userId\":\"u\",\"scopes\":[\"A\"],\"exp\":1767234600,\"iat\":1}",
        LONG_ID,
        "[]",
        "",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_int_equal(forged("{\"alg\":\"HS512\"}", bodies[i], EVP_sha512()), JWT_MALFORMED);
    }
    assert_int_equal(forged("{\"alg\":\"HS512\"}",
                            "{\"sub\":\"s\",\"userId\":\"u\",\"scopes\":[\"A\"],"
                            "\"exp\":1767234600,\"iat\":1}",
                            EVP_sha512()),
                     JWT_OK);
}

static void what_is_no_token_is_refused(void **state)
{
    (void)state;
    static char huge[2 * JWT_TOKEN_MAX];
    static const char *const texts[] = {"",
                                        ".",
                                        "..",
                                        "...",
                                        "a.b.c",
                                        "junk",
                                        "eyJhbGciOiJIUzUxMiJ9",
                                        "eyJhbGciOiJIUzUxMiJ9.",
                                        "Bearer x.y.z"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(verify(texts[i], NOW), JWT_MALFORMED);
    }
    assert_int_equal(verify("eyJhbGciOiJIUzUxMiJ9..", NOW), JWT_FORGED);
    memset(huge, 'A', sizeof huge - 1);
    assert_int_equal(verify(huge, NOW), JWT_MALFORMED);
    huge[10] = huge[20] = '.';
    assert_int_equal(verify(huge, NOW), JWT_MALFORMED);
}

static void what_does_not_fit_is_not_signed(void **state)
{
    (void)state;
    char exact[JWT_TOKEN_MAX];
    size_t need = strlen(token) + 1;
    assert_true(jwt_sign(&key, &claims, exact, need));
    assert_string_equal(exact, token);
    for (size_t cap = 0; cap < need; cap++) {
        assert_false(jwt_sign(&key, &claims, exact, cap));
    }
}

/* ---- the key's file ---- */

static void key_is_made_once_and_kept_private(void **state)
{
    (void)state;
    char dir[] = "/tmp/cradle-jwt-XXXXXX";
    char path[FILE_PATH_MAX];
    jwt_key_t a;
    jwt_key_t b;
    jwt_key_t zero = {{0}};
    struct stat st;
    err_t err = ERR_INIT;
    assert_non_null(mkdtemp(dir));
    assert_true(file_join(path, dir, "jwt.key", &err));
    assert_true(jwt_key_load(path, &a, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, JWT_KEY_SIZE);
    assert_memory_not_equal(a.bytes, zero.bytes, JWT_KEY_SIZE);
    assert_true(jwt_key_load(path, &b, &err));
    assert_memory_equal(a.bytes, b.bytes, JWT_KEY_SIZE);

    /* one that others can read is not used */
    assert_int_equal(chmod(path, 0604), 0);
    assert_false(jwt_key_load(path, &b, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    err_clear(&err);

    /* another installation has another key */
    assert_int_equal(unlink(path), 0);
    assert_true(jwt_key_load(path, &b, &err));
    assert_memory_not_equal(a.bytes, b.bytes, JWT_KEY_SIZE);

    /* a damaged one is never replaced silently, nor used */
    assert_int_equal(truncate(path, JWT_KEY_SIZE - 1), 0);
    assert_false(jwt_key_load(path, &b, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, JWT_KEY_SIZE - 1);
    assert_int_equal(truncate(path, JWT_KEY_SIZE + 1), 0);
    assert_false(jwt_key_load(path, &b, &err));
    assert_true(file_remove_tree(dir, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_come_back),
        cmocka_unit_test(body_is_what_clients_read),
        cmocka_unit_test(a_token_made_elsewhere_is_read),
        cmocka_unit_test(other_algorithms_are_refused),
        cmocka_unit_test(another_key_is_refused),
        cmocka_unit_test(a_changed_character_is_refused),
        cmocka_unit_test(claims_cannot_be_swapped),
        cmocka_unit_test(tokens_expire),
        cmocka_unit_test(claims_that_miss_something_are_refused),
        cmocka_unit_test(what_is_no_token_is_refused),
        cmocka_unit_test(what_does_not_fit_is_not_signed),
        cmocka_unit_test(key_is_made_once_and_kept_private),
    };
    return cmocka_run_group_tests_name("cloud_jwt", tests, sign_one, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/jwt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "base/file.h"
#include "json/json.h"

#define MAC_SIZE 64
#define ISSUER   "thingsboard.io"

bool jwt_key_load(const char *path, jwt_key_t *key, err_t *err)
{
    char *data;
    size_t len;
    if (!file_exists(path)) {
        if (RAND_bytes(key->bytes, sizeof key->bytes) != 1) {
            return err_set(err, ERR_SYSTEM, "no random bytes for the key of the tokens");
        }
        return file_write_new(path, key->bytes, sizeof key->bytes, 0600, err);
    }
    if (!file_read_private(path, sizeof key->bytes, &data, &len, err)) {
        return err_add(err, "the key of the REST tokens");
    }
    bool ok = len == sizeof key->bytes ||
              err_set(err, ERR_INPUT,
                      "%s is damaged: remove it, and everybody will have to log in again", path);
    if (ok) {
        memcpy(key->bytes, data, len);
    }
    bytes_wipe(data, len);
    free(data);
    return ok;
}

static bool mac(const jwt_key_t *key, const char *text, size_t len, uint8_t out[MAC_SIZE])
{
    unsigned size = 0;
    return HMAC(EVP_sha512(), key->bytes, sizeof key->bytes, (const unsigned char *)text, len, out,
                &size) != NULL &&
           size == MAC_SIZE;
}

static void put(json_writer_t *w, const char *name, const char *text)
{
    if (text[0] != '\0') {
        json_key(w, name);
        json_put_string(w, text);
    }
}

static bool write_claims(const jwt_claims_t *c, char *out, size_t cap, size_t *len)
{
    json_writer_t w;
    json_writer_init(&w, out, cap);
    json_object(&w);
    put(&w, "sub", c->subject);
    put(&w, "userId", c->user_id);
    json_key(&w, "scopes");
    json_array(&w);
    json_put_string(&w, c->scope);
    json_end(&w);
    put(&w, "sessionId", c->session_id);
    json_key(&w, "exp");
    json_put_i64(&w, c->expires_s);
    json_key(&w, "iss");
    json_put_string(&w, ISSUER);
    json_key(&w, "iat");
    json_put_i64(&w, c->issued_s);
    put(&w, "jti", c->token_id);
    put(&w, "firstName", c->first_name);
    put(&w, "lastName", c->last_name);
    json_key(&w, "enabled");
    json_put_bool(&w, c->enabled);
    json_key(&w, "isPublic");
    json_put_bool(&w, c->is_public);
    put(&w, "tenantId", c->tenant_id);
    put(&w, "customerId", c->customer_id);
    json_end(&w);
    return json_writer_done(&w, len);
}

bool jwt_sign(const jwt_key_t *key, const jwt_claims_t *claims, char *out, size_t cap)
{
    /* {"alg":"HS512"} */
    static const char header[] = "eyJhbGciOiJIUzUxMiJ9.";
    char text[JWT_TOKEN_MAX];
    uint8_t signature[MAC_SIZE];
    size_t len;
    size_t at = sizeof header - 1;
    if (cap < sizeof header || !write_claims(claims, text, sizeof text, &len)) {
        return false;
    }
    memcpy(out, header, sizeof header);
    if (!bytes_to_base64url(text, len, out + at, cap - at)) {
        return false;
    }
    at += strlen(out + at);
    if (!mac(key, out, at, signature) || at + 2 > cap) {
        return false;
    }
    out[at++] = '.';
    return bytes_to_base64url(signature, sizeof signature, out + at, cap - at);
}

/* A text claim; absent is "". False: too long, or no text. */
static bool get(const char *json, size_t len, const char *name, char *out, size_t cap)
{
    json_token_t token;
    out[0] = '\0';
    return !json_find(json, len, name, &token) || json_string(&token, out, cap, NULL);
}

static bool read_claims(const char *json, size_t len, jwt_claims_t *c)
{
    json_token_t token;
    memset(c, 0, sizeof *c);
    bool ok = get(json, len, "sub", c->subject, sizeof c->subject) &&
              get(json, len, "userId", c->user_id, sizeof c->user_id) &&
              get(json, len, "scopes.0", c->scope, sizeof c->scope) &&
              get(json, len, "sessionId", c->session_id, sizeof c->session_id) &&
              get(json, len, "tenantId", c->tenant_id, sizeof c->tenant_id) &&
              get(json, len, "customerId", c->customer_id, sizeof c->customer_id) &&
              get(json, len, "firstName", c->first_name, sizeof c->first_name) &&
              get(json, len, "lastName", c->last_name, sizeof c->last_name) &&
              get(json, len, "jti", c->token_id, sizeof c->token_id);
    c->enabled = json_find(json, len, "enabled", &token) && token.type == JSON_TRUE;
    c->is_public = json_find(json, len, "isPublic", &token) && token.type == JSON_TRUE;
    return ok && c->subject[0] != '\0' && c->scope[0] != '\0' && c->user_id[0] != '\0' &&
           json_find(json, len, "exp", &token) && json_i64(&token, &c->expires_s) &&
           json_find(json, len, "iat", &token) && json_i64(&token, &c->issued_s);
}

/* The header must ask for HS512 and nothing else that matters. */
static bool is_hs512(const char *text, size_t len)
{
    char json[256];
    char algorithm[16];
    size_t n;
    return bytes_from_base64url(text, len, json, sizeof json, &n) &&
           get(json, n, "alg", algorithm, sizeof algorithm) && strcmp(algorithm, "HS512") == 0;
}

jwt_result_t jwt_verify(const jwt_key_t *key, const char *token, size_t len, int64_t now_s,
                        jwt_claims_t *claims)
{
    char json[JWT_TOKEN_MAX];
    uint8_t ours[MAC_SIZE];
    uint8_t theirs[MAC_SIZE];
    size_t n;
    const char *first = len < JWT_TOKEN_MAX ? memchr(token, '.', len) : NULL;
    const char *second = NULL;
    if (first != NULL) {
        second = memchr(first + 1, '.', len - (size_t)(first + 1 - token));
    }
    if (second == NULL || !is_hs512(token, (size_t)(first - token))) {
        return JWT_MALFORMED;
    }
    size_t signed_len = (size_t)(second - token);
    if (!bytes_from_base64url(second + 1, len - signed_len - 1, theirs, sizeof theirs, &n) ||
        n != MAC_SIZE || !mac(key, token, signed_len, ours) ||
        !bytes_equal_secret(ours, theirs, MAC_SIZE)) {
        return JWT_FORGED;
    }
    if (!bytes_from_base64url(first + 1, (size_t)(second - first - 1), json, sizeof json, &n) ||
        !read_claims(json, n, claims)) {
        return JWT_MALFORMED;
    }
    return now_s < claims->expires_s ? JWT_OK : JWT_EXPIRED;
}

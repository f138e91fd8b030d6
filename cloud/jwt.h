/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt: the tokens of the REST API: JSON Web Tokens, HMAC SHA-512, with the claims that ThingsBoard
 * writes (JwtTokenFactory) and that its clients read (`exp`). Pure but for OpenSSL's HMAC; no heap.
 *
 * Only {"alg":"HS512"} is accepted, whatever else a header asks for. The signature is compared in
 * constant time and before any claim is looked at. Not checked here: whether the user still exists,
 * and whether the token was outdated by a logout (auth does).
 */
#ifndef CRADLE_CLOUD_JWT_H
#define CRADLE_CLOUD_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define JWT_KEY_SIZE  64
#define JWT_TOKEN_MAX 4096 /* longest token made or accepted, with the NUL */
#define JWT_ID_SIZE   37
#define JWT_TEXT_SIZE 256

typedef struct {
    uint8_t bytes[JWT_KEY_SIZE];
} jwt_key_t;

/* Empty texts are left out of the token where ThingsBoard leaves them out. */
typedef struct {
    char subject[JWT_TEXT_SIZE]; /* "sub": the e-mail address                              */
    char scope[32];              /* the one member of "scopes": TENANT_ADMIN, REFRESH_TOKEN... */
    char user_id[JWT_ID_SIZE];
    char session_id[JWT_ID_SIZE]; /* one per login; both tokens of a pair carry it           */
    char tenant_id[JWT_ID_SIZE];
    char customer_id[JWT_ID_SIZE];
    char first_name[JWT_TEXT_SIZE];
    char last_name[JWT_TEXT_SIZE];
    char token_id[JWT_ID_SIZE]; /* "jti" of refresh tokens                                 */
    bool enabled;
    bool is_public;
    int64_t issued_s;  /* "iat", seconds since 1970 */
    int64_t expires_s; /* "exp"                     */
} jwt_claims_t;

typedef enum {
    JWT_OK,
    JWT_MALFORMED, /* no token at all, another algorithm, missing claims */
    JWT_FORGED,    /* well formed, the signature is not ours             */
    JWT_EXPIRED,
} jwt_result_t;

/* Reads the key from a file, or makes one (0600) when there is none. */
bool jwt_key_load(const char *path, jwt_key_t *key, err_t *err);

/* Writes the token into `out`. False when it does not fit (absurdly long names). */
bool jwt_sign(const jwt_key_t *key, const jwt_claims_t *claims, char *out, size_t cap);

/* `now_s`: seconds since 1970. */
jwt_result_t jwt_verify(const jwt_key_t *key, const char *token, size_t len, int64_t now_s,
                        jwt_claims_t *claims);

#endif

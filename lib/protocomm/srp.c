/* SPDX-License-Identifier: Apache-2.0 */
#include "protocomm/srp.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "protocomm/session.h"

#define SECRET_LEN 32 /* bytes of a and b            */
#define TRIES      64 /* 1 in 256 draws is unwanted  */

struct srp {
    BN_CTX *ctx;
    BIGNUM *n, *g;
    BIGNUM *secret; /* a or b */
    uint8_t a_public[SRP_N_LEN];
    uint8_t b_public[SRP_N_LEN];
    size_t b_len;
    uint8_t salt[PROTOCOMM_MESSAGE_MAX];
    size_t salt_len;
    uint8_t user_hash[SRP_H_LEN];
    uint8_t k[SRP_H_LEN]; /* the session key K */
    bool is_client;
};

typedef struct {
    const void *data;
    size_t len;
} part_t;

/* SHA-512 over several parts. */
static bool hash(const part_t *parts, size_t count, uint8_t out[SRP_H_LEN])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha512(), NULL) == 1;

    for (size_t i = 0; ok && i < count; i++)
        ok = parts[i].len == 0 || EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

static bool failed(err_t *err)
{
    return err_set(err, ERR_SYSTEM, "the crypto library failed in SRP-6a");
}

srp_t *srp_new(void)
{
    srp_t *srp = calloc(1, sizeof *srp);

    if (!srp)
        return NULL;
    srp->ctx = BN_CTX_secure_new();
    srp->n = BN_get_rfc3526_prime_3072(NULL); /* RFC 5054's 3072-bit N is RFC 3526's prime */
    srp->g = BN_new();
    srp->secret = BN_new();
    if (!srp->ctx || !srp->n || !srp->g || !srp->secret || BN_set_word(srp->g, 5) != 1) {
        srp_free(srp);
        return NULL;
    }
    BN_set_flags(srp->secret, BN_FLG_CONSTTIME);
    return srp;
}

void srp_free(srp_t *srp)
{
    if (!srp)
        return;
    BN_clear_free(srp->secret);
    BN_free(srp->g);
    BN_free(srp->n);
    BN_CTX_free(srp->ctx);
    bytes_wipe(srp, sizeof *srp);
    free(srp);
}

/* H(PAD(x) | PAD(y)) as a number; x and y already have the group's width. */
static bool hash_number(const uint8_t *x, const uint8_t *y, BIGNUM *out)
{
    uint8_t digest[SRP_H_LEN];
    const part_t parts[] = {{x, SRP_N_LEN}, {y, SRP_N_LEN}};

    return hash(parts, 2, digest) && BN_bin2bn(digest, sizeof digest, out);
}

/* k = H(N | PAD(g)) */
static bool multiplier(const srp_t *srp, BIGNUM *k)
{
    uint8_t n[SRP_N_LEN], g[SRP_N_LEN];

    return BN_bn2binpad(srp->n, n, sizeof n) > 0 && BN_bn2binpad(srp->g, g, sizeof g) > 0 &&
           hash_number(n, g, k);
}

/* u = H(PAD(A) | PAD(B)); zero is not allowed. */
static bool scrambler(const srp_t *srp, BIGNUM *u)
{
    uint8_t b[SRP_N_LEN] = {0};

    memcpy(b + SRP_N_LEN - srp->b_len, srp->b_public, srp->b_len);
    return hash_number(srp->a_public, b, u) && !BN_is_zero(u);
}

/* x = H(salt | H(username : password)) */
static bool private_key(const char *username, const char *password, const uint8_t *salt,
                        size_t salt_len, uint8_t inner[SRP_H_LEN], BIGNUM *x)
{
    uint8_t digest[SRP_H_LEN];
    const part_t who[] = {{username, strlen(username)}, {":", 1}, {password, strlen(password)}};
    const part_t salted[] = {{salt, salt_len}, {inner, SRP_H_LEN}};
    bool ok = hash(who, 3, inner) && hash(salted, 2, digest) &&
              BN_bin2bn(digest, sizeof digest, x) != NULL;

    bytes_wipe(digest, sizeof digest);
    if (ok)
        BN_set_flags(x, BN_FLG_CONSTTIME);
    return ok;
}

/* K = H(S without leading zeros) */
static bool session_key(srp_t *srp, const BIGNUM *s)
{
    uint8_t bytes[SRP_N_LEN];
    int len = BN_bn2bin(s, bytes);
    const part_t part = {bytes, (size_t)len};
    bool ok = hash(&part, 1, srp->k);

    bytes_wipe(bytes, sizeof bytes);
    return ok;
}

static bool draw_secret(srp_t *srp, const protocomm_random_t *random, err_t *err)
{
    uint8_t bytes[SECRET_LEN];

    if (!session_random(random, bytes, sizeof bytes, err))
        return false;
    bool ok = BN_bin2bn(bytes, sizeof bytes, srp->secret) != NULL;
    bytes_wipe(bytes, sizeof bytes);
    BN_set_flags(srp->secret, BN_FLG_CONSTTIME);
    return ok || failed(err);
}

/* B = k*v + g^b, with b drawn until B fills all its bytes: legal, and spares the clients' different
   ideas about leading zeros. */
static bool make_b(srp_t *srp, const protocomm_random_t *random, const BIGNUM *v, err_t *err)
{
    BIGNUM *k = BN_CTX_get(srp->ctx), *kv = BN_CTX_get(srp->ctx), *b = BN_CTX_get(srp->ctx);

    if (!b || !multiplier(srp, k) || BN_mod_mul(kv, k, v, srp->n, srp->ctx) != 1)
        return failed(err);
    for (int i = 0; i < TRIES; i++) {
        if (!draw_secret(srp, random, err))
            return false;
        if (BN_mod_exp(b, srp->g, srp->secret, srp->n, srp->ctx) != 1 ||
            BN_mod_add(b, b, kv, srp->n, srp->ctx) != 1)
            return failed(err);
        if (BN_num_bytes(b) == SRP_N_LEN) {
            srp->b_len = (size_t)BN_bn2bin(b, srp->b_public);
            return true;
        }
    }
    return failed(err);
}

/* S = (A * v^u)^b */
static bool device_key(srp_t *srp, const BIGNUM *v, err_t *err)
{
    BIGNUM *a = BN_CTX_get(srp->ctx), *u = BN_CTX_get(srp->ctx), *s = BN_CTX_get(srp->ctx);

    if (!s || !BN_bin2bn(srp->a_public, SRP_N_LEN, a) || BN_nnmod(a, a, srp->n, srp->ctx) != 1)
        return failed(err);
    if (BN_is_zero(a))
        return err_set(err, ERR_INPUT, "the client's SRP key is a multiple of the modulus");
    if (!scrambler(srp, u))
        return err_set(err, ERR_INPUT, "the client's SRP key is not usable");
    if (BN_mod_exp(s, v, u, srp->n, srp->ctx) != 1 || BN_mod_mul(s, s, a, srp->n, srp->ctx) != 1 ||
        BN_mod_exp(s, s, srp->secret, srp->n, srp->ctx) != 1 || !session_key(srp, s))
        return failed(err);
    return true;
}

bool srp_device(srp_t *srp, const protocomm_random_t *random, const uint8_t *username,
                size_t username_len, const uint8_t *salt, size_t salt_len,
                const uint8_t verifier[SRP_N_LEN], const uint8_t a_public[SRP_N_LEN], err_t *err)
{
    const part_t user = {username, username_len};

    if (salt_len > sizeof srp->salt || !hash(&user, 1, srp->user_hash))
        return failed(err);
    memcpy(srp->salt, salt, salt_len);
    srp->salt_len = salt_len;
    memcpy(srp->a_public, a_public, SRP_N_LEN);
    BN_CTX_start(srp->ctx);
    BIGNUM *v = BN_CTX_get(srp->ctx);
    bool ok = v && BN_bin2bn(verifier, SRP_N_LEN, v) ? make_b(srp, random, v, err) : failed(err);
    ok = ok && device_key(srp, v, err);
    BN_CTX_end(srp->ctx);
    return ok;
}

bool srp_client(srp_t *srp, const protocomm_random_t *random, err_t *err)
{
    srp->is_client = true;
    BN_CTX_start(srp->ctx);
    BIGNUM *a = BN_CTX_get(srp->ctx);
    bool ok = a || failed(err), found = false;
    for (int i = 0; ok && !found && i < TRIES; i++) {
        ok = draw_secret(srp, random, err) &&
             (BN_mod_exp(a, srp->g, srp->secret, srp->n, srp->ctx) == 1 || failed(err));
        found = ok && BN_num_bytes(a) == SRP_N_LEN;
    }
    if (found)
        BN_bn2bin(a, srp->a_public);
    BN_CTX_end(srp->ctx);
    return found || failed(err);
}

/* S = (B - k*g^x)^(a + u*x) */
static bool client_secret(srp_t *srp, const BIGNUM *x, const BIGNUM *b, err_t *err)
{
    BIGNUM *k = BN_CTX_get(srp->ctx), *u = BN_CTX_get(srp->ctx), *base = BN_CTX_get(srp->ctx);
    BIGNUM *power = BN_CTX_get(srp->ctx), *s = BN_CTX_get(srp->ctx);

    if (!s || !multiplier(srp, k))
        return failed(err);
    if (!scrambler(srp, u))
        return err_set(err, ERR_INPUT, "the device's SRP key is not usable");
    if (BN_mod_exp(base, srp->g, x, srp->n, srp->ctx) != 1 ||
        BN_mod_mul(base, base, k, srp->n, srp->ctx) != 1 ||
        BN_mod_sub(base, b, base, srp->n, srp->ctx) != 1 || BN_mul(power, u, x, srp->ctx) != 1 ||
        BN_add(power, power, srp->secret) != 1)
        return failed(err);
    BN_set_flags(power, BN_FLG_CONSTTIME);
    if (BN_mod_exp(s, base, power, srp->n, srp->ctx) != 1 || !session_key(srp, s))
        return failed(err);
    return true;
}

bool srp_client_key(srp_t *srp, const char *username, const char *password, const uint8_t *salt,
                    size_t salt_len, const uint8_t *b_public, size_t b_len, err_t *err)
{
    uint8_t inner[SRP_H_LEN];
    const part_t user = {username, strlen(username)};

    if (b_len == 0 || b_len > SRP_N_LEN || salt_len > sizeof srp->salt)
        return err_set(err, ERR_INPUT, "the device's SRP key or salt has an impossible length");
    memcpy(srp->b_public, b_public, b_len);
    srp->b_len = b_len;
    memcpy(srp->salt, salt, salt_len);
    srp->salt_len = salt_len;
    BN_CTX_start(srp->ctx);
    BIGNUM *x = BN_CTX_get(srp->ctx), *b = BN_CTX_get(srp->ctx);
    bool ok = b && hash(&user, 1, srp->user_hash) && BN_bin2bn(b_public, (int)b_len, b) &&
              BN_nnmod(b, b, srp->n, srp->ctx) == 1 &&
              private_key(username, password, salt, salt_len, inner, x);
    if (!ok)
        failed(err);
    else if (BN_is_zero(b))
        ok = err_set(err, ERR_INPUT, "the device's SRP key is a multiple of the modulus");
    else
        ok = client_secret(srp, x, b, err);
    BN_CTX_end(srp->ctx);
    bytes_wipe(inner, sizeof inner);
    return ok;
}

const uint8_t *srp_public(const srp_t *srp, size_t *len)
{
    *len = srp->is_client ? SRP_N_LEN : srp->b_len;
    return srp->is_client ? srp->a_public : srp->b_public;
}

/* M = H((H(N) xor H(PAD(g))) | H(username) | salt | A | B | K) */
bool srp_client_proof(const srp_t *srp, uint8_t proof[SRP_H_LEN])
{
    uint8_t number[SRP_N_LEN], n_hash[SRP_H_LEN], g_hash[SRP_H_LEN];
    const part_t part = {number, sizeof number};

    if (BN_bn2binpad(srp->n, number, sizeof number) < 0 || !hash(&part, 1, n_hash) ||
        BN_bn2binpad(srp->g, number, sizeof number) < 0 || !hash(&part, 1, g_hash))
        return false;
    for (size_t i = 0; i < sizeof n_hash; i++)
        n_hash[i] ^= g_hash[i];
    const part_t parts[] = {
        {n_hash, sizeof n_hash},    {srp->user_hash, SRP_H_LEN}, {srp->salt, srp->salt_len},
        {srp->a_public, SRP_N_LEN}, {srp->b_public, srp->b_len}, {srp->k, SRP_H_LEN},
    };
    return hash(parts, sizeof parts / sizeof parts[0], proof);
}

bool srp_device_proof(const srp_t *srp, const uint8_t m[SRP_H_LEN], uint8_t proof[SRP_H_LEN])
{
    const part_t parts[] = {{srp->a_public, SRP_N_LEN}, {m, SRP_H_LEN}, {srp->k, SRP_H_LEN}};

    return hash(parts, 3, proof);
}

const uint8_t *srp_key(const srp_t *srp)
{
    return srp->k;
}

/* v = g^x for one salt; *usable tells whether every client can work with the two. */
static bool try_salt(srp_t *srp, const char *username, const char *password, const uint8_t *salt,
                     size_t salt_len, uint8_t verifier[PROTOCOMM_VERIFIER_LEN], bool *usable)
{
    uint8_t inner[SRP_H_LEN];

    BN_CTX_start(srp->ctx);
    BIGNUM *x = BN_CTX_get(srp->ctx), *v = BN_CTX_get(srp->ctx);
    bool ok = v && private_key(username, password, salt, salt_len, inner, x) &&
              BN_mod_exp(v, srp->g, x, srp->n, srp->ctx) == 1 &&
              BN_bn2binpad(v, verifier, PROTOCOMM_VERIFIER_LEN) > 0;
    BN_CTX_end(srp->ctx);
    bytes_wipe(inner, sizeof inner);
    *usable = ok && salt[0] != 0 && verifier[0] != 0;
    return ok;
}

bool protocomm_srp_make_verifier(const char *username, const char *password,
                                 const protocomm_random_t *random, uint8_t *salt, size_t salt_len,
                                 uint8_t verifier[PROTOCOMM_VERIFIER_LEN], err_t *err)
{
    uint8_t inner[SRP_H_LEN];
    const part_t who[] = {{username, strlen(username)}, {":", 1}, {password, strlen(password)}};
    bool usable = false;

    if (!username[0] || !password[0] || salt_len == 0 || salt_len > PROTOCOMM_SALT_MAX ||
        strlen(username) > PROTOCOMM_POP_MAX || strlen(password) > PROTOCOMM_POP_MAX)
        return err_set(err, ERR_USAGE, "user name, password and salt have 1 to %d bytes each",
                       PROTOCOMM_POP_MAX);
    if (!hash(who, 3, inner))
        return failed(err);
    if (inner[0] == 0)
        return err_set(err, ERR_INPUT,
                       "some provisioning apps cannot use this password: choose another one");
    srp_t *srp = srp_new();
    bool ok = srp || failed(err);
    for (int i = 0; ok && !usable && i < TRIES; i++)
        ok = session_random(random, salt, salt_len, err) &&
             (try_salt(srp, username, password, salt, salt_len, verifier, &usable) || failed(err));
    srp_free(srp);
    return usable || failed(err);
}

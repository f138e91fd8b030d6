/* SPDX-License-Identifier: Apache-2.0 */
/* session: private to lib/protocomm. What the three security versions share. */
#ifndef CRADLE_PROTOCOMM_SESSION_H
#define CRADLE_PROTOCOMM_SESSION_H

#include <openssl/evp.h>

#include "protocomm/message.h"
#include "protocomm/security.h"
#include "protocomm/srp.h"

#define X25519_LEN  32
#define RANDOM_LEN  16
#define PROOF_LEN   64
#define NONCE_LEN   12
#define GCM_TAG_LEN 16

/* Where in the handshake a session is. Client and device count alike: BEGIN before the first
   message, FIRST between the two exchanges, LAST only at a client that waits for the proof. */
typedef enum { STEP_BEGIN, STEP_FIRST, STEP_LAST, STEP_UP } session_step_t;

typedef struct {
    uint8_t *data;
    size_t cap;
    size_t *len;
} session_out_t;

typedef struct {
    EVP_CIPHER_CTX *ctr; /* the one key stream of the session */
    uint8_t private_key[X25519_LEN];
    uint8_t own_public[X25519_LEN];
    uint8_t peer_public[X25519_LEN];
} security1_t;

typedef struct {
    srp_t *srp;
    uint8_t key[32];
    uint8_t nonce[NONCE_LEN];
    uint8_t client_proof[PROOF_LEN]; /* a client keeps what it sent for the answer's check */
} security2_t;

typedef struct {
    /* Device: `in` is a message of this security version, its body not yet looked at. */
    bool (*answer)(protocomm_session_t *s, const Wire__Session *in, session_out_t out, err_t *err);
    /* Client: `in` is NULL for the first message. */
    bool (*advance)(protocomm_session_t *s, const Wire__Session *in, session_out_t out, err_t *err);
    bool (*crypt)(protocomm_session_t *s, bool encrypt, const uint8_t *in, size_t in_len,
                  session_out_t out, err_t *err);
    void (*reset)(protocomm_session_t *s);
} security_ops_t;

struct protocomm_session {
    const security_ops_t *ops;
    int version;
    int patch_version;
    bool device;
    session_step_t step;
    protocomm_random_t random;
    uint8_t pop[PROTOCOMM_POP_MAX];
    size_t pop_len;
    char username[PROTOCOMM_POP_MAX + 1];
    char password[PROTOCOMM_POP_MAX + 1];
    uint8_t salt[PROTOCOMM_SALT_MAX];
    size_t salt_len;
    uint8_t verifier[PROTOCOMM_VERIFIER_LEN];
    security1_t s1;
    security2_t s2;
};

extern const security_ops_t security1_ops;
extern const security_ops_t security2_ops;

/* From the injected generator, else the operating system's. */
bool session_random(const protocomm_random_t *random, uint8_t *out, size_t len, err_t *err);

/* Wraps a Sec0/1/2 body that is already in `message` and packs it. */
bool session_pack(const Wire__Session *message, session_out_t out, err_t *err);

#endif

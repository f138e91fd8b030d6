/* SPDX-License-Identifier: Apache-2.0 */
/* Security 1: X25519, optional proof of possession, one AES-256-CTR stream for both directions. */
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/bytes.h"
#include "protocomm/session.h"

static bool crypto_failed(err_t *err)
{
    return err_set(err, ERR_SYSTEM, "the crypto library failed in a security 1 session");
}

static void security1_reset(protocomm_session_t *s)
{
    EVP_CIPHER_CTX_free(s->s1.ctr); /* wipes its key schedule */
    bytes_wipe(&s->s1, sizeof s->s1);
}

/* Draws the own key pair. */
static bool make_key(protocomm_session_t *s, err_t *err)
{
    size_t len = X25519_LEN;

    if (!session_random(&s->random, s->s1.private_key, X25519_LEN, err))
        return false;
    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, s->s1.private_key, X25519_LEN);
    bool ok = key && EVP_PKEY_get_raw_public_key(key, s->s1.own_public, &len) == 1;
    EVP_PKEY_free(key);
    return ok || crypto_failed(err);
}

/* X25519(own private, peer public); fails for the points that give an all-zero secret. */
static bool agree(const security1_t *s1, uint8_t shared[X25519_LEN])
{
    size_t len = X25519_LEN;
    EVP_PKEY *own =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, s1->private_key, X25519_LEN);
    EVP_PKEY *peer =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, s1->peer_public, X25519_LEN);
    EVP_PKEY_CTX *ctx = own ? EVP_PKEY_CTX_new(own, NULL) : NULL;
    bool ok = ctx && peer && EVP_PKEY_derive_init(ctx) == 1 &&
              EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, shared, &len) == 1 &&
              len == X25519_LEN;

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    return ok;
}

/* The session's key stream begins: key = shared XOR SHA-256(PoP), counter block = device random. */
static bool start_stream(protocomm_session_t *s, const uint8_t random[RANDOM_LEN], err_t *err)
{
    uint8_t key[X25519_LEN], mask[SHA256_DIGEST_LENGTH];

    if (!agree(&s->s1, key))
        return err_set(err, ERR_INPUT, "the other side's X25519 key is not usable");
    if (s->pop_len) {
        SHA256(s->pop, s->pop_len, mask);
        for (size_t i = 0; i < sizeof key; i++)
            key[i] ^= mask[i];
        bytes_wipe(mask, sizeof mask);
    }
    EVP_CIPHER_CTX_free(s->s1.ctr);
    s->s1.ctr = EVP_CIPHER_CTX_new();
    bool ok = s->s1.ctr && EVP_EncryptInit_ex(s->s1.ctr, EVP_aes_256_ctr(), NULL, key, random) == 1;
    bytes_wipe(key, sizeof key);
    bytes_wipe(s->s1.private_key, sizeof s->s1.private_key);
    return ok || crypto_failed(err);
}

/* The next in_len bytes of the stream. Encrypting and decrypting are the same. */
static bool stream(protocomm_session_t *s, const uint8_t *in, size_t in_len, uint8_t *out,
                   err_t *err)
{
    int len = 0;

    if (in_len == 0)
        return true;
    return EVP_EncryptUpdate(s->s1.ctr, out, &len, in, (int)in_len) == 1 || crypto_failed(err);
}

static bool send(Wire__Sec1 *body, session_out_t out, err_t *err)
{
    Wire__Session message;

    wire__session__init(&message);
    message.version = WIRE__SEC_VERSION__SEC1;
    message.body_case = WIRE__SESSION__BODY_SEC1;
    message.sec1 = body;
    return session_pack(&message, out, err);
}

/* -- device ---------------------------------------------------------------------------------- */

static bool answer_command0(protocomm_session_t *s, const Wire__Sec1 *in, session_out_t out,
                            err_t *err)
{
    uint8_t random[RANDOM_LEN];
    Wire__Sec1 body;
    Wire__Sec1Response0 response;

    protocomm_session_reset(s);
    if (in->body_case != WIRE__SEC1__BODY_COMMAND0 || !in->command0 ||
        in->command0->client_public.len != X25519_LEN)
        return err_set(err, ERR_INPUT, "the client's first message has no key of %d bytes",
                       X25519_LEN);
    memcpy(s->s1.peer_public, in->command0->client_public.data, X25519_LEN);
    if (!make_key(s, err) || !session_random(&s->random, random, sizeof random, err) ||
        !start_stream(s, random, err))
        return false;
    wire__sec1__init(&body);
    wire__sec1_response0__init(&response);
    response.device_public = message_bytes(s->s1.own_public, X25519_LEN);
    response.device_random = message_bytes(random, sizeof random);
    body.msg = WIRE__STEP__RESPONSE0;
    body.body_case = WIRE__SEC1__BODY_RESPONSE0;
    body.response0 = &response;
    s->step = STEP_FIRST;
    return send(&body, out, err);
}

static bool answer_command1(protocomm_session_t *s, const Wire__Sec1 *in, session_out_t out,
                            err_t *err)
{
    uint8_t check[X25519_LEN];
    Wire__Sec1 body;
    Wire__Sec1Response1 response;

    if (s->step != STEP_FIRST)
        return err_set(err, ERR_PRECONDITION, "the client's second message came without a first");
    s->step = STEP_BEGIN;
    if (in->body_case != WIRE__SEC1__BODY_COMMAND1 || !in->command1 ||
        in->command1->client_verify.len != X25519_LEN)
        return err_set(err, ERR_INPUT, "the client's second message has no proof of %d bytes",
                       X25519_LEN);
    if (!stream(s, in->command1->client_verify.data, X25519_LEN, check, err))
        return false;
    if (!bytes_equal_secret(check, s->s1.own_public, X25519_LEN))
        return err_set(err, ERR_PEER, "the client's proof of possession is wrong");
    if (!stream(s, s->s1.peer_public, X25519_LEN, check, err))
        return false;
    wire__sec1__init(&body);
    wire__sec1_response1__init(&response);
    response.device_verify = message_bytes(check, X25519_LEN);
    body.msg = WIRE__STEP__RESPONSE1;
    body.body_case = WIRE__SEC1__BODY_RESPONSE1;
    body.response1 = &response;
    s->step = STEP_UP;
    return send(&body, out, err);
}

static bool security1_answer(protocomm_session_t *s, const Wire__Session *in, session_out_t out,
                             err_t *err)
{
    if (in->body_case != WIRE__SESSION__BODY_SEC1 || !in->sec1)
        return err_set(err, ERR_INPUT, "a security 1 message has no body");
    if (in->sec1->msg == WIRE__STEP__COMMAND0)
        return answer_command0(s, in->sec1, out, err);
    if (in->sec1->msg == WIRE__STEP__COMMAND1)
        return answer_command1(s, in->sec1, out, err);
    return err_set(err, ERR_INPUT, "a security 1 message is no command");
}

/* -- client ---------------------------------------------------------------------------------- */

static bool begin(protocomm_session_t *s, session_out_t out, err_t *err)
{
    Wire__Sec1 body;
    Wire__Sec1Command0 command;

    if (!make_key(s, err))
        return false;
    wire__sec1__init(&body);
    wire__sec1_command0__init(&command);
    command.client_public = message_bytes(s->s1.own_public, X25519_LEN);
    body.msg = WIRE__STEP__COMMAND0;
    body.body_case = WIRE__SEC1__BODY_COMMAND0;
    body.command0 = &command;
    s->step = STEP_FIRST;
    return send(&body, out, err);
}

static bool take_response0(protocomm_session_t *s, const Wire__Sec1 *in, session_out_t out,
                           err_t *err)
{
    uint8_t verify[X25519_LEN];
    Wire__Sec1 body;
    Wire__Sec1Command1 command;

    if (in->msg != WIRE__STEP__RESPONSE0 || in->body_case != WIRE__SEC1__BODY_RESPONSE0 ||
        !in->response0 || in->response0->status != WIRE__STATUS__SUCCESS ||
        in->response0->device_public.len != X25519_LEN ||
        in->response0->device_random.len != RANDOM_LEN)
        return err_set(err, ERR_INPUT, "the device's first answer is malformed");
    memcpy(s->s1.peer_public, in->response0->device_public.data, X25519_LEN);
    if (!start_stream(s, in->response0->device_random.data, err) ||
        !stream(s, s->s1.peer_public, X25519_LEN, verify, err))
        return false;
    wire__sec1__init(&body);
    wire__sec1_command1__init(&command);
    command.client_verify = message_bytes(verify, X25519_LEN);
    body.msg = WIRE__STEP__COMMAND1;
    body.body_case = WIRE__SEC1__BODY_COMMAND1;
    body.command1 = &command;
    s->step = STEP_LAST;
    return send(&body, out, err);
}

static bool take_response1(protocomm_session_t *s, const Wire__Sec1 *in, session_out_t out,
                           err_t *err)
{
    uint8_t check[X25519_LEN];

    if (in->msg != WIRE__STEP__RESPONSE1 || in->body_case != WIRE__SEC1__BODY_RESPONSE1 ||
        !in->response1 || in->response1->status != WIRE__STATUS__SUCCESS ||
        in->response1->device_verify.len != X25519_LEN)
        return err_set(err, ERR_INPUT, "the device's second answer is malformed");
    if (!stream(s, in->response1->device_verify.data, X25519_LEN, check, err))
        return false;
    if (!bytes_equal_secret(check, s->s1.own_public, X25519_LEN))
        return err_set(err, ERR_PEER, "the device could not prove that it knows the secret");
    s->step = STEP_UP;
    *out.len = 0;
    return true;
}

static bool security1_advance(protocomm_session_t *s, const Wire__Session *in, session_out_t out,
                              err_t *err)
{
    session_step_t step = s->step;

    if (!in)
        return begin(s, out, err);
    s->step = STEP_BEGIN;
    if (in->body_case != WIRE__SESSION__BODY_SEC1 || !in->sec1)
        return err_set(err, ERR_INPUT, "the device's answer has no body");
    if (step == STEP_FIRST)
        return take_response0(s, in->sec1, out, err);
    if (step == STEP_LAST)
        return take_response1(s, in->sec1, out, err);
    return err_set(err, ERR_PRECONDITION, "no answer to a session message was expected");
}

static bool security1_crypt(protocomm_session_t *s, bool encrypt, const uint8_t *in, size_t in_len,
                            session_out_t out, err_t *err)
{
    (void)encrypt;
    if (in_len > out.cap)
        return err_set(err, ERR_USAGE, "the buffer for a payload is too small");
    *out.len = in_len;
    return stream(s, in, in_len, out.data, err);
}

const security_ops_t security1_ops = {security1_answer, security1_advance, security1_crypt,
                                      security1_reset};

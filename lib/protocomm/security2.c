/* SPDX-License-Identifier: Apache-2.0 */
/* Security 2: SRP-6a, then AES-256-GCM with a nonce that both ends count (patch version 1). */
#include <openssl/evp.h>
#include <string.h>

#include "base/bytes.h"
#include "protocomm/session.h"

static void security2_reset(protocomm_session_t *s)
{
    srp_free(s->s2.srp);
    bytes_wipe(&s->s2, sizeof s->s2);
}

static bool send(Wire__Sec2 *body, session_out_t out, err_t *err)
{
    Wire__Session message;

    wire__session__init(&message);
    message.version = WIRE__SEC_VERSION__SEC2;
    message.body_case = WIRE__SESSION__BODY_SEC2;
    message.sec2 = body;
    return session_pack(&message, out, err);
}

static bool start_srp(protocomm_session_t *s, err_t *err)
{
    protocomm_session_reset(s);
    s->s2.srp = srp_new();
    return s->s2.srp || err_set(err, ERR_SYSTEM, "out of memory for a security 2 session");
}

/* The payload key is the first half of K. The group's numbers are no longer needed. */
static void start_payloads(protocomm_session_t *s, const uint8_t nonce[NONCE_LEN])
{
    memcpy(s->s2.key, srp_key(s->s2.srp), sizeof s->s2.key);
    memmove(s->s2.nonce, nonce, NONCE_LEN);
    srp_free(s->s2.srp);
    s->s2.srp = NULL;
    s->step = STEP_UP;
}

/* -- device ---------------------------------------------------------------------------------- */

static bool answer_command0(protocomm_session_t *s, const Wire__Sec2 *in, session_out_t out,
                            err_t *err)
{
    size_t public_len;
    Wire__Sec2 body;
    Wire__Sec2Response0 response;

    if (!start_srp(s, err))
        return false;
    if (in->body_case != WIRE__SEC2__BODY_COMMAND0 || !in->command0 ||
        in->command0->client_public.len != SRP_N_LEN || in->command0->username.len == 0)
        return err_set(err, ERR_INPUT, "the client's first message has no user name or key");
    if (!srp_device(s->s2.srp, &s->random, in->command0->username.data, in->command0->username.len,
                    s->salt, s->salt_len, s->verifier, in->command0->client_public.data, err))
        return false;
    const uint8_t *b_public = srp_public(s->s2.srp, &public_len);
    wire__sec2__init(&body);
    wire__sec2_response0__init(&response);
    response.device_public = message_bytes(b_public, public_len);
    response.salt = message_bytes(s->salt, s->salt_len);
    body.msg = WIRE__STEP__RESPONSE0;
    body.body_case = WIRE__SEC2__BODY_RESPONSE0;
    body.response0 = &response;
    s->step = STEP_FIRST;
    return send(&body, out, err);
}

static bool answer_command1(protocomm_session_t *s, const Wire__Sec2 *in, session_out_t out,
                            err_t *err)
{
    uint8_t expected[PROOF_LEN], proof[PROOF_LEN], nonce[NONCE_LEN];
    Wire__Sec2 body;
    Wire__Sec2Response1 response;

    if (s->step != STEP_FIRST)
        return err_set(err, ERR_PRECONDITION, "the client's second message came without a first");
    s->step = STEP_BEGIN;
    if (in->body_case != WIRE__SEC2__BODY_COMMAND1 || !in->command1 ||
        in->command1->client_proof.len != PROOF_LEN)
        return err_set(err, ERR_INPUT, "the client's second message has no proof of %d bytes",
                       PROOF_LEN);
    if (!srp_client_proof(s->s2.srp, expected))
        return err_set(err, ERR_SYSTEM, "the crypto library failed in a security 2 session");
    if (!bytes_equal_secret(expected, in->command1->client_proof.data, PROOF_LEN))
        return err_set(err, ERR_PEER, "the client's user name or password is wrong");
    if (!srp_device_proof(s->s2.srp, expected, proof) ||
        !session_random(&s->random, nonce, NONCE_LEN - 4, err))
        return err_set(err, ERR_SYSTEM, "the crypto library failed in a security 2 session");
    memcpy(nonce + NONCE_LEN - 4, (const uint8_t[]){0, 0, 0, 1}, 4);
    start_payloads(s, nonce);
    wire__sec2__init(&body);
    wire__sec2_response1__init(&response);
    response.device_proof = message_bytes(proof, PROOF_LEN);
    response.nonce = message_bytes(nonce, NONCE_LEN);
    body.msg = WIRE__STEP__RESPONSE1;
    body.body_case = WIRE__SEC2__BODY_RESPONSE1;
    body.response1 = &response;
    return send(&body, out, err);
}

static bool security2_answer(protocomm_session_t *s, const Wire__Session *in, session_out_t out,
                             err_t *err)
{
    if (in->body_case != WIRE__SESSION__BODY_SEC2 || !in->sec2)
        return err_set(err, ERR_INPUT, "a security 2 message has no body");
    if (in->sec2->msg == WIRE__STEP__COMMAND0)
        return answer_command0(s, in->sec2, out, err);
    if (in->sec2->msg == WIRE__STEP__COMMAND1)
        return answer_command1(s, in->sec2, out, err);
    return err_set(err, ERR_INPUT, "a security 2 message is no command");
}

/* -- client ---------------------------------------------------------------------------------- */

static bool begin(protocomm_session_t *s, session_out_t out, err_t *err)
{
    size_t public_len;
    Wire__Sec2 body;
    Wire__Sec2Command0 command;

    if (!start_srp(s, err) || !srp_client(s->s2.srp, &s->random, err))
        return false;
    const uint8_t *a_public = srp_public(s->s2.srp, &public_len);
    wire__sec2__init(&body);
    wire__sec2_command0__init(&command);
    command.username = message_bytes(s->username, strlen(s->username));
    command.client_public = message_bytes(a_public, public_len);
    body.msg = WIRE__STEP__COMMAND0;
    body.body_case = WIRE__SEC2__BODY_COMMAND0;
    body.command0 = &command;
    s->step = STEP_FIRST;
    return send(&body, out, err);
}

static bool take_response0(protocomm_session_t *s, const Wire__Sec2 *in, session_out_t out,
                           err_t *err)
{
    Wire__Sec2 body;
    Wire__Sec2Command1 command;
    const Wire__Sec2Response0 *r = in->response0;

    if (in->msg != WIRE__STEP__RESPONSE0 || in->body_case != WIRE__SEC2__BODY_RESPONSE0 || !r ||
        r->status != WIRE__STATUS__SUCCESS || r->salt.len == 0)
        return err_set(err, ERR_INPUT, "the device's first answer is malformed");
    if (!srp_client_key(s->s2.srp, s->username, s->password, r->salt.data, r->salt.len,
                        r->device_public.data, r->device_public.len, err))
        return false;
    if (!srp_client_proof(s->s2.srp, s->s2.client_proof))
        return err_set(err, ERR_SYSTEM, "the crypto library failed in a security 2 session");
    wire__sec2__init(&body);
    wire__sec2_command1__init(&command);
    command.client_proof = message_bytes(s->s2.client_proof, PROOF_LEN);
    body.msg = WIRE__STEP__COMMAND1;
    body.body_case = WIRE__SEC2__BODY_COMMAND1;
    body.command1 = &command;
    s->step = STEP_LAST;
    return send(&body, out, err);
}

static bool take_response1(protocomm_session_t *s, const Wire__Sec2 *in, session_out_t out,
                           err_t *err)
{
    uint8_t expected[PROOF_LEN];
    const Wire__Sec2Response1 *r = in->response1;

    if (in->msg != WIRE__STEP__RESPONSE1 || in->body_case != WIRE__SEC2__BODY_RESPONSE1 || !r ||
        r->status != WIRE__STATUS__SUCCESS || r->device_proof.len != PROOF_LEN ||
        r->nonce.len != NONCE_LEN)
        return err_set(err, ERR_INPUT, "the device's second answer is malformed");
    if (!srp_device_proof(s->s2.srp, s->s2.client_proof, expected))
        return err_set(err, ERR_SYSTEM, "the crypto library failed in a security 2 session");
    if (!bytes_equal_secret(expected, r->device_proof.data, PROOF_LEN))
        return err_set(err, ERR_PEER, "the device could not prove that it knows the secret");
    start_payloads(s, r->nonce.data);
    *out.len = 0;
    return true;
}

static bool security2_advance(protocomm_session_t *s, const Wire__Session *in, session_out_t out,
                              err_t *err)
{
    session_step_t step = s->step;

    if (!in)
        return begin(s, out, err);
    s->step = STEP_BEGIN;
    if (in->body_case != WIRE__SESSION__BODY_SEC2 || !in->sec2)
        return err_set(err, ERR_INPUT, "the device's answer has no body");
    if (step == STEP_FIRST)
        return take_response0(s, in->sec2, out, err);
    if (step == STEP_LAST)
        return take_response1(s, in->sec2, out, err);
    return err_set(err, ERR_PRECONDITION, "no answer to a session message was expected");
}

/* -- payloads -------------------------------------------------------------------------------- */

/* One counter for both directions: moves after every payload that was good. */
static void count(security2_t *s2)
{
    for (int i = NONCE_LEN - 1; i >= NONCE_LEN - 4; i--)
        if (++s2->nonce[i] != 0)
            break;
}

static bool seal(const security2_t *s2, const uint8_t *in, size_t in_len, uint8_t *out)
{
    int len = 0, end = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, s2->key, s2->nonce) == 1 &&
              (in_len == 0 || EVP_EncryptUpdate(ctx, out, &len, in, (int)in_len) == 1) &&
              EVP_EncryptFinal_ex(ctx, out + len, &end) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, GCM_TAG_LEN, out + in_len) == 1;

    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

static bool unseal(const security2_t *s2, const uint8_t *in, size_t len, uint8_t *out)
{
    uint8_t tag[GCM_TAG_LEN];
    int done = 0, end = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    memcpy(tag, in + len, sizeof tag);
    bool ok = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, s2->key, s2->nonce) == 1 &&
              (len == 0 || EVP_DecryptUpdate(ctx, out, &done, in, (int)len) == 1) &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, GCM_TAG_LEN, tag) == 1 &&
              EVP_DecryptFinal_ex(ctx, out + done, &end) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok)
        bytes_wipe(out, len); /* unauthenticated plain text goes nowhere */
    return ok;
}

static bool security2_crypt(protocomm_session_t *s, bool encrypt, const uint8_t *in, size_t in_len,
                            session_out_t out, err_t *err)
{
    static const uint8_t zero[4] = {0};
    size_t len = encrypt ? in_len + GCM_TAG_LEN : in_len - GCM_TAG_LEN;

    if (!encrypt && in_len < GCM_TAG_LEN)
        return err_set(err, ERR_INPUT, "a payload of %zu bytes is shorter than its tag", in_len);
    if (len > out.cap)
        return err_set(err, ERR_USAGE, "the buffer for a payload is too small");
    if (s->patch_version == 1 && memcmp(s->s2.nonce + NONCE_LEN - 4, zero, sizeof zero) == 0)
        return err_set(err, ERR_PRECONDITION, "the session is used up: begin a new one");
    if (encrypt && !seal(&s->s2, in, in_len, out.data))
        return err_set(err, ERR_SYSTEM, "the crypto library failed in a security 2 session");
    if (!encrypt && !unseal(&s->s2, in, len, out.data))
        return err_set(err, ERR_INPUT, "a payload's tag does not match");
    if (s->patch_version == 1)
        count(&s->s2);
    *out.len = len;
    return true;
}

const security_ops_t security2_ops = {security2_answer, security2_advance, security2_crypt,
                                      security2_reset};

/* SPDX-License-Identifier: Apache-2.0 */
#include "protocomm/session.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

bool session_random(const protocomm_random_t *random, uint8_t *out, size_t len, err_t *err)
{
    bool ok = random->fill ? random->fill(random->ctx, out, len) : RAND_bytes(out, (int)len) == 1;

    return ok || err_set(err, ERR_SYSTEM, "no random bytes could be had");
}

bool session_pack(const Wire__Session *message, session_out_t out, err_t *err)
{
    if (message_pack(&message->base, out.data, out.cap, out.len))
        return true;
    return err_set(err, ERR_USAGE, "the buffer for a session message is too small");
}

/* -- Security 0 ------------------------------------------------------------------------------ */

/* ESP-IDF's security0.c looks at nothing but the version. */
static bool security0_answer(protocomm_session_t *s, const Wire__Session *in, session_out_t out,
                             err_t *err)
{
    Wire__Session message;
    Wire__Sec0 body;
    Wire__StatusOnly status;

    (void)in;
    wire__session__init(&message);
    wire__sec0__init(&body);
    wire__status_only__init(&status);
    body.msg = WIRE__SEC0_MSG__S0_RESPONSE;
    body.body_case = WIRE__SEC0__BODY_RESPONSE;
    body.response = &status;
    message.version = WIRE__SEC_VERSION__SEC0;
    message.body_case = WIRE__SESSION__BODY_SEC0;
    message.sec0 = &body;
    s->step = STEP_UP;
    return session_pack(&message, out, err);
}

static bool security0_begin(protocomm_session_t *s, session_out_t out, err_t *err)
{
    Wire__Session message;
    Wire__Sec0 body;
    Wire__Nothing command;

    wire__session__init(&message);
    wire__sec0__init(&body);
    wire__nothing__init(&command);
    body.msg = WIRE__SEC0_MSG__S0_COMMAND;
    body.body_case = WIRE__SEC0__BODY_COMMAND;
    body.command = &command;
    message.version = WIRE__SEC_VERSION__SEC0;
    message.body_case = WIRE__SESSION__BODY_SEC0;
    message.sec0 = &body;
    s->step = STEP_LAST;
    return session_pack(&message, out, err);
}

static bool security0_advance(protocomm_session_t *s, const Wire__Session *in, session_out_t out,
                              err_t *err)
{
    if (!in)
        return security0_begin(s, out, err);
    if (s->step != STEP_LAST)
        return err_set(err, ERR_PRECONDITION, "no answer to a session message was expected");
    s->step = STEP_BEGIN;
    if (in->body_case != WIRE__SESSION__BODY_SEC0 || !in->sec0 ||
        in->sec0->msg != WIRE__SEC0_MSG__S0_RESPONSE ||
        in->sec0->body_case != WIRE__SEC0__BODY_RESPONSE || !in->sec0->response ||
        in->sec0->response->status != WIRE__STATUS__SUCCESS)
        return err_set(err, ERR_INPUT, "the device's answer to the session command is malformed");
    s->step = STEP_UP;
    *out.len = 0;
    return true;
}

static bool security0_crypt(protocomm_session_t *s, bool encrypt, const uint8_t *in, size_t in_len,
                            session_out_t out, err_t *err)
{
    (void)s, (void)encrypt;
    if (in_len > out.cap)
        return err_set(err, ERR_USAGE, "the buffer for a payload is too small");
    if (in_len)
        memcpy(out.data, in, in_len);
    *out.len = in_len;
    return true;
}

static void security0_reset(protocomm_session_t *s)
{
    (void)s;
}

static const security_ops_t security0_ops = {security0_answer, security0_advance, security0_crypt,
                                             security0_reset};

/* -- All versions ---------------------------------------------------------------------------- */

static bool check_parameters(const protocomm_security_t *p, bool device, err_t *err)
{
    if (p->version < 0 || p->version > 2)
        return err_set(err, ERR_USAGE, "security %d does not exist: use 0, 1 or 2", p->version);
    if (p->version == 1 && p->pop_len > PROTOCOMM_POP_MAX)
        return err_set(err, ERR_USAGE, "a proof of possession has at most %d bytes",
                       PROTOCOMM_POP_MAX);
    if (p->version != 2)
        return true;
    if (p->patch_version != 0 && p->patch_version != 1)
        return err_set(err, ERR_USAGE, "security 2 has patch versions 0 and 1, not %d",
                       p->patch_version);
    if (device && (!p->verifier || !p->salt || !p->salt_len || p->salt_len > PROTOCOMM_SALT_MAX))
        return err_set(err, ERR_USAGE, "security 2 needs a salt of 1 to %d bytes and a verifier",
                       PROTOCOMM_SALT_MAX);
    if (!device &&
        (!p->username || !p->password || !p->username[0] ||
         strlen(p->username) > PROTOCOMM_POP_MAX || strlen(p->password) > PROTOCOMM_POP_MAX))
        return err_set(err, ERR_USAGE,
                       "security 2 needs a user name and a password of at most %d bytes",
                       PROTOCOMM_POP_MAX);
    return true;
}

static protocomm_session_t *session_new(const protocomm_security_t *p, bool device, err_t *err)
{
    static const security_ops_t *const ops[] = {&security0_ops, &security1_ops, &security2_ops};

    if (!check_parameters(p, device, err))
        return NULL;
    protocomm_session_t *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(err, ERR_SYSTEM, "out of memory for a provisioning session");
        return NULL;
    }
    s->ops = ops[p->version];
    s->version = p->version;
    s->patch_version = p->patch_version;
    s->device = device;
    s->random = p->random;
    if (p->version == 1 && p->pop_len) {
        memcpy(s->pop, p->pop, p->pop_len);
        s->pop_len = p->pop_len;
    }
    if (p->version == 2 && device) {
        memcpy(s->salt, p->salt, p->salt_len);
        s->salt_len = p->salt_len;
        memcpy(s->verifier, p->verifier, sizeof s->verifier);
    }
    if (p->version == 2 && !device) {
        strcpy(s->username, p->username);
        strcpy(s->password, p->password);
    }
    return s;
}

protocomm_session_t *protocomm_session_device(const protocomm_security_t *security, err_t *err)
{
    return session_new(security, true, err);
}

protocomm_session_t *protocomm_session_client(const protocomm_security_t *security, err_t *err)
{
    return session_new(security, false, err);
}

void protocomm_session_free(protocomm_session_t *session)
{
    if (!session)
        return;
    session->ops->reset(session);
    bytes_wipe(session, sizeof *session);
    free(session);
}

void protocomm_session_reset(protocomm_session_t *session)
{
    session->ops->reset(session);
    session->step = STEP_BEGIN;
}

bool protocomm_session_answer(protocomm_session_t *session, const uint8_t *in, size_t in_len,
                              uint8_t *out, size_t cap, size_t *out_len, err_t *err)
{
    *out_len = 0;
    Wire__Session *message = message_session(in, in_len);
    if (!message)
        return err_set(err, ERR_INPUT, "a session message of %zu bytes is malformed", in_len);
    bool ok = (int)message->version == session->version
                  ? session->ops->answer(session, message, (session_out_t){out, cap, out_len}, err)
                  : err_set(err, ERR_INPUT, "the client speaks security %d, this device speaks %d",
                            (int)message->version, session->version);
    message_session_free(message);
    return ok;
}

bool protocomm_session_advance(protocomm_session_t *session, const uint8_t *in, size_t in_len,
                               uint8_t *out, size_t cap, size_t *out_len, err_t *err)
{
    session_out_t to = {out, cap, out_len};

    *out_len = 0;
    if (!in) {
        protocomm_session_reset(session);
        return session->ops->advance(session, NULL, to, err);
    }
    Wire__Session *message = message_session(in, in_len);
    if (!message || (int)message->version != session->version) {
        message_session_free(message);
        return err_set(err, ERR_INPUT, "the device's answer to a session message is malformed");
    }
    bool ok = session->ops->advance(session, message, to, err);
    message_session_free(message);
    return ok;
}

bool protocomm_session_up(const protocomm_session_t *session)
{
    return session->step == STEP_UP || (session->device && session->version == 0);
}

static bool session_crypt(protocomm_session_t *session, bool encrypt, const uint8_t *in,
                          size_t in_len, session_out_t out, err_t *err)
{
    *out.len = 0;
    if (!protocomm_session_up(session))
        return err_set(err, ERR_PRECONDITION, "a request came before the session was set up");
    return session->ops->crypt(session, encrypt, in, in_len, out, err);
}

bool protocomm_session_encrypt(protocomm_session_t *session, const uint8_t *in, size_t in_len,
                               uint8_t *out, size_t cap, size_t *out_len, err_t *err)
{
    return session_crypt(session, true, in, in_len, (session_out_t){out, cap, out_len}, err);
}

bool protocomm_session_decrypt(protocomm_session_t *session, const uint8_t *in, size_t in_len,
                               uint8_t *out, size_t cap, size_t *out_len, err_t *err)
{
    return session_crypt(session, false, in, in_len, (session_out_t){out, cap, out_len}, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The client's life: version, session, encrypted calls. */
#include "protocomm/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "json/json.h"
#include "protocomm/client_state.h"

struct protocomm_client {
    protocomm_transport_t transport;
    protocomm_session_t *session;
};

protocomm_outcome_t client_fail(protocomm_outcome_t outcome, err_t *err, const char *text)
{
    err_set(err, outcome == PROTOCOMM_IMPOSSIBLE ? ERR_USAGE : ERR_PEER, "%s", text);
    return outcome;
}

protocomm_outcome_t client_status(Wire__Status status, const char *what, err_t *err)
{
    if (status == WIRE__STATUS__SUCCESS)
        return PROTOCOMM_OK;
    err_set(err, ERR_PEER, "the device refused %s (status %d)", what, (int)status);
    return PROTOCOMM_REFUSED;
}

protocomm_client_t *protocomm_client_new(const protocomm_transport_t *transport, err_t *err)
{
    protocomm_client_t *client = calloc(1, sizeof *client);

    if (!client) {
        err_set(err, ERR_SYSTEM, "out of memory for a provisioning session");
        transport->close(transport->ctx);
        return NULL;
    }
    client->transport = *transport;
    return client;
}

void protocomm_client_free(protocomm_client_t *client)
{
    if (!client)
        return;
    protocomm_session_free(client->session);
    client->transport.close(client->transport.ctx);
    free(client);
}

static protocomm_outcome_t request(protocomm_client_t *client, const char *endpoint,
                                   const uint8_t *in, size_t in_len, uint8_t *out, size_t cap,
                                   size_t *out_len, err_t *err)
{
    return client->transport.request(client->transport.ctx, endpoint, in, in_len, out, cap, out_len,
                                     err);
}

/* -- proto-ver ------------------------------------------------------------------------------- */

/* Is `word` among the first ten capabilities? */
static bool has_capability(const char *text, size_t len, const char *word)
{
    char path[] = "prov.cap.0";
    json_token_t token;

    for (char digit = '0'; digit <= '9'; digit++) {
        path[sizeof path - 2] = digit;
        if (!json_find(text, len, path, &token))
            return false;
        if (json_equals(&token, word))
            return true;
    }
    return false;
}

static bool find_number(const char *text, size_t len, const char *path, int *value)
{
    json_token_t token;
    int64_t number;

    if (!json_find(text, len, path, &token) || !json_i64(&token, &number) || number < 0 ||
        number > 255)
        return false;
    *value = (int)number;
    return true;
}

protocomm_outcome_t protocomm_client_version(protocomm_client_t *client,
                                             protocomm_version_t *version, err_t *err)
{
    char text[PROTOCOMM_MESSAGE_MAX];
    json_token_t token;
    size_t len;

    memset(version, 0, sizeof *version);
    protocomm_outcome_t outcome = request(client, "proto-ver", (const uint8_t *)"ESP", 3,
                                          (uint8_t *)text, sizeof text, &len, err);
    if (outcome != PROTOCOMM_OK)
        return outcome;
    if (!json_find(text, len, "prov", &token))
        return client_fail(PROTOCOMM_BAD_ANSWER, err,
                           "the device does not say which provisioning protocol it speaks");
    if (json_find(text, len, "prov.ver", &token))
        (void)json_string(&token, version->name, sizeof version->name, NULL);
    /* Firmware from before sec_ver existed speaks 1, unless it says no_sec. */
    if (!find_number(text, len, "prov.sec_ver", &version->security))
        version->security = has_capability(text, len, "no_sec") ? 0 : 1;
    (void)find_number(text, len, "prov.sec_patch_ver", &version->patch_version);
    version->needs_secret =
        version->security == 2 || (version->security == 1 && !has_capability(text, len, "no_pop"));
    version->can_scan = has_capability(text, len, "wifi_scan");
    return PROTOCOMM_OK;
}

/* -- session --------------------------------------------------------------------------------- */

/* Sends what the session wants to say until it is up. */
static protocomm_outcome_t shake(protocomm_client_t *client, err_t *err)
{
    uint8_t to[PROTOCOMM_MESSAGE_MAX], back[PROTOCOMM_MESSAGE_MAX];
    size_t to_len, back_len = 0;
    err_t why = ERR_INIT;
    protocomm_outcome_t outcome = PROTOCOMM_OK;

    for (int sent = 0; outcome == PROTOCOMM_OK; sent++) {
        if (!protocomm_session_advance(client->session, sent ? back : NULL, back_len, to, sizeof to,
                                       &to_len, &why))
            outcome = why.kind == ERR_PEER ? PROTOCOMM_BAD_SECRET : PROTOCOMM_BAD_ANSWER;
        else if (to_len == 0)
            return PROTOCOMM_OK;
        else
            outcome =
                request(client, "prov-session", to, to_len, back, sizeof back, &back_len, &why);
        if (outcome == PROTOCOMM_NO_ANSWER && sent == 1) /* how a device says that it is wrong */
            return client_fail(PROTOCOMM_BAD_SECRET, err,
                               "the device does not accept the proof of possession or password");
    }
    err_set(err, why.kind, "%s", why.text);
    return outcome;
}

protocomm_outcome_t protocomm_client_session(protocomm_client_t *client,
                                             const protocomm_security_t *security, err_t *err)
{
    protocomm_session_free(client->session);
    client->session = protocomm_session_client(security, err);
    return client->session ? shake(client, err) : PROTOCOMM_IMPOSSIBLE;
}

/* -- encrypted calls ------------------------------------------------------------------------- */

protocomm_outcome_t protocomm_client_call(protocomm_client_t *client, const char *endpoint,
                                          const uint8_t *in, size_t in_len, uint8_t *out,
                                          size_t cap, size_t *out_len, err_t *err)
{
    uint8_t to[PROTOCOMM_MESSAGE_MAX], back[PROTOCOMM_MESSAGE_MAX];
    size_t to_len, back_len;
    err_t why = ERR_INIT;

    *out_len = 0;
    if (!client->session)
        return client_fail(PROTOCOMM_IMPOSSIBLE, err, "there is no session to send this through");
    if (!protocomm_session_encrypt(client->session, in, in_len, to, sizeof to, &to_len, err))
        return PROTOCOMM_IMPOSSIBLE;
    protocomm_outcome_t outcome =
        request(client, endpoint, to, to_len, back, sizeof back, &back_len, err);
    bytes_wipe(to, sizeof to); /* with Security 0 it is the plain text */
    if (outcome != PROTOCOMM_OK)
        return outcome;
    if (!protocomm_session_decrypt(client->session, back, back_len, out, cap, out_len, &why)) {
        err_set(err, ERR_PEER, "the device's answer cannot be decrypted: %s", why.text);
        return PROTOCOMM_BAD_ANSWER;
    }
    return PROTOCOMM_OK;
}

protocomm_outcome_t client_command(protocomm_client_t *client, const char *endpoint,
                                   const ProtobufCMessage *message,
                                   uint8_t back[PROTOCOMM_MESSAGE_MAX], size_t *back_len,
                                   err_t *err)
{
    uint8_t plain[PROTOCOMM_MESSAGE_MAX - PROTOCOMM_OVERHEAD];
    size_t len;

    if (!message_pack(message, plain, sizeof plain, &len))
        return client_fail(PROTOCOMM_IMPOSSIBLE, err, "the command is too long");
    protocomm_outcome_t outcome = protocomm_client_call(client, endpoint, plain, len, back,
                                                        PROTOCOMM_MESSAGE_MAX, back_len, err);
    bytes_wipe(plain, len);
    return outcome;
}

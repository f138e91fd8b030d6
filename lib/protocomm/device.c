/* SPDX-License-Identifier: Apache-2.0 */
#include "protocomm/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "protocomm/device_state.h"

/* -- proto-ver ------------------------------------------------------------------------------- */

/* What cJSON_Print makes of network_provisioning 1.2.4's description, byte for byte. */
static void describe(protocomm_device_t *device, const protocomm_security_t *security)
{
    const char *cap = "";

    if (security->version == 0)
        cap = "\"no_sec\", ";
    else if (security->version == 1 && security->pop_len == 0)
        cap = "\"no_pop\", ";
    snprintf(device->version_text, sizeof device->version_text,
             "{\n\t\"prov\":\t{\n\t\t\"ver\":\t\"netprov-v1.2\",\n\t\t\"sec_ver\":\t%d,\n"
             "\t\t\"sec_patch_ver\":\t%d,\n\t\t\"cap\":\t[%s\"wifi_prov\", \"wifi_scan\"]\n\t}\n}",
             security->version, security->version == 2 ? security->patch_version : 0, cap);
}

/* -- life ------------------------------------------------------------------------------------ */

protocomm_device_t *protocomm_device_new(const protocomm_security_t *security,
                                         const protocomm_port_t *port, err_t *err)
{
    protocomm_device_t *device = calloc(1, sizeof *device);

    if (!device) {
        err_set(err, ERR_SYSTEM, "out of memory for the provisioning service");
        return NULL;
    }
    device->security = protocomm_session_device(security, err);
    if (!device->security) {
        free(device);
        return NULL;
    }
    device->port = *port;
    device->version = security->version;
    describe(device, security);
    return device;
}

void protocomm_device_free(protocomm_device_t *device)
{
    if (!device)
        return;
    protocomm_session_free(device->security);
    bytes_wipe(device, sizeof *device);
    free(device);
}

bool protocomm_device_endpoint(protocomm_device_t *device, const char *name, bool secured,
                               protocomm_handler_t handler, void *ctx, err_t *err)
{
    if (device->custom_count == PROTOCOMM_CUSTOM_MAX)
        return err_set(err, ERR_USAGE, "there is room for %d custom endpoints only",
                       PROTOCOMM_CUSTOM_MAX);
    if (!name[0] || strlen(name) > PROTOCOMM_NAME_MAX || protocomm_device_has(device, name))
        return err_set(err, ERR_USAGE, "the endpoint name '%.40s' is too long or in use", name);
    custom_t *custom = &device->custom[device->custom_count++];
    strcpy(custom->name, name);
    custom->secured = secured;
    custom->handler = handler;
    custom->ctx = ctx;
    return true;
}

/* -- sessions -------------------------------------------------------------------------------- */

void protocomm_device_open(protocomm_device_t *device, uint32_t session)
{
    if (device->open)
        protocomm_device_close(device, device->session);
    device->open = true;
    device->session = session;
}

void protocomm_device_close(protocomm_device_t *device, uint32_t session)
{
    if (!device->open || device->session != session)
        return;
    protocomm_device_cancel(device);
    protocomm_session_reset(device->security);
    device->open = false;
}

/* -- requests -------------------------------------------------------------------------------- */

protocomm_result_t device_reply(call_t *call, const ProtobufCMessage *message)
{
    if (message_pack(message, call->out, PLAIN_MAX, &call->out_len))
        return PROTOCOMM_ANSWER;
    return device_refuse(call, "the answer does not fit");
}

protocomm_result_t device_refuse(call_t *call, const char *why)
{
    err_set(&call->why, ERR_INPUT, "%s", why);
    call->out_len = 0;
    return PROTOCOMM_FAILED;
}

Wire__AuthMode device_auth_mode(uint8_t auth)
{
    /* ESP-IDF's newer modes, as the nearest that the protocol and its clients know. */
    static const uint8_t known[] = {
        [8] = WIRE__AUTH_MODE__WPA2_PSK,         /* WAPI                         */
        [9] = WIRE__AUTH_MODE__OPEN,             /* OWE: needs no passphrase     */
        [10] = WIRE__AUTH_MODE__WPA2_ENTERPRISE, /* WPA3 enterprise 192          */
        [11] = WIRE__AUTH_MODE__WPA3_PSK,        /* WPA3 extended PSK            */
        [12] = WIRE__AUTH_MODE__WPA3_PSK,        /* the same, mixed              */
        [13] = WIRE__AUTH_MODE__WPA2_PSK,        /* DPP                          */
        [14] = WIRE__AUTH_MODE__WPA2_ENTERPRISE, /* WPA3 enterprise              */
        [15] = WIRE__AUTH_MODE__WPA2_ENTERPRISE, /* WPA2 and WPA3 enterprise     */
        [16] = WIRE__AUTH_MODE__WPA2_ENTERPRISE, /* WPA enterprise               */
    };

    if (auth <= WIRE__AUTH_MODE__WPA2_WPA3_PSK)
        return (Wire__AuthMode)auth;
    return auth < sizeof known ? (Wire__AuthMode)known[auth] : WIRE__AUTH_MODE__WPA2_PSK;
}

static const custom_t *find_custom(const protocomm_device_t *device, const char *name)
{
    for (size_t i = 0; i < device->custom_count; i++)
        if (strcmp(device->custom[i].name, name) == 0)
            return &device->custom[i];
    return NULL;
}

typedef protocomm_result_t (*builtin_t)(protocomm_device_t *device, call_t *call);

static builtin_t find_builtin(const char *name)
{
    if (strcmp(name, "prov-config") == 0)
        return device_config;
    if (strcmp(name, "prov-scan") == 0)
        return device_scan;
    return strcmp(name, "prov-ctrl") == 0 ? device_ctrl : NULL;
}

bool protocomm_device_has(const protocomm_device_t *device, const char *name)
{
    return strcmp(name, "prov-session") == 0 || strcmp(name, "proto-ver") == 0 ||
           find_builtin(name) || find_custom(device, name);
}

static protocomm_result_t call_handler(protocomm_device_t *device, const char *endpoint,
                                       call_t *call)
{
    builtin_t builtin = find_builtin(endpoint);
    const custom_t *custom = find_custom(device, endpoint);

    if (builtin)
        return builtin(device, call);
    if (!custom)
        return device_refuse(call, "there is no such endpoint");
    if (custom->secured && device->version == 0)
        return device_refuse(call, "this endpoint is not served without encryption");
    if (!custom->handler(custom->ctx, device->session, call->in, call->in_len, call->out, PLAIN_MAX,
                         &call->out_len))
        return device_refuse(call, "the endpoint's handler refused the request");
    return PROTOCOMM_ANSWER;
}

/* Decrypt, handle, encrypt. */
static protocomm_result_t encrypted_request(protocomm_device_t *device, const char *endpoint,
                                            const uint8_t *in, size_t in_len, uint8_t *out,
                                            size_t cap, size_t *out_len, err_t *why)
{
    uint8_t plain_in[PROTOCOMM_MESSAGE_MAX], plain_out[PLAIN_MAX];
    call_t call = {.in = plain_in, .out = plain_out, .why = ERR_INIT};
    protocomm_result_t result = PROTOCOMM_FAILED;

    if (protocomm_session_decrypt(device->security, in, in_len, plain_in, sizeof plain_in,
                                  &call.in_len, why)) {
        result = call_handler(device, endpoint, &call);
        if (result == PROTOCOMM_FAILED)
            *why = call.why;
    }
    if (result == PROTOCOMM_ANSWER &&
        !protocomm_session_encrypt(device->security, plain_out, call.out_len, out, cap, out_len,
                                   why))
        result = PROTOCOMM_FAILED;
    bytes_wipe(plain_in, sizeof plain_in); /* passphrases and tickets pass through here */
    bytes_wipe(plain_out, sizeof plain_out);
    return result;
}

static protocomm_result_t session_request(protocomm_device_t *device, const uint8_t *in,
                                          size_t in_len, uint8_t *out, size_t cap, size_t *out_len,
                                          err_t *why)
{
    bool up = device->version != 0 && protocomm_session_up(device->security);

    if (!protocomm_session_answer(device->security, in, in_len, out, cap, out_len, why))
        return PROTOCOMM_FAILED;
    if (!up && protocomm_session_up(device->security) && device->port.session_up)
        device->port.session_up(device->port.ctx, device->session);
    return PROTOCOMM_ANSWER;
}

static protocomm_result_t dispatch(protocomm_device_t *device, uint32_t session,
                                   const char *endpoint, const uint8_t *in, size_t in_len,
                                   uint8_t *out, size_t cap, size_t *out_len, err_t *why)
{
    if (device->later) {
        err_set(why, ERR_PRECONDITION, "a scan is still running");
        return PROTOCOMM_FAILED;
    }
    if (strcmp(endpoint, "proto-ver") == 0) {
        *out_len = strlen(device->version_text);
        if (*out_len > cap)
            return PROTOCOMM_FAILED;
        memcpy(out, device->version_text, *out_len);
        return PROTOCOMM_ANSWER;
    }
    if (!device->open || device->session != session) {
        err_set(why, ERR_PRECONDITION, "the request belongs to no open session");
        return PROTOCOMM_FAILED;
    }
    if (strcmp(endpoint, "prov-session") == 0)
        return session_request(device, in, in_len, out, cap, out_len, why);
    return encrypted_request(device, endpoint, in, in_len, out, cap, out_len, why);
}

protocomm_result_t protocomm_device_request(protocomm_device_t *device, uint32_t session,
                                            const char *endpoint, const uint8_t *in, size_t in_len,
                                            uint8_t *out, size_t cap, size_t *out_len)
{
    err_t why = ERR_INIT;

    *out_len = 0;
    protocomm_result_t result =
        dispatch(device, session, endpoint, in, in_len, out, cap, out_len, &why);
    if (result == PROTOCOMM_FAILED) {
        *out_len = 0;
        if (device->port.refused)
            device->port.refused(device->port.ctx, endpoint, &why);
    }
    return result;
}

/* -- answers that come later ----------------------------------------------------------------- */

void protocomm_device_on_later(protocomm_device_t *device, protocomm_later_t fn, void *ctx)
{
    device->on_later = fn;
    device->on_later_ctx = ctx;
}

void device_finish_later(protocomm_device_t *device, bool ok)
{
    uint8_t plain[PLAIN_MAX], out[PROTOCOMM_MESSAGE_MAX];
    call_t call = {.out = plain, .why = ERR_INIT};
    size_t out_len = 0;

    if (!device->later)
        return;
    device->later = false;
    ok = ok && device_scan_started(&call) == PROTOCOMM_ANSWER &&
         protocomm_session_encrypt(device->security, plain, call.out_len, out, sizeof out, &out_len,
                                   NULL);
    if (device->on_later)
        device->on_later(device->on_later_ctx, ok ? out : NULL, out_len);
}

void protocomm_device_cancel(protocomm_device_t *device)
{
    device_finish_later(device, false);
}

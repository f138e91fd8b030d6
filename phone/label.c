/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "json/json.h"
#include "phone/phone.h"

/* Absent is fine; present and unusable is not. */
static bool take(const char *json, size_t len, const char *key, char *out, size_t cap, err_t *err)
{
    json_token_t token;

    out[0] = '\0';
    if (!json_find(json, len, key, &token) || json_string(&token, out, cap, NULL))
        return true;
    return err_set(err, ERR_INPUT, "the QR code's \"%s\" is no text of at most %zu bytes", key,
                   cap - 1);
}

static bool parse_json(const char *json, size_t len, phone_label_t *label, err_t *err)
{
    json_token_t token;
    int64_t security;

    if (!json_valid(json, len))
        return err_set(err, ERR_INPUT, "the QR code's text is no valid JSON");
    if (!take(json, len, "name", label->name, sizeof label->name, err) ||
        !take(json, len, "pop", label->pop, sizeof label->pop, err) ||
        !take(json, len, "username", label->username, sizeof label->username, err))
        return false;
    if (!json_find(json, len, "security", &token))
        return true; /* the device says it */
    if (!json_i64(&token, &security) || security < 0 || security > 2)
        return err_set(err, ERR_INPUT, "the QR code's \"security\" must be the number 0, 1 or 2");
    label->security = (int)security;
    return true;
}

bool phone_label_parse(const char *text, size_t len, phone_label_t *label, err_t *err)
{
    memset(label, 0, sizeof *label);
    label->security = -1;
    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    if (len > PHONE_LABEL_MAX || memchr(text, '\0', len) || memchr(text, '\n', len))
        return err_set(err, ERR_INPUT, "a label is one line of at most %d bytes", PHONE_LABEL_MAX);
    if (len > 0 && text[0] == '{')
        return parse_json(text, len, label, err);
    if (len > PROTOCOMM_POP_MAX)
        return err_set(err, ERR_INPUT, "a proof of possession has at most %d bytes",
                       PROTOCOMM_POP_MAX);
    memcpy(label->pop, text, len);
    return true;
}

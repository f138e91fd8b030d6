/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "statement/member.h"
#include "statement/ticket.h"
#include "statement/writer.h"

static const member_t ROWS[] = {
    {"sub", MEMBER_TEXT, ALPHABET_NAME, 0, offsetof(ticket_t, owner), 1, TICKET_OWNER_MAX},
    {"exp", MEMBER_INT, 0, 0, offsetof(ticket_t, expires), 1, UINT32_MAX},
    {"jti", MEMBER_BYTES, 0, 0, offsetof(ticket_t, id), 0, JWS_NONCE_SIZE},
    {"h", MEMBER_BYTES, 0, 0, offsetof(ticket_t, binding), 0, TICKET_BINDING_SIZE},
};
static const member_table_t TABLE = {ROWS, 4, false};

jws_result_t ticket_binding_input(jws_text_t site, jws_text_t sn,
                                  const uint8_t epoch[JWS_EPOCH_SIZE],
                                  uint8_t out[TICKET_BINDING_INPUT_MAX], size_t *len)
{
    static const char label[] = "cradle-ticket"; /* with its NUL */
    uint8_t *at = out;
    *len = 0;
    if (!member_text_good(site, ALPHABET_HEX, JWS_SITE_LEN, JWS_SITE_LEN) ||
        !member_text_good(sn, ALPHABET_NAME, 1, JWS_SN_MAX)) {
        return JWS_UNSUITABLE;
    }
    memcpy(at, label, sizeof(label));
    at += sizeof(label);
    memcpy(at, site.text, site.len);
    at += site.len;
    *at++ = 0;
    memcpy(at, sn.text, sn.len);
    at += sn.len;
    *at++ = 0;
    memcpy(at, epoch, JWS_EPOCH_SIZE);
    *len = (size_t)(at - out) + JWS_EPOCH_SIZE;
    return JWS_OK;
}

jws_result_t ticket_write(const ticket_t *ticket, char *out, size_t cap, size_t *len)
{
    writer_t writer;
    writer_begin(&writer, JWS_TICKET, JWS_HS256, NULL, NULL, out, cap);
    writer_text(&writer, "sub", ticket->owner, ALPHABET_NAME, 1, TICKET_OWNER_MAX);
    writer_int(&writer, "exp", ticket->expires, 1, UINT32_MAX);
    writer_bytes(&writer, "jti", ticket->id, JWS_NONCE_SIZE);
    writer_bytes(&writer, "h", ticket->binding, TICKET_BINDING_SIZE);
    return writer_end(&writer, len);
}

jws_result_t ticket_read(jws_t *jws, void *scratch, size_t cap, ticket_t *ticket)
{
    uint32_t seen;
    jws_result_t result = member_read_payload(jws, &TABLE, scratch, cap, ticket, &seen);
    return result != JWS_OK ? result : member_expect(&TABLE, seen, 15, 0, &jws->fault);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The subscriptions of one connection: a byte for each filter there is. */
#include <string.h>

#include "tbdevice/tb_topic.h"

/* Every filter that ThingsBoard grants, and what messages it lets through. */
#define DOWN_NOTHING ((tb_down_t)0xff)

typedef enum {
    GOES_ATTRIBUTES,
    GOES_ATTRIBUTE_RESPONSE,
    GOES_RPC,
    GOES_RPC_RESPONSE,
    GOES_OTHER
} goes_t;

static const struct {
    const char *filter;
    goes_t goes;
    tb_family_t family;
    tb_down_t down;
} filters[] = {
    {"v1/devices/me/attributes", GOES_ATTRIBUTES, TB_V1, TB_DOWN_ATTRIBUTES},
    {"v2/a", GOES_ATTRIBUTES, TB_V2, TB_DOWN_ATTRIBUTES},
    {"v2/a/j", GOES_ATTRIBUTES, TB_V2_JSON, TB_DOWN_ATTRIBUTES},
    {"v2/a/p", GOES_ATTRIBUTES, TB_V2_PROTO, TB_DOWN_ATTRIBUTES},
    {"v1/devices/me/attributes/response/+", GOES_ATTRIBUTE_RESPONSE, TB_V1,
     TB_DOWN_ATTRIBUTE_RESPONSE},
    {"v2/a/res/+", GOES_ATTRIBUTE_RESPONSE, TB_V2, TB_DOWN_ATTRIBUTE_RESPONSE},
    {"v2/a/res/j/+", GOES_ATTRIBUTE_RESPONSE, TB_V2_JSON, TB_DOWN_ATTRIBUTE_RESPONSE},
    {"v2/a/res/p/+", GOES_ATTRIBUTE_RESPONSE, TB_V2_PROTO, TB_DOWN_ATTRIBUTE_RESPONSE},
    {"v1/devices/me/rpc/request/+", GOES_RPC, TB_V1, TB_DOWN_RPC_REQUEST},
    {"v2/r/req/+", GOES_RPC, TB_V2, TB_DOWN_RPC_REQUEST},
    {"v2/r/req/j/+", GOES_RPC, TB_V2_JSON, TB_DOWN_RPC_REQUEST},
    {"v2/r/req/p/+", GOES_RPC, TB_V2_PROTO, TB_DOWN_RPC_REQUEST},
    {"v1/devices/me/rpc/response/+", GOES_RPC_RESPONSE, TB_V1, TB_DOWN_RPC_RESPONSE},
    {"v2/r/res/+", GOES_RPC_RESPONSE, TB_V2, TB_DOWN_RPC_RESPONSE},
    {"v2/r/res/j/+", GOES_RPC_RESPONSE, TB_V2_JSON, TB_DOWN_RPC_RESPONSE},
    {"v2/r/res/p/+", GOES_RPC_RESPONSE, TB_V2_PROTO, TB_DOWN_RPC_RESPONSE},
    {"v2/fw/response/+/chunk/+", GOES_OTHER, TB_V2, TB_DOWN_FIRMWARE},
    {"v2/fw/error", GOES_OTHER, TB_V2, TB_DOWN_FIRMWARE_ERROR},
    {"v2/sw/response/+/chunk/+", GOES_OTHER, TB_V2, TB_DOWN_SOFTWARE},
    {"v2/sw/error", GOES_OTHER, TB_V1, TB_DOWN_FIRMWARE_ERROR},
    {"/provision/response", GOES_OTHER, TB_V1, TB_DOWN_PROVISION},
    /* Granted to every device, useful to gateways only. */
    {"v1/gateway/attributes", GOES_OTHER, TB_V1, DOWN_NOTHING},
    {"v1/gateway/rpc", GOES_OTHER, TB_V1, DOWN_NOTHING},
    {"v1/gateway/attributes/response", GOES_OTHER, TB_V1, DOWN_NOTHING},
};

_Static_assert(sizeof filters / sizeof filters[0] == TB_FILTER_COUNT, "one place for each filter");

/* The index of a filter, or TB_FILTER_COUNT. */
static size_t find(const char *filter, size_t len)
{
    size_t i = 0;
    while (i < TB_FILTER_COUNT &&
           (strlen(filters[i].filter) != len || memcmp(filters[i].filter, filter, len) != 0)) {
        i++;
    }
    return i;
}

uint8_t tb_session_subscribe(tb_session_t *session, const char *filter, size_t len, uint8_t qos)
{
    size_t i = find(filter, len);
    if (i == TB_FILTER_COUNT) {
        return TB_SUBSCRIBE_REFUSED;
    }
    uint8_t granted = qos > 1 ? 1 : qos;
    session->granted[i] = (uint8_t)(granted + 1);
    if (filters[i].goes == GOES_ATTRIBUTES) {
        session->attributes_family = (uint8_t)filters[i].family;
    } else if (filters[i].goes == GOES_RPC) {
        session->rpc_family = (uint8_t)filters[i].family;
    }
    return granted;
}

bool tb_session_unsubscribe(tb_session_t *session, const char *filter, size_t len)
{
    size_t i = find(filter, len);
    if (i == TB_FILTER_COUNT || session->granted[i] == 0) {
        return false;
    }
    session->granted[i] = 0;
    return true;
}

/* Does any filter of that kind stand? The spelling is that of the last subscription if it still
   stands, else of one that does. */
static bool wants(const tb_session_t *session, goes_t goes, uint8_t last, tb_family_t *family)
{
    bool any = false;
    for (size_t i = 0; i < TB_FILTER_COUNT; i++) {
        if (filters[i].goes == goes && session->granted[i] != 0 &&
            (!any || filters[i].family == (tb_family_t)last)) {
            *family = filters[i].family;
            any = true;
        }
    }
    return any;
}

bool tb_session_wants_attributes(const tb_session_t *session, tb_family_t *family)
{
    return wants(session, GOES_ATTRIBUTES, session->attributes_family, family);
}

bool tb_session_wants_rpc(const tb_session_t *session, tb_family_t *family)
{
    return wants(session, GOES_RPC, session->rpc_family, family);
}

uint8_t tb_session_qos(const tb_session_t *session, tb_down_t down, tb_family_t family)
{
    for (size_t i = 0; i < TB_FILTER_COUNT; i++) {
        bool matches = filters[i].down == down &&
                       (filters[i].goes == GOES_OTHER || filters[i].family == family);
        if (matches && session->granted[i] != 0) {
            return (uint8_t)(session->granted[i] - 1);
        }
    }
    return 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* ThingsBoard's device topics (v1), and where a message from the cloud goes. */
#include <string.h>

#include "core/internal.h"

#define ME "v1/devices/me/"

const char CORE_TOPIC_TELEMETRY[] = ME "telemetry";
const char CORE_TOPIC_ATTRIBUTES[] = ME "attributes";
const char CORE_TOPIC_ASK[] = ME "attributes/request/";
const char CORE_TOPIC_RPC_RESPONSE[] = ME "rpc/response/";

static const char ANSWER[] = ME "attributes/response/";
static const char RPC_REQUEST[] = ME "rpc/request/";

/* In this order: subscribing to RPC makes the server deliver what is pending at once. */
const char *const CORE_FILTERS[] = {
    ME "attributes",
    ME "attributes/response/+",
    ME "rpc/request/+",
};
const size_t CORE_FILTER_COUNT = sizeof CORE_FILTERS / sizeof CORE_FILTERS[0];

/* "<prefix><decimal id>" and nothing else; ids of ThingsBoard are ints from 0. */
static bool has_id(const char *topic, size_t len, const char *prefix, uint32_t *id)
{
    size_t at = strlen(prefix);
    uint64_t value = 0;
    if (len <= at || len > at + 10 || memcmp(topic, prefix, at) != 0) {
        return false;
    }
    for (; at < len; at++) {
        if (topic[at] < '0' || topic[at] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(topic[at] - '0');
    }
    *id = (uint32_t)value;
    return value <= INT32_MAX;
}

void core_message(cradle_device_t *device, const char *topic, size_t topic_len, const char *payload,
                  size_t len)
{
    uint32_t id;
    if (device->reply_due || !json_valid(payload, len)) {
        /* An answer still waits for room on the wire: the server repeats, or times out. */
        device->ignored++;
    } else if (has_id(topic, topic_len, RPC_REQUEST, &id)) {
        core_rpc_request(device, id, payload, len);
    } else if (has_id(topic, topic_len, ANSWER, &id)) {
        if (id == device->ask_id) {
            core_disarm(device, CRADLE_TIMER_ASK);
            device->ask_due = false;
            core_config_answer(device, payload, len);
        }
    } else if (topic_len == sizeof CORE_TOPIC_ATTRIBUTES - 1 &&
               memcmp(topic, CORE_TOPIC_ATTRIBUTES, topic_len) == 0) {
        core_config_push(device, payload, len);
    } else {
        device->ignored++;
    }
}

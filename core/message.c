/* SPDX-License-Identifier: Apache-2.0 */
/* ThingsBoard's device topics (v1), and where a message from the cloud goes. */
#include <string.h>

#include "core/internal.h"

#define ME "v1/devices/me/"

const char CORE_TOPIC_TELEMETRY[] = ME "telemetry";
const char CORE_TOPIC_ATTRIBUTES[] = ME "attributes";
const char CORE_TOPIC_ASK[] = ME "attributes/request/";
const char CORE_TOPIC_RPC_RESPONSE[] = ME "rpc/response/";

const char CORE_TOPIC_STEWARD[] = ME "rpc/request/";

static const char ANSWER[] = ME "attributes/response/";

/* In this order: subscribing to RPC makes the server deliver what is pending at once. */
const char *const CORE_FILTERS[] = {
    ME "rpc/response/+",
    ME "attributes",
    ME "attributes/response/+",
    ME "rpc/request/+",
};
const size_t CORE_FILTER_COUNT = sizeof CORE_FILTERS / sizeof CORE_FILTERS[0];

/* "<prefix><decimal id>" and nothing else; ids of ThingsBoard are ints from 0. */
static bool has_id(const char *topic, size_t len, const char *prefix, uint32_t *id)
{
    size_t at = strlen(prefix);
    uint32_t value = 0;
    if (len <= at || len > at + 10 || memcmp(topic, prefix, at) != 0) {
        return false;
    }
    for (; at < len; at++) {
        if (topic[at] < '0' || topic[at] > '9' || value > INT32_MAX / 10) {
            return false;
        }
        value = value * 10 + (uint32_t)(topic[at] - '0');
    }
    *id = value;
    return value <= INT32_MAX;
}

void core_message(cradle_device_t *device, const char *topic, size_t topic_len, const char *payload,
                  size_t len)
{
    uint32_t id;
    if (has_id(topic, topic_len, CORE_TOPIC_RPC_RESPONSE, &id)) {
        /* One for a question given up, or of a server that invents them, changes nothing. */
        if (id == device->steward.rpc && !device->steward.posted) {
            core_talk_reply(device, payload, len);
        } else {
            device->ignored++;
        }
    } else if (device->state != CRADLE_ONLINE || !json_valid(payload, len)) {
        device->ignored++; /* before *stream* nothing else was subscribed to */
    } else if (device->reply_due || core_talk_busy(device)) {
        /* The buffer is in use: the server repeats an RPC, or times out; attributes are asked for
           again. */
        device->ask_due = device->subscribed;
        device->ignored++;
    } else if (has_id(topic, topic_len, CORE_TOPIC_STEWARD, &id)) {
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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The brain against bytes from the cloud, from the settings, from the outbox and from the product.
 * The first byte chooses where the rest goes; for kind 0 it is a topic up to a line end, then a
 * payload. Whatever comes: every action is drained, every publish is valid JSON (world_next
 * checks), and the device still gets its telemetry through.
 */
#include <stdlib.h>
#include <string.h>

#include "../unit/core_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool set_any(void *ctx, const json_token_t *value)
{
    (void)ctx;
    return value == NULL || value->type != JSON_FALSE;
}

static bool rpc_echo(void *ctx, const json_token_t *params, json_writer_t *answer)
{
    (void)ctx;
    json_put_raw(answer, params->text, params->len);
    return true;
}

static const cradle_config_t CONFIGS[] = {{"level", set_any}, {"name", set_any}};
static const cradle_rpc_t RPCS[] = {{"echo", rpc_echo}};
static const cradle_product_t PRODUCT = {
    .configs = CONFIGS, .config_count = 2, .rpcs = RPCS, .rpc_count = 1};

static void acknowledge_all(world_t *world)
{
    while (world_next(world)) {
        if (world->action.type == CRADLE_ACTION_PUBLISH && world->action.u.publish.qos == 1) {
            world_ack(world, world->action.u.publish.token);
        }
    }
}

static void hear(world_t *world, const char *topic, size_t topic_len, const uint8_t *data,
                 size_t size)
{
    cradle_event_t event = {.type = CRADLE_EVENT_MESSAGE};
    event.u.message.topic = topic;
    event.u.message.topic_len = topic_len;
    event.u.message.payload = data;
    event.u.message.len = size;
    world_event(world, &event);
    while (world_next(world)) {
        if (world->action.type == CRADLE_ACTION_REBOOT) {
            world_boot(world);
            return;
        }
    }
}

static void feed(world_t *world, unsigned kind, const uint8_t *data, size_t size)
{
    static const char *const topics[] = {
        "v1/devices/me/attributes",
        "v1/devices/me/attributes/response/1",
        "v1/devices/me/rpc/request/1",
    };
    static const char *const settings[] = {"wifi", "config", "lost", "epoch"};
    if (kind == 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t topic = end != NULL ? (size_t)(end - data) : size;
        hear(world, (const char *)data, topic, data + topic, size - topic);
    } else if (kind < 4) {
        hear(world, topics[kind - 1], strlen(topics[kind - 1]), data, size);
    } else if (kind < 8 && size <= CRADLE_CONFIGS_MAX) {
        world->port.set(world, settings[kind - 4], data, size);
        world_boot(world);
    } else if (kind == 8 && size <= CRADLE_RECORD_MAX) {
        world_cloud_down(world, CRADLE_DOWN_OUTAGE, false);
        world_drain(world);
        world->port.append(world, data, size);
        world_reconnect(world);
        acknowledge_all(world);
        if (world->fake->count > 1) {
            abort(); /* it blocks the way */
        }
    } else if (kind == 9) {
        cradle_device_telemetry(&world->device, (const char *)data, size, world->now);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static world_t world;
    if (size == 0) {
        return 0;
    }
    world_init(&world, fake_new(1), &PRODUCT);
    world_provision(&world);
    world_online(&world);
    acknowledge_all(&world);
    feed(&world, data[0] % 10, data + 1, size - 1);
    world_drain(&world);
    world_simple(&world, CRADLE_EVENT_RESET);
    world_drain(&world);
    world_boot(&world);
    if (world_status(&world).state != CRADLE_UNPROVISIONED) {
        abort();
    }
    fake_free(world.fake);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core_product.h"

core_unit_t unit;

void core_sample(void *ctx, json_writer_t *values)
{
    (void)ctx;
    unit.samples++;
    json_key(values, "n");
    json_put_i64(values, unit.samples);
    for (int i = 0; unit.oversize && i < 100; i++) {
        json_key(values, "long_name");
        json_put_i64(values, i);
    }
}

static bool rpc_echo(void *ctx, const json_token_t *params, json_writer_t *answer)
{
    (void)ctx;
    json_put_raw(answer, params->text, params->len);
    return true;
}

static bool rpc_fails(void *ctx, const json_token_t *params, json_writer_t *answer)
{
    (void)ctx;
    (void)params;
    json_object(answer);
    return false;
}

static bool rpc_unfinished(void *ctx, const json_token_t *params, json_writer_t *answer)
{
    (void)ctx;
    (void)params;
    json_object(answer);
    return true;
}

static bool rpc_tells(void *ctx, const json_token_t *params, json_writer_t *answer)
{
    world_t *world = ctx;
    (void)params;
    json_put_i64(answer, cradle_device_telemetry(&world->device, "{\"said\":1}", 10, world->now));
    return true;
}

static bool set_level(void *ctx, const json_token_t *value)
{
    int64_t to = 0;
    (void)ctx;
    if (value != NULL && (!json_i64(value, &to) || to < 0 || to > 100)) {
        return false;
    }
    unit.level = (int)to;
    return true;
}

static bool set_label(void *ctx, const json_token_t *value)
{
    (void)ctx;
    unit.label[0] = '\0';
    return value == NULL || json_string(value, unit.label, sizeof unit.label, NULL);
}

static const cradle_rpc_t RPCS[] = {
    {"echo", rpc_echo},
    {"fails", rpc_fails},
    {"unfinished", rpc_unfinished},
    {"tells", rpc_tells},
};
static const cradle_config_t CONFIGS[] = {{"level", set_level}, {"label.x", set_label}};

cradle_product_t core_product = {
    .rpcs = RPCS, .rpc_count = 4, .configs = CONFIGS, .config_count = 2};

int core_product_setup(void **state)
{
    static world_t world;
    unit.samples = 0;
    unit.level = 0;
    unit.oversize = false;
    unit.label[0] = '\0';
    core_product.sample = NULL;
    core_product.ctx = &world;
    world_init(&world, fake_new(7), &core_product);
    world_provision(&world);
    *state = &world;
    return 0;
}

int core_product_teardown(void **state)
{
    fake_free(((world_t *)*state)->fake);
    return 0;
}

void queue(world_t *w, int n)
{
    char text[32];
    snprintf(text, sizeof text, "{\"n\":%d}", n);
    assert_int_equal(cradle_device_telemetry(&w->device, text, strlen(text), w->now),
                     CRADLE_QUEUED);
}

void calm(world_t *w)
{
    world_online(w);
    while (world_next(w)) {
        if (w->action.type == CRADLE_ACTION_PUBLISH && w->action.u.publish.qos == 1) {
            world_ack(w, w->action.u.publish.token);
        }
    }
    world_message(w, "v1/devices/me/attributes/response/1", "{}");
    world_drain(w);
    assert_int_equal(world_status(w).in_flight, 0);
    assert_int_equal(world_status(w).ignored, 0);
}

void lose(world_t *w)
{
    world_cloud_down(w, CRADLE_DOWN_OUTAGE, false);
}

int64_t number_at(const char *payload, const char *path)
{
    json_token_t token;
    int64_t value = -1;
    if (!json_find(payload, strlen(payload), path, &token) || !json_i64(&token, &value)) {
        fail_msg("no %s in %s", path, payload);
    }
    return value;
}

void expect_telemetry(world_t *w)
{
    world_expect(w, CRADLE_ACTION_PUBLISH);
    while (strcmp(w->topic, "v1/devices/me/telemetry") != 0) {
        world_expect(w, CRADLE_ACTION_PUBLISH);
    }
    assert_int_equal(w->action.u.publish.qos, 1);
    assert_int_not_equal(w->action.u.publish.token, 0);
}

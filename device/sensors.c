/* SPDX-License-Identifier: Apache-2.0 */
#include "device/sensors.h"

#include <string.h>

#define OFFSET_MAX 50.0

/* A triangle between -1 and 1 with the given period, in samples: smooth enough for a chart. */
static double wander(uint32_t n, uint32_t period)
{
    double phase = (double)(n % period) / (double)period;
    return phase < 0.5 ? 4.0 * phase - 1.0 : 3.0 - 4.0 * phase;
}

/* Cut to tenths: a sensor has no more. */
static double tenths(double value)
{
    return (double)(int)(value * 10.0) / 10.0;
}

static void sample(void *ctx, json_writer_t *values)
{
    sensors_t *sensors = ctx;
    uint32_t n = sensors->samples++;
    json_key(values, "temperature");
    json_put_double(values, tenths(21.5 + sensors->offset + 2.0 * wander(n, 600)));
    json_key(values, "humidity");
    json_put_double(values, tenths(45.0 + 5.0 * wander(n, 900)));
    json_key(values, "sample");
    json_put_i64(values, n);
}

/* {"method":"setLed","params":true} answers {"led":true}. */
static bool set_led(void *ctx, const json_token_t *params, json_writer_t *answer)
{
    sensors_t *sensors = ctx;
    if (params->type != JSON_TRUE && params->type != JSON_FALSE) {
        return false;
    }
    sensors->led = params->type == JSON_TRUE;
    json_object(answer);
    json_key(answer, "led");
    json_put_bool(answer, sensors->led);
    json_end(answer);
    return true;
}

/* For the factory's test station: what can be tried without harm, and what was measured. */
static bool self_test(void *ctx, const json_token_t *params, json_writer_t *answer)
{
    sensors_t *sensors = ctx;
    (void)params;
    json_object(answer);
    json_key(answer, "ok");
    json_put_bool(answer, true);
    json_key(answer, "samples");
    json_put_i64(answer, sensors->samples);
    json_end(answer);
    return true;
}

/* A correction in kelvin; without one there is none. */
static bool set_offset(void *ctx, const json_token_t *value)
{
    sensors_t *sensors = ctx;
    double offset = 0;
    if (value != NULL && (value->type != JSON_NUMBER || !json_double(value, &offset) ||
                          offset < -OFFSET_MAX || offset > OFFSET_MAX)) {
        return false;
    }
    sensors->offset = offset;
    return true;
}

static const cradle_rpc_t RPCS[] = {{"setLed", set_led}, {"selfTest", self_test}};
static const cradle_config_t CONFIGS[] = {{"temperature_offset", set_offset}};

void sensors_product(sensors_t *sensors, cradle_product_t *product)
{
    memset(sensors, 0, sizeof *sensors);
    *product = (cradle_product_t){.ctx = sensors,
                                  .sample = sample,
                                  .rpcs = RPCS,
                                  .rpc_count = sizeof RPCS / sizeof RPCS[0],
                                  .configs = CONFIGS,
                                  .config_count = sizeof CONFIGS / sizeof CONFIGS[0]};
}

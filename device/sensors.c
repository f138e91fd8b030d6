/* SPDX-License-Identifier: Apache-2.0 */
#include "device/sensors.h"

#include <string.h>

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
    json_put_double(values, tenths(21.5 + 2.0 * wander(n, 600)));
    json_key(values, "humidity");
    json_put_double(values, tenths(45.0 + 5.0 * wander(n, 900)));
    json_key(values, "sample");
    json_put_i64(values, n);
}

void sensors_product(sensors_t *sensors, cradle_product_t *product)
{
    memset(sensors, 0, sizeof *sensors);
    *product = (cradle_product_t){.ctx = sensors, .sample = sample};
}

/* SPDX-License-Identifier: Apache-2.0 */
/* sensors: the product of the Linux device: a room sensor whose values wander, with RPCs (setLed, selfTest)
   and a configuration key (temperature_offset). What a firmware engineer would write in its place.
 */
#ifndef CRADLE_DEVICE_SENSORS_H
#define CRADLE_DEVICE_SENSORS_H

#include "core/device.h"

typedef struct {
    uint32_t samples;
    double offset;
    bool led;
} sensors_t;

void sensors_product(sensors_t *sensors, cradle_product_t *product);

#endif

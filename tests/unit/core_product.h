/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_product: a product for tests of the brain, four RPCs and two config keys, and what its tests
 * do over and over. Use setup and teardown of a test; *state is the world_t.
 */
#ifndef CRADLE_TESTS_CORE_PRODUCT_H
#define CRADLE_TESTS_CORE_PRODUCT_H

#include "core_fake.h"

/* What was done to the product. */
typedef struct {
    int samples;    /* taken                                     */
    int level;      /* config "level", 0 to 100                  */
    bool oversize;  /* the next samples are larger than a record */
    char label[40]; /* config "label.x"                          */
} core_unit_t;

extern core_unit_t unit;

/* It takes no samples until a test sets .sample = core_sample. RPCs: echo, fails, unfinished, tells
   (which queues telemetry). */
extern cradle_product_t core_product;
void core_sample(void *ctx, json_writer_t *values);

int core_product_setup(void **state);
int core_product_teardown(void **state);

#define TEST(f) cmocka_unit_test_setup_teardown(f, core_product_setup, core_product_teardown)

/* Queues {"n":N}. */
void queue(world_t *w, int n);

/* Online with everything acknowledged, nothing to do. */
void calm(world_t *w);

/* The connection breaks. */
void lose(world_t *w);

/* The number at a path of a message: "ts", "0.values.n". */
int64_t number_at(const char *payload, const char *path);

/* The next message of telemetry, at QoS 1; other messages are passed over. */
void expect_telemetry(world_t *w);

#endif

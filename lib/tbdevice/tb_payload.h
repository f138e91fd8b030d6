/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tb_payload: telemetry and attribute messages of ThingsBoard's device and REST API, parsed into
 * typed points. A message is validated completely before the first point is delivered, so it is
 * stored whole or not at all.
 *
 * Telemetry:   {"temp":21.5,"door":true}                        all at the time of receipt
 *              {"ts":1767225600000,"values":{"temp":21.5}}      only when both members are there;
 *                                                               other members are then ignored
 *              [{...},{...}]                                    any mixture of the two
 * Attributes:  {"model":"A1","n":1}
 *
 * Values as in tb_value.h; a member that is null is dropped (REST: an error for attributes). Equal
 * keys are delivered all, in order: the store keeps the last, as ThingsBoard does.
 * `ts` is milliseconds taken as given: a number, whose decimals are cut off, or an integer as a
 * string; both in int64.
 *
 * Unlike ThingsBoard (deliberate, both modes): JSON is strict. ThingsBoard's parser takes NaN,
 * single quotes, comments and bad UTF-8, and would store what it made of them. Not checked: the
 * number of points, which the size of the payload bounds.
 */
#ifndef CRADLE_TBDEVICE_TB_PAYLOAD_H
#define CRADLE_TBDEVICE_TB_PAYLOAD_H

#include "tbdevice/tb_value.h"

typedef enum {
    TB_PARSE_OK = 0,
    TB_PARSE_EMPTY_ARRAY, /* "[]": ThingsBoard never acknowledges it                    */
    TB_PARSE_NOT_JSON,    /* an empty payload, too                                      */
    TB_PARSE_WRONG_ROOT,  /* no object (telemetry: nor array of objects)                */
    TB_PARSE_BAD_TS,      /* "ts" is no number                                          */
    TB_PARSE_BAD_VALUES,  /* "values" is no object                                      */
    TB_PARSE_BAD_KEY,     /* empty, longer than TB_KEY_MAX characters                   */
    TB_PARSE_BAD_TEXT,    /* a key or string with a NUL character, which no store keeps */
    TB_PARSE_NULL,        /* TB_NULL_IS_ERROR, and there is one                         */
    TB_PARSE_NO_SCRATCH,  /* the scratch memory is too small                            */
    TB_PARSE_STOPPED,     /* `each` returned false: some points may have been delivered */
} tb_parse_t;

enum { TB_NULL_IS_ERROR = 1u << 0 };

/* Takes one point; false stops the delivery. */
typedef bool (*tb_point_fn)(void *ctx, const tb_point_t *point);

/* Bytes of scratch memory that any payload of this length is content with. */
size_t tb_scratch_size(size_t payload_len);

/* `scratch` holds decoded keys and values during the delivery of one point. *count (may be NULL):
   the points delivered; also in TB_PARSE_STOPPED, then without the refused one. `each` may be NULL:
   validation only, and *count is what would be delivered. */
tb_parse_t tb_parse_telemetry(const char *payload, size_t len, unsigned flags, int64_t now_ms,
                              char *scratch, size_t scratch_cap, tb_point_fn each, void *ctx,
                              size_t *count);
tb_parse_t tb_parse_attributes(const char *payload, size_t len, unsigned flags, int64_t now_ms,
                               char *scratch, size_t scratch_cap, tb_point_fn each, void *ctx,
                               size_t *count);

/* For logs and REST errors: a static text, such as "a key is empty or longer than 255 characters".
 */
const char *tb_parse_text(tb_parse_t result);

#endif

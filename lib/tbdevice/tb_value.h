/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tb_value: ThingsBoard's typed values, their texts, and the names that the platform itself writes.
 * Sources: ThingsBoard CE 4.2.1's JsonConverter, and its recorded answers. Pure; nothing blocks.
 */
#ifndef CRADLE_TBDEVICE_TB_VALUE_H
#define CRADLE_TBDEVICE_TB_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/json.h"

/* The numbers are written into stores: never change them. */
typedef enum {
    TB_BOOL = 1,
    TB_LONG = 2,
    TB_DOUBLE = 3,
    TB_STRING = 4, /* text, len: UTF-8 without NUL characters, NUL terminated or not          */
    TB_JSON = 5,   /* text, len: a JSON object or array without white space between the tokens */
} tb_type_t;

typedef struct {
    tb_type_t type;
    union {
        bool b;
        int64_t i;
        double d;
    } u;
    const char *text; /* TB_STRING and TB_JSON; belongs to whoever made the value */
    size_t len;
} tb_value_t;

/* One measured value or one attribute. Texts are good during the call that delivers it. */
typedef struct {
    int64_t
        ts; /* ms since 1970, as the device gave it, else the time of receipt; may be negative */
    const char *key; /* decoded UTF-8, key_len bytes, not NUL terminated */
    size_t key_len;
    tb_value_t value;
} tb_point_t;

/* Keys have 1 to 255 characters (not bytes). */
#define TB_KEY_MAX       255
#define TB_KEY_BYTES_MAX (4 * TB_KEY_MAX)

/* Longest text of a bool, a long or a double, with its NUL. */
#define TB_NUMBER_TEXT_MAX 32

typedef enum { TB_CLIENT_SCOPE = 1, TB_SHARED_SCOPE = 2, TB_SERVER_SCOPE = 3 } tb_scope_t;

/* "CLIENT_SCOPE"; NULL for a number that is none. */
const char *tb_scope_name(tb_scope_t scope);
bool tb_scope_parse(const char *name, size_t len, tb_scope_t *scope);

/* SERVER_SCOPE attributes that the platform writes. */
#define TB_ATTR_ACTIVE             "active"
#define TB_ATTR_LAST_CONNECT       "lastConnectTime"
#define TB_ATTR_LAST_DISCONNECT    "lastDisconnectTime"
#define TB_ATTR_LAST_ACTIVITY      "lastActivityTime"
#define TB_ATTR_INACTIVITY_ALARM   "inactivityAlarmTime"
#define TB_ATTR_INACTIVITY_TIMEOUT "inactivityTimeout" /* set by users; read by the platform */
#define TB_ATTR_PROVISION_STATE    "provisionState"
#define TB_ATTR_CLAIMING_ALLOWED   "claimingAllowed"
#define TB_ATTR_CLAIMING_DATA      "claimingData"
#define TB_PROVISION_STATE_DONE    "provisioned"
#define TB_INACTIVITY_TIMEOUT_MS   600000 /* when inactivityTimeout is absent or not positive */

/*
 * The text that REST's time-series answers carry as a JSON string: "true", "20", "1.5", "1000.0",
 * "1.0E10", a string as it is, JSON as it is. Doubles are printed as Java does: the shortest digits
 * that read back as the same double, at least one after the point, plain from 1e-3 up to below 1e7.
 * Bool, long and double are written into `scratch` (TB_NUMBER_TEXT_MAX bytes); *text points there
 * or to the value's own text.
 */
void tb_value_to_text(const tb_value_t *value, char scratch[TB_NUMBER_TEXT_MAX], const char **text,
                      size_t *len);

/* The value with its type: attribute answers, strict time-series answers, pushes to the device.
   Doubles are written as above: 1000.0 stays recognisable as a double. */
void tb_value_put_json(json_writer_t *writer, const tb_value_t *value);

/* A finite double as Java's Double.toString prints it. */
void tb_double_to_text(double value, char out[TB_NUMBER_TEXT_MAX]);

/*
 * What becomes of a number, or of a string that looks like one ("type cast"; ThingsBoard's
 * json.type_cast_enabled, on by default):
 *   no point, no exponent   long if it is in int64, else a string with all its digits
 *   a point                 double if at most 16 digits follow it, else a string
 *   an exponent             double if at most 16 decimals remain when it is written out and it is
 *                           finite, else a string (1e3: 1000.0, seen alive)
 * A string is cast when it is digits with at most one point, not at the end, and at most one '-' in
 * front: "00123" is 123, "1.0" is 1.0, "-.5" is -0.5; "1.2.3", "+5", "1e3", "" stay strings.
 * Strings made from numbers are plain, as Java's BigDecimal prints them: no exponent, no needless
 * leading zero. They are written into `scratch`, which must hold 2 * text_len + TB_PLAIN_EXTRA
 * bytes; an exponent that needs more than TB_PLAIN_EXTRA zeros leaves the text as it was sent.
 * False for a string that is not to be cast, with *value untouched.
 */
#define TB_PLAIN_EXTRA 512
bool tb_value_from_number(const char *text, size_t text_len, char *scratch, tb_value_t *value);
bool tb_value_cast(const char *text, size_t text_len, char *scratch, tb_value_t *value);

#endif

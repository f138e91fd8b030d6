/* SPDX-License-Identifier: Apache-2.0 */
/* What custody says of a unit after it got its identity. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "factory/internal.h"
#include "json/json.h"

typedef struct {
    factory_marks_t *marks;
    bool damaged;
} reading_t;

static void read_label(const custody_entry_t *entry, reading_t *reading)
{
    factory_marks_t *marks = reading->marks;
    uint8_t hash[32];
    json_token_t value;
    marks->labelled = true;
    marks->relabel = false;
    marks->has_code = false;
    if (!json_find(entry->detail, strlen(entry->detail), "code_hash", &value)) {
        reading->damaged = true;
    } else if (value.type != JSON_NULL) {
        marks->has_code =
            json_string(&value, marks->code_hash, sizeof marks->code_hash, NULL) &&
            bytes_from_hex(marks->code_hash, strlen(marks->code_hash), hash, sizeof hash);
        reading->damaged = !marks->has_code;
    }
}

static bool take(void *context, const custody_entry_t *entry)
{
    reading_t *reading = context;
    factory_marks_t *marks = reading->marks;
    json_token_t value;
    if (strcmp(entry->kind, "label") == 0) {
        read_label(entry, reading);
    } else if (strcmp(entry->kind, "rework") == 0) {
        marks->relabel = marks->labelled;
        marks->shipped = false;
    } else if (strcmp(entry->kind, "ship") == 0) {
        marks->shipped = true;
    } else if (strcmp(entry->kind, "scrap") == 0) {
        marks->scrapped = true;
    } else if (strcmp(entry->kind, "test") == 0) {
        marks->test_failed = !(json_find(entry->detail, strlen(entry->detail), "pass", &value) &&
                               value.type == JSON_TRUE);
    }
    return !reading->damaged;
}

bool factory_marks(custody_t *custody, const char *sn, factory_marks_t *marks, err_t *err)
{
    reading_t reading = {marks, false};
    memset(marks, 0, sizeof *marks);
    return custody_each_of_sn(custody, sn, take, &reading, err) &&
           (!reading.damaged ||
            err_set(err, ERR_INPUT,
                    "custody's record of the label of %s cannot be read; run `cradle custody "
                    "verify`",
                    sn));
}

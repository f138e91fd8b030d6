/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest_compare: whether an answer is like the one that a live ThingsBoard gave. Differences are
 * printed, one a line.
 *
 * Alike are: the HTTP status; `status`, `errorCode` and `message` of errors; the members of each
 * object, in their order; the JSON type of each value (an integer stays an integer); upper-case
 * texts, which are enumerations; the form of ids, hashes, certificates and tokens. Of lists each of
 * our elements is held against a recorded one: that with the same "key", else the first; lists of
 * texts and of keys hold the same ones in any order. Neither list may be empty alone. Names, times
 * and other values may differ.
 */
#ifndef CRADLE_TESTS_REST_COMPARE_H
#define CRADLE_TESTS_REST_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "tbrest/tbrest.h"

typedef struct {
    const char *name; /* of the case, for the messages                             */
    const char *path; /* what was asked for: an error may repeat a part of it      */
    bool exact;       /* each value of the answer is as recorded, not just its form */
} rest_compare_t;

/* `line`: the recorded case, one JSON object. True when the answer is like the recorded one. */
bool rest_compare(const rest_compare_t *with, const tbrest_answer_t *answer, const char *line,
                  size_t len);

#endif

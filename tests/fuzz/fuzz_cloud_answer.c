/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes for what a cloud answers the steward: editing an object keeps it valid and says what
   was asked for, comparing ends. The first line is the object that is wanted. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "steward/setup_internal.h"

static bool count(void *ctx, const json_token_t *element)
{
    char text[64];
    (*(int *)ctx)++;
    cloud_text(element->text, element->len, "id.id", text, sizeof text);
    return true;
}

static void edit(const char *text, size_t len)
{
    static const json_edit_t edits[] = {{"id", "[true]"}, {"gone", NULL}};
    size_t cap = json_edit_size(len, edits, 2);
    char *out = malloc(cap);
    size_t out_len = 0;
    json_token_t token;
    if (out == NULL) {
        return;
    }
    bool ok = json_edit(text, len, edits, 2, out, cap, &out_len);
    bool object = json_find(text, len, "", &token) && token.type == JSON_OBJECT;
    if (ok != object ||
        (ok && (out_len != strlen(out) || !json_find(out, out_len, "id.0", &token) ||
                token.type != JSON_TRUE || json_find(out, out_len, "gone", &token)))) {
        abort();
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    int elements = 0;
    if (text == NULL || memchr(data, '\0', size) != NULL) {
        free(text);
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    char *have = strchr(text, '\n');
    if (have != NULL) {
        *have++ = '\0';
        tbrest_answer_t answer = {.status = 200, .body = have, .len = strlen(have)};
        setup_text_contains(have, text);
        edit(have, strlen(have));
        cloud_elements(&answer, "data", count, &elements);
        cloud_has_next(&answer);
        cloud_judge(&answer, "fuzz", NULL);
    }
    free(text);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_edit: changes a few members of an object and keeps all others byte for byte, unknown ones
 * included: for services that want the whole object back when one member is to change.
 */
#ifndef CRADLE_JSON_JSON_EDIT_H
#define CRADLE_JSON_JSON_EDIT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *name;
    const char *raw; /* the new value, JSON text that is copied unchecked; NULL: take it out */
} json_edit_t;

/* `text` must be one valid object. Edited members go to the end, duplicates of them vanish; members
   of inner objects cannot be named: edit the inner object first. `out` gets a NUL, may not overlap
   `text`, and suffices with json_edit_size bytes. False when `text` is no valid object, when a name
   needs escapes, or when `out` is too small. */
bool json_edit(const char *text, size_t len, const json_edit_t *edits, size_t count, char *out,
               size_t cap, size_t *out_len);

/* Bytes that always suffice for json_edit. */
size_t json_edit_size(size_t len, const json_edit_t *edits, size_t count);

#endif

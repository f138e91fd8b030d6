/* SPDX-License-Identifier: Apache-2.0 */
/* internal: what the files of lib/tbrest share. */
#ifndef CRADLE_TBREST_INTERNAL_H
#define CRADLE_TBREST_INTERNAL_H

#include "tbrest/tbrest.h"

/* A member as text into a fixed buffer; null counts as "". False: absent or too long. */
bool tbrest_text(const char *json, size_t len, const char *path, char *out, size_t cap);

/* Percent-encodes everything but unreserved characters (RFC 3986). False: does not fit. */
bool tbrest_encode(const char *text, char *out, size_t cap);

#endif

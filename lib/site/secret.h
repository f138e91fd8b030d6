/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret: the random words that programs of a site show one another, steward/forward.key and
 * ticket.key: 64 hex digits in a file of mode 0600. Blocking: one small file.
 */
#ifndef CRADLE_SITE_SECRET_H
#define CRADLE_SITE_SECRET_H

#include <stdbool.h>

#include "base/err.h"
#include "site/site.h"

#define SITE_SECRET_SIZE 32
#define SITE_SECRET_LEN  (2 * SITE_SECRET_SIZE)

/* `file` is SITE_FORWARD_KEY or SITE_TICKET_KEY. ERR_PRECONDITION: there is one already. */
bool site_secret_make(const site_t *site, const char *file, err_t *err);

/* Its text, with or without a line end in the file. The caller wipes it. ERR_PRECONDITION: not
   there; ERR_INPUT: others may read it, or it is no 64 hex digits. */
bool site_secret_read(const site_t *site, const char *file, char out[SITE_SECRET_LEN + 1],
                      err_t *err);

/* Is `authorization`, a header's value, "Bearer <secret>"? In time that does not depend on where it
   differs. `secret` is what site_secret_read gave. */
bool site_secret_shown(const char *secret, const char *authorization);

#endif

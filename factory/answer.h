/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer: speaks for the steward on the bench of station 4. Units of a site with a steward ask it
 * before they stream; the line has no steward key, and no internet to reach one. What it has is the
 * bench key, which the bundle names: with it *stream* may be answered to hello, nothing else, and a
 * device believes it only until it is marked as shipped (docs/protocol.md, DESIGN 5.1).
 *
 * A thread of its own serves POST /rpc on a free port of this machine, as the forwarder of the test
 * cloud calls it. A question is answered when it comes with the site's forward key, is well formed,
 * for this site, from a unit that custody knows, and signed by the key of that unit's certificate.
 */
#ifndef CRADLE_FACTORY_ANSWER_H
#define CRADLE_FACTORY_ANSWER_H

#include "base/err.h"
#include "site/site.h"

typedef struct factory_answer factory_answer_t;

/* Needs keys/bench.key, steward/server.crt, server.key and forward.key. `site` must outlive it. */
bool factory_answer_open(factory_answer_t **answer, const site_t *site, err_t *err);
void factory_answer_close(factory_answer_t *answer); /* NULL is allowed; waits for the thread */

/* "https://127.0.0.1:40123" */
const char *factory_answer_url(const factory_answer_t *answer);

/* The mark, in the flash of a unit that is run from flash bytes: from now on its device does not
   hear the bench any more. Nothing is done for a site without a steward, and for units on a chip.
 */
bool factory_answer_end(const site_t *site, const char *sn, err_t *err);

#endif

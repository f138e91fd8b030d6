/* SPDX-License-Identifier: Apache-2.0 */
/* jws_header: what each kind of JWS may be; private to lib/statement. */
#ifndef CRADLE_STATEMENT_JWS_HEADER_H
#define CRADLE_STATEMENT_JWS_HEADER_H

#include "statement/jws.h"

size_t jws_kind_max(jws_kind_t kind);
/* `typ`; NULL for a ticket, whose key is used for nothing else. */
const char *jws_kind_type(jws_kind_t kind);
bool jws_alg_allowed(jws_kind_t kind, jws_alg_t alg);
/* Base64url letters of the (smallest) signature of an algorithm, and whether there may be so many.
 */
size_t jws_signature_letters(jws_alg_t alg);
bool jws_signature_fits(jws_alg_t alg, size_t letters);

/* Reads the decoded header into jws->alg, x5t, kid. jws->kind is set. */
jws_result_t jws_header_read(jws_t *jws, const char *text, size_t len);

#endif

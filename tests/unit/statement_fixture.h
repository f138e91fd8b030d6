/* SPDX-License-Identifier: Apache-2.0 */
/* statement_fixture: texts for the tests of lib/statement, right and wrong ones. */
#ifndef CRADLE_TEST_STATEMENT_FIXTURE_H
#define CRADLE_TEST_STATEMENT_FIXTURE_H

#include "statement/receipt.h"
#include "statement/statement.h"
#include "statement/ticket.h"

#define FIXTURE_SITE "00112233445566778899aabbccddeeff"
#define FIXTURE_KID  "0123456789abcdef"
/* base64url of 16, 16 and 32 bytes, as the samples have them */
#define FIXTURE_EP   "EBESExQVFhcYGRobHB0eHw"
#define FIXTURE_N    "ICEiIyQlJicoKSorLC0uLw"
#define FIXTURE_LEAF "gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8"

typedef struct {
    char text[8192];
    size_t len;
    char scratch[8192];
    jws_t jws;
} fixture_t;

/* base64url(header).base64url(payload).signature of sig_len bytes (0x5a each). */
void fixture_make(fixture_t *f, const char *header, const char *payload, size_t sig_len);

/* The decoded payload of f->text as a C string, static. */
const char *fixture_payload(const fixture_t *f);
/* The decoded header of f->text as a C string, static. */
const char *fixture_header(const fixture_t *f);

/* A variant of a payload: member `index` dropped, written twice, or (change) with another value.
   False when there is no such member. *name becomes its name. */
typedef enum { FIXTURE_DROP, FIXTURE_TWICE, FIXTURE_CHANGE } fixture_change_t;
bool fixture_vary(const char *payload, size_t index, fixture_change_t change, const char *value,
                  char *out, size_t cap, char name[32]);

/* Opens and reads f->text. */
jws_result_t fixture_statement(fixture_t *f, statement_t *out);
jws_result_t fixture_answer(fixture_t *f, answer_t *out);
jws_result_t fixture_ticket(fixture_t *f, ticket_t *out);
jws_result_t fixture_bundle(fixture_t *f, bundle_t *out);
jws_result_t fixture_receipt(fixture_t *f, receipt_t *out);

/* Samples that can be written; their slices point to static memory. */
statement_t fixture_say(statement_method_t method);
answer_t fixture_reply(answer_result_t result);

/* A P-256 SubjectPublicKeyInfo in form; its point is `seed` all over. */
jws_bytes_t fixture_spki(uint8_t seed);

#endif

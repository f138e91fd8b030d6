/* SPDX-License-Identifier: Apache-2.0 */
/*
 * carrier: the JSON around statements and answers. The same on both ways to the steward:
 * ThingsBoard's device-side RPC (v1/devices/me/rpc/request/{id}, passed on by the rule chain as
 * body of a POST) and the device's own HTTPS POST.
 *
 *     request   {"method":"cradle.claim","params":{"s":"<statement>"}}
 *     reply     {"a":"<answer>"}   or, to cradle.bundle,   {"a":"<answer>","b":"<bundle>"}
 *
 * Members that are not known are read past (ThingsBoard may add some). The bundle travels beside
 * the answer, not in it: it has the anchor's signature already, and base64 of base64 would not fit.
 */
#ifndef CRADLE_STATEMENT_CARRIER_H
#define CRADLE_STATEMENT_CARRIER_H

#include "statement/jws.h"
#include "statement/ask.h"

#define CARRIER_REQUEST_MAX (JWS_STATEMENT_MAX + 64)
/* A device with P-256 only needs JWS_ANSWER_MAX + 16 for a reply. */
#define CARRIER_REPLY_MAX (JWS_ANSWER_MAX_RSA + 16)

/* Writes {"method":"cradle.M","params":{"s":" at out[0 ...] and its length to *len; the statement
   goes to out + *len, and is counted in *len before carrier_end_request closes the JSON. */
jws_result_t carrier_begin_request(statement_method_t method, char *out, size_t cap, size_t *len);
jws_result_t carrier_end_request(char *out, size_t cap, size_t *len);

/* `bundle` may be empty. */
jws_result_t carrier_write_reply(jws_text_t answer, jws_text_t bundle, char *out, size_t cap,
                                 size_t *len);

/* The slices point into the text. JWS_METHOD: not a method of ours. */
jws_result_t carrier_read_request(const char *text, size_t len, statement_method_t *method,
                                  jws_text_t *statement);
/* JWS_MISSING for anything without "a": ThingsBoard's own errors and an echoed request too. */
jws_result_t carrier_read_reply(const char *text, size_t len, jws_text_t *answer,
                                jws_text_t *bundle);

#endif

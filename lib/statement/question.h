/* SPDX-License-Identifier: Apache-2.0 */
/*
 * question: what makes two statements the same question (DESIGN 5.5): SN, epoch, method and the key
 * of the certificate request (for a commit: the leaf). The nonce is not part of it: asked again,
 * by a device that heard no answer or was switched off, a question skips the ticket's single-use
 * check and gets the present outcome, signed for its own nonce.
 */
#ifndef CRADLE_STATEMENT_QUESTION_H
#define CRADLE_STATEMENT_QUESTION_H

#include "statement/jws.h"
#include "statement/ask.h"

/* "claim:SN-000001:<22 characters>:<43 characters>" and a NUL. */
#define QUESTION_TEXT_SIZE (6 + 1 + JWS_SN_MAX + 1 + 22 + 1 + 43 + 1)

/* The name of the question: to be kept with its outcome, and compared as text. `csr_key` is SHA-256
   of the SubjectPublicKeyInfo in the request: must be given for claim and renew, is not looked at
   for the rest. */
void question_name(const statement_t *statement, const uint8_t csr_key[JWS_HASH_SIZE],
                   char out[QUESTION_TEXT_SIZE]);

#endif

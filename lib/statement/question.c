/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/bytes.h"
#include "statement/question.h"

static const uint8_t *question_key(const statement_t *statement, const uint8_t *csr_key)
{
    static const uint8_t none[JWS_HASH_SIZE];
    switch (statement->method) {
    case STATEMENT_CLAIM:
    case STATEMENT_RENEW:
        return csr_key;
    case STATEMENT_COMMIT:
        return statement->leaf;
    default:
        return none;
    }
}

void question_name(const statement_t *statement, const uint8_t csr_key[JWS_HASH_SIZE],
                   char out[QUESTION_TEXT_SIZE])
{
    const char *method = statement_method_name(statement->method);
    size_t sn = statement->sn.len < JWS_SN_MAX ? statement->sn.len : JWS_SN_MAX;
    char *at = out;
    memcpy(at, method, strlen(method));
    at += strlen(method);
    *at++ = ':';
    memcpy(at, statement->sn.text, sn);
    at += sn;
    *at++ = ':';
    bytes_to_base64url(statement->epoch, JWS_EPOCH_SIZE, at, 23);
    at += 22;
    *at++ = ':';
    bytes_to_base64url(question_key(statement, csr_key), JWS_HASH_SIZE, at, 44);
}

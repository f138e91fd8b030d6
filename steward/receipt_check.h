/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receipt_check: verifies a receipt without asking anybody: bundle signed by the anchor key,
 * receipt signed by the steward key that the bundle names, both of the same site.
 *
 * Not checked: whether the anchor key is the right one: it comes with the device or the site.
 */
#ifndef CRADLE_STEWARD_RECEIPT_CHECK_H
#define CRADLE_STEWARD_RECEIPT_CHECK_H

#include <openssl/types.h>

#include "base/err.h"
#include "statement/receipt.h"

/* A receipt with what its texts point into. */
typedef struct {
    receipt_t receipt;
    uint8_t scratch[JWS_RECEIPT_MAX];
} receipt_read_t;

/* Takes a receipt apart; its signature is not looked at. */
bool receipt_open(const char *text, size_t len, receipt_read_t *read, err_t *err);

/* The whole check. White space around both texts is allowed. */
bool receipt_check(const char *text, size_t len, const char *bundle, size_t bundle_len,
                   EVP_PKEY *anchor, receipt_read_t *read, err_t *err);

#endif

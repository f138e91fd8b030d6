/* SPDX-License-Identifier: Apache-2.0 */
/* internal: what the files of the phone share with one another and with nobody else. */
#ifndef CRADLE_PHONE_INTERNAL_H
#define CRADLE_PHONE_INTERNAL_H

#include "phone/account.h"
#include "phone/phone.h"

/* 1 to `max` of A-Z a-z 0-9 . _ - : needs no escape in a URL, a header, JSON or a terminal. */
bool phone_word_valid(const char *text, size_t max);

bool phone_epoch_valid(const char *epoch);

/* "https://HOST:PORT" and nothing after it. */
bool phone_url_valid(const char *url);

/* A text member; false when it is absent, no text or too long. */
bool phone_member(const char *json, size_t len, const char *name, char *out, size_t cap);

/* Bytes from a device or from the steward, and what they say; false when they make no sense. */
bool phone_info_parse(const char *json, size_t len, phone_info_t *info);
bool phone_ownership_parse(const char *json, size_t len, phone_ownership_t *out);
bool phone_owned_parse(const char *json, size_t len, phone_owned_fn each, void *ctx);
bool phone_receipts_parse(const char *json, size_t len, phone_receipt_fn each, void *ctx);

/* cradle-info, after a session was opened. Without that endpoint: OK, and info->sn is "". */
protocomm_outcome_t phone_info_read(protocomm_client_t *client, phone_info_t *info, err_t *err);

/* Hands the ticket over. REFUSED with the device's own word. */
protocomm_outcome_t phone_claim_hand_over(protocomm_client_t *client, const char *ticket,
                                          err_t *err);

#endif

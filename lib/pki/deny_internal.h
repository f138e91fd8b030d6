/* SPDX-License-Identifier: Apache-2.0 */
/* deny_internal: the inside of a deny-list, for deny.c, deny_text.c and the fuzzer. */
#ifndef CRADLE_PKI_DENY_INTERNAL_H
#define CRADLE_PKI_DENY_INTERNAL_H

#include "pki/deny.h"

struct pki_deny {
    char site[PKI_DENY_SITE_LEN + 1];
    int64_t seq;
    int64_t issued;
    pki_denied_t *entry; /* sorted by leaf, each once */
    size_t count;
    size_t room;
};

bool pki_deny_site_valid(const char *site);
bool pki_deny_entry_valid(const pki_denied_t *denied);
/* Room for one more at the end. */
bool pki_deny_make_room(pki_deny_t *deny, err_t *err);

/* The payload, whoever signed it. */
bool pki_deny_read_payload(const char *json, size_t len, pki_deny_t **deny, err_t *err);
/* Heap text with a NUL. */
bool pki_deny_write_payload(const pki_deny_t *deny, int64_t seq, int64_t issued, char **json,
                            size_t *len, err_t *err);

#endif

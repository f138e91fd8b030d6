/* SPDX-License-Identifier: Apache-2.0 */
/* deny: the list in memory. Its text is deny_text.c's. */
#include "pki/deny.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "pki/deny_internal.h"

static const struct {
    pki_reason_t reason;
    const char *name;
} reasons[] = {
    {PKI_REASON_UNSPECIFIED, "unspecified"},
    {PKI_REASON_KEY_COMPROMISE, "keyCompromise"},
    {PKI_REASON_CA_COMPROMISE, "cACompromise"},
    {PKI_REASON_AFFILIATION_CHANGED, "affiliationChanged"},
    {PKI_REASON_SUPERSEDED, "superseded"},
    {PKI_REASON_CESSATION, "cessationOfOperation"},
    {PKI_REASON_WITHDRAWN, "privilegeWithdrawn"},
};
#define REASONS (sizeof reasons / sizeof reasons[0])

const char *pki_reason_name(pki_reason_t reason)
{
    for (size_t i = 0; i < REASONS; i++) {
        if (reasons[i].reason == reason) {
            return reasons[i].name;
        }
    }
    return reasons[0].name;
}

bool pki_reason_parse(const char *name, pki_reason_t *reason)
{
    for (size_t i = 0; i < REASONS; i++) {
        if (strcmp(reasons[i].name, name) == 0) {
            *reason = reasons[i].reason;
            return true;
        }
    }
    return false;
}

bool pki_deny_site_valid(const char *site)
{
    return strlen(site) == PKI_DENY_SITE_LEN &&
           strspn(site, "0123456789abcdef") == PKI_DENY_SITE_LEN;
}

bool pki_deny_new(const char *site, pki_deny_t **deny, err_t *err)
{
    *deny = NULL;
    if (!pki_deny_site_valid(site)) {
        return err_set(err, ERR_USAGE, "a deny-list is for one site, named by 32 hex digits");
    }
    pki_deny_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a deny-list");
    }
    memcpy(made->site, site, PKI_DENY_SITE_LEN);
    *deny = made;
    return true;
}

void pki_deny_free(pki_deny_t *deny)
{
    if (deny != NULL) {
        free(deny->entry);
        free(deny);
    }
}

/* Where the hash is, or where it belongs. */
static size_t place(const pki_deny_t *deny, const uint8_t sha256[32], bool *found)
{
    size_t low = 0;
    size_t high = deny->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(deny->entry[middle].leaf, sha256, 32);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const pki_denied_t *pki_deny_find(const pki_deny_t *deny, const uint8_t sha256[32])
{
    bool found;
    size_t at = place(deny, sha256, &found);
    return found ? &deny->entry[at] : NULL;
}

bool pki_deny_hook(void *deny, const X509 *cert, const uint8_t sha256[32])
{
    (void)cert;
    return pki_deny_find(deny, sha256) != NULL;
}

bool pki_deny_make_room(pki_deny_t *deny, err_t *err)
{
    if (deny->count == PKI_DENY_MAX) {
        return err_set(err, ERR_PRECONDITION,
                       "a deny-list holds at most %d certificates; roll the issuing CA instead",
                       PKI_DENY_MAX);
    }
    if (deny->count == deny->room) {
        size_t room = deny->room == 0 ? 16 : 2 * deny->room;
        pki_denied_t *more = realloc(deny->entry, room * sizeof *more);
        if (more == NULL) {
            return err_set(err, ERR_SYSTEM, "out of memory for a deny-list");
        }
        deny->entry = more;
        deny->room = room;
    }
    return true;
}

bool pki_deny_entry_valid(const pki_denied_t *d)
{
    static const uint8_t zero[32];
    size_t len = strlen(d->serial);
    bool known = len > 0;
    pki_reason_t again;
    return len <= 42 && len % 2 == 0 && strspn(d->serial, "0123456789abcdef") == len &&
           known == (memcmp(d->issuer, zero, 32) != 0) && d->at >= 0 &&
           pki_reason_parse(pki_reason_name(d->reason), &again) && again == d->reason;
}

bool pki_deny_add(pki_deny_t *deny, const pki_denied_t *denied, bool *added, err_t *err)
{
    bool found;
    *added = false;
    if (!pki_deny_entry_valid(denied)) {
        return err_set(err, ERR_USAGE,
                       "that cannot be put on a deny-list: its serial number, time "
                       "or reason is none");
    }
    size_t at = place(deny, denied->leaf, &found);
    if (found) {
        return true;
    }
    if (!pki_deny_make_room(deny, err)) {
        return false;
    }
    memmove(&deny->entry[at + 1], &deny->entry[at], (deny->count - at) * sizeof *deny->entry);
    deny->entry[at] = *denied;
    deny->count++;
    *added = true;
    return true;
}

int64_t pki_deny_seq(const pki_deny_t *deny)
{
    return deny->seq;
}

int64_t pki_deny_issued(const pki_deny_t *deny)
{
    return deny->issued;
}

size_t pki_deny_count(const pki_deny_t *deny)
{
    return deny->count;
}

const pki_denied_t *pki_deny_at(const pki_deny_t *deny, size_t index)
{
    return index < deny->count ? &deny->entry[index] : NULL;
}

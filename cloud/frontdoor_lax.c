/* SPDX-License-Identifier: Apache-2.0 */
/* The front door as ThingsBoard CE 4.2.1 keeps it: SslUtil and its trust manager, read and seen
   alive. Everything that is wrong here is wrong there. */
#include "cloud/frontdoor_internal.h"

#include <string.h>
#include <openssl/x509.h>

#include "base/clock.h"

/* Each is signed with the key of the next; nothing else. */
static bool is_chained(const STACK_OF(X509) * chain)
{
    for (int i = 0; i + 1 < sk_X509_num(chain); i++) {
        EVP_PKEY *key = X509_get0_pubkey(sk_X509_value(chain, i + 1));
        if (key == NULL || X509_verify(sk_X509_value(chain, i), key) != 1) {
            return false;
        }
    }
    return true;
}

/* From the leaf upward: credentials of that hash end it, a chain profile of that CA takes the leaf.
 */
static void walk(frontdoor_visit_t *v, frontdoor_guest_t *guest, const STACK_OF(X509) * chain)
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        pki_facts_t facts;
        bool others;
        if (!pki_cert_facts(sk_X509_value(chain, i), &facts, NULL)) {
            continue;
        }
        if (frontdoor_is_known(v->door, facts.credentials_id)) {
            return;
        }
        bool ok = frontdoor_provision(v, facts.credentials_id, &others);
        if (!others) {
            if (frontdoor_settle(v, ok) && v->admitted->replaced) {
                guest->displaced = true;
                guest->device = v->admitted->device;
            }
            return;
        }
    }
}

int frontdoor_lax_handshake(frontdoor_t *door, frontdoor_guest_t *guest, const char *peer,
                            X509 *leaf, const struct stack_st_X509 *chain)
{
    const STACK_OF(X509) *stack = (const STACK_OF(X509) *)chain;
    frontdoor_admitted_t admitted = {.row = 0};
    frontdoor_visit_t v = {door, guest, leaf, peer, &admitted, false};
    guest->judged = true;
    guest->verdict.result = PKI_CHAIN_OK;
    if (sk_X509_num(stack) > PKI_CHAIN_MAX || !is_chained(stack)) {
        frontdoor_refused(peer, guest, "alert", pki_chain_name(PKI_CHAIN_BAD_SIGNATURE),
                          "a certificate is not signed by the one that follows it");
        return pki_chain_verify_error(PKI_CHAIN_BAD_SIGNATURE);
    }
    walk(&v, guest, stack); /* what fails here is refused at CONNECT */
    return X509_V_OK;
}

bool frontdoor_lax_connect(frontdoor_visit_t *v)
{
    bool known;
    int64_t now = clock_wall_ms() / 1000;
    if (now < v->guest->leaf.not_before || now > v->guest->leaf.not_after) {
        return frontdoor_no(v, "dates", "its certificate is expired or not yet valid");
    }
    return frontdoor_recall(v, &known) &&
           (known || frontdoor_no(v, "unknown", "no device has that certificate"));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/frontdoor_internal.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "cloud/log.h"
#include "tbdevice/tb_value.h"

#define LOBBY "lobby"

/* ---- opening ---- */

static void note_found(void *ctx, const store_profile_t *profile)
{
    (void)profile;
    *(bool *)ctx = true;
}

static bool make_profile(frontdoor_t *door, const char *name, X509 *ca, err_t *err)
{
    bool found = false;
    store_result_t result = store_profile_by_name(door->store, name, note_found, &found, err);
    if (found || (result != STORE_NOT_FOUND && result != STORE_OK)) {
        return found;
    }
    char *secret = NULL;
    store_profile_t profile = {.is_default = ca == NULL};
    snprintf(profile.name, sizeof profile.name, "%s", name);
    profile.description = "";
    if (ca != NULL) {
        if (!pki_cert_credentials_value(ca, &secret, err)) {
            return false;
        }
        profile.provision = STORE_PROVISION_X509_CHAIN;
        profile.provision_key = door->product_key;
        profile.provision_secret = secret;
        profile.regex = "^(.*)$";
        profile.allow_create = true;
    }
    result = store_profile_save(door->store, &profile, err);
    free(secret);
    return result == STORE_OK;
}

bool frontdoor_open(frontdoor_t **door, store_t *store, const pki_chain_t *product,
                    const pki_chain_t *issuing, err_t *err)
{
    pki_facts_t facts;
    frontdoor_t *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for the front door");
    }
    d->store = store;
    bool ok = pki_trust_new(product, issuing, &d->trust, err) &&
              pki_cert_facts(product->cert[0], &facts, err);
    if (ok) {
        memcpy(d->product_key, facts.credentials_id, sizeof d->product_key);
        ok = make_profile(d, "default", NULL, err) &&
             make_profile(d, LOBBY, product->cert[0], err) && store_commit(store, err);
    }
    if (!ok) {
        frontdoor_close(d);
        return err_add(err, "the device profiles");
    }
    *door = d;
    return true;
}

void frontdoor_close(frontdoor_t *door)
{
    if (door != NULL) {
        pki_trust_free(door->trust);
        free(door);
    }
}

void frontdoor_as_thingsboard(frontdoor_t *door)
{
    door->lax = true;
}

void frontdoor_use_deny(frontdoor_t *door, site_deny_t *deny)
{
    door->deny = deny;
}

/* ---- the handshake ---- */

static void refresh_deny(frontdoor_t *door)
{
    err_t err = ERR_INIT;
    if (door->deny != NULL && !site_deny_refresh(door->deny, &err)) {
        cloud_log(LOG_ERROR, "deny-list", "why=\"%s\"", err.text);
    }
}

void frontdoor_refused(const char *peer, const frontdoor_guest_t *guest, const char *how,
                       const char *reason, const char *text)
{
    char cn[LOG_TEXT_MAX];
    char why[320];
    cloud_log(LOG_WARN, "refused", "peer=%s with=%s reason=%s cn=%s why=%s", peer, how, reason,
              log_text(guest->leaf.cn, strlen(guest->leaf.cn), cn, sizeof cn),
              log_text(text, strlen(text), why, sizeof why));
}

/* The credentials that a leaf is the credential of. */
typedef struct {
    bool found;
    store_credentials_type_t type;
    store_id_t id;
    store_id_t device;
    int64_t row;
    int64_t version;
    char value[2 * PKI_CERT_DER_MAX];
} record_t;

static void note_credentials(void *ctx, const store_credentials_t *credentials)
{
    record_t *record = ctx;
    record->found = true;
    record->type = credentials->type;
    record->id = credentials->id;
    record->device = credentials->device;
    record->row = credentials->device_row;
    record->version = credentials->version;
    snprintf(record->value, sizeof record->value, "%s",
             credentials->value != NULL ? credentials->value : "");
}

bool frontdoor_is_known(frontdoor_t *door, const char *credentials_id)
{
    record_t *record = calloc(1, sizeof *record);
    bool known = record != NULL &&
                 store_credentials_by_id(door->store, credentials_id, note_credentials, record,
                                         NULL) == STORE_OK &&
                 record->found && record->type == STORE_X509_CERTIFICATE;
    free(record);
    return known;
}

int frontdoor_handshake(frontdoor_t *door, frontdoor_guest_t *guest, const char *peer, X509 *leaf,
                        const struct stack_st_X509 *chain, bool resumed)
{
    memset(guest, 0, sizeof *guest);
    if (!pki_cert_facts(leaf, &guest->leaf, NULL)) {
        guest->verdict.result = PKI_CHAIN_MALFORMED;
        frontdoor_refused(peer, guest, "alert", "malformed",
                          "dates or serial number cannot be read");
        return X509_V_ERR_CERT_REJECTED;
    }
    if (door->lax) {
        return frontdoor_lax_handshake(door, guest, peer, leaf, chain);
    }
    refresh_deny(door);
    const pki_chain_policy_t policy = {.now = clock_wall_ms() / 1000,
                                       .leaf_known =
                                           frontdoor_is_known(door, guest->leaf.credentials_id),
                                       .denied = door->deny == NULL ? NULL : site_deny_hook,
                                       .context = door->deny};
    if (resumed) {
        X509 *const only[] = {leaf};
        pki_chain_check(door->trust, only, 1, &policy, &guest->verdict);
    } else {
        pki_chain_check_stack(door->trust, NULL, chain, &policy, &guest->verdict);
    }
    guest->judged = true;
    if (resumed && guest->verdict.result != PKI_CHAIN_OK) {
        return X509_V_ERR_CERT_REJECTED; /* a full handshake follows, and is judged anew */
    }
    if (pki_chain_is_alert(guest->verdict.result)) {
        frontdoor_refused(peer, guest, "alert", pki_chain_name(guest->verdict.result),
                          guest->verdict.text);
        return pki_chain_verify_error(guest->verdict.result);
    }
    return X509_V_OK;
}

/* ---- CONNECT ---- */

/* What the profile of the product CA says. */
typedef struct {
    bool found;
    store_id_t id;
    store_provision_t provision;
    bool allow_create;
    char regex[256];
} profile_t;

static void note_profile(void *ctx, const store_profile_t *profile)
{
    profile_t *p = ctx;
    p->found = true;
    p->id = profile->id;
    p->provision = profile->provision;
    p->allow_create = profile->allow_create;
    snprintf(p->regex, sizeof p->regex, "%s", profile->regex != NULL ? profile->regex : "");
}

/* Group 1 of the first match, as ThingsBoard takes it. */
static bool extract_name(const char *pattern, const char *cn, char name[STORE_TEXT])
{
    regex_t regex;
    regmatch_t match[2];
    if (regcomp(&regex, pattern, REG_EXTENDED) != 0) {
        return false;
    }
    bool ok = regex.re_nsub >= 1 && regexec(&regex, cn, 2, match, 0) == 0 && match[1].rm_so >= 0 &&
              match[1].rm_eo > match[1].rm_so;
    if (ok) {
        snprintf(name, STORE_TEXT, "%.*s", (int)(match[1].rm_eo - match[1].rm_so),
                 cn + match[1].rm_so);
    }
    regfree(&regex);
    return ok;
}

typedef struct {
    bool found;
    store_device_t device;
} found_device_t;

static void note_device(void *ctx, const store_device_t *device)
{
    found_device_t *found = ctx;
    found->found = true;
    found->device = *device;
    found->device.label = found->device.info = found->device.extra = NULL; /* not ours to keep */
}

/* notBefore of the certificate in `base64`, or INT64_MIN when it cannot be read. */
static int64_t begins(const char *base64)
{
    uint8_t der[PKI_CERT_DER_MAX];
    size_t len;
    X509 *cert;
    pki_facts_t facts;
    int64_t from = INT64_MIN;
    if (bytes_from_base64(base64, strlen(base64), der, sizeof der, &len) &&
        pki_cert_from_der(der, len, &cert, NULL)) {
        if (pki_cert_facts(cert, &facts, NULL)) {
            from = facts.not_before;
        }
        pki_cert_free(cert);
    }
    return from;
}

bool frontdoor_no(const frontdoor_visit_t *v, const char *reason, const char *text)
{
    frontdoor_refused(v->peer, v->guest, "connack-5", reason, text);
    return false;
}

static bool broken(frontdoor_visit_t *v, const err_t *err)
{
    cloud_log(LOG_ERROR, "store", "what=admission cn=%s why=\"%s\"", v->guest->leaf.cn, err->text);
    v->broken = true;
    return false;
}

static bool save_credentials(frontdoor_visit_t *v, const record_t *record, err_t *err)
{
    char *value;
    if (!pki_cert_credentials_value(v->leaf, &value, err)) {
        return false;
    }
    store_credentials_t credentials = {.id = record->found ? record->id : STORE_ID_NULL,
                                       .device = v->admitted->device,
                                       .device_row = v->admitted->row,
                                       .type = STORE_X509_CERTIFICATE,
                                       .credentials_id = v->guest->leaf.credentials_id,
                                       .value = value,
                                       .version = record->found ? record->version : 0};
    store_result_t result =
        store_credentials_save(v->door->store, &credentials, clock_wall_ms(), NULL, err);
    free(value);
    return result == STORE_OK;
}

static bool create(frontdoor_visit_t *v, const profile_t *profile, const char *name)
{
    static const char done[] = TB_PROVISION_STATE_DONE;
    const tb_value_t state = {.type = TB_STRING, .text = done, .len = sizeof done - 1};
    const record_t none = {.found = false};
    err_t err = ERR_INIT;
    store_device_t device = {.profile = profile->id};
    int64_t now = clock_wall_ms();
    if (!profile->allow_create) {
        return frontdoor_no(v, "no-create",
                            "the profile makes no new devices: register it over REST");
    }
    snprintf(device.name, sizeof device.name, "%s", name);
    if (store_device_save(v->door->store, &device, now, &err) != STORE_OK) {
        return broken(v, &err);
    }
    v->admitted->device = device.id;
    v->admitted->row = device.row;
    v->admitted->created = true;
    if (!save_credentials(v, &none, &err) ||
        store_attribute_put(v->door->store, device.row, TB_SERVER_SCOPE, TB_ATTR_PROVISION_STATE,
                            strlen(TB_ATTR_PROVISION_STATE), &state, now, &err) != STORE_OK) {
        return broken(v, &err);
    }
    return true;
}

/* A device of that name exists: another leaf of the same CN. */
static bool replace(frontdoor_visit_t *v, const profile_t *profile, const store_device_t *device)
{
    err_t err = ERR_INIT;
    if (!store_id_equal(&device->profile, &profile->id)) {
        return frontdoor_no(
            v, "other-profile",
            "a device of that name is in another profile: only its registered certificate "
            "gets in");
    }
    record_t *record = calloc(1, sizeof *record);
    if (record == NULL) {
        v->broken = true;
        return false;
    }
    store_credentials_get(v->door->store, &device->id, note_credentials, record, &err);
    bool ok = true;
    if (record->found && record->type != STORE_X509_CERTIFICATE) {
        ok = frontdoor_no(v, "other-credentials",
                          "a device of that name logs in by other means: change its "
                          "credentials over REST");
    } else if (!v->door->lax && record->found &&
               v->guest->leaf.not_before < begins(record->value)) {
        ok = frontdoor_no(v, "older",
                          "a newer certificate of that name is on record: renew, or set this one "
                          "over REST");
    } else {
        v->admitted->device = device->id;
        v->admitted->row = device->row;
        v->admitted->replaced = true;
        ok = save_credentials(v, record, &err) || broken(v, &err);
    }
    free(record);
    return ok;
}

bool frontdoor_provision(frontdoor_visit_t *v, const char *key, bool *others)
{
    profile_t profile = {.found = false};
    found_device_t *found = calloc(1, sizeof *found);
    err_t err = ERR_INIT;
    bool ok = false;
    *others = false;
    store_profile_by_key(v->door->store, key, note_profile, &profile, &err);
    if (found == NULL || err.kind != ERR_NONE) {
        ok = broken(v, &err);
    } else if (!profile.found || profile.provision != STORE_PROVISION_X509_CHAIN) {
        *others = true;
    } else if (!extract_name(profile.regex, v->guest->leaf.cn, v->admitted->name)) {
        ok = frontdoor_no(v, "no-name",
                          "the profile's certificateRegExPattern takes no name from that CN");
    } else {
        store_device_by_name(v->door->store, v->admitted->name, note_device, found, &err);
        ok = err.kind != ERR_NONE ? broken(v, &err)
             : found->found       ? replace(v, &profile, &found->device)
                                  : create(v, &profile, v->admitted->name);
    }
    free(found);
    return ok;
}

/* The leaf is on record: whose is it? */
bool frontdoor_recall(frontdoor_visit_t *v, bool *known)
{
    record_t *record = calloc(1, sizeof *record);
    found_device_t *found = calloc(1, sizeof *found);
    err_t err = ERR_INIT;
    bool ok = record != NULL && found != NULL;
    *known = false;
    if (ok) {
        store_credentials_by_id(v->door->store, v->guest->leaf.credentials_id, note_credentials,
                                record, &err);
        *known = record->found && record->type == STORE_X509_CERTIFICATE;
    }
    if (ok && *known) {
        store_device_get(v->door->store, &record->device, note_device, found, &err);
        v->admitted->device = record->device;
        v->admitted->row = record->row;
        snprintf(v->admitted->name, sizeof v->admitted->name, "%s", found->device.name);
        ok = found->found;
    }
    if (!ok || err.kind != ERR_NONE) {
        ok = broken(v, &err);
    }
    free(record);
    free(found);
    return ok;
}

bool frontdoor_settle(frontdoor_visit_t *v, bool ok)
{
    err_t err = ERR_INIT;
    const frontdoor_admitted_t *admitted = v->admitted;
    if (ok && !store_commit(v->door->store, &err)) {
        ok = broken(v, &err);
    } else if (!ok && v->broken) {
        store_rollback(v->door->store);
    }
    if (ok && admitted->created) {
        cloud_log(LOG_INFO, "provisioned", "device=%s peer=%s", admitted->name, v->peer);
    } else if (ok && admitted->replaced) {
        cloud_log(LOG_INFO, "renewed", "device=%s peer=%s leaf=%s", admitted->name, v->peer,
                  v->guest->leaf.sha256_hex);
    }
    return ok;
}

/* An unknown leaf with a good chain goes into the profile that has the product CA. */
static bool admit(frontdoor_visit_t *v)
{
    bool known;
    bool others = false;
    bool ok = frontdoor_recall(v, &known);
    if (ok && !known) {
        ok = frontdoor_provision(v, v->door->product_key, &others);
        if (others) {
            ok = frontdoor_no(v, "no-profile",
                              "no device profile has the product CA: make one over REST");
        }
        ok = frontdoor_settle(v, ok);
    }
    return ok;
}

bool frontdoor_connect(frontdoor_t *door, const frontdoor_guest_t *guest, X509 *leaf,
                       const char *peer, frontdoor_admitted_t *admitted, bool *unavailable)
{
    frontdoor_visit_t v = {door, guest, leaf, peer, admitted, false};
    memset(admitted, 0, sizeof *admitted);
    *unavailable = false;
    if (!guest->judged || leaf == NULL) {
        return frontdoor_no(&v, "no-certificate", "a client certificate is needed");
    }
    if (guest->verdict.result != PKI_CHAIN_OK) {
        return frontdoor_no(&v, pki_chain_name(guest->verdict.result), guest->verdict.text);
    }
    bool ok = door->lax ? frontdoor_lax_connect(&v) : admit(&v);
    *unavailable = v.broken;
    return ok;
}

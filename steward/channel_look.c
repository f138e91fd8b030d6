/* SPDX-License-Identifier: Apache-2.0 */
/* The facts of a question, one function each; ownership_check says in which order. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "pki/cert.h"
#include "pki/csr.h"
#include "pki/jose.h"
#include "pki/key.h"

#include "statement/ticket.h"
#include "steward/channel_internal.h"

#define RATE_BURST 20
/* By HTTPS nobody has said yet who he is: one bucket for all of them. */
#define RATE_DIRECT_BURST 200

static bool look_size(asking_t *a)
{
    a->facts.size = a->body_len <= CARRIER_REQUEST_MAX ? FACT_SIZE_FITS : FACT_SIZE_OVER;
    return true;
}

/* FNV-1a; senders that share a bucket share its limit, no more. */
static uint32_t hash_text(const char *text)
{
    uint32_t hash = 2166136261u;
    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    }
    return hash;
}

/* A bucket for each sender: a burst, then one a second. */
static bool look_rate(asking_t *a)
{
    uint32_t burst = a->device != NULL ? RATE_BURST : RATE_DIRECT_BURST;
    uint32_t who = hash_text(a->device != NULL ? a->device : "");
    bucket_t *bucket = &a->channel->buckets[who % CHANNEL_BUCKETS];
    if (bucket->at == 0 || bucket->who != who || a->now < bucket->at) {
        *bucket = (bucket_t){who, burst, a->now};
    }
    int64_t more = (a->now - bucket->at) * (a->device != NULL ? 1 : RATE_DIRECT_BURST);
    bucket->at = a->now;
    bucket->tokens = more >= burst - bucket->tokens ? burst : bucket->tokens + (uint32_t)more;
    a->facts.rate = bucket->tokens > 0 ? FACT_RATE_FITS : FACT_RATE_OVER;
    bucket->tokens -= bucket->tokens > 0;
    return true;
}

/* Carrier, envelope and payload at once: what is refused of them is told apart by the facts. */
static bool look_form(asking_t *a)
{
    jws_text_t text;
    jws_result_t result = carrier_read_request(a->body, a->body_len, &a->method, &text);
    if (result == JWS_METHOD) {
        a->facts.form = FACT_FORM_GOOD;
        a->facts.method = FACT_METHOD_UNKNOWN;
        return true;
    }
    if (result == JWS_OK) {
        result = jws_open(JWS_STATEMENT, text.text, text.len, &a->jws);
    }
    if (result == JWS_OK) {
        result = statement_read(&a->jws, a->scratch, sizeof a->scratch, &a->statement);
    }
    if (result == JWS_METHOD) {
        a->facts.form = FACT_FORM_GOOD;
        a->facts.method = FACT_METHOD_UNKNOWN;
    } else if (result != JWS_OK) {
        a->facts.form = result == JWS_TYPE ? FACT_FORM_TYPE : FACT_FORM_BAD;
        a->note = jws_result_text(result);
    } else {
        a->facts.form = FACT_FORM_GOOD;
        memcpy(a->sn, a->statement.sn.text, a->statement.sn.len);
        a->sn[a->statement.sn.len] = '\0';
        a->facts.right.method = a->statement.method;
        a->facts.right.carrier = a->device != NULL ? OWNERSHIP_BY_RPC : OWNERSHIP_BY_HTTPS;
    }
    return true;
}

static bool look_method(asking_t *a)
{
    a->facts.method = a->method == a->statement.method ? FACT_METHOD_GOOD : FACT_METHOD_DIFFERS;
    return true;
}

static bool look_audience(asking_t *a)
{
    a->facts.audience = jws_text_equal(a->statement.site, jws_text(a->channel->s.site))
                            ? FACT_AUDIENCE_OURS
                            : FACT_AUDIENCE_OTHER;
    return true;
}

/* ---- the key ---- */

static bool any_key(void *ctx, const record_key_t *key)
{
    (void)key;
    *(bool *)ctx = true;
    return false;
}

/* An SN without a row: the leaf that let this session in is what the cloud has stored for it. */
static bool first_contact(asking_t *a)
{
    err_t why = ERR_INIT;
    if (a->device == NULL) {
        a->facts.key = FACT_KEY_UNKNOWN_SN;
        return true;
    }
    if (!cloud_device_read(a->channel->s.cloud, a->device, &a->met, &a->err)) {
        return false;
    }
    if (!a->met.found || !a->met.has_leaf ||
        memcmp(a->met.leaf_hash, a->jws.x5t, JWS_HASH_SIZE) != 0) {
        a->facts.key = FACT_KEY_UNKNOWN;
        return true;
    }
    bool good = authority_leaf_good(a->channel->s.authority, a->met.leaf, a->met.leaf_len, a->sn,
                                    a->now, &why) &&
                authority_key_row(a->met.leaf, a->met.leaf_len, a->sn, &a->key, &why);
    if (good && a->unit.packed &&
        memcmp(a->unit.packed_leaf, a->met.leaf_hash, JWS_HASH_SIZE) != 0) {
        good = err_set(&why, ERR_INPUT, "the pack list names another certificate");
    }
    if (!good) {
        a->note = "the leaf that the cloud has stored is not good";
        a->facts.key = FACT_KEY_FIRST_BAD;
        return true;
    }
    a->key.birth = true;
    a->key.standing = OWNERSHIP_KEY_CURRENT;
    a->facts.key = FACT_KEY_FIRST;
    return true;
}

static bool look_key(asking_t *a)
{
    record_t *record = a->channel->s.record;
    bool found;
    bool rows = false;
    if (!record_key_get(record, a->jws.x5t, &a->key, &found, &a->err) ||
        !record_unit_get(record, a->sn, &a->unit, &a->has_unit, &a->err) ||
        !record_keys(record, a->sn, any_key, &rows, &a->err)) {
        return false;
    }
    if (authority_denied(a->channel->s.authority, a->jws.x5t)) {
        a->note = "its certificate is on the site's deny-list";
        a->facts.key = FACT_KEY_UNKNOWN;
        return true;
    }
    if (found) {
        a->facts.key = strcmp(a->key.sn, a->sn) == 0 ? FACT_KEY_REGISTERED : FACT_KEY_OTHER_SN;
        return true;
    }
    if (rows) {
        a->facts.key = FACT_KEY_UNKNOWN;
        return true;
    }
    return first_contact(a);
}

static bool look_algorithm(asking_t *a)
{
    X509 *cert;
    if (!pki_cert_from_der(a->key.cert, a->key.cert_len, &cert, &a->err)) {
        return false;
    }
    a->public = X509_get_pubkey(cert);
    pki_cert_free(cert);
    if (a->public == NULL) {
        return err_set(&a->err, ERR_INPUT, "the key of %s on record cannot be read", a->sn);
    }
    jws_alg_t alg = EVP_PKEY_get_base_id(a->public) == EVP_PKEY_RSA ? JWS_RS256 : JWS_ES256;
    a->facts.algorithm = a->jws.alg == alg ? FACT_ALGORITHM_PINNED : FACT_ALGORITHM_OTHER;
    return true;
}

static bool look_signature(asking_t *a)
{
    a->facts.signature =
        pki_jose_good(a->public, &a->jws) ? FACT_SIGNATURE_GOOD : FACT_SIGNATURE_BAD;
    return true;
}

/* ---- who sent it ---- */

/* The record at the cloud that we knew is gone, and the one that asks holds a leaf of this SN. */
static bool look_adoption(asking_t *a)
{
    cloud_t *cloud = a->channel->s.cloud;
    cloud_device_t known = {.found = false};
    record_key_t stored;
    bool found = false;
    if ((a->unit.device[0] != '\0' && !cloud_device_read(cloud, a->unit.device, &known, &a->err)) ||
        !cloud_device_read(cloud, a->device, &a->met, &a->err)) {
        return false;
    }
    if (a->met.found && a->met.has_leaf &&
        !record_key_get(a->channel->s.record, a->met.leaf_hash, &stored, &found, &a->err)) {
        return false;
    }
    a->facts.id =
        !known.found && found && strcmp(stored.sn, a->sn) == 0 ? FACT_ID_ADOPT : FACT_ID_UNKNOWN;
    return true;
}

static bool look_id(asking_t *a)
{
    record_unit_t other;
    bool found;
    if (a->device == NULL) {
        a->facts.id = FACT_ID_DIRECT;
        return true;
    }
    if (!record_unit_by_device(a->channel->s.record, a->device, &other, &found, &a->err)) {
        return false;
    }
    if (found) {
        a->facts.id = strcmp(other.sn, a->sn) == 0 ? FACT_ID_BELONGS : FACT_ID_OTHER_SN;
        return true;
    }
    if (a->facts.key == FACT_KEY_FIRST) {
        a->facts.id = FACT_ID_BELONGS; /* its stored leaf is the one that signed */
        return true;
    }
    return look_adoption(a);
}

/* ---- rights and epoch ---- */

static bool look_right(asking_t *a)
{
    if (!record_transfer_open(a->channel->s.record, a->sn, &a->transfer, &a->has_transfer,
                              &a->err)) {
        return false;
    }
    ownership_key_facts_t *right = &a->facts.right;
    right->standing = a->key.standing;
    right->birth = a->key.birth;
    right->busy = a->has_transfer && transfer_busy(&a->transfer.transfer);
    right->other_epoch =
        a->key.by_claim && memcmp(a->key.epoch, a->statement.epoch, JWS_EPOCH_SIZE) != 0;
    right->stolen = a->has_unit && a->unit.stolen;
    a->facts.right_known = true;
    return true;
}

static bool look_epoch(asking_t *a)
{
    bool found;
    if (!record_epoch_get(a->channel->s.record, a->sn, a->statement.epoch, &a->epoch, &found,
                          &a->err)) {
        return false;
    }
    if (!found) {
        a->epoch = (record_epoch_t){.current = true, .seen = a->now};
        memcpy(a->epoch.epoch, a->statement.epoch, JWS_EPOCH_SIZE);
    }
    a->facts.epoch = !found             ? FACT_EPOCH_NEW
                     : a->epoch.current ? FACT_EPOCH_CURRENT
                                        : FACT_EPOCH_CLOSED;
    return true;
}

/* ---- ticket and code ---- */

static bool binding_of(const asking_t *a, const uint8_t epoch[JWS_EPOCH_SIZE],
                       uint8_t out[JWS_HASH_SIZE])
{
    uint8_t input[TICKET_BINDING_INPUT_MAX];
    size_t len;
    return ticket_binding_input(a->statement.site, a->statement.sn, epoch, input, &len) == JWS_OK &&
           pki_sha256(input, len, out, NULL);
}

typedef struct {
    const asking_t *asking;
    const ticket_t *ticket;
    bool found;
} binding_search_t;

static bool was_bound_to(void *ctx, const record_epoch_t *row)
{
    binding_search_t *search = ctx;
    uint8_t binding[JWS_HASH_SIZE];
    search->found = binding_of(search->asking, row->epoch, binding) &&
                    bytes_equal_secret(binding, search->ticket->binding, TICKET_BINDING_SIZE);
    return !search->found;
}

/* Bound to this device and epoch; if not, to the device in another epoch, or to another device? */
static bool look_binding(asking_t *a, const ticket_t *ticket)
{
    uint8_t binding[JWS_HASH_SIZE];
    binding_search_t search = {a, ticket, false};
    if (!binding_of(a, a->statement.epoch, binding)) {
        return err_set(&a->err, ERR_SYSTEM, "a ticket's binding cannot be computed");
    }
    if (bytes_equal_secret(binding, ticket->binding, TICKET_BINDING_SIZE)) {
        return true;
    }
    if (!record_epochs(a->channel->s.record, a->sn, was_bound_to, &search, &a->err)) {
        return false;
    }
    a->facts.ticket = search.found ? FACT_TICKET_EPOCH : FACT_TICKET_DEVICE;
    return true;
}

static bool mac_good(const asking_t *a, const jws_t *jws)
{
    uint8_t mac[JWS_HS256_SIZE];
    uint8_t shown[JWS_HS256_SIZE];
    unsigned mac_len = sizeof mac;
    size_t len;
    return jws_signature(jws, shown, sizeof shown, &len) == JWS_OK && len == sizeof shown &&
           HMAC(EVP_sha256(), a->channel->s.ticket_key, 32, (const unsigned char *)jws->text,
                jws->signing_len, mac, &mac_len) != NULL &&
           bytes_equal_secret(mac, shown, sizeof mac);
}

/* Whose ticket it is; an account that is no more is nobody's. */
static bool take_owner(asking_t *a, const ticket_t *ticket)
{
    record_account_t account;
    bool found;
    if (ticket->owner.len >= sizeof a->claimant) {
        a->facts.ticket = FACT_TICKET_FORGED;
        return true;
    }
    memcpy(a->claimant, ticket->owner.text, ticket->owner.len);
    a->claimant[ticket->owner.len] = '\0';
    if (!record_account_get(a->channel->s.record, a->claimant, &account, &found, &a->err)) {
        return false;
    }
    if (!found) {
        a->facts.ticket = FACT_TICKET_FORGED;
    }
    return true;
}

static bool look_real_ticket(asking_t *a)
{
    uint8_t scratch[JWS_TICKET_MAX];
    jws_t jws;
    ticket_t ticket;
    bool used;
    a->has_ticket = true;
    if (jws_open(JWS_TICKET, a->statement.ticket.text, a->statement.ticket.len, &jws) != JWS_OK ||
        !mac_good(a, &jws) || ticket_read(&jws, scratch, sizeof scratch, &ticket) != JWS_OK) {
        a->facts.ticket = FACT_TICKET_FORGED;
        return true;
    }
    memcpy(a->ticket_id, ticket.id, sizeof a->ticket_id);
    a->ticket_expires = ticket.expires;
    if (!take_owner(a, &ticket) || (a->facts.ticket == 0 && !look_binding(a, &ticket))) {
        return false;
    }
    if (a->facts.ticket != 0) {
        return true;
    }
    if (a->repeated) {
        a->facts.ticket = FACT_TICKET_REPEATED;
        return true;
    }
    if (a->now > ticket.expires) {
        a->facts.ticket = FACT_TICKET_EXPIRED;
        return true;
    }
    if (!record_ticket_used(a->channel->s.record, ticket.id, a->question, &used, &a->err)) {
        return false;
    }
    a->facts.ticket = used ? FACT_TICKET_USED : FACT_TICKET_GOOD;
    return true;
}

/* A claim code stands for a ticket; the device claims without one only when it was told to, which
   takes a press. */
static bool look_codes(asking_t *a)
{
    record_code_t codes[RECORD_CODES_MAX];
    ownership_code_entry_t entries[RECORD_CODES_MAX];
    size_t count;
    const char *by = NULL;
    if (!record_codes(a->channel->s.record, a->sn, codes, &count, &a->err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        entries[i] = (ownership_code_entry_t){codes[i].entered, codes[i].by};
    }
    switch (ownership_code_decide(entries, count, a->epoch.seen, a->now, &by)) {
    case OWNERSHIP_CODE_ONE:
        snprintf(a->claimant, sizeof a->claimant, "%s", by);
        a->facts.ticket = FACT_TICKET_CODE;
        break;
    case OWNERSHIP_CODE_TWO:
        a->facts.ticket = FACT_TICKET_TWO_CODES;
        break;
    default:
        a->facts.ticket = FACT_TICKET_NONE;
        break;
    }
    return true;
}

/* The request is read before the ticket is judged, since its key names the question; what is wrong
   with it is said in its turn. */
static bool read_request(asking_t *a)
{
    pki_csr_t csr;
    err_t why = ERR_INIT;
    uint8_t spki[PKI_SPKI_MAX];
    size_t len;
    uint8_t certified[JWS_HASH_SIZE];
    bool known;
    if (a->facts.csr != 0 || a->csr != NULL) {
        return true;
    }
    if (!pki_csr_read(a->statement.csr.data, a->statement.csr.len, &csr, &why)) {
        a->facts.csr = FACT_CSR_BAD;
        return true;
    }
    a->csr = csr.key;
    if (!pki_key_public_der(csr.key, spki, sizeof spki, &len, &a->err) ||
        !pki_sha256(spki, len, a->csr_key, &a->err)) {
        return false;
    }
    question_name(&a->statement, a->csr_key, a->question);
    if (!record_question_get(a->channel->s.record, a->question, &a->outcome, &a->repeated,
                             &a->err) ||
        !record_key_known(a->channel->s.record, a->csr_key, certified, &known, &a->err)) {
        return false;
    }
    bool ours = a->repeated && a->outcome.has_leaf &&
                memcmp(a->outcome.leaf, certified, JWS_HASH_SIZE) == 0;
    a->facts.csr = strcmp(csr.cn, a->sn) != 0 ? FACT_CSR_NAME
                   : known && !ours           ? FACT_CSR_KEY_KNOWN
                                              : FACT_CSR_GOOD;
    return true;
}

static bool look_ticket(asking_t *a)
{
    return read_request(a) && (a->statement.ticket.len > 0 ? look_real_ticket(a) : look_codes(a));
}

bool channel_look(asking_t *a, ownership_check_t check)
{
    switch (check) {
    case OWNERSHIP_CHECK_SIZE:
        return look_size(a);
    case OWNERSHIP_CHECK_RATE:
        return look_rate(a);
    case OWNERSHIP_CHECK_FORM:
        return look_form(a);
    case OWNERSHIP_CHECK_METHOD:
        return look_method(a);
    case OWNERSHIP_CHECK_AUDIENCE:
        return look_audience(a);
    case OWNERSHIP_CHECK_KEY:
        return look_key(a);
    case OWNERSHIP_CHECK_ALGORITHM:
        return look_algorithm(a);
    case OWNERSHIP_CHECK_SIGNATURE:
        return look_signature(a);
    case OWNERSHIP_CHECK_ID:
        return look_id(a);
    case OWNERSHIP_CHECK_RIGHT:
        return look_right(a);
    case OWNERSHIP_CHECK_EPOCH:
        return look_epoch(a);
    case OWNERSHIP_CHECK_TICKET:
        return look_ticket(a);
    case OWNERSHIP_CHECK_CSR:
        return read_request(a);
    default:
        return err_set(&a->err, ERR_USAGE, "an unknown check");
    }
}

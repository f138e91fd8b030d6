/* SPDX-License-Identifier: Apache-2.0 */
/* A site with a steward, its channel and journal over a record on disk and a cloud in memory, and
   devices that say what they are told to. Time stands still unless it is moved. */
#ifndef CRADLE_TESTS_STEWARD_FIXTURE_H
#define CRADLE_TESTS_STEWARD_FIXTURE_H

#include <openssl/types.h>

#include "site/site.h"
#include "steward/channel.h"
#include "steward/journal.h"
#include "tests/unit/steward_cloud.h"

#define NOW 1767225600

typedef struct {
    site_t site;
    char path[FILE_PATH_MAX]; /* of the record */
    authority_t *authority;
    pki_signer_t *signer;
    EVP_PKEY *steward; /* public */
    char bundle[JWS_BUNDLE_MAX + 1];
    record_t *record;
    cloud_t *cloud;
    journal_t *journal;
    channel_t *channel;
    int64_t now_ms;
    ownership_policy_t policy;
    bool adopt;
    char *fresh; /* a record with the accounts alice and bob */
    size_t fresh_len;
    char log[4096]; /* the lines of the last question or turn */
} rig_t;

/* One site for all tests of a program; each test has a record and a cloud of its own. */
void rig_site(rig_t *rig);
void rig_site_remove(rig_t *rig);
void rig_open(rig_t *rig);
void rig_close(rig_t *rig);
/* The steward is stopped and started again. */
void rig_restart(rig_t *rig);
/* Turns the journal until nothing is due before `ms` from now have passed; moves the time. */
void rig_run(rig_t *rig, int64_t ms);

typedef struct {
    char sn[33];
    EVP_PKEY *key;
    uint8_t leaf[2048];
    size_t leaf_len;
    uint8_t hash[32];
    uint8_t epoch[16];
    char id[TBREST_ID_SIZE]; /* at the cloud, as it connected last */
} unit_t;

/* Made by the site's line CA, valid for `days` from NOW + `from` days. */
void unit_make(rig_t *rig, unit_t *unit, const char *sn, int from, int days);
void unit_free(unit_t *unit);
void unit_reset(unit_t *unit); /* a new epoch */
/* Presents its leaf; false: not let in. */
bool unit_connect(rig_t *rig, unit_t *unit);

typedef struct {
    int status;
    bool answered;
    answer_t answer;
    char scratch[JWS_ANSWER_MAX_RSA];
    uint8_t chain[2048]; /* the granted leaf */
    size_t chain_len;
} heard_t;

/* What is said can be bent before it is signed. */
typedef struct {
    const char *ticket;
    EVP_PKEY *csr_key;
    const char *csr_sn; /* NULL: the unit's */
    bool press;
    const char *id; /* over whose session; NULL: the unit's own; "": HTTPS */
    const char *sn; /* NULL: the unit's */
    const char *site;
    const uint8_t *x5t;
    bool spoil; /* the signature */
} bend_t;

void unit_say(rig_t *rig, const unit_t *unit, statement_method_t method, const bend_t *bend,
              heard_t *heard);
/* The same statement once more, over the session of `id`. */
void rig_replay(rig_t *rig, const char *id, heard_t *heard);

/* The key of a granted chain takes the place of the unit's. */
void unit_take(unit_t *unit, EVP_PKEY *key, const heard_t *heard);

/* A ticket by that account; `key` NULL: the site's. */
const char *rig_ticket(rig_t *rig, const char *account, const char *sn, const uint8_t epoch[16],
                       int64_t expires, const uint8_t key[32]);

#endif

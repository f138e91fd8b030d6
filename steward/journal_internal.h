/* SPDX-License-Identifier: Apache-2.0 */
/* internal: shared by the files of journal*.c. */
#ifndef CRADLE_STEWARD_JOURNAL_INTERNAL_H
#define CRADLE_STEWARD_JOURNAL_INTERNAL_H

#include "steward/journal.h"

#define LOBBY_MAX 256 /* records of one sweep; the next sweep takes the rest */

typedef struct {
    char id[TBREST_ID_SIZE];
    char name[TBREST_NAME_SIZE];
} lobby_entry_t;

struct journal {
    journal_settings_t s;
    char kid[JWS_KID_LEN + 1];
    char dirty[JOURNAL_DIRTY_MAX][RECORD_SN_SIZE]; /* a ring */
    size_t dirty_first, dirty_count;
    int64_t dirty_at; /* not before */
    lobby_entry_t lobby[LOBBY_MAX];
    size_t lobby_at, lobby_count;
    int64_t sweep_at;
    char drift_after[RECORD_SN_SIZE]; /* the last unit that was looked at for drift */
    bool unreachable;                 /* said once, not each second */
};

void journal_log(journal_t *journal, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The customer of an account at the cloud, made if need be; "" for nobody. */
bool journal_customer(journal_t *journal, const char *account, char id[RECORD_ID_SIZE], err_t *err);

/* Assigning to it went wrong: it may have been deleted there. Looked for by its title next time. */
bool journal_customer_forget(journal_t *journal, const char *account, err_t *err);

/* journal_transfer.c: does one action of `transfer`; *acted: there was one. */
bool journal_transfer_act(journal_t *journal, record_transfer_t *transfer, int64_t now, err_t *err);

/* journal_project.c: brings the cloud's record of a unit in line with ours. */
bool journal_project(journal_t *journal, const char *sn, err_t *err);
/* Decides about one record in the lobby. */
bool journal_lobby(journal_t *journal, const lobby_entry_t *entry, int64_t now, err_t *err);

#endif

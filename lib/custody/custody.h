/* SPDX-License-Identifier: Apache-2.0 */
/*
 * custody: who had which unit when, as a record that can only grow. One chain per writer (a line, a
 * steward); each entry holds the hash of the one before it, so a changed, lost or moved entry is
 * found and named. Entries of all writers are joined by SN when read.
 *
 * Storage is one SQLite file in WAL mode with synchronous=FULL: when an append returns, it is on
 * the disk. Several processes may use one file at once; each append is one transaction that waits
 * up to CUSTODY_BUSY_MS for the others. One custody_t belongs to one thread at a time.
 *
 * The hash of an entry is SHA-256 over these bytes (integers big-endian, texts UTF-8 and each with
 * its length as u32 in front):
 *
 *     "cradle-custody-1\n" | prev[32] | u64 seq | i64 time_ms | u64 number
 *     | u32 len, writer | u32 len, sn | u32 len, kind | u32 len, detail
 *
 * seq counts from 1 for each writer; prev of the first entry is 32 zero bytes. Vector: writer
 * "line", seq 1, time_ms 1000, number 0, sn "SN-000001", kind "identity", detail {"a":1}:
 *     24184e1ea53fde0ec57e8d4decc86cc4f7c3cfe7b6fca6c47fe32926a31d9873
 *
 * What this cannot find by itself: an end that was cut off, an old back-up put in place, a chain
 * rewritten from some entry on. Comparing with a checkpoint kept elsewhere (custody/point.h) finds
 * these up to the checkpoint, and nothing more is claimed.
 */
#ifndef CRADLE_CUSTODY_CUSTODY_H
#define CRADLE_CUSTODY_CUSTODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CUSTODY_BUSY_MS     30000
#define CUSTODY_WRITER_SIZE 33
#define CUSTODY_KIND_SIZE   25
#define CUSTODY_SN_SIZE     65
#define CUSTODY_DETAIL_MAX  4096

/* Kinds with a rule of their own, kept by the database: a unit gets its SN once. An SN has at most
   one entry of kind "identity" or "void" in the whole file, and a "reserve" entry's number (the
   highest that it takes) is never at or below an earlier one. */
#define CUSTODY_RESERVE "reserve" /* numbers taken for a run: detail {from, to, pattern, run} */
#define CUSTODY_CLOSE   "close"   /* each number of that reservation is a unit or void            */
#define CUSTODY_IDENTITY                                                                           \
    "identity"              /* the unit exists: its image was written, read back and parsed */
#define CUSTODY_VOID "void" /* the SN was lost on the way and will not be used              */

typedef struct custody custody_t;

/* Opens the record for appending as `writer` ([a-z0-9-], 1 to 32), making the file (0600) if need
   be; writer NULL opens an existing file for reading. ERR_INPUT: it is no custody file. */
bool custody_open(const char *path, const char *writer, custody_t **custody, err_t *err);
void custody_close(custody_t *custody); /* NULL is allowed */

typedef struct {
    const char *sn;     /* "" when it is about no single unit; at most 64 characters    */
    const char *kind;   /* [a-z-], 1 to 24                                              */
    const char *detail; /* a JSON object, at most CUSTODY_DETAIL_MAX bytes              */
    uint64_t number;    /* reserve and close: the highest number; else 0                */
} custody_event_t;

/* Appends all of them, in one transaction, or none. ERR_PRECONDITION: an SN was born before; or
   another process held the file for too long. */
bool custody_append(custody_t *custody, const custody_event_t *events, size_t count,
                    int64_t time_ms, err_t *err);

typedef struct {
    uint64_t from; /* first number */
    uint64_t to;   /* last, inclusive */
    char pattern[CUSTODY_SN_SIZE];
    char run[CUSTODY_WRITER_SIZE]; /* who took them: [a-z0-9-]; the factory locks a file of that
                                      name */
} custody_reservation_t;

/* Takes `count` numbers above every number ever taken by any writer, and above `floor` (a
   checkpoint's; 0 = none). In: pattern and run; out: from and to. ERR_PRECONDITION when that would
   pass `last`, the largest number that the pattern can express. */
bool custody_reserve(custody_t *custody, custody_reservation_t *reservation, uint64_t count,
                     uint64_t floor, uint64_t last, int64_t time_ms, err_t *err);

/* Reservations of this writer that have no close entry: of a run under way, or of one that died.
   The callback must not append; return false to stop. */
bool custody_open_reservations(custody_t *custody,
                               bool (*each)(void *context, const custody_reservation_t *),
                               void *context, err_t *err);

/* Was this SN born (identity or void)? *kind is one of the two constants above or NULL. */
bool custody_born(custody_t *custody, const char *sn, const char **kind, err_t *err);

/* An entry as read; texts are valid during the callback. */
typedef struct {
    const char *writer;
    uint64_t seq;
    int64_t time_ms;
    const char *sn;
    const char *kind;
    uint64_t number;
    const char *detail;
    uint8_t hash[32];
} custody_entry_t;

typedef bool (*custody_each_t)(void *context, const custody_entry_t *entry);

/* All entries of one SN, by time. */
bool custody_each_of_sn(custody_t *custody, const char *sn, custody_each_t each, void *context,
                        err_t *err);

/* The last entry of one kind (NULL: of any) in one writer's chain, before `before` (0: to the end).
   `each` is not called when there is none. */
bool custody_latest(custody_t *custody, const char *writer, const char *kind, uint64_t before,
                    custody_each_t each, void *context, err_t *err);

/* How far a reader has come, a chain at a time; all zeros at the beginning. */
#define CUSTODY_WRITERS_MAX 64
typedef struct {
    char writer[CUSTODY_WRITERS_MAX][CUSTODY_WRITER_SIZE];
    uint64_t seq[CUSTODY_WRITERS_MAX];
    size_t count;
} custody_place_t;

/* Entries that came after `place`, by writer and seq, and moves it on; what the callback was given
   counts as read, also when it returned false to stop. Costs what is new, not what is there. */
bool custody_follow(custody_t *custody, custody_place_t *place, custody_each_t each, void *context,
                    err_t *err);

/* All entries of one kind, by writer and seq; kind NULL means all. */
bool custody_each_of_kind(custody_t *custody, const char *kind, custody_each_t each, void *context,
                          err_t *err);

/* Where a chain stands. */
typedef struct {
    char writer[CUSTODY_WRITER_SIZE];
    uint64_t seq;     /* of the last entry = how many there are */
    uint8_t hash[32]; /* of the last entry */
    uint64_t number;  /* highest number taken by any writer */
} custody_checkpoint_t;

/* ERR_PRECONDITION when that writer has no entry. */
bool custody_checkpoint(custody_t *custody, const char *writer, custody_checkpoint_t *out,
                        err_t *err);

typedef enum {
    CUSTODY_CHANGED, /* its content does not give its hash                                        */
    CUSTODY_LOST,    /* entries are missing before it                                             */
    CUSTODY_MOVED,   /* it belongs to another place: detail says which                            */
    CUSTODY_UNCHAINED, /* it does not continue the entry before it: one of the two was replaced */
    CUSTODY_CUT, /* the chain ends before the checkpoint                                      */
    CUSTODY_REWRITTEN, /* the chain does not pass through the checkpoint */
    CUSTODY_DAMAGED, /* the SQLite file itself is not sound                                       */
} custody_fault_t;

typedef struct {
    custody_fault_t fault;
    char writer[CUSTODY_WRITER_SIZE];
    uint64_t seq;
    char sn[CUSTODY_SN_SIZE];
    char text[200];
} custody_finding_t;

typedef struct {
    uint64_t entries;
    uint64_t faults;
    unsigned writers;
} custody_verdict_t;

/* Reads everything. `known` (may be NULL) are checkpoints from elsewhere. `found` (may be NULL) is
   called for each fault. True when it could be read, whatever was found: look at verdict->faults.
 */
bool custody_verify(custody_t *custody, const custody_checkpoint_t *known, size_t known_count,
                    void (*found)(void *context, const custody_finding_t *finding), void *context,
                    custody_verdict_t *verdict, err_t *err);

/* Only the comparison with `known`: costs what is known, not what is recorded. Only faults are set
   in *verdict. */
bool custody_compare(custody_t *custody, const custody_checkpoint_t *known, size_t known_count,
                     void (*found)(void *context, const custody_finding_t *finding), void *context,
                     custody_verdict_t *verdict, err_t *err);

const char *custody_fault_name(custody_fault_t fault);

/* The hash of one entry as defined above; for those who check a record without this library. */
bool custody_hash(const custody_entry_t *entry, const uint8_t prev[32], uint8_t hash[32]);

#endif

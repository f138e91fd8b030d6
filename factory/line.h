/* SPDX-License-Identifier: Apache-2.0 */
/* internal: a line that makes identities: what it holds, and how a block of units comes to be. Used
   by run (invented MACs), identity (boards), and rework. */
#ifndef CRADLE_FACTORY_LINE_H
#define CRADLE_FACTORY_LINE_H

#include "factory/checkpoint.h"
#include "factory/internal.h"

/* Units of one transaction: what a kill can cost in serial numbers. */
#define FACTORY_BLOCK 64

typedef struct {
    const site_t *site;
    custody_t *custody;
    pki_signer_t *signer; /* NULL: it is away */
    X509 *ca;             /* the line's */
    pki_trust_t *trust;
    site_pattern_t pattern;
    site_identity_t identity; /* of every unit, but for the proof of possession */
    factory_known_t known;
    char base_sha256[65];
    char run[CUSTODY_WRITER_SIZE];
    int lock;
    factory_floor_t floor;
    bool keep_key; /* factory/units/SN/device.key stays, 0600 */
    /* After a unit's image was read back, before custody hears of it; NULL: nothing. */
    bool (*written)(void *context, const factory_unit_t *unit, err_t *err);
    void *context;
} factory_line_t;

/* Also settles the reservations of runs that have died; *voided (may be NULL) counts their numbers.
   factory_line_close is to be called in any case. */
bool factory_line_open(factory_line_t *line, const site_t *site, const char *writer, bool sign,
                       uint64_t *voided, err_t *err);

/* `settled`: no reservation of this line is open. A line that took numbers leaves a checkpoint. */
void factory_line_close(factory_line_t *line, bool settled);

/* Numbers above those of custody and of all checkpoints; a checkpoint covers them when this
   returns. */
bool factory_line_reserve(factory_line_t *line, uint64_t count, custody_reservation_t *reservation,
                          err_t *err);

/* A new key, with its PEM in files->key. */
bool factory_line_key(const factory_line_t *line, factory_files_t *files, EVP_PKEY **key,
                      err_t *err);

/* files->cert: a new leaf for the key, and its CAs. */
bool factory_line_certify(const factory_line_t *line, const char *sn, EVP_PKEY *key, int64_t now,
                          factory_files_t *files, err_t *err);

/* Everything else in `files`. `pop` NULL: a new one, if the site's units have any. */
bool factory_line_rest(const factory_line_t *line, const char *pop, factory_files_t *files,
                       err_t *err);

/* Writes the image of complete files, reads it back, and hands it to `written`. */
bool factory_line_write(const factory_line_t *line, const factory_files_t *files, int64_t now,
                        factory_unit_t *unit, err_t *err);

/* Makes the units of a reservation, for boards or, with NULL, with invented MACs; custody gets all
   of them at once. A number that was adopted before its turn came is passed over, so that *count
   may be less. On failure nothing is recorded: settle the reservation. */
bool factory_line_block(factory_line_t *line, const custody_reservation_t *reservation,
                        const char *const *boards, factory_unit_t *units, size_t *count,
                        err_t *err);

#endif

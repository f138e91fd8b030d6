/* SPDX-License-Identifier: Apache-2.0 */
/* label_files: labels of a batch of units, written, read back and compared. Between station 5 and
   the files that draw. */
#ifndef CRADLE_FACTORY_LABEL_FILES_H
#define CRADLE_FACTORY_LABEL_FILES_H

#include "factory/station_label.h"

typedef enum { LABEL_UNSEEN, LABEL_NEW, LABEL_ALREADY, LABEL_FAILED } label_state_t;

typedef struct {
    char sn[SITE_SN_SIZE + 1]; /* one more: what is too long stays so, to be refused */
    label_state_t state;
    bool reprint;
    label_t label;
    char code_hash[65]; /* "": no code */
    char detail[160];
    char why[ERR_TEXT_MAX];
} label_item_t;

/* Writes the labels of those that are LABEL_NEW; all are on the disk when it returns. `file` is the
   file that holds them all, or "". */
bool label_files_write(const site_t *site, const factory_labelling_t *how,
                       const label_item_t *items, size_t count, char file[FILE_PATH_MAX],
                       err_t *err);

#endif

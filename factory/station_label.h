/* SPDX-License-Identifier: Apache-2.0 */
/*
 * station_label: station 5. Each unit gets a label (factory/label.h) with a claim code of its own;
 * custody learns the code's SHA-256 (kind "label"), and nothing else keeps the code: it is on the
 * label, in a file with mode 0600, and whoever printed it removes the file.
 *
 * A unit that has a label is not labelled again, unless a reprint is asked for: that draws a new
 * code, and the last one counts. A unit that was reworked gets a new label by itself. Refused are
 * units that were scrapped or whose last test failed.
 *
 * Files first, read back and compared, then custody: killed in between, a unit has no label yet and
 * the next call makes another. Several stations may work on one site; they wait for one another.
 */
#ifndef CRADLE_FACTORY_STATION_LABEL_H
#define CRADLE_FACTORY_STATION_LABEL_H

#include "factory/factory.h"
#include "factory/label.h"

typedef enum { FACTORY_LABEL_PNG, FACTORY_LABEL_PDF, FACTORY_LABEL_ZPL } factory_label_format_t;

/* Where labels go when nothing else is said. */
#define FACTORY_LABELS "factory/labels"
/* Labels in one file. */
#define FACTORY_LABEL_FILE_MAX 20000

typedef struct {
    factory_label_format_t format;
    unsigned dpi;        /* 0: 300 for PNG, 203 for ZPL                           */
    label_sheet_t sheet; /* width and height for all formats, the rest for PDF    */
    bool reprint;
    bool no_code; /* labels without a claim code */
    /* A file if it ends in .png (one unit), .pdf or .zpl, as the format is; it must not exist, as
       it may hold labels that nobody printed yet. Else a directory, made if it is missing: a file
       for each unit, SN.png or SN.zpl, and one with the time as its name for PDF. NULL:
       FACTORY_LABELS of the site. */
    const char *out;
    /* After each unit: it has a label (`text` is "labelled" or "labelled already"), or not, with
       the reason and what to do. */
    void (*said)(void *context, const char *sn, bool ok, const char *text);
    void *context;
} factory_labelling_t;

/* 62 mm by 29 mm, PNG; sheets of 3 by 8 with gaps of 3 mm. */
factory_labelling_t factory_labelling_default(void);

typedef struct {
    uint64_t labelled;
    uint64_t already;
    uint64_t failed;
    char file[FILE_PATH_MAX]; /* "" when each unit has its own, or there is none */
} factory_labelled_t;

/* True when it could work, even if some units failed. ERR_USAGE: sizes that do not go together.
   After false, units for which `said` was not called have no label in custody. */
bool factory_label(const site_t *site, const factory_labelling_t *how, const char *const *sns,
                   size_t count, factory_labelled_t *result, err_t *err);

/* Whether all labels go into one file with these settings: then all SNs must be given at once. */
bool factory_label_one_file(const factory_labelling_t *how);

#endif

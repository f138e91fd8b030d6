/* SPDX-License-Identifier: Apache-2.0 */
/*
 * label: what a unit's label says, where each thing stands on it, and the three ways to print it:
 * PNG (one label), PDF (A4 sheets of labels), ZPL (label printers). All three draw one layout, so
 * they look alike.
 *
 * On it: model, serial number, claim code, a QR code; with a proof of possession also the name
 * under which the unit is found and the proof itself, for phones without a camera. The QR code is
 *
 *     {"ver":"v1","name":"ESP-PROV-A1B2","pop":"...","transport":"ble"}
 *
 * (security 2: "username":"wifiprov" after the name), as ESP-IDF's provisioning examples print it
 * and Espressif's apps read it, when the unit has a proof of possession; else the SN. No "security"
 * in it: the device says it, and a quoted one makes the code invalid on iOS. Error correction M.
 *
 * Lengths are millimetres from the label's top left corner. Texts are printable ASCII (site.h); a
 * long one is set smaller, then on two lines, and never runs into another. A claim code is secret
 * until somebody claims the unit with it: who has a label_t or a label_layout_t wipes it.
 *
 * Nothing here knows the site or custody: see factory_label. Nothing blocks but the functions that
 * take a path. cairo and fontconfig are used from one thread at a time.
 */
#ifndef CRADLE_FACTORY_LABEL_H
#define CRADLE_FACTORY_LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "factory/factory.h"
#include "site/identity.h"
#include "site/site.h"

#define LABEL_QR_TEXT_MAX 288 /* with the NUL */
#define LABEL_QR_SIDE_MAX 73  /* modules: version 14 */
#define LABEL_QUIET       4   /* modules of white around a QR code (ISO/IEC 18004) */
#define LABEL_SIDE_MIN    15.0
#define LABEL_SIDE_MAX    200.0
#define LABEL_TEXT_MIN    1.1 /* em in mm: what is smaller nobody can read */
#define LABEL_ZPL_MAX     4096

/* Claim codes: no 0 1 I L O U, which are taken for one another (or make words). 39 bits. */
#define LABEL_CODE_ALPHABET "23456789ABCDEFGHJKMNPQRSTVWXYZ"
#define LABEL_CODE_LEN      8

typedef struct {
    char sn[SITE_SN_SIZE];
    char model[SITE_MODEL_SIZE];        /* "": none */
    char code[LABEL_CODE_LEN + 1];      /* "": none */
    char service[FACTORY_SERVICE_SIZE]; /* "ESP-PROV-A1B2" */
    char pop[SITE_POP_SIZE];            /* "": none, and the QR code is the SN */
    int security;                       /* of provisioning */
} label_t;

/* Draws a code; each character as likely as any other. */
bool label_code_draw(char code[LABEL_CODE_LEN + 1], err_t *err);

/* SHA-256 of the 8 characters, lower-case hex: all that leaves the label. */
bool label_code_hash(const char *code, char hex[65], err_t *err);

bool label_qr_text(const label_t *label, char out[LABEL_QR_TEXT_MAX], err_t *err);

typedef struct {
    int side;                                            /* modules */
    uint8_t dark[LABEL_QR_SIDE_MAX * LABEL_QR_SIDE_MAX]; /* rows of side; 1 is dark */
} label_qr_t;

bool label_qr_make(const char *text, label_qr_t *qr, err_t *err);

typedef enum { LABEL_CAPTION, LABEL_TITLE, LABEL_VALUE } label_style_t;
#define LABEL_LINES_MAX 12

typedef struct {
    char text[SITE_POP_SIZE + 32];
    label_style_t style;
    double x;
    double baseline;
    double size;  /* em */
    double width; /* as measured, at that size */
} label_line_t;

typedef struct {
    double width;
    double height;
    char qr_text[LABEL_QR_TEXT_MAX];
    label_qr_t qr;
    double qr_x; /* of the first module; LABEL_QUIET modules around it are white, too */
    double qr_y;
    double module;
    double rule_x; /* a line below the model; width 0: none */
    double rule_y;
    double rule_width;
    double rule_height;
    label_line_t line[LABEL_LINES_MAX];
    size_t lines;
} label_layout_t;

/* ERR_USAGE when the label is too small for what it has to say, or too large. */
bool label_layout(const label_t *label, double width, double height, label_layout_t *layout,
                  err_t *err);

/* ---- PNG: grey, exact size in pixels, with its resolution in it ---- */

#define LABEL_DPI_MIN 150
#define LABEL_DPI_MAX 1200

/* Heap; the caller wipes and frees. ERR_USAGE: the resolution is too low for the QR code. */
bool label_png(const label_layout_t *layout, unsigned dpi, uint8_t **png, size_t *len, err_t *err);

/* Reads a PNG that label_png made, and compares its QR code with `layout`, module by module. */
bool label_png_check(const label_layout_t *layout, unsigned dpi, const uint8_t *png, size_t len,
                     err_t *err);

/* The same without a file: draws, and looks at the drawing. */
bool label_draw_check(const label_layout_t *layout, unsigned dpi, err_t *err);

/* ---- PDF ---- */

typedef struct {
    unsigned columns;
    unsigned rows;
    double width; /* of a label */
    double height;
    double gap_x; /* between two labels */
    double gap_y;
    unsigned skip; /* places of the first sheet that are used up already */
} label_sheet_t;

#define LABEL_SHEET_WIDTH  210.0
#define LABEL_SHEET_HEIGHT 297.0

/* "3x8", "62x29", "63.5x33.9": two numbers. Without `fraction` they are whole. */
bool label_pair_parse(const char *text, bool fraction, double *x, double *y);

/* ERR_USAGE when the labels do not fit on A4. The grid stands in the middle of the sheet. */
bool label_sheet_check(const label_sheet_t *sheet, err_t *err);

typedef struct label_pdf label_pdf_t;

/* The PDF is made in memory (about 25 kB a sheet) and handed out by label_pdf_end: heap, the caller
   wipes and frees. label_pdf_close after it, or instead of it; NULL is allowed. */
bool label_pdf_begin(const label_sheet_t *sheet, label_pdf_t **pdf, err_t *err);
bool label_pdf_add(label_pdf_t *pdf, const label_layout_t *layout, err_t *err);
bool label_pdf_end(label_pdf_t *pdf, uint8_t **data, size_t *len, err_t *err);
void label_pdf_close(label_pdf_t *pdf);

/* ---- ZPL II ---- */

/* One label, ^XA to ^XZ, as text. Every field is in hexadecimal escapes where a character means
   something to the printer (^FH); the printer makes the QR code (^BQ). `dpi` is the printer's: 203,
   300 or 600. */
bool label_zpl(const label_layout_t *layout, unsigned dpi, char out[LABEL_ZPL_MAX], size_t *len,
               err_t *err);

/* A field's text as it stands between ^FD and ^FS. False when it does not fit. */
bool label_zpl_escape(const char *text, char *out, size_t cap);

/* Reads back what label_zpl wrote: the QR code's field says `layout`'s text. */
bool label_zpl_check(const label_layout_t *layout, const char *zpl, size_t len, err_t *err);

#endif

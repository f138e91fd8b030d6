/* SPDX-License-Identifier: Apache-2.0 */
/* A4 sheets of labels, as PDF. */
#include <cairo-pdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "factory/label_internal.h"

#define POINTS_PER_MM (72 / 25.4)
#define GROW          65536
/* Where to cut: short lines at the corners, outside the labels. */
#define MARK_MAX   2.0
#define MARK_WIDTH 0.1
#define MARK_GREY  0.55
#define PLACES_MAX 2000u

struct label_pdf {
    label_sheet_t sheet;
    cairo_surface_t *surface;
    cairo_t *cr;
    unsigned place; /* the next one on this sheet */
    uint8_t *data;
    size_t len;
    size_t cap;
};

static cairo_status_t append(void *closure, const unsigned char *data, unsigned len)
{
    label_pdf_t *pdf = closure;
    if (pdf->cap - pdf->len < len) {
        size_t cap = 2 * pdf->cap + len + GROW;
        uint8_t *larger = malloc(cap);
        if (larger == NULL) {
            return CAIRO_STATUS_NO_MEMORY;
        }
        if (pdf->data != NULL) {
            memcpy(larger, pdf->data, pdf->len);
            bytes_wipe(pdf->data, pdf->len);
            free(pdf->data);
        }
        pdf->data = larger;
        pdf->cap = cap;
    }
    memcpy(pdf->data + pdf->len, data, len);
    pdf->len += len;
    return CAIRO_STATUS_SUCCESS;
}

static double grid_width(const label_sheet_t *s)
{
    return s->columns * s->width + (s->columns - 1) * s->gap_x;
}

static double grid_height(const label_sheet_t *s)
{
    return s->rows * s->height + (s->rows - 1) * s->gap_y;
}

bool label_sheet_check(const label_sheet_t *sheet, err_t *err)
{
    if (sheet->columns < 1 || sheet->rows < 1 || sheet->columns * sheet->rows > PLACES_MAX) {
        return err_set(err, ERR_USAGE, "a sheet has 1 to %u labels, columns by rows as in 3x8",
                       PLACES_MAX);
    }
    if (grid_width(sheet) > LABEL_SHEET_WIDTH + 1e-6 ||
        grid_height(sheet) > LABEL_SHEET_HEIGHT + 1e-6) {
        return err_set(err, ERR_USAGE,
                       "%u by %u labels of %g mm by %g mm with gaps of %g mm and %g mm take %g mm "
                       "by %g mm, and A4 has %g by %g: change --sheet, --size or --gap",
                       sheet->columns, sheet->rows, sheet->width, sheet->height, sheet->gap_x,
                       sheet->gap_y, grid_width(sheet), grid_height(sheet), LABEL_SHEET_WIDTH,
                       LABEL_SHEET_HEIGHT);
    }
    return sheet->skip < sheet->columns * sheet->rows ||
           err_set(err, ERR_USAGE, "a sheet has %u places: %u of them cannot be skipped",
                   sheet->columns * sheet->rows, sheet->skip);
}

bool label_pdf_begin(const label_sheet_t *sheet, label_pdf_t **out, err_t *err)
{
    *out = NULL;
    if (!label_sheet_check(sheet, err)) {
        return false;
    }
    label_pdf_t *pdf = calloc(1, sizeof *pdf);
    if (pdf == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for labels");
    }
    pdf->sheet = *sheet;
    pdf->place = sheet->skip;
    pdf->surface = cairo_pdf_surface_create_for_stream(
        append, pdf, LABEL_SHEET_WIDTH * POINTS_PER_MM, LABEL_SHEET_HEIGHT * POINTS_PER_MM);
    cairo_pdf_surface_set_metadata(pdf->surface, CAIRO_PDF_METADATA_TITLE, "Labels");
    pdf->cr = cairo_create(pdf->surface);
    cairo_scale(pdf->cr, POINTS_PER_MM, POINTS_PER_MM);
    *out = pdf;
    return true;
}

/* Two lines at one corner, away from the label. */
static void mark(cairo_t *cr, double x, double y, double along_x, double along_y)
{
    if (along_x != 0) {
        cairo_move_to(cr, x, y);
        cairo_line_to(cr, x + along_x, y);
    }
    if (along_y != 0) {
        cairo_move_to(cr, x, y);
        cairo_line_to(cr, x, y + along_y);
    }
}

/* The label's corner is the origin; between two labels there is a third of a gap for each. */
static void draw_marks(cairo_t *cr, const label_sheet_t *s, unsigned column, unsigned row)
{
    double left = column == 0 ? MARK_MAX : fmin(MARK_MAX, s->gap_x / 3);
    double right = column == s->columns - 1 ? MARK_MAX : fmin(MARK_MAX, s->gap_x / 3);
    double up = row == 0 ? MARK_MAX : fmin(MARK_MAX, s->gap_y / 3);
    double down = row == s->rows - 1 ? MARK_MAX : fmin(MARK_MAX, s->gap_y / 3);
    mark(cr, 0, 0, -left, -up);
    mark(cr, s->width, 0, right, -up);
    mark(cr, 0, s->height, -left, down);
    mark(cr, s->width, s->height, right, down);
    cairo_set_line_width(cr, MARK_WIDTH);
    cairo_set_source_rgb(cr, MARK_GREY, MARK_GREY, MARK_GREY);
    cairo_stroke(cr);
    cairo_set_source_rgb(cr, 0, 0, 0);
}

bool label_pdf_add(label_pdf_t *pdf, const label_layout_t *layout, err_t *err)
{
    const label_sheet_t *s = &pdf->sheet;
    if (pdf->place == s->columns * s->rows) {
        cairo_show_page(pdf->cr);
        pdf->place = 0;
    }
    unsigned column = pdf->place % s->columns;
    unsigned row = pdf->place / s->columns;
    cairo_save(pdf->cr);
    cairo_translate(pdf->cr,
                    (LABEL_SHEET_WIDTH - grid_width(s)) / 2 + column * (s->width + s->gap_x),
                    (LABEL_SHEET_HEIGHT - grid_height(s)) / 2 + row * (s->height + s->gap_y));
    draw_marks(pdf->cr, s, column, row);
    label_draw(pdf->cr, layout, 0);
    cairo_restore(pdf->cr);
    pdf->place++;
    return cairo_status(pdf->cr) == CAIRO_STATUS_SUCCESS ||
           err_set(err, ERR_SYSTEM, "a label cannot be drawn: %s",
                   cairo_status_to_string(cairo_status(pdf->cr)));
}

bool label_pdf_end(label_pdf_t *pdf, uint8_t **data, size_t *len, err_t *err)
{
    cairo_show_page(pdf->cr);
    cairo_surface_finish(pdf->surface);
    cairo_status_t status = cairo_surface_status(pdf->surface);
    if (status != CAIRO_STATUS_SUCCESS || pdf->data == NULL) {
        return err_set(err, ERR_SYSTEM, "the sheet of labels cannot be made: %s",
                       cairo_status_to_string(status));
    }
    *data = pdf->data;
    *len = pdf->len;
    pdf->data = NULL;
    return true;
}

void label_pdf_close(label_pdf_t *pdf)
{
    if (pdf == NULL) {
        return;
    }
    cairo_destroy(pdf->cr);
    cairo_surface_destroy(pdf->surface); /* may still write: before the buffer goes */
    if (pdf->data != NULL) {
        bytes_wipe(pdf->data, pdf->len);
        free(pdf->data);
    }
    free(pdf);
}

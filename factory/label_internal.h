/* SPDX-License-Identifier: Apache-2.0 */
/* label_internal: what the files that draw labels share. */
#ifndef CRADLE_FACTORY_LABEL_INTERNAL_H
#define CRADLE_FACTORY_LABEL_INTERNAL_H

#include <cairo.h>

#include "factory/label.h"

/* Width of a text of one em; 0 when this machine has no font at all. */
double label_text_width(cairo_t *cr, label_style_t style, const char *text);

/* Where the QR code's modules are when they have to be whole pixels of `grid` mm; grid 0: as laid
   out. */
typedef struct {
    double x;
    double y;
    double module;
} label_modules_t;

label_modules_t label_modules(const label_layout_t *layout, double grid);

/* Black on what is there, in millimetres, with the label's corner at the origin. */
void label_draw(cairo_t *cr, const label_layout_t *layout, double grid);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A label on a cairo surface, whatever that is. */
#include <math.h>

#include "factory/label_internal.h"

/* In the package fonts-dejavu-core; another font is taken by fontconfig where it is missing. */
#define SANS "DejaVu Sans"
#define MONO "DejaVu Sans Mono"
/* Widths are measured at this size: in small ones rounding would count. */
#define MEASURE 256.0

/* fontconfig keeps what it read behind offsets, which LeakSanitizer cannot follow. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(SANITIZED)
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfontconfig";
}

const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
#endif

static void choose_font(cairo_t *cr, label_style_t style, double size)
{
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(cr, options);
    cairo_font_options_destroy(options);
    cairo_select_font_face(cr, style == LABEL_VALUE ? MONO : SANS, CAIRO_FONT_SLANT_NORMAL,
                           style == LABEL_CAPTION ? CAIRO_FONT_WEIGHT_NORMAL
                                                  : CAIRO_FONT_WEIGHT_BOLD);
    cairo_set_font_size(cr, size);
}

double label_text_width(cairo_t *cr, label_style_t style, const char *text)
{
    cairo_text_extents_t extents;
    choose_font(cr, style, MEASURE);
    cairo_text_extents(cr, text, &extents);
    return cairo_status(cr) == CAIRO_STATUS_SUCCESS && extents.height > 0
               ? extents.x_advance / MEASURE
               : 0;
}

label_modules_t label_modules(const label_layout_t *layout, double grid)
{
    label_modules_t m = {layout->qr_x, layout->qr_y, layout->module};
    if (grid > 0) {
        m.module = floor(layout->module / grid + 1e-6) * grid;
        double spare = (layout->module - m.module) * layout->qr.side / 2;
        m.x = round((layout->qr_x + spare) / grid) * grid;
        m.y = round((layout->qr_y + spare) / grid) * grid;
    }
    return m;
}

/* One path of all modules, neighbours in a row joined: no hair lines between them. */
static void draw_qr(cairo_t *cr, const label_layout_t *layout, double grid)
{
    const label_modules_t m = label_modules(layout, grid);
    const int side = layout->qr.side;
    cairo_set_antialias(cr, grid > 0 ? CAIRO_ANTIALIAS_NONE : CAIRO_ANTIALIAS_DEFAULT);
    for (int row = 0; row < side; row++) {
        const uint8_t *dark = layout->qr.dark + row * side;
        for (int from = 0; from < side; from++) {
            int to = from;
            while (to < side && dark[to]) {
                to++;
            }
            if (to > from) {
                cairo_rectangle(cr, m.x + from * m.module, m.y + row * m.module,
                                (to - from) * m.module, m.module);
                from = to;
            }
        }
    }
    cairo_fill(cr);
    cairo_set_antialias(cr, CAIRO_ANTIALIAS_DEFAULT);
}

void label_draw(cairo_t *cr, const label_layout_t *layout, double grid)
{
    draw_qr(cr, layout, grid);
    if (layout->rule_width > 0) {
        cairo_rectangle(cr, layout->rule_x, layout->rule_y, layout->rule_width,
                        layout->rule_height);
        cairo_fill(cr);
    }
    for (size_t i = 0; i < layout->lines; i++) {
        const label_line_t *line = &layout->line[i];
        choose_font(cr, line->style, line->size);
        cairo_move_to(cr, line->x, line->baseline);
        cairo_show_text(cr, line->text);
    }
}

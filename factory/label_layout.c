/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where everything stands on a label: the QR code on the left (on top, if the label is no wider
 * than high), the texts beside it, between its upper and its lower edge.
 *
 * All sizes of text are multiples of one scale; the largest one is taken with which the texts are
 * not higher than their place. A text that is too wide for its place is set smaller by itself, and
 * if that would be too much, on two lines.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "factory/label_internal.h"

/* Sizes of text at scale 1: a label of 62 mm by 29 mm has about that. */
#define CAPTION 1.75
#define TITLE   3.5
#define SN      3.6
#define CODE    4.8
#define POP     2.6
#define GAP     1.6
#define RULE    0.22
/* Of an em: height of a capital, distance of two lines, how deep a "g" reaches. */
#define CAPITAL 0.73
#define LINE    1.12
#define DESCENT 0.22
/* What a text that is too wide may shrink to before it is set on two lines. */
#define SHRINK 0.74
/* The largest scale as a part of the texts' width: the claim code just fits. */
#define WIDEST 26.1
#define STEP   0.97
/* What is smaller than this may use the margins above and below. */
#define COMFORTABLE 1.5

typedef struct {
    const char *caption; /* NULL: none */
    const char *text;
    label_style_t style;
    double size;
} item_t;

typedef struct {
    const char *text; /* not terminated */
    size_t len;
    double em; /* width of one em */
} piece_t;

typedef struct {
    cairo_t *cr;
    double x, y, width, height; /* place of the texts */
    double edge;                /* how near to the label's edge they may come */
    bool beside;                /* of the QR code; else below it */
    item_t item[4];
    size_t items;
    label_layout_t *out;
    err_t *err;
} flow_t;

static double measure(const flow_t *flow, label_style_t style, const char *text, size_t len)
{
    char copy[sizeof((label_line_t *)0)->text];
    snprintf(copy, sizeof copy, "%.*s", (int)len, text);
    double width = label_text_width(flow->cr, style, copy);
    bytes_wipe(copy, sizeof copy);
    return width;
}

/* Two lines, as equal as they can be; rather behind a separator, if there is one near the middle.
 */
static void split(const flow_t *flow, const item_t *item, piece_t piece[2])
{
    size_t len = strlen(item->text);
    size_t best = len / 2;
    double least = 2.0 * (double)len;
    for (size_t i = 1; i < len; i++) {
        bool separator = strchr(" -._/", item->text[i - 1]) != NULL;
        double longer = (double)(i > len - i ? i : len - i) + (separator ? 0 : (double)len / 5);
        if (longer < least) {
            least = longer;
            best = i;
        }
    }
    size_t first = best - (item->text[best - 1] == ' ');
    piece[0] = (piece_t){item->text, first, measure(flow, item->style, item->text, first)};
    piece[1] = (piece_t){item->text + best, len - best,
                         measure(flow, item->style, item->text + best, len - best)};
}

/* One or two pieces, and the size that fits. */
static int fit(const flow_t *flow, const item_t *item, double scale, piece_t piece[2], double *size)
{
    size_t len = strlen(item->text);
    *size = item->size * scale;
    piece[0] = (piece_t){item->text, len, measure(flow, item->style, item->text, len)};
    double ratio = flow->width / (piece[0].em * *size);
    if (ratio >= 1) {
        return 1;
    }
    if (ratio < SHRINK && len > 1) {
        split(flow, item, piece);
        double wider = piece[0].em > piece[1].em ? piece[0].em : piece[1].em;
        *size = fmin(*size, flow->width / wider);
        return 2;
    }
    *size *= ratio;
    return 1;
}

static void put(flow_t *flow, label_style_t style, const piece_t *piece, double size,
                double baseline)
{
    label_line_t *line = &flow->out->line[flow->out->lines++];
    snprintf(line->text, sizeof line->text, "%.*s", (int)piece->len, piece->text);
    line->style = style;
    line->x = flow->x;
    line->baseline = baseline;
    line->size = size;
    line->width = piece->em * size;
}

/* Sets all items below one another from 0 on; returns the last baseline. `stretch` is added to
   every gap. */
static double set(flow_t *flow, double scale, double stretch)
{
    label_layout_t *out = flow->out;
    double at = 0;
    out->lines = 0;
    out->rule_width = 0;
    for (size_t i = 0; i < flow->items; i++) {
        const item_t *item = &flow->item[i];
        piece_t piece[2];
        double size;
        if (item->caption != NULL) {
            item_t caption = {NULL, item->caption, LABEL_CAPTION, CAPTION};
            double small =
                fmin(CAPTION * scale, flow->width / measure(flow, LABEL_CAPTION, caption.text,
                                                            strlen(caption.text)));
            piece[0] = (piece_t){caption.text, strlen(caption.text), 0};
            piece[0].em = measure(flow, LABEL_CAPTION, caption.text, piece[0].len);
            at += CAPITAL * small + (i == 0 ? 0 : GAP * scale + stretch);
            put(flow, LABEL_CAPTION, &piece[0], small, at);
            at += (DESCENT + 0.28) * small;
        }
        int pieces = fit(flow, item, scale, piece, &size);
        at += CAPITAL * size;
        for (int k = 0; k < pieces; k++) {
            at += k == 0 ? 0 : LINE * size;
            put(flow, item->style, &piece[k], size, at);
        }
        if (item->style == LABEL_TITLE) {
            at += (DESCENT + 0.18) * size;
            out->rule_x = flow->x;
            out->rule_y = at;
            out->rule_width = flow->width;
            out->rule_height = RULE * scale;
            at += out->rule_height;
        }
    }
    return at;
}

static bool all_readable(const label_layout_t *layout, double least)
{
    for (size_t i = 0; i < layout->lines; i++) {
        if (layout->line[i].size < least) {
            return false;
        }
    }
    return true;
}

/* The largest scale with which the texts are not higher than their place; the height then. */
static double fill(flow_t *flow, double *height)
{
    double scale = flow->width / WIDEST;
    *height = set(flow, scale, 0);
    while (*height > flow->height && scale > 0.05) {
        scale *= STEP;
        *height = set(flow, scale, 0);
    }
    return scale;
}

static bool set_texts(flow_t *flow)
{
    label_layout_t *out = flow->out;
    double height;
    double scale = fill(flow, &height);
    if (!all_readable(out, COMFORTABLE)) { /* then nearer to the edges */
        flow->y = flow->beside ? flow->edge : flow->y;
        flow->height = out->height - flow->edge - flow->y;
        scale = fill(flow, &height);
    }
    if (height > flow->height || !all_readable(out, LABEL_TEXT_MIN)) {
        return err_set(flow->err, ERR_USAGE,
                       "a label of %g mm by %g mm is too small for what it has to say; ask for "
                       "a larger one with --size",
                       out->width, out->height);
    }
    double gaps = (double)flow->items - 1;
    double spare = flow->height - height;
    double stretch = gaps > 0 ? fmin(spare / gaps, 2 * GAP * scale) : 0;
    height = set(flow, scale, stretch);
    double down = flow->y + (flow->height - height) / 2;
    for (size_t i = 0; i < out->lines; i++) {
        out->line[i].baseline += down;
    }
    out->rule_y += down;
    return true;
}

/* The QR code, and what is left for the texts. */
static void divide(flow_t *flow, double margin)
{
    label_layout_t *out = flow->out;
    double inner = margin + 0.8; /* of texts: a label is never cut exactly */
    flow->beside = out->width >= 1.3 * out->height;
    flow->edge = inner;
    double box = flow->beside ? fmin(out->height - 2 * margin, 0.46 * out->width)
                              : fmin(out->width - 2 * margin, 0.5 * out->height);
    out->module = box / (out->qr.side + 2 * LABEL_QUIET);
    double quiet = LABEL_QUIET * out->module;
    if (flow->beside) {
        out->qr_x = margin + quiet;
        out->qr_y = (out->height - box) / 2 + quiet;
        flow->x = margin + box + 0.3;
        flow->width = out->width - inner - flow->x;
        flow->y = fmin(out->qr_y, 0.12 * out->height + 0.5);
        flow->height = out->height - 2 * flow->y;
    } else {
        out->qr_x = (out->width - box) / 2 + quiet;
        out->qr_y = margin + quiet;
        flow->x = inner;
        flow->width = out->width - 2 * inner;
        flow->y = margin + box;
        flow->height = out->height - inner - flow->y;
    }
}

static void add_item(flow_t *flow, const char *caption, const char *text, label_style_t style,
                     double size)
{
    if (text[0] != '\0') {
        flow->item[flow->items++] = (item_t){caption, text, style, size};
    }
}

static bool lay_out(flow_t *flow, const label_t *label)
{
    char code[LABEL_CODE_LEN + 2] = "";
    char found[sizeof "Setup code ()" + FACTORY_SERVICE_SIZE];
    label_layout_t *out = flow->out;
    if (label->code[0] != '\0') {
        snprintf(code, sizeof code, "%.4s-%.4s", label->code, label->code + 4);
    }
    snprintf(found, sizeof found, "Setup code (%s)", label->service);
    add_item(flow, NULL, label->model, LABEL_TITLE, TITLE);
    add_item(flow, "Serial number", label->sn, LABEL_VALUE, SN);
    add_item(flow, "Claim code", code, LABEL_VALUE, CODE);
    add_item(flow, found, label->pop, LABEL_VALUE, POP);
    divide(flow, fmax(1.2, 0.045 * fmin(out->width, out->height)));
    bool ok = label_text_width(flow->cr, LABEL_VALUE, "0") > 0 ||
              err_set(flow->err, ERR_SYSTEM,
                      "there is no font on this machine; install fonts-dejavu-core");
    ok = ok && set_texts(flow);
    bytes_wipe(code, sizeof code);
    return ok;
}

bool label_layout(const label_t *label, double width, double height, label_layout_t *layout,
                  err_t *err)
{
    memset(layout, 0, sizeof *layout);
    layout->width = width;
    layout->height = height;
    if (!(width >= LABEL_SIDE_MIN && height >= LABEL_SIDE_MIN && width <= LABEL_SIDE_MAX &&
          height <= LABEL_SIDE_MAX)) {
        return err_set(err, ERR_USAGE, "a label has %g to %g mm on each side, not %g by %g",
                       LABEL_SIDE_MIN, LABEL_SIDE_MAX, width, height);
    }
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    flow_t flow = {.cr = cairo_create(surface), .out = layout, .err = err};
    bool ok = label_qr_text(label, layout->qr_text, err) &&
              label_qr_make(layout->qr_text, &layout->qr, err) && lay_out(&flow, label);
    cairo_destroy(flow.cr);
    cairo_surface_destroy(surface);
    return ok;
}

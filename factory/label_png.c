/* SPDX-License-Identifier: Apache-2.0 */
/* A label as a PNG file: grey, and it says how large it is on paper. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "factory/label_internal.h"

#define MM_PER_INCH 25.4
#define IHDR_END    33 /* signature, and the header chunk */
#define PHYS_LEN    21
#define GROW        16384
#define DARK_BELOW  128

typedef struct {
    uint8_t *data;
    size_t len;
    size_t cap;
} buffer_t;

static cairo_status_t append(void *closure, const unsigned char *data, unsigned len)
{
    buffer_t *b = closure;
    if (b->cap - b->len < len) {
        size_t cap = b->cap + len + GROW;
        uint8_t *larger = malloc(cap);
        if (larger == NULL) {
            return CAIRO_STATUS_NO_MEMORY;
        }
        if (b->data != NULL) {
            memcpy(larger, b->data, b->len);
            bytes_wipe(b->data, b->len);
            free(b->data);
        }
        b->data = larger;
        b->cap = cap;
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
    return CAIRO_STATUS_SUCCESS;
}

static void put_be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (uint8_t)(v >> (24 - 8 * i));
    }
}

/* Resolution (PNG specification 11.3.5.3): without it a label is printed in any size. */
static bool add_resolution(buffer_t *b, unsigned dpi)
{
    uint8_t chunk[PHYS_LEN] = {0, 0, 0, 9, 'p', 'H', 'Y', 's'};
    uint32_t per_metre = (uint32_t)lround(dpi / MM_PER_INCH * 1000);
    put_be32(chunk + 8, per_metre);
    put_be32(chunk + 12, per_metre);
    chunk[16] = 1;
    put_be32(chunk + 17, bytes_crc32(0, chunk + 4, 13));
    /* room for it first, then the rest of the file behind it */
    if (b->len < IHDR_END || append(b, chunk, sizeof chunk) != CAIRO_STATUS_SUCCESS) {
        return false;
    }
    memmove(b->data + IHDR_END + PHYS_LEN, b->data + IHDR_END, b->len - IHDR_END - PHYS_LEN);
    memcpy(b->data + IHDR_END, chunk, PHYS_LEN);
    return true;
}

/* Ink was drawn as the surface's alpha; paper is white. */
static void invert(cairo_surface_t *surface)
{
    cairo_surface_flush(surface);
    unsigned char *row = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    const int width = cairo_image_surface_get_width(surface);
    const int height = cairo_image_surface_get_height(surface);
    for (int y = 0; y < height; y++, row += stride) {
        for (int x = 0; x < width; x++) {
            row[x] = (unsigned char)(255 - row[x]);
        }
    }
    cairo_surface_mark_dirty(surface);
}

static void wipe_surface(cairo_surface_t *surface)
{
    if (surface == NULL) {
        return;
    }
    unsigned char *data = cairo_image_surface_get_data(surface);
    if (data != NULL) {
        bytes_wipe(data, (size_t)cairo_image_surface_get_stride(surface) *
                             (size_t)cairo_image_surface_get_height(surface));
    }
    cairo_surface_destroy(surface);
}

/* The label in grey, drawn for that resolution; NULL: no memory, or an error of cairo. */
static cairo_surface_t *draw(const label_layout_t *layout, unsigned dpi)
{
    const double scale = dpi / MM_PER_INCH;
    cairo_surface_t *surface = cairo_image_surface_create(
        CAIRO_FORMAT_A8, (int)lround(layout->width * scale), (int)lround(layout->height * scale));
    cairo_t *cr = cairo_create(surface);
    cairo_scale(cr, scale, scale);
    label_draw(cr, layout, 1 / scale);
    bool ok = cairo_status(cr) == CAIRO_STATUS_SUCCESS;
    cairo_destroy(cr);
    if (!ok) {
        wipe_surface(surface);
        return NULL;
    }
    invert(surface);
    return surface;
}

bool label_png(const label_layout_t *layout, unsigned dpi, uint8_t **png, size_t *len, err_t *err)
{
    buffer_t out = {NULL, 0, 0};
    if (dpi < LABEL_DPI_MIN || dpi > LABEL_DPI_MAX || layout->module * dpi / MM_PER_INCH < 2) {
        return err_set(err, ERR_USAGE,
                       "%u dots an inch are too few or too many: %d to %d, and 2 dots a module of "
                       "the QR code",
                       dpi, LABEL_DPI_MIN, LABEL_DPI_MAX);
    }
    cairo_surface_t *surface = draw(layout, dpi);
    bool ok = surface != NULL &&
              cairo_surface_write_to_png_stream(surface, append, &out) == CAIRO_STATUS_SUCCESS &&
              add_resolution(&out, dpi);
    wipe_surface(surface);
    if (!ok) {
        free(out.data);
        return err_set(err, ERR_SYSTEM, "out of memory for a label");
    }
    *png = out.data;
    *len = out.len;
    return true;
}

/* ---- read back ---- */

typedef struct {
    const uint8_t *at;
    size_t left;
} source_t;

static cairo_status_t take(void *closure, unsigned char *out, unsigned len)
{
    source_t *s = closure;
    if (s->left < len) {
        return CAIRO_STATUS_READ_ERROR;
    }
    memcpy(out, s->at, len);
    s->at += len;
    s->left -= len;
    return CAIRO_STATUS_SUCCESS;
}

/* The middle of every module, and of those of the white frame around them. */
static bool modules_right(cairo_surface_t *surface, const label_layout_t *layout, double scale)
{
    const label_modules_t m = label_modules(layout, 1 / scale);
    const int side = layout->qr.side;
    const int width = cairo_image_surface_get_width(surface);
    const int height = cairo_image_surface_get_height(surface);
    const unsigned char *data = cairo_image_surface_get_data(surface);
    const int stride = cairo_image_surface_get_stride(surface);
    /* a byte, or four of which the second is green whatever the order */
    const int pixel = cairo_image_surface_get_format(surface) == CAIRO_FORMAT_A8 ? 1 : 4;
    for (int row = -LABEL_QUIET; row < side + LABEL_QUIET; row++) {
        for (int column = -LABEL_QUIET; column < side + LABEL_QUIET; column++) {
            int x = (int)floor((m.x + (column + 0.5) * m.module) * scale);
            int y = (int)floor((m.y + (row + 0.5) * m.module) * scale);
            bool inside = row >= 0 && column >= 0 && row < side && column < side;
            bool dark = inside && layout->qr.dark[row * side + column];
            if (x < 0 || y < 0 || x >= width || y >= height) {
                return false;
            }
            if ((data[y * stride + pixel * x + (pixel == 4)] < DARK_BELOW) != dark) {
                return false;
            }
        }
    }
    return true;
}

bool label_png_check(const label_layout_t *layout, unsigned dpi, const uint8_t *png, size_t len,
                     err_t *err)
{
    const double scale = dpi / MM_PER_INCH;
    source_t source = {png, len};
    cairo_surface_t *surface = cairo_image_surface_create_from_png_stream(take, &source);
    cairo_format_t format = cairo_image_surface_get_format(surface);
    bool ok = cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS &&
              (format == CAIRO_FORMAT_RGB24 || format == CAIRO_FORMAT_ARGB32) &&
              cairo_image_surface_get_width(surface) == lround(layout->width * scale) &&
              cairo_image_surface_get_height(surface) == lround(layout->height * scale) &&
              modules_right(surface, layout, scale);
    wipe_surface(surface);
    return ok || err_set(err, ERR_INPUT, "the QR code of the label is not the one that was meant");
}

bool label_draw_check(const label_layout_t *layout, unsigned dpi, err_t *err)
{
    cairo_surface_t *surface = draw(layout, dpi);
    bool drawn = surface != NULL;
    bool right = drawn && modules_right(surface, layout, dpi / MM_PER_INCH);
    wipe_surface(surface);
    return right || (drawn ? err_set(err, ERR_INPUT,
                                     "the QR code of the label is not the one that was meant")
                           : err_set(err, ERR_SYSTEM, "out of memory for a label"));
}

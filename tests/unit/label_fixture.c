/* SPDX-License-Identifier: Apache-2.0 */
#include "label_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zbar.h>

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

/* Grey, one byte a pixel, as zbar wants it; heap. */
static uint8_t *grey_of(const uint8_t *png, size_t len, unsigned *width, unsigned *height)
{
    source_t source = {png, len};
    cairo_surface_t *s = cairo_image_surface_create_from_png_stream(take, &source);
    assert_int_equal(cairo_surface_status(s), CAIRO_STATUS_SUCCESS);
    *width = (unsigned)cairo_image_surface_get_width(s);
    *height = (unsigned)cairo_image_surface_get_height(s);
    const unsigned char *row = cairo_image_surface_get_data(s);
    uint8_t *grey = malloc((size_t)*width * *height);
    assert_non_null(grey);
    for (unsigned y = 0; y < *height; y++, row += cairo_image_surface_get_stride(s)) {
        for (unsigned x = 0; x < *width; x++) {
            grey[y * *width + x] = row[4 * x + 1];
        }
    }
    cairo_surface_destroy(s);
    return grey;
}

size_t label_read_codes(const uint8_t *png, size_t len, char *out, size_t cap)
{
    unsigned width;
    unsigned height;
    uint8_t *grey = grey_of(png, len, &width, &height);
    zbar_image_scanner_t *scanner = zbar_image_scanner_create();
    zbar_image_t *image = zbar_image_create();
    size_t count = 0;
    size_t used = 0;
    zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_ENABLE, 0);
    zbar_image_scanner_set_config(scanner, ZBAR_QRCODE, ZBAR_CFG_ENABLE, 1);
    zbar_image_set_format(image, zbar_fourcc('Y', '8', '0', '0'));
    zbar_image_set_size(image, width, height);
    zbar_image_set_data(image, grey, (unsigned long)width * height, NULL);
    assert_true(zbar_scan_image(scanner, image) >= 0);
    out[0] = '\0';
    for (const zbar_symbol_t *s = zbar_image_first_symbol(image); s != NULL;
         s = zbar_symbol_next(s), count++) {
        int n = snprintf(out + used, cap - used, "%.*s\n", (int)zbar_symbol_get_data_length(s),
                         zbar_symbol_get_data(s));
        assert_true(n > 0 && (size_t)n < cap - used);
        used += (size_t)n;
    }
    zbar_image_destroy(image);
    zbar_image_scanner_destroy(scanner);
    free(grey);
    return count;
}

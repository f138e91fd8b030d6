/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A label as ZPL II. The printer's scalable font 0 is narrower than the one that was measured, so
 * what fits in the layout fits here.
 *
 * A QR code at ^FO stands lower by the height that ^BY last set, which outlives a label: it is set
 * here, and taken off. ^FH says which character begins an escape: the underscore, its default.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "factory/label_internal.h"

#define MM_PER_INCH 25.4
#define BY_HEIGHT   10
#define MAGNIFY_MAX 10
#define QR_FIELD    "^FH_^FDMA," /* error correction M, the printer chooses the modes */
#define ESCAPED_MAX (3 * LABEL_QR_TEXT_MAX)

bool label_zpl_escape(const char *text, char *out, size_t cap)
{
    size_t len = 0;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        /* ^ and ~ begin commands, _ an escape; \ and & mean something in some fields */
        bool plain = c > 0x20 && c < 0x7f && strchr("^~_\\&", c) == NULL;
        if (cap - len < 4) {
            return false;
        }
        if (plain || c == ' ') {
            out[len++] = (char)c;
        } else {
            len += (size_t)snprintf(out + len, 4, "_%02X", c);
        }
    }
    out[len] = '\0';
    return true;
}

typedef struct {
    char *text;
    size_t len;
    bool full;
} zpl_t;

static void put(zpl_t *zpl, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(zpl_t *zpl, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(zpl->text + zpl->len, LABEL_ZPL_MAX - zpl->len, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= LABEL_ZPL_MAX - zpl->len) {
        zpl->full = true;
    } else {
        zpl->len += (size_t)n;
    }
}

static int dots(double mm, double scale)
{
    return (int)lround(mm * scale);
}

static bool put_qr(zpl_t *zpl, const label_layout_t *layout, double scale, err_t *err)
{
    char escaped[ESCAPED_MAX];
    label_modules_t m = label_modules(layout, 1 / scale);
    int magnify = dots(m.module, scale);
    if (magnify < 1 || m.module * scale < 0.5) {
        return err_set(err, ERR_USAGE,
                       "the QR code is too fine for this printer; ask for a larger "
                       "label with --size");
    }
    if (magnify > MAGNIFY_MAX) {
        double spare = (m.module - MAGNIFY_MAX / scale) * layout->qr.side / 2;
        m.x += spare;
        m.y += spare;
        magnify = MAGNIFY_MAX;
    }
    int y = dots(m.y, scale) - BY_HEIGHT;
    if (!label_zpl_escape(layout->qr_text, escaped, sizeof escaped)) {
        return err_set(err, ERR_USAGE, "the QR code's text is too long");
    }
    put(zpl, "^BY2,3,%d\n^FO%d,%d^BQN,2,%d" QR_FIELD "%s^FS\n", BY_HEIGHT, dots(m.x, scale),
        y < 0 ? 0 : y, magnify, escaped);
    bytes_wipe(escaped, sizeof escaped);
    return true;
}

bool label_zpl(const label_layout_t *layout, unsigned dpi, char out[LABEL_ZPL_MAX], size_t *len,
               err_t *err)
{
    const double scale = dpi / MM_PER_INCH;
    zpl_t zpl = {.text = out};
    if (dpi < LABEL_DPI_MIN || dpi > LABEL_DPI_MAX) {
        return err_set(err, ERR_USAGE, "a label printer has %d to %d dots an inch, not %u",
                       LABEL_DPI_MIN, LABEL_DPI_MAX, dpi);
    }
    put(&zpl, "^XA\n^CI28\n^PW%d\n^LL%d\n^LH0,0\n", dots(layout->width, scale),
        dots(layout->height, scale));
    if (!put_qr(&zpl, layout, scale, err)) {
        return false;
    }
    if (layout->rule_width > 0) {
        int thick = dots(layout->rule_height, scale);
        thick = thick < 1 ? 1 : thick;
        put(&zpl, "^FO%d,%d^GB%d,%d,%d^FS\n", dots(layout->rule_x, scale),
            dots(layout->rule_y, scale), dots(layout->rule_width, scale), thick, thick);
    }
    for (size_t i = 0; i < layout->lines; i++) {
        const label_line_t *line = &layout->line[i];
        char escaped[3 * sizeof line->text + 4];
        int size = dots(line->size, scale);
        if (!label_zpl_escape(line->text, escaped, sizeof escaped)) {
            zpl.full = true;
        }
        put(&zpl, "^FT%d,%d^A0N,%d,%d^FH_^FD%s^FS\n", dots(line->x, scale),
            dots(line->baseline, scale), size, size, escaped);
        bytes_wipe(escaped, sizeof escaped);
    }
    put(&zpl, "^PQ1\n^XZ\n");
    *len = zpl.len;
    return !zpl.full || err_set(err, ERR_USAGE, "the label is too long for ZPL");
}

/* Undoes the escapes up to ^FS. */
static bool unescape(const char *at, const char *end, char *out, size_t cap)
{
    size_t len = 0;
    while (at < end && *at != '^') {
        uint8_t byte = (uint8_t)*at;
        if (*at == '_') {
            if (end - at < 3 || !bytes_from_hex(at + 1, 2, &byte, 1)) {
                return false;
            }
            at += 2;
        }
        at++;
        if (len + 1 >= cap) {
            return false;
        }
        out[len++] = (char)byte;
    }
    out[len] = '\0';
    return end - at >= 3 && memcmp(at, "^FS", 3) == 0;
}

bool label_zpl_check(const label_layout_t *layout, const char *zpl, size_t len, err_t *err)
{
    char text[LABEL_QR_TEXT_MAX];
    const char *at = memmem(zpl, len, QR_FIELD, sizeof QR_FIELD - 1);
    bool ok = at != NULL && unescape(at + sizeof QR_FIELD - 1, zpl + len, text, sizeof text) &&
              strcmp(text, layout->qr_text) == 0 && len >= 4 &&
              memcmp(zpl + len - 4, "^XZ\n", 4) == 0;
    bytes_wipe(text, sizeof text);
    return ok || err_set(err, ERR_INPUT, "the QR code of the label is not the one that was meant");
}

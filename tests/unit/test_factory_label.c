/* SPDX-License-Identifier: Apache-2.0 */
/* factory/label: what is on a label, that nothing runs into another, and that others can read it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "factory/label.h"
#include "label_fixture.h"

#define LONG_SN "ABCDEFGH-IJKLMNOP.QRSTUVWX_YZ012" /* 32 characters */
#define WIDE    "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"
#define POP     "0123456789abcdef"

static label_t label_of(const char *sn, const char *model, const char *pop)
{
    label_t label = {.code = "K7WQ2M9X", .service = "ESP-PROV-A1B2", .security = 1};
    snprintf(label.sn, sizeof label.sn, "%s", sn);
    snprintf(label.model, sizeof label.model, "%s", model);
    snprintf(label.pop, sizeof label.pop, "%s", pop);
    return label;
}

static void lay_out(const label_t *label, double width, double height, label_layout_t *layout)
{
    err_t err = ERR_INIT;
    if (!label_layout(label, width, height, layout, &err)) {
        fail_msg("%g x %g: %s", width, height, err.text);
    }
}

/* ---- claim codes ---- */

static void test_codes(void **state)
{
    (void)state;
    enum { COUNT = 4000 };
    static char code[COUNT][LABEL_CODE_LEN + 1];
    unsigned seen[256] = {0};
    const unsigned expected = COUNT * LABEL_CODE_LEN / (sizeof LABEL_CODE_ALPHABET - 1);
    assert_int_equal(sizeof LABEL_CODE_ALPHABET - 1, 30);
    assert_null(strpbrk(LABEL_CODE_ALPHABET, "01ILOU"));
    for (int i = 0; i < COUNT; i++) {
        assert_true(label_code_draw(code[i], NULL));
        assert_int_equal(strlen(code[i]), LABEL_CODE_LEN);
        assert_int_equal(strspn(code[i], LABEL_CODE_ALPHABET), LABEL_CODE_LEN);
        for (const char *c = code[i]; *c != '\0'; c++) {
            seen[(unsigned char)*c]++;
        }
    }
    /* 1066 of each are expected, with a deviation of 32: six of them are as good as never passed */
    for (const char *c = LABEL_CODE_ALPHABET; *c != '\0'; c++) {
        assert_in_range(seen[(unsigned char)*c], expected - 195, expected + 195);
    }
    qsort(code, COUNT, sizeof code[0], (int (*)(const void *, const void *))strcmp);
    for (int i = 1; i < COUNT; i++) {
        assert_string_not_equal(code[i - 1], code[i]);
    }
}

/* By another tool: printf K7WQ2M9X | sha256sum */
static void test_code_hash(void **state)
{
    (void)state;
    char hex[65];
    assert_true(label_code_hash("K7WQ2M9X", hex, NULL));
    assert_string_equal(hex, "c8547853434e40b5433b9f0523aa2a6bb7bcc48297b01b6400f041847c18c27a");
}

/* ---- the QR code's text ---- */

static void test_qr_text(void **state)
{
    (void)state;
    char text[LABEL_QR_TEXT_MAX];
    label_t label = label_of("SN-000001", "m", "");
    assert_true(label_qr_text(&label, text, NULL));
    assert_string_equal(text, "SN-000001");
    label = label_of("SN-000001", "m", "abcd1234");
    assert_true(label_qr_text(&label, text, NULL));
    assert_string_equal(text, "{\"ver\":\"v1\",\"name\":\"ESP-PROV-A1B2\",\"pop\":\"abcd1234\","
                              "\"transport\":\"ble\"}");
    label.security = 2;
    assert_true(label_qr_text(&label, text, NULL));
    assert_string_equal(text, "{\"ver\":\"v1\",\"name\":\"ESP-PROV-A1B2\",\"username\":"
                              "\"wifiprov\",\"pop\":\"abcd1234\",\"transport\":\"ble\"}");
    strcpy(label.pop, "a\"b\\c");
    assert_true(label_qr_text(&label, text, NULL));
    assert_non_null(strstr(text, "\"pop\":\"a\\\"b\\\\c\""));
    memset(label.pop, '"', sizeof label.pop - 1);
    assert_true(label_qr_text(&label, text, NULL)); /* the largest there is */
}

/* ---- layout ---- */

typedef struct {
    double left, top, right, bottom;
} box_t;

static bool apart(const box_t *a, const box_t *b)
{
    const double e = 1e-6; /* what adding up lengths may cost */
    return a->right <= b->left + e || b->right <= a->left + e || a->bottom <= b->top + e ||
           b->bottom <= a->top + e;
}

/* A capital's height above the baseline, a little below it for what hangs down. */
static box_t box_of(const label_line_t *line)
{
    return (box_t){line->x, line->baseline - 0.73 * line->size, line->x + line->width,
                   line->baseline + 0.2 * line->size};
}

static void check_bounds(const label_layout_t *l)
{
    const double quiet = LABEL_QUIET * l->module;
    const double side = l->qr.side * l->module;
    const box_t paper = {0.8, 0.8, l->width - 0.8, l->height - 0.8};
    const box_t qr = {l->qr_x - quiet, l->qr_y - quiet, l->qr_x + side + quiet,
                      l->qr_y + side + quiet};
    assert_true(qr.left >= 0 && qr.top >= 0 && qr.right <= l->width && qr.bottom <= l->height);
    assert_true(l->module >= 0.2);
    assert_true(l->lines > 0 && l->lines <= LABEL_LINES_MAX);
    for (size_t i = 0; i < l->lines; i++) {
        box_t box = box_of(&l->line[i]);
        assert_true(l->line[i].size >= LABEL_TEXT_MIN);
        if (box.left < paper.left || box.top < paper.top || box.right > paper.right + 1e-9 ||
            box.bottom > paper.bottom) {
            fail_msg("\"%s\" leaves the label: %g,%g %g,%g", l->line[i].text, box.left, box.top,
                     box.right, box.bottom);
        }
        if (!apart(&box, &qr)) {
            fail_msg("\"%s\" runs into the QR code (%g x %g): %g,%g and %g,%g", l->line[i].text,
                     l->width, l->height, box.left, box.top, qr.right, qr.bottom);
        }
        for (size_t k = 0; k < i; k++) {
            box_t other = box_of(&l->line[k]);
            if (!apart(&box, &other)) {
                fail_msg("\"%s\" runs into \"%s\" (%g x %g)", l->line[i].text, l->line[k].text,
                         l->width, l->height);
            }
        }
    }
}

/* All characters are there, in order, whatever became of the lines. */
static void expect_whole(const label_layout_t *l, const char *text)
{
    char all[1024] = "";
    for (size_t i = 0; i < l->lines; i++) {
        strcat(all, l->line[i].text);
    }
    if (strstr(all, text) == NULL) {
        fail_msg("%s is not whole in %s", text, all);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    static const double sizes[][2] = {{62, 29}, {50, 25},   {100, 50}, {63.5, 33.9}, {40, 60},
                                      {50, 50}, {105, 148}, {80, 25},  {30, 50}};
    static const char *const sns[] = {"A1", "SN-000001", LONG_SN, WIDE};
    static const char *const models[] = {"", "m", "sensor-2", "Weather-Station.Outdoor_2026-Rev",
                                         WIDE};
    static const char *const pops[] = {"", POP};
    label_layout_t layout;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t i = 0; i < 4 * 5 * 2; i++) {
            label_t label = label_of(sns[i % 4], models[i / 4 % 5], pops[i / 20]);
            lay_out(&label, sizes[s][0], sizes[s][1], &layout);
            check_bounds(&layout);
            expect_whole(&layout, label.sn);
            expect_whole(&layout, label.model);
            expect_whole(&layout, "K7WQ-2M9X");
            expect_whole(&layout, label.pop);
        }
    }
}

/* A long text is set smaller, a very long one on two lines, at a separator. */
static void test_long_texts(void **state)
{
    (void)state;
    label_layout_t layout;
    label_t label = label_of(LONG_SN, "m", "");
    lay_out(&label, 62, 29, &layout);
    assert_int_equal(layout.lines, 1 + 3 + 2);
    assert_string_equal(layout.line[2].text, "ABCDEFGH-IJKLMNOP.");
    assert_string_equal(layout.line[3].text, "QRSTUVWX_YZ012");
    label = label_of("SN-0000000000001", "m", "");
    lay_out(&label, 62, 29, &layout);
    assert_int_equal(layout.lines, 1 + 2 + 2);
    double small = layout.line[2].size;
    label = label_of("SN-000001", "m", "");
    lay_out(&label, 62, 29, &layout);
    assert_true(small < layout.line[2].size);
}

static void test_sizes(void **state)
{
    (void)state;
    label_layout_t layout;
    err_t err = ERR_INIT;
    label_t label = label_of(WIDE, WIDE, POP);
    assert_false(label_layout(&label, 30, 15, &layout, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(err.text, "too small"));
    const double wrong[][2] = {{14, 29}, {62, 14}, {201, 29}, {62, 201}, {(double)NAN, 29}, {0, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        err_clear(&err);
        assert_false(label_layout(&label, wrong[i][0], wrong[i][1], &layout, &err));
        assert_int_equal(err.kind, ERR_USAGE);
    }
}

static void test_pairs(void **state)
{
    (void)state;
    double x;
    double y;
    assert_true(label_pair_parse("3x8", false, &x, &y) && x == 3 && y == 8);
    assert_true(label_pair_parse("63.5x33.95", true, &x, &y));
    assert_true(fabs(x - 63.5) < 1e-9 && fabs(y - 33.95) < 1e-9);
    static const char *const wrong[] = {"",      "3",    "3x",    "x8",      "3x8x",
                                        "3 x8",  "-3x8", "3.x8",  "99999x1", "3x8 ",
                                        "1e2x3", "3X8",  "nanx3", "3.xx8",   "0x1p3x2"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (label_pair_parse(wrong[i], true, &x, &y)) {
            fail_msg("\"%s\" is taken for %g by %g", wrong[i], x, y);
        }
    }
    assert_false(label_pair_parse("2.5x3", false, &x, &y));
}

/* ---- PNG ---- */

static void expect_read(const label_layout_t *layout, unsigned dpi)
{
    uint8_t *png;
    size_t len;
    char text[1024];
    char wanted[LABEL_QR_TEXT_MAX + 1];
    err_t err = ERR_INIT;
    if (!label_png(layout, dpi, &png, &len, &err) ||
        !label_png_check(layout, dpi, png, len, &err)) {
        fail_msg("%s", err.text);
    }
    snprintf(wanted, sizeof wanted, "%s\n", layout->qr_text);
    assert_int_equal(label_read_codes(png, len, text, sizeof text), 1);
    assert_string_equal(text, wanted);
    free(png);
}

static void test_png_is_read(void **state)
{
    (void)state;
    static const double sizes[][2] = {{62, 29}, {50, 25}, {40, 60}, {100, 50}};
    label_layout_t layout;
    for (size_t s = 0; s < 4; s++) {
        label_t label = label_of("SN-000001", "sensor-2", "");
        lay_out(&label, sizes[s][0], sizes[s][1], &layout);
        expect_read(&layout, 300);
        label = label_of(LONG_SN, "sensor-2", POP);
        lay_out(&label, sizes[s][0], sizes[s][1], &layout);
        expect_read(&layout, 203);
        expect_read(&layout, 600);
    }
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The size on paper is in the file: 62 mm at 300 dpi are 732 pixels, 11811 to the metre. */
static void test_png_size(void **state)
{
    (void)state;
    label_layout_t layout;
    label_t label = label_of("SN-000001", "sensor-2", "");
    uint8_t *png;
    size_t len;
    lay_out(&label, 62, 29, &layout);
    assert_true(label_png(&layout, 300, &png, &len, NULL));
    assert_int_equal(be32(png + 16), 732);
    assert_int_equal(be32(png + 20), 343);
    assert_memory_equal(png + 37, "pHYs", 4);
    assert_int_equal(be32(png + 41), 11811);
    assert_int_equal(be32(png + 45), 11811);
    assert_int_equal(png[49], 1);
    assert_int_equal(be32(png + 50), bytes_crc32(0, png + 37, 13));
    free(png);
}

/* What was drawn is looked at: another label's picture is noticed, and a damaged one. */
static void test_png_check(void **state)
{
    (void)state;
    label_layout_t layout;
    label_layout_t other;
    label_t label = label_of("SN-000001", "sensor-2", "");
    uint8_t *png;
    size_t len;
    err_t err = ERR_INIT;
    lay_out(&label, 62, 29, &layout);
    label = label_of("SN-000002", "sensor-2", "");
    lay_out(&label, 62, 29, &other);
    assert_true(label_png(&layout, 300, &png, &len, NULL));
    assert_false(label_png_check(&other, 300, png, len, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_false(label_png_check(&layout, 203, png, len, NULL));
    assert_false(label_png_check(&layout, 300, png, len / 2, NULL));
    assert_false(label_png_check(&layout, 300, png, 0, NULL));
    free(png);
    err_clear(&err);
    assert_false(label_png(&layout, 149, &png, &len, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_false(label_png(&layout, 1201, &png, &len, NULL));
}

/* ---- PDF ---- */

static void test_sheets(void **state)
{
    (void)state;
    static const struct {
        label_sheet_t sheet;
        bool fits;
    } cases[] = {
        {{3, 8, 62, 29, 3, 3, 0}, true},        {{3, 8, 70, 37, 0, 0, 23}, true},
        {{3, 8, 63.5, 33.9, 2.5, 0, 0}, true},  {{1, 1, 200, 200, 0, 0, 0}, true},
        {{4, 8, 62, 29, 3, 3, 0}, false},       {{3, 11, 62, 29, 3, 3, 0}, false},
        {{3, 8, 70, 37, 0.1, 0, 0}, false},     {{0, 8, 62, 29, 3, 3, 0}, false},
        {{3, 0, 62, 29, 3, 3, 0}, false},       {{3, 8, 62, 29, 3, 3, 24}, false},
        {{9999, 9999, 62, 29, 3, 3, 0}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        err_t err = ERR_INIT;
        assert_int_equal(label_sheet_check(&cases[i].sheet, &err), cases[i].fits);
        assert_int_equal(err.kind, cases[i].fits ? ERR_NONE : ERR_USAGE);
    }
}

static size_t pages_of(const uint8_t *pdf, size_t len)
{
    const char *at = memmem(pdf, len, "/Count ", 7);
    assert_non_null(at);
    return (size_t)atoi(at + 7);
}

static void test_pdf(void **state)
{
    (void)state;
    static const struct {
        unsigned skip, count, pages;
    } cases[] = {{0, 1, 1}, {0, 24, 1}, {0, 25, 2}, {23, 1, 1}, {23, 2, 2}, {0, 240, 10}};
    label_layout_t layout;
    label_t label = label_of("SN-000001", "sensor-2", "");
    lay_out(&label, 62, 29, &layout);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const label_sheet_t sheet = {3, 8, 62, 29, 3, 3, cases[i].skip};
        label_pdf_t *pdf;
        uint8_t *data;
        size_t len;
        assert_true(label_pdf_begin(&sheet, &pdf, NULL));
        for (unsigned k = 0; k < cases[i].count; k++) {
            assert_true(label_pdf_add(pdf, &layout, NULL));
        }
        assert_true(label_pdf_end(pdf, &data, &len, NULL));
        label_pdf_close(pdf);
        assert_memory_equal(data, "%PDF-", 5);
        assert_non_null(memmem(data + len - 10, 10, "%%EOF", 5));
        assert_int_equal(pages_of(data, len), cases[i].pages);
        free(data);
    }
    label_pdf_close(NULL);
}

/* ---- ZPL ---- */

static void test_zpl_escape(void **state)
{
    (void)state;
    char out[64];
    assert_true(label_zpl_escape("SN-000001", out, sizeof out));
    assert_string_equal(out, "SN-000001");
    assert_true(label_zpl_escape("a^b~c_d\\e&f g", out, sizeof out));
    assert_string_equal(out, "a_5Eb_7Ec_5Fd_5Ce_26f g");
    assert_true(label_zpl_escape("^XZ~JR\n\x1f\x7f\xc3\xa4", out, sizeof out));
    assert_string_equal(out, "_5EXZ_7EJR_0A_1F_7F_C3_A4");
    assert_null(strpbrk(out, "^~\n"));
    assert_false(label_zpl_escape("^^^", out, 9));
    assert_true(label_zpl_escape("^^^", out, 12));
}

static void test_zpl(void **state)
{
    (void)state;
    label_layout_t layout;
    char zpl[LABEL_ZPL_MAX];
    size_t len;
    label_t label = label_of("SN_00^1", "m~1", POP);
    lay_out(&label, 62, 29, &layout);
    assert_true(label_zpl(&layout, 203, zpl, &len, NULL));
    assert_int_equal(len, strlen(zpl));
    assert_memory_equal(zpl, "^XA\n^CI28\n^PW496\n^LL232\n", 24);
    assert_non_null(strstr(zpl, "^BQN,2,4^FH_^FDMA,{\"ver\":\"v1\",\"name\":\"ESP-PROV-A1B2\","
                                "\"pop\":\"" POP "\",\"transport\":\"ble\"}^FS"));
    assert_non_null(strstr(zpl, "^FDSN_5F00_5E1^FS"));
    assert_non_null(strstr(zpl, "^FDm_7E1^FS"));
    assert_non_null(strstr(zpl, "^FDK7WQ-2M9X^FS"));
    assert_string_equal(zpl + len - 9, "^PQ1\n^XZ\n");
    assert_true(label_zpl_check(&layout, zpl, len, NULL));
    /* one that says something else, or is cut off */
    assert_false(label_zpl_check(&layout, zpl, len - 1, NULL));
    char *pop = strstr(zpl, POP);
    *pop = '1';
    assert_false(label_zpl_check(&layout, zpl, len, NULL));
    *pop = '_';
    assert_false(label_zpl_check(&layout, zpl, len, NULL));
    label = label_of(LONG_SN, WIDE, "");
    strcpy(label.sn, "____^^^^~~~~____^^^^~~~~____^^^^");
    lay_out(&label, 62, 29, &layout);
    assert_true(label_zpl(&layout, 600, zpl, &len, NULL));
    assert_true(label_zpl_check(&layout, zpl, len, NULL));
    assert_false(label_zpl(&layout, 100, zpl, &len, NULL));
}

/* Where the printer puts the QR code: its corner in dots, less what ^BY lowers it by. */
static void test_zpl_place(void **state)
{
    (void)state;
    label_layout_t layout;
    char zpl[LABEL_ZPL_MAX];
    size_t len;
    int x;
    int y;
    int magnify;
    label_t label = label_of("SN-000001", "sensor-2", "");
    lay_out(&label, 62, 29, &layout);
    assert_true(label_zpl(&layout, 203, zpl, &len, NULL));
    const char *at = strstr(zpl, "^BY2,3,10\n^FO");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "^BY2,3,10\n^FO%d,%d^BQN,2,%d", &x, &y, &magnify), 3);
    y += 10;
    double dots = 203 / 25.4;
    assert_true(magnify * layout.qr.side <= layout.qr.side * layout.module * dots);
    assert_true(x >= layout.qr_x * dots - 1 && y >= layout.qr_y * dots - 1);
    assert_true(x + magnify * layout.qr.side <=
                (layout.qr_x + layout.qr.side * layout.module) * dots + 1);
    assert_true(y + magnify * layout.qr.side <=
                (layout.qr_y + layout.qr.side * layout.module) * dots + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),      cmocka_unit_test(test_code_hash),
        cmocka_unit_test(test_qr_text),    cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_long_texts), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_pairs),      cmocka_unit_test(test_png_is_read),
        cmocka_unit_test(test_png_size),   cmocka_unit_test(test_png_check),
        cmocka_unit_test(test_sheets),     cmocka_unit_test(test_pdf),
        cmocka_unit_test(test_zpl_escape), cmocka_unit_test(test_zpl),
        cmocka_unit_test(test_zpl_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

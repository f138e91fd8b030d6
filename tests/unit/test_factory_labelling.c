/* SPDX-License-Identifier: Apache-2.0 */
/* factory: station 5 and the pack list: files, custody, signature. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "custody/custody.h"
#include "factory/station_label.h"
#include "factory_fixture.h"
#include "json/json.h"
#include "label_fixture.h"
#include "site/pack.h"

static int plain(void **state)
{
    (void)state;
    factory_site("SN-%06d", false);
    return 0;
}

static int with_pop(void **state)
{
    (void)state;
    factory_site("SN-%06d", true);
    return 0;
}

/* ---- what custody says ---- */

typedef struct {
    size_t count;
    char detail[512]; /* of the last */
    const char *kind;
} seen_t;

static bool see(void *context, const custody_entry_t *entry)
{
    seen_t *seen = context;
    if (strcmp(entry->kind, seen->kind) == 0) {
        seen->count++;
        snprintf(seen->detail, sizeof seen->detail, "%s", entry->detail);
    }
    return true;
}

static seen_t entries(const char *sn, const char *kind)
{
    seen_t seen = {.kind = kind};
    custody_t *custody;
    assert_true(custody_open(factory_path("factory/custody.db"), NULL, &custody, NULL));
    assert_true(custody_each_of_sn(custody, sn, see, &seen, NULL));
    custody_close(custody);
    return seen;
}

static void add_entry(const char *sn, const char *kind, const char *detail)
{
    custody_t *custody;
    const custody_event_t event = {sn, kind, detail, 0};
    assert_true(custody_open(factory_path("factory/custody.db"), FACTORY_WRITER, &custody, NULL));
    assert_true(custody_append(custody, &event, 1, now * 1000 + 60000, NULL));
    custody_close(custody);
}

/* ---- labelling ---- */

static struct {
    size_t count;
    bool ok[64];
    char text[64][ERR_TEXT_MAX];
} told;

static void said(void *context, const char *sn, bool ok, const char *text)
{
    (void)context;
    (void)sn;
    assert_true(told.count < 64);
    told.ok[told.count] = ok;
    snprintf(told.text[told.count++], ERR_TEXT_MAX, "%s", text);
}

static factory_labelled_t label(factory_labelling_t how, const char *const *sns, size_t count)
{
    factory_labelled_t result;
    err_t err = ERR_INIT;
    told.count = 0;
    how.said = said;
    if (!factory_label(&site, &how, sns, count, &result, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(told.count, count);
    return result;
}

static void label_refused(factory_labelling_t how, const char *const *sns, size_t count,
                          err_kind_t kind, const char *part)
{
    factory_labelled_t result;
    err_t err = ERR_INIT;
    how.said = said;
    told.count = 0;
    assert_false(factory_label(&site, &how, sns, count, &result, &err));
    assert_int_equal(told.count, 0);
    assert_int_equal(err.kind, kind);
    if (strstr(err.text, part) == NULL) {
        fail_msg("it says %s", err.text);
    }
}

static char *read_secret(const char *path, size_t *len)
{
    char *data;
    err_t err = ERR_INIT;
    if (!file_read_private(path, 1 << 24, &data, len, &err)) {
        fail_msg("%s", err.text);
    }
    return data;
}

static const char *const THREE[] = {"SN-000001", "SN-000002", "SN-000003"};

static void test_png(void **state)
{
    (void)state;
    char text[512];
    size_t len;
    struct stat st;
    factory_make(3);
    factory_labelled_t result = label(factory_labelling_default(), THREE, 3);
    assert_int_equal(result.labelled, 3);
    assert_string_equal(result.file, "");
    for (int i = 0; i < 3; i++) {
        char name[64];
        char wanted[64];
        snprintf(name, sizeof name, FACTORY_LABELS "/%s.png", THREE[i]);
        assert_int_equal(stat(factory_path(name), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        char *png = read_secret(factory_path(name), &len);
        assert_int_equal(label_read_codes((const uint8_t *)png, len, text, sizeof text), 1);
        snprintf(wanted, sizeof wanted, "%s\n", THREE[i]);
        assert_string_equal(text, wanted);
        free(png);
    }
    factory_check_books(true);
}

/* The code that is on the label gives the hash that is in custody, and is nowhere else. */
static void expect_code(const char *zpl, const char *sn, char code[LABEL_CODE_LEN + 1])
{
    char hex[65];
    json_token_t value;
    const char *at = strstr(zpl, "^FDClaim code^FS");
    assert_non_null(at);
    at = strstr(at + 4, "^FD");
    assert_non_null(at);
    snprintf(code, LABEL_CODE_LEN + 1, "%.4s%.4s", at + 3, at + 8);
    assert_int_equal(at[7], '-');
    assert_int_equal(strspn(code, LABEL_CODE_ALPHABET), LABEL_CODE_LEN);
    assert_true(label_code_hash(code, hex, NULL));
    seen_t seen = entries(sn, "label");
    assert_true(json_find(seen.detail, strlen(seen.detail), "code_hash", &value));
    assert_true(json_equals(&value, hex));
    assert_null(strstr(seen.detail, code));
}

static void test_reprint(void **state)
{
    (void)state;
    char code[2][LABEL_CODE_LEN + 1];
    size_t len;
    factory_labelling_t how = factory_labelling_default();
    how.format = FACTORY_LABEL_ZPL;
    factory_make(1);
    label(how, THREE, 1);
    char path[FILE_PATH_MAX];
    strcpy(path, factory_path(FACTORY_LABELS "/SN-000001.zpl"));
    char *zpl = read_secret(path, &len);
    expect_code(zpl, "SN-000001", code[0]);
    /* again: nothing changes */
    factory_labelled_t result = label(how, THREE, 1);
    assert_int_equal(result.already, 1);
    assert_true(told.ok[0]);
    assert_string_equal(told.text[0], "labelled already");
    char *same = read_secret(path, &len);
    assert_string_equal(zpl, same);
    assert_int_equal(entries("SN-000001", "label").count, 1);
    free(same);
    free(zpl);
    how.reprint = true;
    result = label(how, THREE, 1);
    assert_int_equal(result.labelled, 1);
    zpl = read_secret(path, &len);
    expect_code(zpl, "SN-000001", code[1]);
    assert_string_not_equal(code[0], code[1]);
    seen_t seen = entries("SN-000001", "label");
    assert_int_equal(seen.count, 2);
    assert_non_null(strstr(seen.detail, "\"reprint\":true"));
    free(zpl);
}

/* The proof of possession is on the label, in the QR code too, and not in custody. */
static void test_pop(void **state)
{
    (void)state;
    char text[512];
    char wanted[512];
    size_t len;
    factory_detail_t detail;
    factory_make(1);
    assert_true(factory_show(&site, "SN-000001", &detail, NULL));
    assert_int_equal(strlen(detail.identity.pop), 16);
    label(factory_labelling_default(), THREE, 1);
    char *png = read_secret(factory_path(FACTORY_LABELS "/SN-000001.png"), &len);
    assert_int_equal(label_read_codes((const uint8_t *)png, len, text, sizeof text), 1);
    snprintf(wanted, sizeof wanted,
             "{\"ver\":\"v1\",\"name\":\"%s\",\"pop\":\"%s\",\"transport\":\"ble\"}\n",
             detail.unit.service, detail.identity.pop);
    assert_string_equal(text, wanted);
    free(png);
    seen_t seen = entries("SN-000001", "label");
    assert_null(strstr(seen.detail, detail.identity.pop));
    assert_non_null(strstr(seen.detail, "\"qr\":\"provisioning\""));
}

static void test_refused_units(void **state)
{
    (void)state;
    static const char *const many[] = {
        "SN-000001", "SN-000009", "../../x",   "SN-000002",
        "SN-000003", "SN-000001", "SN-000004", "ABCDEFGHIJKLMNOPQRSTUVWXYZ01234567"};
    factory_make(4);
    add_entry("SN-000002", "scrap", "{\"why\":\"fell\"}");
    add_entry("SN-000003", "test", "{\"pass\":false}");
    add_entry("SN-000004", "test", "{\"pass\":false}");
    add_entry("SN-000004", "test", "{\"pass\":true}");
    factory_labelled_t result = label(factory_labelling_default(), many, 8);
    assert_int_equal(result.labelled, 2);
    assert_int_equal(result.already, 1);
    assert_int_equal(result.failed, 5);
    assert_true(told.ok[0] && !told.ok[1] && !told.ok[2] && !told.ok[3] && !told.ok[4]);
    assert_true(told.ok[5] && told.ok[6] && !told.ok[7]);
    assert_non_null(strstr(told.text[1], "there is no unit"));
    assert_non_null(strstr(told.text[3], "scrapped"));
    assert_non_null(strstr(told.text[4], "test it again"));
    assert_string_equal(told.text[5], "labelled already");
    assert_int_equal(entries("SN-000001", "label").count, 1);
    assert_int_equal(entries("SN-000002", "label").count, 0);
    factory_check_books(true);
}

/* After a rework the label is of a former identity. */
static void test_rework(void **state)
{
    (void)state;
    factory_make(1);
    label(factory_labelling_default(), THREE, 1);
    add_entry("SN-000001", "rework", "{}");
    factory_labelled_t result = label(factory_labelling_default(), THREE, 1);
    assert_int_equal(result.labelled, 1);
    assert_int_equal(entries("SN-000001", "label").count, 2);
}

static void test_one_file(void **state)
{
    (void)state;
    char path[FILE_PATH_MAX];
    size_t len;
    factory_labelling_t how = factory_labelling_default();
    factory_make(3);
    snprintf(path, sizeof path, "%s/all-%d.zpl", base, getpid());
    how.format = FACTORY_LABEL_ZPL;
    how.out = path;
    factory_labelled_t result = label(how, THREE, 3);
    assert_string_equal(result.file, path);
    char *zpl = read_secret(path, &len);
    const char *at = zpl;
    for (int i = 0; i < 3; i++) {
        at = strstr(at, THREE[i]); /* in the order that was asked for */
        assert_non_null(at);
    }
    free(zpl);
    /* nothing to do is no error; a file that may hold the only codes is not overwritten */
    result = label(how, THREE, 3);
    assert_int_equal(result.already, 3);
    how.reprint = true;
    label_refused(how, THREE, 3, ERR_PRECONDITION, "exists already");
    assert_int_equal(entries("SN-000001", "label").count, 1);
    how.format = FACTORY_LABEL_PDF;
    how.out = NULL;
    result = label(how, THREE, 3);
    assert_true(file_exists(result.file));
    struct stat st;
    assert_int_equal(stat(result.file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char first[FILE_PATH_MAX];
    strcpy(first, result.file);
    result = label(how, THREE, 3);
    assert_string_not_equal(first, result.file);
    how.format = FACTORY_LABEL_PNG;
    how.out = "/tmp/cradle-one.png";
    label_refused(how, THREE, 3, ERR_USAGE, "one label");
}

static void test_bad_places(void **state)
{
    (void)state;
    factory_labelling_t how = factory_labelling_default();
    factory_make(1);
    how.out = "/proc/no/such";
    label_refused(how, THREE, 1, ERR_SYSTEM, "/proc");
    assert_int_equal(entries("SN-000001", "label").count, 0);
    how.out = NULL;
    how.format = FACTORY_LABEL_PDF;
    how.sheet.columns = 9;
    label_refused(how, THREE, 1, ERR_USAGE, "A4");
    how = factory_labelling_default();
    how.sheet.width = 15;
    how.sheet.height = 15;
    factory_labelled_t result = label(how, THREE, 1);
    assert_int_equal(result.failed, 1);
    assert_non_null(strstr(told.text[0], "too small"));
}

static void test_no_code(void **state)
{
    (void)state;
    size_t len;
    factory_labelling_t how = factory_labelling_default();
    how.format = FACTORY_LABEL_ZPL;
    how.no_code = true;
    factory_make(1);
    label(how, THREE, 1);
    char *zpl = read_secret(factory_path(FACTORY_LABELS "/SN-000001.zpl"), &len);
    assert_null(strstr(zpl, "Claim code"));
    free(zpl);
    assert_non_null(strstr(entries("SN-000001", "label").detail, "\"code_hash\":null"));
}

/* ---- the pack list ---- */

static factory_packed_t pack(factory_pack_t wanted)
{
    factory_packed_t packed;
    err_t err = ERR_INIT;
    if (!factory_pack(&site, &wanted, &packed, &err)) {
        fail_msg("%s", err.text);
    }
    return packed;
}

static void pack_refused(factory_pack_t wanted, err_kind_t kind, const char *part)
{
    factory_packed_t packed;
    err_t err = ERR_INIT;
    assert_false(factory_pack(&site, &wanted, &packed, &err));
    assert_int_equal(err.kind, kind);
    if (strstr(err.text, part) == NULL) {
        fail_msg("it says %s", err.text);
    }
}

static char *read_list(void)
{
    char *text;
    size_t len;
    assert_true(file_read(factory_path(FACTORY_PACK), 1 << 20, &text, &len, NULL));
    assert_true(json_valid(text, len));
    return text;
}

static bool list_has(const char *path, const char *value)
{
    char *text = read_list();
    json_token_t token;
    assert_true(json_find(text, strlen(text), path, &token));
    bool equal = token.type == JSON_STRING ? json_equals(&token, value)
                                           : strncmp(token.text, value, token.len) == 0;
    free(text);
    return equal;
}

static void test_pack_codes(void **state)
{
    (void)state;
    char code[LABEL_CODE_LEN + 1];
    char hex[65];
    char csv[FILE_PATH_MAX];
    char number[32];
    size_t len;
    factory_labelling_t how = factory_labelling_default();
    custody_t *custody;
    custody_checkpoint_t at;
    how.format = FACTORY_LABEL_ZPL;
    factory_make(2);
    label(how, THREE, 1);
    how.reprint = true;
    label(how, THREE, 1);
    char *zpl = read_secret(factory_path(FACTORY_LABELS "/SN-000001.zpl"), &len);
    expect_code(zpl, "SN-000001", code);
    free(zpl);
    assert_true(label_code_hash(code, hex, NULL));
    snprintf(csv, sizeof csv, "%s/pack.csv", base);
    factory_packed_t packed = pack((factory_pack_t){.csv = csv});
    assert_int_equal(packed.units, 2);
    assert_int_equal(packed.unlabelled, 1);
    assert_true(list_has("units.0.code_hash", hex)); /* of the last label */
    assert_true(list_has("units.1.code_hash", "null"));
    assert_true(custody_open(factory_path("factory/custody.db"), NULL, &custody, NULL));
    assert_true(custody_checkpoint(custody, FACTORY_WRITER, &at, NULL));
    custody_close(custody);
    assert_true(list_has("custody.writer", FACTORY_WRITER));
    bytes_to_hex(at.hash, sizeof at.hash, hex, sizeof hex);
    assert_true(list_has("custody.hash", hex));
    snprintf(number, sizeof number, "%d", (int)at.seq);
    assert_true(list_has("custody.seq", number));
    assert_true(list_has("custody.number", "2"));
    char *rows;
    assert_true(file_read(csv, 1 << 16, &rows, &len, NULL));
    assert_memory_equal(rows, "sn,service,leaf_sha256,code_hash,not_after\nSN-000001,ESP-PROV-",
                        62);
    const char *second = strstr(rows, "\nSN-000002,");
    assert_non_null(second);
    assert_non_null(strstr(second, ",,20")); /* no code */
    assert_null(strstr(rows, code));
    free(rows);
}

static bool check_list(err_t *err, bool *signature)
{
    uint8_t hash[32];
    const char *list = factory_path(FACTORY_PACK);
    err_clear(err);
    return site_pack_hash(list, hash, err) && site_pack_check(&site, list, hash, signature, err);
}

static void test_signature(void **state)
{
    (void)state;
    bool signature;
    err_t err = ERR_INIT;
    char jws_path[FILE_PATH_MAX];
    char *jws;
    size_t len;
    factory_make(1);
    pack((factory_pack_t){0});
    assert_true(check_list(&err, &signature) && signature);
    /* one byte of the list */
    char *text = read_list();
    char *at = strstr(text, "ESP-PROV-");
    at[9] = at[9] == '0' ? '1' : '0';
    assert_true(file_write(factory_path(FACTORY_PACK), text, strlen(text), 0644, NULL));
    assert_false(check_list(&err, &signature));
    assert_true(signature);
    assert_int_equal(err.kind, ERR_INPUT);
    assert_non_null(strstr(err.text, "changed after it was signed"));
    free(text);
    /* any byte of the signature */
    pack((factory_pack_t){0});
    assert_true(site_pack_jws_path(factory_path(FACTORY_PACK), jws_path, NULL));
    assert_true(file_read(jws_path, SITE_PACK_JWS_MAX, &jws, &len, NULL));
    for (size_t i = 0; i + 1 < len; i++) {
        char was = jws[i];
        jws[i] = was == 'A' ? 'B' : 'A';
        assert_true(file_write(jws_path, jws, len, 0644, NULL));
        if (check_list(&err, &signature)) {
            fail_msg("byte %zu of the signature counts for nothing", i);
        }
        jws[i] = was;
    }
    assert_true(file_write(jws_path, jws, len - 20, 0644, NULL));
    assert_false(check_list(&err, &signature));
    assert_true(file_write(jws_path, "", 0, 0644, NULL));
    assert_false(check_list(&err, &signature));
    free(jws);
    assert_int_equal(unlink(jws_path), 0);
    assert_true(check_list(&err, &signature) && !signature);
}

/* A site from before pack lists were signed gets its key when it signs one. */
static void test_old_site(void **state)
{
    (void)state;
    char key[FILE_PATH_MAX];
    char pub[FILE_PATH_MAX];
    struct stat st;
    bool signature;
    err_t err = ERR_INIT;
    factory_make(1);
    assert_true(site_key_path(&site, SITE_PACK_KEY, key, NULL));
    assert_true(site_pub_path(&site, SITE_PACK_KEY, pub, NULL));
    assert_int_equal(unlink(key) | unlink(pub), 0);
    pack((factory_pack_t){0});
    assert_true(check_list(&err, &signature) && signature);
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* killed before the public half was there */
    assert_int_equal(unlink(pub), 0);
    assert_false(check_list(&err, &signature));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    pack((factory_pack_t){0});
    assert_true(check_list(&err, &signature) && signature);
    /* another site's list */
    char *text = read_list();
    char *jws;
    size_t len;
    char path[FILE_PATH_MAX];
    assert_true(site_pack_jws_path(factory_path(FACTORY_PACK), path, NULL));
    assert_true(file_read(path, SITE_PACK_JWS_MAX, &jws, &len, NULL));
    plain(NULL);
    assert_true(file_write(factory_path(FACTORY_PACK), text, strlen(text), 0644, NULL));
    assert_true(site_pack_jws_path(factory_path(FACTORY_PACK), path, NULL));
    assert_true(file_write(path, jws, len, 0644, NULL));
    assert_false(check_list(&err, &signature));
    assert_int_equal(err.kind, ERR_INPUT);
    free(text);
    free(jws);
}

static void test_ship(void **state)
{
    (void)state;
    char wanted[100];
    factory_make(3);
    label(factory_labelling_default(), THREE, 2);
    add_entry("SN-000002", "scrap", "{}");
    pack_refused((factory_pack_t){.sns = THREE + 1, .count = 1}, ERR_PRECONDITION, "scrapped");
    pack_refused((factory_pack_t){.sns = THREE + 2, .count = 1, .ship = true}, ERR_PRECONDITION,
                 "no label");
    assert_false(file_exists(factory_path(FACTORY_PACK)));
    factory_packed_t packed = pack((factory_pack_t){.ship = true});
    assert_int_equal(packed.units, 2);
    assert_int_equal(packed.shipped, 1);
    assert_int_equal(packed.unlabelled, 1);
    seen_t seen = entries("SN-000001", "ship");
    assert_int_equal(seen.count, 1);
    snprintf(wanted, sizeof wanted, "{\"pack\":\"%s\"}", packed.sha256);
    assert_string_equal(seen.detail, wanted);
    assert_int_equal(entries("SN-000003", "ship").count, 0);
    /* again: it has left already; after a rework it may leave again */
    packed = pack((factory_pack_t){.ship = true});
    assert_int_equal(packed.shipped, 0);
    assert_int_equal(entries("SN-000001", "ship").count, 1);
    add_entry("SN-000001", "rework", "{}");
    pack_refused((factory_pack_t){.sns = THREE, .count = 1, .ship = true}, ERR_PRECONDITION,
                 "reworked");
    /* some of them, by name */
    packed = pack((factory_pack_t){.sns = THREE + 2, .count = 1});
    assert_int_equal(packed.units, 1);
    assert_true(list_has("units.0.sn", "SN-000003"));
    pack_refused((factory_pack_t){.sns = (const char *const[]){"SN-000077"}, .count = 1},
                 ERR_PRECONDITION, "there is no unit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_png, plain),
        cmocka_unit_test_setup(test_reprint, plain),
        cmocka_unit_test_setup(test_pop, with_pop),
        cmocka_unit_test_setup(test_refused_units, plain),
        cmocka_unit_test_setup(test_rework, plain),
        cmocka_unit_test_setup(test_one_file, plain),
        cmocka_unit_test_setup(test_bad_places, plain),
        cmocka_unit_test_setup(test_no_code, plain),
        cmocka_unit_test_setup(test_pack_codes, plain),
        cmocka_unit_test_setup(test_signature, plain),
        cmocka_unit_test_setup(test_old_site, plain),
        cmocka_unit_test_setup(test_ship, plain),
    };
    return cmocka_run_group_tests(tests, factory_setup, factory_teardown);
}

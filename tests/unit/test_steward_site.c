/* SPDX-License-Identifier: Apache-2.0 */
/* What the steward reads from its site: secrets, pack lists, policies; receipts checked offline. */
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
#include "pki/key.h"
#include "steward/pack.h"
#include "steward/policy.h"
#include "steward/receipt_check.h"
#include "steward/secrets.h"
#include "tests/unit/steward_fixture.h"

static rig_t rig;

static int make_site(void **state)
{
    (void)state;
    rig_site(&rig);
    return 0;
}

static int remove_site(void **state)
{
    (void)state;
    rig_site_remove(&rig);
    return 0;
}

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

/* ---- secrets ---- */

static void path_of(const char *name, char out[FILE_PATH_MAX])
{
    assert_true(site_path(&rig.site, name, out, NULL));
}

static void secrets_are_read_and_compared(void **state)
{
    (void)state;
    secrets_t secrets;
    char text[128];
    err_t err = ERR_INIT;
    assert_true(secrets_open(&secrets, &rig.site, &err));
    assert_int_equal(secrets.bundle_version, 1);
    assert_int_equal(strlen(secrets.bundle), secrets.bundle_len);
    assert_int_equal(strlen(secrets.forward), 64);
    snprintf(text, sizeof text, "Bearer %s", secrets.forward);
    assert_true(site_secret_shown(secrets.forward, text));
    text[0] = 'b';
    assert_true(site_secret_shown(secrets.forward, text));
    text[strlen(text) - 1] ^= 1;
    assert_false(site_secret_shown(secrets.forward, text));
    text[strlen(text) - 1] ^= 1;
    strcat(text, "0");
    assert_false(site_secret_shown(secrets.forward, text));
    text[strlen(text) - 2] = '\0';
    assert_false(site_secret_shown(secrets.forward, text));
    assert_false(site_secret_shown(secrets.forward, secrets.forward));
    assert_false(site_secret_shown(secrets.forward, "Bearer "));
    assert_false(site_secret_shown(secrets.forward, ""));
    secrets_close(&secrets);
}

static void expect_no_secrets(err_kind_t kind, const char *part)
{
    secrets_t secrets;
    err_t err = ERR_INIT;
    assert_false(secrets_open(&secrets, &rig.site, &err));
    secrets_close(&secrets);
    assert_int_equal(err.kind, kind);
    assert_non_null(strstr(err.text, part));
}

static void wrong_secrets_are_named(void **state)
{
    (void)state;
    static const char *const names[] = {SITE_FORWARD_KEY, SITE_TICKET_KEY};
    char path[FILE_PATH_MAX];
    char *good;
    size_t len;
    for (size_t i = 0; i < 2; i++) {
        path_of(names[i], path);
        assert_true(file_read(path, 256, &good, &len, NULL));
        assert_int_equal(chmod(path, 0644), 0);
        expect_no_secrets(ERR_INPUT, names[i]);
        assert_true(file_write(path, good, len - 2, 0600, NULL));
        expect_no_secrets(ERR_INPUT, "64 hex digits");
        assert_int_equal(unlink(path), 0);
        expect_no_secrets(ERR_PRECONDITION, names[i]);
        assert_true(file_write(path, good, len - 1, 0600, NULL)); /* the line end may be missing */
        secrets_t secrets;
        assert_true(secrets_open(&secrets, &rig.site, NULL));
        secrets_close(&secrets);
        free(good);
    }
}

/* Devices would believe none of the answers. */
static void bundle_of_another_steward_key_is_refused(void **state)
{
    (void)state;
    char path[FILE_PATH_MAX];
    char *good;
    size_t len;
    EVP_PKEY *other;
    assert_true(site_key_path(&rig.site, "steward", path, NULL));
    assert_true(file_read(path, 4096, &good, &len, NULL));
    assert_int_equal(unlink(path), 0);
    expect_no_secrets(ERR_PRECONDITION, "steward.key");
    assert_true(pki_key_generate(PKI_KEY_P256, &other, NULL));
    assert_true(pki_key_save(other, path, NULL));
    expect_no_secrets(ERR_PRECONDITION, "keys/steward.key");
    pki_key_free(other);
    assert_int_equal(unlink(path), 0);
    assert_true(file_write(path, good, len, 0600, NULL));
    free(good);
}

/* ---- policies ---- */

static void policies_are_words(void **state)
{
    (void)state;
    bool claims;
    ownership_policy_t policy;
    err_t err = ERR_INIT;
    assert_true(policy_read(&(policy_words_t){NULL, NULL, NULL, NULL}, &claims, &policy, NULL));
    assert_true(claims && policy.lock == OWNERSHIP_OPEN && policy.unclaimed == OWNERSHIP_HOLD &&
                policy.dispose == OWNERSHIP_DELETE);
    assert_true(policy_read(&(policy_words_t){"off", NULL, NULL, NULL}, &claims, &policy, NULL));
    assert_true(!claims && policy.unclaimed == OWNERSHIP_KEEP);
    assert_true(policy_read(&(policy_words_t){"off", "release", "hold", "reassign"}, &claims,
                            &policy, NULL));
    assert_true(policy.lock == OWNERSHIP_LOCKED && policy.unclaimed == OWNERSHIP_HOLD &&
                policy.dispose == OWNERSHIP_REASSIGN);
    assert_string_equal(policy_lock_word(policy.lock), "release");
    assert_string_equal(policy_unclaimed_word(policy.unclaimed), "hold");
    assert_string_equal(policy_dispose_word(policy.dispose), "reassign");
    assert_false(policy_read(&(policy_words_t){NULL, NULL, "Hold", NULL}, &claims, &policy, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(err.text, "--unclaimed is hold or keep"));
}

/* ---- pack lists ---- */

#define CODE_HASH "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

/* A list of `count` units with the leaf of `unit`, the last of them called `last`. */
static char *make_list(const unit_t *unit, const char *site, const char *sn, const char *code)
{
    static char text[8192];
    char leaf[4096];
    assert_true(bytes_to_base64(unit->leaf, unit->leaf_len, leaf, sizeof leaf));
    snprintf(text, sizeof text,
             "{\"v\":1,\"site\":\"%s\",\"units\":[\n{\"sn\":\"%s\",\"leaf\":\"%s\",\"service\":"
             "\"ESP-PROV-0001\",\"code_hash\":%s}\n]}\n",
             site, sn, leaf, code);
    return text;
}

static int64_t today = NOW;

static bool import(const char *text, bool all, pack_counts_t *counts, err_t *err)
{
    const pack_settings_t settings = {
        .site = rig.site.id,
        .authority = rig.authority,
        .now = today,
        .claims_on = true,
        .policy = {OWNERSHIP_LOCKED, OWNERSHIP_HOLD, OWNERSHIP_DELETE},
        .all = all};
    return pack_import(rig.record, &settings, text, strlen(text), counts, err);
}

static void pack_list_makes_units(void **state)
{
    (void)state;
    unit_t unit;
    pack_counts_t counts;
    record_unit_t row;
    err_t err = ERR_INIT;
    bool found;
    unit_make(&rig, &unit, "SN-000001", 0, 1000);
    assert_true(import(make_list(&unit, rig.site.id, "SN-000001", "\"" CODE_HASH "\""), false,
                       &counts, &err));
    assert_int_equal(counts.added, 1);
    assert_int_equal(counts.known, 0);
    assert_true(record_unit_get(rig.record, "SN-000001", &row, &found, NULL));
    assert_true(found && row.packed && row.claims_on && row.has_code);
    assert_int_equal(row.policy.lock, OWNERSHIP_LOCKED);
    assert_int_equal(row.code_hash[31], 0xff);
    assert_memory_equal(row.packed_leaf, unit.hash, sizeof row.packed_leaf);
    /* once more: what happened since stays */
    strcpy(row.owner, "alice");
    row.policy.lock = OWNERSHIP_OPEN;
    row.stolen = true;
    assert_true(record_unit_put(rig.record, &row, NULL));
    assert_true(import(make_list(&unit, rig.site.id, "SN-000001", "null"), false, &counts, &err));
    assert_int_equal(counts.known, 1);
    assert_true(record_unit_get(rig.record, "SN-000001", &row, &found, NULL));
    assert_string_equal(row.owner, "alice");
    assert_true(row.stolen && !row.has_code && row.policy.lock == OWNERSHIP_OPEN);
    assert_true(import(make_list(&unit, rig.site.id, "SN-000001", "null"), true, &counts, &err));
    assert_true(record_unit_get(rig.record, "SN-000001", &row, &found, NULL));
    assert_int_equal(row.policy.lock, OWNERSHIP_LOCKED);
    assert_string_equal(row.owner, "alice");
    unit_free(&unit);
}

static ownership_key_t standing_of(const unit_t *unit)
{
    record_key_t key;
    bool found;
    assert_true(record_key_get(rig.record, unit->hash, &key, &found, NULL));
    return found ? key.standing : OWNERSHIP_KEY_NONE;
}

/* The same SN with another certificate: the unit was reworked, the former one counts no more. An
   older list does not bring it back. */
static void pack_list_after_rework(void **state)
{
    (void)state;
    unit_t before;
    unit_t after;
    pack_counts_t counts;
    record_key_t newest;
    bool found;
    unit_make(&rig, &before, "SN-000001", 0, 1000);
    unit_make(&rig, &after, "SN-000001", 0, 1000);
    const char *sn = "SN-000001";
    assert_true(import(make_list(&before, rig.site.id, sn, "null"), false, &counts, NULL));
    assert_int_equal(standing_of(&before), OWNERSHIP_KEY_CURRENT);
    assert_true(import(make_list(&after, rig.site.id, sn, "null"), false, &counts, NULL));
    assert_int_equal(standing_of(&before), OWNERSHIP_KEY_DENIED);
    assert_int_equal(standing_of(&after), OWNERSHIP_KEY_CURRENT);
    assert_true(import(make_list(&before, rig.site.id, sn, "null"), false, &counts, NULL));
    assert_int_equal(standing_of(&before), OWNERSHIP_KEY_DENIED);
    assert_int_equal(standing_of(&after), OWNERSHIP_KEY_CURRENT);
    assert_true(record_key_newest(rig.record, sn, &newest, &found, NULL) && found);
    assert_memory_equal(newest.hash, after.hash, sizeof newest.hash);
    unit_free(&before);
    unit_free(&after);
}

static void expect_no_import(const char *text, const char *part)
{
    pack_counts_t counts;
    err_t err = ERR_INIT;
    assert_false(import(text, false, &counts, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_non_null(strstr(err.text, part));
}

static bool count_unit(void *ctx, const record_unit_t *unit)
{
    (void)unit;
    (*(int *)ctx)++;
    return true;
}

static void wrong_pack_lists_change_nothing(void **state)
{
    (void)state;
    static const char other_site[] = "00000000000000000000000000000000";
    unit_t unit;
    unit_t second;
    char list[8192];
    int count = 0;
    unit_make(&rig, &unit, "SN-000001", 0, 1000);
    unit_make(&rig, &second, "SN-000002", 0, 1);
    expect_no_import("", "no pack list");
    expect_no_import("[1,2", "no pack list");
    expect_no_import("{\"v\":2,\"site\":\"x\",\"units\":[]}", "version");
    expect_no_import(make_list(&unit, other_site, "SN-000001", "null"), "another site");
    expect_no_import(make_list(&unit, rig.site.id, "SN-000002", "null"), "its CN");
    expect_no_import(make_list(&unit, rig.site.id, "../SN", "null"), "unit 1 of");
    expect_no_import(make_list(&unit, rig.site.id, "SN-000001", "\"abc\""), "code_hash");
    expect_no_import(make_list(&unit, rig.site.id, "SN-000001", "5"), "code_hash");
    today = NOW + 30 * 86400;
    expect_no_import(make_list(&second, rig.site.id, "SN-000002", "null"), "unit 1, SN-000002");
    today = NOW;
    snprintf(list, sizeof list, "{\"v\":1,\"site\":\"%s\",\"units\":{}}", rig.site.id);
    expect_no_import(list, "no list");
    /* a good one before a bad one is not kept either */
    snprintf(list, sizeof list, "%s", make_list(&unit, rig.site.id, "SN-000001", "null"));
    strcpy(strrchr(list, ']'), ",{\"sn\":\"SN-000003\",\"leaf\":\"AAAA\"}]}");
    expect_no_import(list, "unit 2, SN-000003");
    assert_true(record_units(rig.record, NULL, "", count_unit, &count, NULL));
    assert_int_equal(count, 0);
    unit_free(&unit);
    unit_free(&second);
}

/* ---- receipts ---- */

/* The vectors of docs/protocol.md section 9. */
static char *vector(const char *name)
{
    static char *page;
    static char out[8192];
    char mark[64];
    size_t len;
    if (page == NULL) {
        assert_true(file_read("docs/protocol.md", 1u << 20, &page, &len, NULL));
    }
    snprintf(mark, sizeof mark, "```vector %s\n", name);
    const char *at = strstr(page, mark);
    assert_non_null(at);
    at += strlen(mark);
    snprintf(out, sizeof out, "%.*s", (int)strcspn(at, "\n"), at);
    return out;
}

static EVP_PKEY *vector_key(const char *name)
{
    uint8_t der[256];
    size_t len;
    EVP_PKEY *key;
    const char *text = vector(name);
    assert_true(bytes_from_base64url(text, strlen(text), der, sizeof der, &len));
    assert_true(pki_key_public_from_der(der, len, &key, NULL));
    return key;
}

static void receipt_is_verified_offline(void **state)
{
    (void)state;
    char bundle[8192];
    char receipt[8192];
    receipt_read_t read;
    err_t err = ERR_INIT;
    EVP_PKEY *anchor = vector_key("key-anchor");
    EVP_PKEY *other = vector_key("key-bench");
    snprintf(bundle, sizeof bundle, "%s", vector("bundle"));
    snprintf(receipt, sizeof receipt, " %s\r\n", vector("receipt"));
    assert_true(
        receipt_check(receipt, strlen(receipt), bundle, strlen(bundle), anchor, &read, &err));
    assert_true(jws_text_equal(read.receipt.sn, jws_text("SN-000001")));
    assert_int_equal(read.receipt.line_count, 3);
    assert_int_equal(read.receipt.lines[0].count, 12);
    assert_true(receipt_open(receipt, strlen(receipt), &read, &err));
    /* another anchor, a changed receipt, a changed signature, no receipt at all */
    assert_false(
        receipt_check(receipt, strlen(receipt), bundle, strlen(bundle), other, &read, &err));
    assert_non_null(strstr(err.text, "anchor key"));
    err_clear(&err);
    char *dot = strrchr(receipt, '.');
    dot[20] = dot[20] == 'A' ? 'B' : 'A';
    assert_false(
        receipt_check(receipt, strlen(receipt), bundle, strlen(bundle), anchor, &read, &err));
    assert_non_null(strstr(err.text, "changed"));
    err_clear(&err);
    assert_false(
        receipt_check(bundle, strlen(bundle), bundle, strlen(bundle), anchor, &read, &err));
    assert_non_null(strstr(err.text, "no receipt"));
    err_clear(&err);
    assert_false(receipt_check(receipt, strlen(receipt), "x", 1, anchor, &read, &err));
    assert_non_null(strstr(err.text, "the bundle cannot be read"));
    err_clear(&err);
    assert_false(receipt_check("", 0, "", 0, anchor, &read, &err));
    pki_key_free(anchor);
    pki_key_free(other);
}

/* A bundle that its anchor signed, but with another steward key. */
static void receipt_of_another_key_is_refused(void **state)
{
    (void)state;
    char path[FILE_PATH_MAX];
    char receipt[8192];
    receipt_read_t read;
    EVP_PKEY *anchor;
    err_t err = ERR_INIT;
    snprintf(receipt, sizeof receipt, "%s", vector("receipt"));
    assert_true(site_pub_path(&rig.site, "anchor", path, NULL));
    assert_true(pki_key_public_load(path, &anchor, NULL));
    assert_false(receipt_check(receipt, strlen(receipt), rig.bundle, strlen(rig.bundle), anchor,
                               &read, &err));
    assert_non_null(strstr(err.text, "not the steward key of the bundle"));
    pki_key_free(anchor);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_read_and_compared),
        cmocka_unit_test(wrong_secrets_are_named),
        cmocka_unit_test(bundle_of_another_steward_key_is_refused),
        cmocka_unit_test(policies_are_words),
        CASE(pack_list_makes_units),
        CASE(pack_list_after_rework),
        CASE(wrong_pack_lists_change_nothing),
        cmocka_unit_test(receipt_is_verified_offline),
        CASE(receipt_of_another_key_is_refused),
    };
    return cmocka_run_group_tests(tests, make_site, remove_site);
}

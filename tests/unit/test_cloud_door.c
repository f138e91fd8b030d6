/* SPDX-License-Identifier: Apache-2.0 */
/* The front door, row by row: who comes in, who hears an alert, who CONNACK 5; and that an attempt
   which is refused changes nothing at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "cloud/frontdoor.h"
#include "pki_fixture.h"

static EVP_PKEY *root_key, *product_key, *line_key, *foreign_key, *rsa_key, *leaf_key;
static X509 *root, *product, *line, *foreign;
static store_t *store;
static frontdoor_t *door;

/* What the recipe of the mission makes, and the good leaf. */
static X509 *leaf_of(const char *cn, int64_t from, int64_t to)
{
    int64_t now = time(NULL);
    return fixture_mint(&(mint_t){.cn = cn,
                                  .key = leaf_key,
                                  .issuer = line,
                                  .issuer_key = line_key,
                                  .ext = ext_client,
                                  .from = from != 0 ? from : now - DAY,
                                  .to = to != 0 ? to : now + DAY});
}

static void dump_device(void *ctx, const store_device_t *d)
{
    char id[STORE_ID_SIZE];
    store_id_format(&d->id, id);
    sprintf((char *)ctx + strlen(ctx), "%s %s %s v%lld\n", id, d->name, d->type,
            (long long)d->version);
}

static void dump_credentials(void *ctx, const store_credentials_t *c)
{
    sprintf((char *)ctx + strlen(ctx), "  %s v%lld\n", c->credentials_id, (long long)c->version);
}

typedef struct {
    store_id_t ids[16];
    size_t count;
} ids_t;

static void note_id(void *ctx, const store_device_t *d)
{
    ids_t *ids = ctx;
    ids->ids[ids->count++] = d->id;
}

static void dump(char out[8192])
{
    const store_device_query_t query = {.page = {.size = 16}, .active = -1};
    ids_t ids = {.count = 0};
    out[0] = '\0';
    store_device_list(store, &query, dump_device, out, NULL, NULL);
    store_device_list(store, &query, note_id, &ids, NULL, NULL);
    for (size_t i = 0; i < ids.count; i++) {
        store_credentials_get(store, &ids.ids[i], dump_credentials, out, NULL);
    }
}

/* Everything that happens to a chain at the door. */
typedef enum { IN_NEW, IN_KNOWN, IN_REPLACED, CONNACK_5, ALERT } outcome_t;

static bool displaced; /* the handshake gave an existing device other credentials */

static outcome_t knock_4(X509 *const all[4], bool resumed)
{
    frontdoor_guest_t guest;
    frontdoor_admitted_t admitted;
    bool unavailable;
    STACK_OF(X509) *chain = sk_X509_new_null();
    X509 *leaf = all[0];
    for (size_t i = 0; i < 4; i++) {
        if (all[i] != NULL) {
            sk_X509_push(chain, all[i]);
        }
    }
    int verdict = frontdoor_handshake(
        door, &guest, "test", leaf, resumed ? NULL : (const struct stack_st_X509 *)chain, resumed);
    sk_X509_free(chain);
    displaced = guest.displaced;
    if (verdict != X509_V_OK) {
        return ALERT;
    }
    if (!frontdoor_connect(door, &guest, leaf, "test", &admitted, &unavailable)) {
        assert_false(unavailable);
        return CONNACK_5;
    }
    return admitted.created ? IN_NEW : admitted.replaced ? IN_REPLACED : IN_KNOWN;
}

static outcome_t knock(X509 *leaf, X509 *second, X509 *third, bool resumed)
{
    return knock_4((X509 *const[]){leaf, second, third, NULL}, resumed);
}

/* A refusal that leaves the store as it was. */
static void refused(outcome_t how, X509 *leaf, X509 *second, X509 *third)
{
    char before[8192];
    char after[8192];
    dump(before);
    assert_int_equal(knock(leaf, second, third, false), how);
    dump(after);
    assert_string_equal(before, after);
}

static void a_new_device_is_provisioned_once(void **state)
{
    (void)state;
    X509 *leaf = leaf_of("SN-000001", 0, 0);
    refused(CONNACK_5, leaf, NULL, NULL); /* unknown, without its chain */
    refused(CONNACK_5, leaf, line, NULL); /* the chain must reach the product CA */
    assert_int_equal(knock(leaf, line, product, false), IN_NEW);
    assert_int_equal(knock(leaf, line, product, false), IN_KNOWN);
    assert_int_equal(knock(leaf, NULL, NULL, false), IN_KNOWN); /* the stored leaf alone */
    assert_int_equal(knock(leaf, NULL, NULL, true), IN_KNOWN);  /* resumed */
    X509_free(leaf);
}

static void the_missions_recipe_is_accepted(void **state)
{
    (void)state;
    X509 *v1 = fixture_mint(&(mint_t){.cn = "SN-000777",
                                      .key = rsa_key,
                                      .issuer = line,
                                      .issuer_key = line_key,
                                      .v1 = true,
                                      .from = time(NULL) - DAY,
                                      .to = time(NULL) + DAY});
    assert_int_equal(knock(v1, line, product, false), IN_NEW);
    X509_free(v1);
}

static void strangers_hear_an_alert(void **state)
{
    (void)state;
    int64_t now = time(NULL);
    const mint_t of_foreign = {.cn = "SN-000002",
                               .key = leaf_key,
                               .issuer = foreign,
                               .issuer_key = foreign_key,
                               .ext = ext_client,
                               .from = now - DAY,
                               .to = now + DAY};
    const mint_t self = {
        .cn = "SN-000002", .key = leaf_key, .ext = ext_client, .from = now - DAY, .to = now + DAY};
    const mint_t forged = {.cn = "SN-000002",
                           .key = leaf_key,
                           .issuer = line,
                           .issuer_key = foreign_key,
                           .ext = ext_client,
                           .from = now - DAY,
                           .to = now + DAY};
    X509 *a = fixture_mint(&of_foreign);
    X509 *b = fixture_mint(&self);
    X509 *c = fixture_mint(&forged);
    refused(ALERT, a, foreign, NULL);
    refused(ALERT, b, line, product);
    refused(ALERT, c, line, product); /* signed with another key */
    X509 *good = leaf_of("SN-000002", 0, 0);
    refused(ALERT, good, product, line); /* wrong order */
    /* a child of a device's own certificate, in the name of a victim */
    X509 *child = fixture_mint(&(mint_t){.cn = "SN-000001",
                                         .key = rsa_key,
                                         .issuer = good,
                                         .issuer_key = leaf_key,
                                         .ext = ext_client,
                                         .from = now - DAY,
                                         .to = now + DAY});
    refused(ALERT, child, good, line);
    X509_free(a);
    X509_free(b);
    X509_free(c);
    X509_free(child);
    X509_free(good);
}

static void bad_leaves_hear_connack_5(void **state)
{
    (void)state;
    static const char *const server_only[] = {"extendedKeyUsage", "serverAuth", NULL};
    static const char *const is_ca[] = {"basicConstraints", "critical,CA:TRUE", NULL};
    int64_t now = time(NULL);
    X509 *expired = leaf_of("SN-000003", now - 10 * DAY, now - DAY);
    X509 *early = leaf_of("SN-000003", now + DAY, now + 10 * DAY);
    X509 *nameless = leaf_of(NULL, 0, 0);
    const mint_t wrong_eku = {.cn = "SN-000003",
                              .key = leaf_key,
                              .issuer = line,
                              .issuer_key = line_key,
                              .ext = server_only,
                              .from = now - DAY,
                              .to = now + DAY};
    const mint_t ca = {.cn = "SN-000003",
                       .key = leaf_key,
                       .issuer = line,
                       .issuer_key = line_key,
                       .ext = is_ca,
                       .from = now - DAY,
                       .to = now + DAY};
    X509 *server = fixture_mint(&wrong_eku);
    X509 *authority = fixture_mint(&ca);
    refused(CONNACK_5, expired, line, product);
    refused(CONNACK_5, early, line, product);
    refused(CONNACK_5, nameless, line, product);
    refused(CONNACK_5, server, line, product);
    refused(CONNACK_5, authority, line, product);
    X509_free(expired);
    X509_free(early);
    X509_free(nameless);
    X509_free(server);
    X509_free(authority);
}

static void a_newer_leaf_replaces_an_older_one_never_back(void **state)
{
    (void)state;
    int64_t now = time(NULL);
    X509 *old = leaf_of("SN-000004", now - 5 * DAY, 0);
    X509 *fresh = leaf_of("SN-000004", now - DAY, 0);
    X509 *expired = leaf_of("SN-000004", now - 10 * DAY, now - 2 * DAY);
    assert_int_equal(knock(old, line, product, false), IN_NEW);
    refused(CONNACK_5, expired, line, product); /* does not displace the good one */
    assert_int_equal(knock(fresh, line, product, false), IN_REPLACED);
    refused(CONNACK_5, old, line, product);
    assert_int_equal(knock(old, NULL, NULL, true), ALERT); /* a resumed session, too: full again */
    assert_int_equal(knock(fresh, NULL, NULL, false), IN_KNOWN);
    X509_free(old);
    X509_free(fresh);
    X509_free(expired);
}

static void a_name_of_another_profile_is_left_alone(void **state)
{
    (void)state;
    store_device_t taken = {.label = NULL};
    strcpy(taken.name, "SN-000005");
    assert_int_equal(store_device_save(store, &taken, 0, NULL), STORE_OK); /* profile "default" */
    assert_true(store_commit(store, NULL));
    X509 *leaf = leaf_of("SN-000005", 0, 0);
    refused(CONNACK_5, leaf, line, product);
    X509_free(leaf);
}

static void keep_device(void *ctx, const store_device_t *found)
{
    store_device_t *device = ctx;
    *device = *found;
    device->label = device->info = device->extra = NULL;
}

typedef struct {
    store_id_t id;
} profile_id_t;

static void keep_profile(void *ctx, const store_profile_t *profile)
{
    ((profile_id_t *)ctx)->id = profile->id;
}

/* ---- the operating profile, in both modes ---- */

/* Only the certificate on record gets into a profile whose provisioning is disabled. */
static void only_the_leaf_on_record_operates(void **state)
{
    (void)state;
    int64_t now = time(NULL);
    store_profile_t operating = {.name = "operating"};
    store_device_t moved = {.label = NULL};
    X509 *leaf = leaf_of("SN-000006", now - DAY, 0);
    X509 *newer = leaf_of("SN-000006", now - 1000, 0);
    X509 *expired = leaf_of("SN-000006", now - 3 * DAY, now - DAY);
    X509 *sibling = leaf_of("SN-000007", 0, 0);
    X509 *child = fixture_mint(&(mint_t){.cn = "SN-000006",
                                         .key = leaf_key,
                                         .issuer = sibling,
                                         .issuer_key = leaf_key,
                                         .ext = ext_client,
                                         .from = now - DAY,
                                         .to = now + DAY});
    char before[8192];
    char after[8192];
    knock(leaf, line, product, false);
    assert_int_equal(store_profile_save(store, &operating, NULL), STORE_OK);
    store_device_by_name(store, "SN-000006", keep_device, &moved, NULL);
    moved.profile = operating.id;
    assert_int_equal(store_device_save(store, &moved, 0, NULL), STORE_OK);
    assert_true(store_commit(store, NULL));
    assert_int_equal(knock(leaf, NULL, NULL, false), IN_KNOWN);
    assert_int_equal(knock(leaf, line, product, false), IN_KNOWN);
    refused(CONNACK_5, newer, line, product);
    refused(CONNACK_5, newer, NULL, NULL);
    refused(CONNACK_5, expired, line, product);
    dump(before);
    assert_int_not_equal(knock_4((X509 *const[]){child, sibling, line, product}, false), IN_KNOWN);
    dump(after);
    assert_string_equal(before, after);
    assert_int_equal(knock(leaf, NULL, NULL, false), IN_KNOWN);
    X509 *const all[] = {leaf, newer, expired, sibling, child};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        X509_free(all[i]);
    }
}

/* ---- as ThingsBoard (seen alive, 4.2.1) ---- */

static void lax_the_last_certificate_wins(void **state)
{
    (void)state;
    int64_t now = time(NULL);
    X509 *old = leaf_of("SN-000001", now - DAY, 0);
    X509 *new = leaf_of("SN-000001", now - 1000, 0);
    refused(CONNACK_5, old, NULL, NULL);
    refused(CONNACK_5, old, line, NULL);
    assert_int_equal(knock(old, line, product, false), IN_KNOWN);
    assert_false(displaced);
    assert_int_equal(knock(old, NULL, NULL, false), IN_KNOWN);
    assert_int_equal(knock(new, line, product, false), IN_KNOWN);
    assert_true(displaced); /* the session with the old one ends */
    refused(CONNACK_5, old, NULL, NULL);
    assert_int_equal(knock(old, line, product, false), IN_KNOWN); /* and back again */
    assert_true(displaced);
    refused(CONNACK_5, new, NULL, NULL);
    assert_int_equal(knock(old, NULL, NULL, true), IN_KNOWN);
    refused(CONNACK_5, new, NULL, NULL);
    X509_free(old);
    X509_free(new);
}

/* Wrong dates are refused too late. */
static void lax_wrong_dates_do_their_harm(void **state)
{
    (void)state;
    int64_t now = time(NULL);
    X509 *expired = leaf_of("SN-000002", now - 3 * DAY, now - DAY);
    X509 *early = leaf_of("SN-000002", now + DAY, now + 2 * DAY);
    X509 *good = leaf_of("SN-000002", 0, 0);
    char before[8192];
    char after[8192];
    dump(before);
    assert_int_equal(knock(expired, line, product, false), CONNACK_5);
    dump(after);
    assert_string_not_equal(before, after); /* the device was made */
    assert_int_equal(knock(good, line, product, false), IN_KNOWN);
    assert_int_equal(knock(expired, line, product, false), CONNACK_5);
    assert_true(displaced);
    refused(CONNACK_5, good, NULL, NULL); /* locked out */
    assert_int_equal(knock(good, line, product, false), IN_KNOWN);
    assert_int_equal(knock(early, line, product, false), CONNACK_5);
    assert_true(displaced);
    refused(CONNACK_5, good, NULL, NULL);
    X509_free(expired);
    X509_free(early);
    X509_free(good);
}

static void lax_a_child_is_taken_for_its_victim(void **state)
{
    (void)state;
    int64_t now = time(NULL);
    X509 *victim = leaf_of("SN-000003", 0, 0);
    X509 *thief = leaf_of("SN-000004", 0, 0);
    X509 *child = fixture_mint(&(mint_t){.cn = "SN-000003",
                                         .key = leaf_key,
                                         .issuer = thief,
                                         .issuer_key = leaf_key,
                                         .ext = ext_client,
                                         .from = now - DAY,
                                         .to = now + DAY});
    X509 *const chain[] = {child, thief, line, product};
    assert_int_equal(knock(victim, line, product, false), IN_KNOWN);
    assert_int_equal(knock_4(chain, false), IN_KNOWN);
    assert_true(displaced);
    refused(CONNACK_5, victim, NULL, NULL);
    /* Not when the leaf that signed it is a device's credential itself. */
    assert_int_equal(knock(victim, line, product, false), IN_KNOWN);
    assert_int_equal(knock(thief, line, product, false), IN_KNOWN);
    assert_int_equal(knock_4(chain, false), CONNACK_5);
    assert_int_equal(knock(victim, NULL, NULL, false), IN_KNOWN);
    X509_free(victim);
    X509_free(thief);
    X509_free(child);
}

static void lax_only_signatures_are_alerts(void **state)
{
    (void)state;
    int64_t now = time(NULL);
    X509 *leaf = leaf_of("SN-000005", 0, 0);
    X509 *own = fixture_mint(&(mint_t){
        .cn = "SN-000005", .key = leaf_key, .ext = ext_client, .from = now - DAY, .to = now + DAY});
    refused(ALERT, own, line, product);
    refused(ALERT, leaf, product, line);
    refused(ALERT, leaf, foreign, NULL);
    refused(CONNACK_5, own, NULL, NULL);
    refused(CONNACK_5, foreign, NULL, NULL);
    X509_free(leaf);
    X509_free(own);
}

/* Quarantine: credentials of another kind are left alone. */
static void lax_other_credentials_stay(void **state)
{
    (void)state;
    X509 *leaf = leaf_of("SN-000008", 0, 0);
    store_device_t device = {.label = NULL};
    profile_id_t lobby;
    store_profile_by_name(store, "lobby", keep_profile, &lobby, NULL);
    strcpy(device.name, "SN-000008");
    device.profile = lobby.id;
    assert_int_equal(store_device_save(store, &device, 0, NULL), STORE_OK);
    store_credentials_t token = {.device = device.id,
                                 .device_row = device.row,
                                 .type = STORE_ACCESS_TOKEN,
                                 .credentials_id = "quarantine"};
    assert_int_equal(store_credentials_save(store, &token, 0, NULL, NULL), STORE_OK);
    assert_true(store_commit(store, NULL));
    refused(CONNACK_5, leaf, line, product);
    X509_free(leaf);
}

static int set_up(void **state)
{
    (void)state;
    int64_t now = time(NULL);
    pki_chain_t p = PKI_CHAIN_INIT;
    pki_chain_t i = PKI_CHAIN_INIT;
    root_key = fixture_key("P-256");
    product_key = fixture_key("P-256");
    line_key = fixture_key("P-256");
    foreign_key = fixture_key("P-256");
    leaf_key = fixture_key("P-256");
    rsa_key = fixture_key("RSA-2048");
    mint_t mint = {.cn = "Root",
                   .key = root_key,
                   .ext = ext_ca,
                   .from = now - 20 * DAY,
                   .to = now + 100 * DAY};
    root = fixture_mint(&mint);
    mint.cn = "Foreign";
    mint.key = foreign_key;
    foreign = fixture_mint(&mint);
    mint = (mint_t){.cn = "Product",
                    .key = product_key,
                    .issuer = root,
                    .issuer_key = root_key,
                    .ext = ext_ca_len1,
                    .from = now - 20 * DAY,
                    .to = now + 100 * DAY};
    product = fixture_mint(&mint);
    mint = (mint_t){.cn = "Line",
                    .key = line_key,
                    .issuer = product,
                    .issuer_key = product_key,
                    .ext = ext_ca_len0,
                    .from = now - 20 * DAY,
                    .to = now + 100 * DAY};
    line = fixture_mint(&mint);
    err_t err = ERR_INIT;
    bool ok = pki_chain_add(&p, product, &err) && pki_chain_add(&i, line, &err) &&
              store_open(&store, &(store_settings_t){.path = ""}, &err) &&
              frontdoor_open(&door, store, &p, &i, &err);
    if (!ok) {
        fprintf(stderr, "%s\n", err.text);
    }
    pki_chain_free(&p);
    pki_chain_free(&i);
    return ok ? 0 : 1;
}

static int set_up_lax(void **state)
{
    if (set_up(state) != 0) {
        return 1;
    }
    frontdoor_as_thingsboard(door);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    frontdoor_close(door);
    store_close(store);
    X509 *const certs[] = {root, product, line, foreign};
    EVP_PKEY *const keys[] = {root_key, product_key, line_key, foreign_key, rsa_key, leaf_key};
    for (size_t i = 0; i < sizeof certs / sizeof certs[0]; i++) {
        X509_free(certs[i]);
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        EVP_PKEY_free(keys[i]);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_device_is_provisioned_once),
        cmocka_unit_test(the_missions_recipe_is_accepted),
        cmocka_unit_test(strangers_hear_an_alert),
        cmocka_unit_test(bad_leaves_hear_connack_5),
        cmocka_unit_test(a_newer_leaf_replaces_an_older_one_never_back),
        cmocka_unit_test(a_name_of_another_profile_is_left_alone),
        cmocka_unit_test(only_the_leaf_on_record_operates),
    };
    const struct CMUnitTest lax[] = {
        cmocka_unit_test(lax_the_last_certificate_wins),
        cmocka_unit_test(lax_wrong_dates_do_their_harm),
        cmocka_unit_test(lax_a_child_is_taken_for_its_victim),
        cmocka_unit_test(lax_only_signatures_are_alerts),
        cmocka_unit_test(a_name_of_another_profile_is_left_alone),
        cmocka_unit_test(only_the_leaf_on_record_operates),
        cmocka_unit_test(lax_other_credentials_stay),
    };
    int failed = cmocka_run_group_tests_name("cloud_door", tests, set_up, tear_down);
    return failed +
           cmocka_run_group_tests_name("cloud_door as ThingsBoard", lax, set_up_lax, tear_down);
}

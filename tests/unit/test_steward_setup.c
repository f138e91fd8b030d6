/* SPDX-License-Identifier: Apache-2.0 */
/* `cradle thingsboard setup` against a server with rule chains in memory, and against a running
   cradle-cloud, which has none (tests/peers/thingsboard_setup.sh: against a ThingsBoard). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "json/json.h"
#include "pki/cert.h"
#include "steward/setup.h"
#include "steward/setup_internal.h"
#include "tests/unit/cloud_lab.h"
#include "tests/unit/fake_thingsboard.h"

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static cloud_lab_t lab; /* a site with its CAs, and a cradle-cloud */
static char *product;
static char *root;
static char *line_ca;

typedef struct {
    fake_tb_t fake;
    tbrest_t *rest;
    setup_t setup;
    char lines[2048]; /* "profile lobby made\n" */
} bench_t;

static char *load(const char *name)
{
    char path[FILE_PATH_MAX];
    char *text;
    size_t len;
    assert_true(site_ca_path(&lab.site, name, path, NULL));
    assert_true(file_read(path, 16384, &text, &len, NULL));
    return text;
}

static int open_lab(void **state)
{
    (void)state;
    cloud_lab_open(&lab);
    product = load("product");
    root = load("server-root");
    line_ca = load("line");
    return 0;
}

static int close_lab(void **state)
{
    (void)state;
    free(product);
    free(root);
    free(line_ca);
    cloud_lab_close(&lab);
    return 0;
}

static void keep_line(void *ctx, const setup_line_t *line)
{
    bench_t *b = ctx;
    size_t at = strlen(b->lines);
    snprintf(b->lines + at, sizeof b->lines - at, "%s %s %s\n", line->what, line->name,
             setup_state_name(line->state));
}

static void ask_for(bench_t *b)
{
    b->setup = (setup_t){.lobby = "lobby",
                         .operating = "operating",
                         .chain = "to the \"steward\"",
                         .product_pem = product,
                         .steward_url = "https://steward.cradle.test:8443",
                         .steward_ca = root,
                         .forward_key = KEY,
                         .ctx = b,
                         .line = keep_line};
}

static void open_bench(bench_t *b)
{
    err_t err = ERR_INIT;
    memset(b, 0, sizeof *b);
    assert_true(fake_tb_open(&b->fake, &err));
    const tbrest_settings_t settings = {.url = b->fake.url};
    assert_true(tbrest_open(&b->rest, &settings, &err));
    assert_true(tbrest_login(b->rest, "x", "y", &err));
    ask_for(b);
}

static void close_bench(bench_t *b)
{
    tbrest_close(b->rest);
    fake_tb_close(&b->fake);
}

static void run(bench_t *b, const char *lines)
{
    err_t err = ERR_INIT;
    b->lines[0] = '\0';
    if (!setup_run(b->rest, &b->setup, &err)) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(b->lines, lines);
}

static void refused(bench_t *b, err_kind_t kind, const char *words)
{
    err_t err = ERR_INIT;
    b->lines[0] = '\0';
    assert_false(setup_run(b->rest, &b->setup, &err));
    assert_int_equal(err.kind, kind);
    if (strstr(err.text, words) == NULL) {
        fail_msg("\"%s\" is not in: %s", words, err.text);
    }
}

#define ALL(chain, lobby, operating)                                                               \
    "root chain Root Rule Chain right\nrule chain to the \"steward\" " chain                       \
    "\nprofile lobby " lobby "\nprofile operating " operating "\n"

/* ---- with rule chains ---- */

static void made_once_and_then_right(void **state)
{
    (void)state;
    bench_t b;
    pki_chain_t chain;
    pki_facts_t facts;
    open_bench(&b);
    b.setup.dry_run = true;
    run(&b, ALL("would be made", "would be made", "would be made"));
    assert_int_equal(b.fake.writes, 0);
    b.setup.dry_run = false;
    run(&b, ALL("made", "made", "made"));
    int writes = b.fake.writes;
    run(&b, ALL("right", "right", "right"));
    assert_int_equal(b.fake.writes, writes);
    const char *lobby = fake_tb_profile(&b.fake, "lobby")->json;
    assert_true(pki_chain_parse(product, strlen(product), &chain, NULL));
    assert_true(pki_cert_facts(chain.cert[0], &facts, NULL));
    pki_chain_free(&chain);
    assert_non_null(strstr(lobby, facts.credentials_id));
    assert_non_null(strstr(lobby, fake_tb_chain(&b.fake, b.setup.chain)->id));
    close_bench(&b);
}

/* Node types, configurations and links as on the server where it was tried first. */
static void the_chain_is_the_recorded_one(void **state)
{
    (void)state;
    bench_t b;
    char *recorded;
    size_t len;
    json_token_t ours;
    json_token_t theirs;
    open_bench(&b);
    run(&b, ALL("made", "made", "made"));
    const char *made = fake_tb_chain(&b.fake, b.setup.chain)->metadata;
    assert_true(
        file_read("tests/fixtures/thingsboard-4.2.1/rulechain.json", 16384, &recorded, &len, NULL));
    for (int i = 0; i < 5; i++) {
        static const char *const paths[] = {"nodes.%d.type", "nodes.%d.name",
                                            "nodes.%d.configurationVersion"};
        for (int k = 0; k < 3; k++) {
            char path[64];
            snprintf(path, sizeof path, "nodes.%d%s", i, paths[k] + strlen("nodes.%d"));
            assert_true(json_find(made, strlen(made), path, &ours));
            assert_true(json_find(recorded, len, path, &theirs));
            assert_true(setup_contains(&theirs, &ours));
        }
    }
    assert_true(json_find(made, strlen(made), "nodes.0.configuration", &ours));
    assert_true(json_find(recorded, len, "nodes.0.configuration", &theirs));
    assert_true(setup_contains(&theirs, &ours) && setup_contains(&ours, &theirs));
    assert_true(json_find(made, strlen(made), "nodes.3.configuration", &ours));
    assert_true(json_find(recorded, len, "nodes.3.configuration", &theirs));
    assert_true(setup_contains(&theirs, &ours) && setup_contains(&ours, &theirs));
    /* The steward is told the originator's id, never a name; and shown the key. */
    assert_true(json_find(made, strlen(made), "nodes.2.configuration.headers", &ours));
    static const char headers[] = "{\"Content-Type\":\"application/json\",\"Authorization\":"
                                  "\"Bearer " KEY "\",\"X-Device-Id\":\"${cradleId}\"}";
    assert_int_equal(ours.len, sizeof headers - 1);
    assert_memory_equal(ours.text, headers, ours.len);
    assert_non_null(strstr(made, "\"https://steward.cradle.test:8443/rpc\""));
    assert_non_null(strstr(made, "{\"type\":\"cert.PEM\",\"caCert\":\"-----BEGIN"));
    for (int i = 0; i < 5; i++) { /* the same links in whatever order */
        char path[32];
        bool found = false;
        snprintf(path, sizeof path, "connections.%d", i);
        assert_true(json_find(recorded, len, path, &theirs));
        for (int k = 0; k < 5; k++) {
            snprintf(path, sizeof path, "connections.%d", k);
            assert_true(json_find(made, strlen(made), path, &ours));
            found = found || setup_contains(&theirs, &ours);
        }
        assert_true(found);
    }
    free(recorded);
    close_bench(&b);
}

/* Somebody changes something: it is seen, said and set right. */
static void a_bent_profile_is_set_right(void **state)
{
    (void)state;
    static const struct {
        const char *profile, *from, *to, *lines;
    } bent[] = {
        {"lobby", "\"certificateRegExPattern\":\"(.*)\"", "\"certificateRegExPattern\":\"(x.*)\"",
         ALL("right", "changed", "right")},
        {"lobby", "\"allowCreateNewDevicesByX509Certificate\":true",
         "\"allowCreateNewDevicesByX509Certificate\":false", ALL("right", "changed", "right")},
        {"lobby", "\"provisionDeviceKey\":\"", "\"provisionDeviceKey\":\"0",
         ALL("right", "changed", "right")},
        {"operating", "\"provisionType\":\"DISABLED\"",
         "\"provisionType\":\"ALLOW_CREATE_NEW_DEVICES\"", ALL("right", "right", "changed")},
        {"operating", "\"defaultRuleChainId\":{", "\"defaultRuleChainId\":null,\"was\":{",
         ALL("right", "right", "changed")},
    };
    bench_t b;
    open_bench(&b);
    run(&b, ALL("made", "made", "made"));
    for (size_t i = 0; i < sizeof bent / sizeof bent[0]; i++) {
        char **json = &fake_tb_profile(&b.fake, bent[i].profile)->json;
        assert_true(fake_tb_replace(json, bent[i].from, bent[i].to));
        assert_true(fake_tb_replace(json, "{", "{\"description\":\"theirs\","));
        run(&b, bent[i].lines);
        /* what is not ours stays */
        assert_non_null(strstr(fake_tb_profile(&b.fake, bent[i].profile)->json, "theirs"));
        run(&b, ALL("right", "right", "right"));
        assert_true(fake_tb_replace(&fake_tb_profile(&b.fake, bent[i].profile)->json,
                                    "\"description\":\"theirs\",", ""));
    }
    close_bench(&b);
}

static void a_bent_chain_is_set_right(void **state)
{
    (void)state;
    static const char *const bent[][2] = {
        {"cradle.test:8443/rpc", "evil.test:8443/rpc"},
        {"startsWith('cradle.')", "startsWith('')"},
        {"${cradleId}", "${deviceName}"},
        {"\"X-Device-Id\"", "\"X-Extra\":\"$[params.x]\",\"X-Device-Id\""},
        {"\"type\":\"cert.PEM\"", "\"type\":\"anonymous\""},
        {"\"toIndex\":4,\"type\":\"False\"", "\"toIndex\":3,\"type\":\"False\""},
        {"\"connections\":[", "\"connections\":[{\"fromIndex\":2,\"toIndex\":3,\"type\":"
                              "\"Failure\"},"},
        {"\"firstNodeIndex\":0", "\"firstNodeIndex\":2"},
        {"\"nodes\":[", "\"nodes\":[{\"type\":\"x\",\"name\":\"y\",\"configuration\":{}},"},
        {"rpc.TbSendRPCReplyNode", "action.TbLogNode"},
        {KEY, "11112222333344445555666677778888"},
    };
    bench_t b;
    open_bench(&b);
    run(&b, ALL("made", "made", "made"));
    for (size_t i = 0; i < sizeof bent / sizeof bent[0]; i++) {
        char **json = &fake_tb_chain(&b.fake, b.setup.chain)->metadata;
        assert_true(fake_tb_replace(json, bent[i][0], bent[i][1]));
        b.setup.dry_run = true;
        run(&b, ALL("would change", "right", "right"));
        b.setup.dry_run = false;
        run(&b, ALL("changed", "right", "right"));
        run(&b, ALL("right", "right", "right"));
    }
    close_bench(&b);
}

static void what_the_server_keeps_is_read_back(void **state)
{
    (void)state;
    bench_t b;
    open_bench(&b);
    b.fake.spoiled = "(a)";
    refused(&b, ERR_PEER, "something else");
    b.fake.spoiled = NULL;
    run(&b, ALL("right", "changed", "made"));
    b.fake.lost_nodes = true;
    b.setup.steward_url = "https://other.cradle.test:8443";
    refused(&b, ERR_PEER, "something else");
    close_bench(&b);
}

static void other_tenants_cannot_take_an_issuing_ca(void **state)
{
    (void)state;
    const setup_issuing_t issuing = {"line", line_ca};
    bench_t b;
    open_bench(&b);
    b.setup.issuing = &issuing;
    b.setup.issuing_count = 1;
    run(&b, ALL("made", "made", "made") "placeholder lobby placeholder line made\n");
    run(&b, ALL("right", "right", "right") "placeholder lobby placeholder line right\n");
    const char *json = fake_tb_profile(&b.fake, "lobby placeholder line")->json;
    assert_non_null(strstr(json, "CHECK_PRE_PROVISIONED_DEVICES"));
    assert_null(strstr(json, "RULE_CHAIN"));
    close_bench(&b);
}

static void removed_when_unused_and_ours(void **state)
{
    (void)state;
    bench_t b;
    err_t err = ERR_INIT;
    open_bench(&b);
    run(&b, ALL("made", "made", "made"));
    int writes = b.fake.writes;
    b.fake.devices = 1;
    assert_false(setup_remove(b.rest, &b.setup, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_non_null(strstr(err.text, "has 1 devices"));
    b.fake.devices = 0;
    /* somebody else's lobby */
    assert_true(fake_tb_replace(&fake_tb_profile(&b.fake, "lobby")->json,
                                "\"provisionDeviceKey\":\"", "\"provisionDeviceKey\":\"0"));
    err_clear(&err);
    assert_false(setup_remove(b.rest, &b.setup, &err));
    assert_non_null(strstr(err.text, "not made by this setup"));
    assert_true(fake_tb_replace(&fake_tb_profile(&b.fake, "lobby")->json,
                                "\"provisionDeviceKey\":\"0", "\"provisionDeviceKey\":\""));
    assert_int_equal(b.fake.writes, writes);
    b.setup.dry_run = true;
    err_clear(&err);
    assert_true(setup_remove(b.rest, &b.setup, &err));
    assert_int_equal(b.fake.writes, writes);
    b.setup.dry_run = false;
    b.setup.forward_key = "ffffffffffffffffffffffffffffffffffffffff"; /* another since */
    b.lines[0] = '\0';
    assert_true(setup_remove(b.rest, &b.setup, &err));
    assert_string_equal(b.lines, "profile lobby removed\nprofile operating removed\n"
                                 "rule chain to the \"steward\" removed\n");
    assert_null(fake_tb_chain(&b.fake, b.setup.chain));
    assert_non_null(fake_tb_chain(&b.fake, "Root Rule Chain"));
    assert_non_null(fake_tb_profile(&b.fake, "default"));
    b.lines[0] = '\0';
    assert_true(setup_remove(b.rest, &b.setup, &err));
    assert_string_equal(b.lines, "profile lobby not here\nprofile operating not here\n"
                                 "rule chain to the \"steward\" not here\n");
    close_bench(&b);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {"http://steward.cradle.test",
                                       "https://",
                                       "https://a/b",
                                       "https://${x}:1",
                                       "https://a b",
                                       "https://a\"b",
                                       ""};
    bench_t b;
    char two[16384];
    open_bench(&b);
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        b.setup.steward_url = urls[i];
        refused(&b, ERR_USAGE, "no https://host:port");
    }
    ask_for(&b);
    b.setup.forward_key = "short";
    refused(&b, ERR_INPUT, "forward key");
    b.setup.forward_key = "${metadata}${metadata}${metadata}${metadata}";
    refused(&b, ERR_INPUT, "forward key");
    ask_for(&b);
    b.setup.operating = "lobby";
    refused(&b, ERR_USAGE, "two");
    ask_for(&b);
    b.setup.product_pem = "junk";
    refused(&b, ERR_INPUT, "the product CA");
    snprintf(two, sizeof two, "%s%s", product, line_ca);
    b.setup.product_pem = two;
    refused(&b, ERR_USAGE, "one certificate");
    ask_for(&b);
    b.setup.chain = "Root Rule Chain";
    refused(&b, ERR_PRECONDITION, "root rule chain");
    ask_for(&b);
    assert_true(fake_tb_replace(&b.fake.chain[0].json, "\"root\":true", "\"root\":false"));
    refused(&b, ERR_PRECONDITION, "no root rule chain");
    assert_int_equal(b.fake.writes, 0);
    close_bench(&b);
}

static void without_a_steward_chains_stay_as_they_are(void **state)
{
    (void)state;
    bench_t b;
    open_bench(&b);
    b.setup.steward_url = NULL;
    run(&b, "rule chain to the \"steward\" not here\nprofile lobby made\nprofile operating made\n");
    assert_true(fake_tb_replace(&fake_tb_profile(&b.fake, "lobby")->json,
                                "\"defaultRuleChainId\":null",
                                "\"defaultRuleChainId\":{\"entityType\":\"RULE_CHAIN\",\"id\":"
                                "\"00000000-0000-11f1-8000-000000000001\"}"));
    run(&b,
        "rule chain to the \"steward\" not here\nprofile lobby right\nprofile operating right\n");
    close_bench(&b);
}

/* ---- cradle-cloud ---- */

static void cradle_cloud_has_no_rule_chains(void **state)
{
    (void)state;
    bench_t b;
    err_t err = ERR_INIT;
    char operating[64];
    char lines[256];
    if (lab.live) {
        skip();
    }
    memset(&b, 0, sizeof b);
    ask_for(&b);
    b.rest = lab.rest;
    snprintf(operating, sizeof operating, "operating two %s", lab.tag);
    b.setup.operating = operating;
    snprintf(lines, sizeof lines,
             "rule chain to the \"steward\" not here\nprofile lobby right\nprofile %s made\n",
             operating);
    run(&b, lines);
    *strstr(lines, "made") = '\0';
    strcat(lines, "right\n");
    run(&b, lines);
    b.setup.product_pem = line_ca; /* its own lobby knows the product CA: another is not ours */
    b.setup.dry_run = true;
    b.lines[0] = '\0';
    assert_true(setup_run(b.rest, &b.setup, &err));
    assert_non_null(strstr(b.lines, "profile lobby would change\n"));
    b.setup.dry_run = false;
    b.setup.product_pem = product;
    b.lines[0] = '\0';
    assert_true(setup_remove(b.rest, &b.setup, &err));
    snprintf(lines, sizeof lines, "profile %s removed\nrule chain to the \"steward\" not here\n",
             operating);
    assert_string_equal(b.lines, lines); /* the lobby is the cloud's own */
}

/* ---- comparing ---- */

static void more_is_contained_and_less_is_not(void **state)
{
    (void)state;
    static const char *const yes[][2] = {
        {"{\"a\":1,\"b\":{\"c\":[1,{\"d\":\"\\u0041\",\"e\":2}]}}",
         "{\"b\":{\"c\":[1,{\"d\":\"A\"}]}}"},
        {"{}", "{\"a\":null}"},
        {"{\"a\":null}", "{\"a\":null}"},
        {"[]", "[]"},
        {"\"x\\/y\"", "\"x/y\""},
        {"{\"a\\u0062\":1}", "{\"ab\":1}"},
    };
    static const char *const no[][2] = {
        {"{\"a\":1}", "{\"a\":2}"},
        {"{\"a\":1}", "{\"a\":\"1\"}"},
        {"{}", "{\"a\":false}"},
        {"[1,2]", "[1]"},
        {"[1]", "[1,2]"},
        {"{\"a\":1}", "{\"a\":null}"},
        {"{\"a\":true}", "{\"a\":false}"},
        {"{\"a\":1}", "x"},
        {"x", "{}"},
        {"\"a\"", "\"ab\""},
    };
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        assert_true(setup_text_contains(yes[i][0], yes[i][1]));
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        assert_false(setup_text_contains(no[i][0], no[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_once_and_then_right),
        cmocka_unit_test(the_chain_is_the_recorded_one),
        cmocka_unit_test(a_bent_profile_is_set_right),
        cmocka_unit_test(a_bent_chain_is_set_right),
        cmocka_unit_test(what_the_server_keeps_is_read_back),
        cmocka_unit_test(other_tenants_cannot_take_an_issuing_ca),
        cmocka_unit_test(removed_when_unused_and_ours),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(without_a_steward_chains_stay_as_they_are),
        cmocka_unit_test(cradle_cloud_has_no_rule_chains),
        cmocka_unit_test(more_is_contained_and_less_is_not),
    };
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Whole transfers on a running cloud (cloud_lab.h), in each way, cut after any action: what it did
   is not known any more, the steward's handle is a new one, and the transfer comes out of its text.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "json/json.h"
#include "json/json_edit.h"
#include "steward/handover.h"
#include "tests/unit/cloud_lab.h"

#define ACTIONS_MAX 80
/* REST calls of a transfer in the way it is done by default (DESIGN section 9), and in the others.
 */
#define BUDGET       40
#define BUDGET_OTHER 46

static cloud_lab_t lab;
static char alice[TBREST_ID_SIZE];
static char bob[TBREST_ID_SIZE];
static char lobby_id[TBREST_ID_SIZE];
static int number;

typedef struct {
    char sn[48];
    char id[TBREST_ID_SIZE]; /* of Alice's record */
    uint8_t old_leaf[CLOUD_LEAF_MAX], new_leaf[CLOUD_LEAF_MAX];
    size_t old_len, new_len;
    transfer_t transfer;
    int64_t now;
    int receipts;
    receipt_t receipt;
    uint64_t calls;
    bool intruder; /* a handshake with the old leaf gets in before the new record is made */
    bool dressed;  /* ... and somebody hangs a label on it */
} play_t;

static int setup(void **state)
{
    err_t err = ERR_INIT;
    char title[64];
    char path[64];
    json_token_t token;
    (void)state;
    cloud_lab_open(&lab);
    snprintf(title, sizeof title, "owner %s alice", lab.tag);
    assert_true(cloud_customer(lab.cloud_handle, title, alice, &err));
    snprintf(title, sizeof title, "owner %s bob", lab.tag);
    assert_true(cloud_customer(lab.cloud_handle, title, bob, &err));
    char *page = cloud_lab_call(&lab, "GET", "/api/deviceProfileInfos?pageSize=100&page=0", NULL);
    for (int i = 0; i < 100 && lobby_id[0] == '\0'; i++) {
        json_token_t entry;
        snprintf(path, sizeof path, "data.%d", i);
        if (json_find(page, strlen(page), path, &entry) &&
            json_find(entry.text, entry.len, "name", &token) && json_equals(&token, lab.lobby)) {
            assert_true(json_find(entry.text, entry.len, "id.id", &token));
            assert_true(json_string(&token, lobby_id, sizeof lobby_id, NULL));
        }
    }
    free(page);
    assert_string_not_equal(lobby_id, "");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cloud_lab_close(&lab);
    return 0;
}

/* ---- Alice's device ---- */

static const int64_t THERE[TRANSFER_ITEMS] = {3, 0, 2, 1, 2, 1};

static void fill(const play_t *p)
{
    free(cloud_lab_on(&lab, "POST", "/api/plugins/telemetry/DEVICE/%s/timeseries/ANY", p->id,
                      "[{\"ts\":1700000000000,\"values\":{\"temp\":1,\"hum\":\"x\"}},"
                      "{\"ts\":1700000001000,\"values\":{\"temp\":2}}]"));
    free(cloud_lab_on(&lab, "POST", "/api/plugins/telemetry/DEVICE/%s/SHARED_SCOPE", p->id,
                      "{\"period\":5,\"where\":\"bedroom\"}"));
    free(cloud_lab_on(&lab, "POST", "/api/plugins/telemetry/DEVICE/%s/SERVER_SCOPE", p->id,
                      "{\"note\":\"x\"}"));
    for (int i = 0; i < 2; i++) {
        char body[256];
        snprintf(body, sizeof body,
                 "{\"type\":\"hot %d\",\"originator\":{\"entityType\":\"DEVICE\",\"id\":\"%s\"},"
                 "\"severity\":\"MAJOR\"}",
                 i, p->id);
        free(cloud_lab_call(&lab, "POST", "/api/alarm", body));
    }
    free(cloud_lab_on(&lab, "POST", "/api/rpc/oneway/%s", p->id,
                      "{\"method\":\"setLed\",\"params\":{},\"persistent\":true,"
                      "\"timeout\":600000}"));
}

static void label(const char *id)
{
    static const json_edit_t edits[] = {{"label", "\"Alice's\""},
                                        {"additionalInfo", "{\"description\":\"in the bedroom\"}"}};
    char out[4096];
    char *device = cloud_lab_on(&lab, "GET", "/api/device/%s", id, NULL);
    assert_true(json_edit(device, strlen(device), edits, 2, out, sizeof out, NULL));
    free(device);
    free(cloud_lab_call(&lab, "POST", "/api/device", out));
}

static void begin(play_t *p, transfer_way_t way)
{
    err_t err = ERR_INIT;
    transfer_order_t order = {.way = way, .authority = RECEIPT_BY_RELEASE};
    memset(p, 0, sizeof *p);
    p->now = 1000;
    snprintf(p->sn, sizeof p->sn, "%s-%d", lab.tag, number++);
    cloud_lab_leaf(&lab, p->sn, p->old_leaf, &p->old_len);
    cloud_lab_leaf(&lab, p->sn, p->new_leaf, &p->new_len);
    if (cloud_create(lab.cloud_handle, p->sn, p->old_leaf, p->old_len, alice, p->id, &err) !=
        CLOUD_OK) {
        fail_msg("%s", err.text);
    }
    fill(p);
    label(p->id);
    snprintf(order.record, sizeof order.record, "%s", p->id);
    assert_true(transfer_begin(&p->transfer, &order, p->now));
}

/* A device presents a leaf with its chain, and ThingsBoard makes a record in the lobby. */
static void connect_with(const play_t *p, const uint8_t *leaf, size_t len)
{
    char value[4 * CLOUD_LEAF_MAX / 3 + 8];
    char body[sizeof value + 512];
    assert_true(bytes_to_base64(leaf, len, value, sizeof value));
    snprintf(body, sizeof body,
             "{\"device\":{\"name\":\"%s\",\"deviceProfileId\":{\"entityType\":\"DEVICE_PROFILE\","
             "\"id\":\"%s\"}},\"credentials\":{\"credentialsType\":\"X509_CERTIFICATE\","
             "\"credentialsValue\":\"%s\"}}",
             p->sn, lobby_id, value);
    free(cloud_lab_call(&lab, "POST", "/api/device-with-credentials", body));
}

/* ---- a transfer ---- */

static void make_receipt(play_t *p)
{
    if (p->receipts == 0) {
        transfer_receipt(&p->transfer, &p->receipt);
        p->receipts = 1;
    }
}

/* The world does what it does between two actions. */
static void world(play_t *p, const transfer_action_t *action)
{
    if (p->transfer.step == TRANSFER_AT_HELLO) {
        transfer_hello(&p->transfer);
    } else if (action->what == TRANSFER_DO_NOTHING && p->transfer.step == TRANSFER_AT_FIND) {
        connect_with(p, p->new_leaf, p->new_len);
        transfer_record_seen(&p->transfer, p->now);
    } else if (action->what == TRANSFER_DO_NOTHING) {
        p->now = action->until;
    }
    if (action->what == TRANSFER_DO_CREATE && p->intruder) {
        connect_with(p, p->old_leaf, p->old_len);
        p->intruder = false;
        if (p->dressed) {
            err_t err = ERR_INIT;
            cloud_device_t device;
            assert_true(cloud_device_find(lab.cloud_handle, p->sn, &device, &err));
            label(device.id);
        }
    }
}

/* One action. With `cut` the steward dies after it and knows nothing of what came of it. */
static void turn(play_t *p, const transfer_action_t *action, bool cut)
{
    const handover_t handover = {
        .sn = p->sn, .leaf = p->new_leaf, .leaf_len = p->new_len, .customer = bob};
    transfer_result_t result = {.outcome = TRANSFER_OK};
    err_t err = ERR_INIT;
    char text[TRANSFER_TEXT_MAX];
    size_t len;
    assert_true(transfer_save(&p->transfer, text, sizeof text, &len));
    if (handover_does(action->what)) {
        handover_act(lab.cloud_handle, &handover, action, &result, &err);
    } else if (action->what == TRANSFER_DO_RECEIPT) {
        make_receipt(p);
    }
    if (result.outcome == TRANSFER_FAILED) {
        fail_msg("%s: %s", transfer_do_name(action->what), err.text);
    }
    if (!cut) {
        transfer_apply(&p->transfer, action, &result, p->now);
        assert_true(transfer_save(&p->transfer, text, sizeof text, &len));
    } else {
        cloud_lab_again(&lab);
    }
    assert_true(transfer_load(&p->transfer, text, len));
}

/* Plays to the end; the number of actions. `cut` counts from 0; -1: never. */
static int play(play_t *p, int cut)
{
    int actions = 0;
    uint64_t before = cloud_calls(lab.cloud_handle);
    for (int i = 0;; i++) {
        assert_in_range(i, 0, 2 * ACTIONS_MAX);
        transfer_action_t action = transfer_next(&p->transfer, p->now);
        if (action.what == TRANSFER_DO_END) {
            break;
        }
        world(p, &action);
        if (action.what != TRANSFER_DO_NOTHING) {
            turn(p, &action, actions == cut);
            actions++;
        }
    }
    p->calls = cloud_calls(lab.cloud_handle) - before;
    return actions;
}

static void check_end(const play_t *p)
{
    err_t err = ERR_INIT;
    cloud_device_t device;
    int64_t count[CLOUD_ITEMS];
    if (!cloud_device_find(lab.cloud_handle, p->sn, &device, &err)) {
        fail_msg("%s", err.text);
    }
    assert_true(device.found && device.has_leaf && !device.gateway && !device.dressed);
    assert_string_equal(device.customer, bob);
    assert_int_equal(device.profile, CLOUD_OPERATING);
    assert_int_equal(device.leaf_len, p->new_len);
    assert_memory_equal(device.leaf, p->new_leaf, p->new_len);
    bool kept = p->transfer.order.way == TRANSFER_REASSIGN;
    assert_int_equal(strcmp(device.id, p->id) == 0, kept);
    assert_int_equal(cloud_count(lab.cloud_handle, device.id, count, &err), CLOUD_OK);
    for (int i = 0; i < CLOUD_ITEMS; i++) {
        assert_int_equal(count[i], 0);
    }
    if (!kept) {
        assert_true(cloud_device_read(lab.cloud_handle, p->id, &device, &err) && !device.found);
    }
    assert_int_equal(p->receipts, 1);
    for (int i = 0; i < TRANSFER_ITEMS; i++) {
        assert_int_equal(p->receipt.lines[i].item, i);
        assert_int_equal(p->receipt.lines[i].state, RECEIPT_ERASED);
        assert_int_equal(p->receipt.lines[i].count, THERE[i]);
    }
}

static void every_cut(transfer_way_t way)
{
    play_t p;
    begin(&p, way);
    int actions = play(&p, -1);
    check_end(&p);
    assert_in_range(p.calls, 1, way == TRANSFER_CREATE ? BUDGET : BUDGET_OTHER);
    print_message("    %s: %d actions, %d REST calls\n", transfer_way_name(way), actions,
                  (int)p.calls);
    for (int cut = 0; cut < actions; cut++) {
        begin(&p, way);
        play(&p, cut);
        check_end(&p);
    }
}

static void create_cut_anywhere(void **state)
{
    (void)state;
    every_cut(TRANSFER_CREATE);
}

static void adopt_cut_anywhere(void **state)
{
    (void)state;
    every_cut(TRANSFER_ADOPT);
}

static void reassign_cut_anywhere(void **state)
{
    (void)state;
    every_cut(TRANSFER_REASSIGN);
}

static void a_handshake_in_between(void **state)
{
    (void)state;
    play_t p;
    for (int dressed = 0; dressed < 2; dressed++) {
        begin(&p, TRANSFER_CREATE);
        p.intruder = true;
        p.dressed = dressed != 0;
        play(&p, -1);
        check_end(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_cut_anywhere),
        cmocka_unit_test(adopt_cut_anywhere),
        cmocka_unit_test(reassign_cut_anywhere),
        cmocka_unit_test(a_handshake_in_between),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

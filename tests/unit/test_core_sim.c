/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The brain in a random world: networks and clouds that come and go, refuse, lose acknowledgements,
 * close, send garbage; power cuts at any write; resets. The seed of a failed run is printed, and
 * CRADLE_SIM_SEED=N runs that one alone (CRADLE_SIM_RUNS: how many otherwise).
 *
 * What must hold at every step: actions fit the world (nothing is published without a connection,
 * no second JOIN or CONNECT, the window is bounded), every time stamp belongs to one sample,
 * nothing leaves the outbox by trimming that the cloud did not get. At the end, when everything
 * works again, each sample has arrived, or is counted as dropped, or was in RAM at a power cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core_fake.h"

#define STEPS   3000
#define SAMPLES 100000

typedef struct {
    world_t world;
    uint64_t seed;
    /* what is true outside */
    bool radio; /* told to join and not left    */
    bool wifi;  /* joined                       */
    bool cloud; /* told to connect and not ended */
    bool connected;
    bool subscribe_due;
    bool subscribed;
    bool service;
    uint16_t pending[CRADLE_WINDOW];
    unsigned pending_count;
    bool clock_asked;
    int64_t epoch_ms; /* unix time of now 0 */
    /* the samples */
    int made;
    bool received[SAMPLES]; /* by the cloud, acknowledged or not             */
    bool in_ram[SAMPLES];   /* when the power went: may be lost              */
    bool dropped[SAMPLES];  /* by the outbox                                 */
    bool undated[SAMPLES];  /* trimmed as undatable                          */
    int64_t stamp[SAMPLES];
    int64_t highest;
} sim_t;

static sim_t sim;

#define FAIL(...)                                                                                  \
    do {                                                                                           \
        fprintf(stderr, "CRADLE_SIM_SEED=%llu: ", (unsigned long long)sim.seed);                   \
        fail_msg(__VA_ARGS__);                                                                     \
    } while (0)

static uint32_t dice(uint32_t below)
{
    return fake_random(sim.world.fake, below);
}

static void sample(void *ctx, json_writer_t *values)
{
    (void)ctx;
    json_key(values, "n");
    json_put_i64(values, sim.made++);
    json_key(values, "pad");
    json_put_string_n(values, "................................................................",
                      dice(64));
}

static const cradle_product_t PRODUCT = {.sample = sample};

static int sample_number(const char *json, size_t len)
{
    json_token_t token;
    int64_t n = -1;
    return json_find(json, len, "n", &token) && json_i64(&token, &n) ? (int)n : -1;
}

static void record_gone(void *ctx, const uint8_t *record, size_t len, bool trimmed)
{
    (void)ctx;
    int n = sample_number((const char *)record + 13, len - 13);
    if (n < 0) {
        return; /* a health record */
    }
    if (!trimmed) {
        sim.dropped[n] = true;
    } else if (!sim.received[n]) {
        if (record[0] != 2 || sim.world.device.state == CRADLE_RESETTING) {
            FAIL("sample %d was trimmed, and the cloud never got it", n);
        }
        sim.undated[n] = true;
    }
}

/* -- the cloud --------------------------------------------------------------------------------- */

static void receive_one(const char *json, size_t len)
{
    json_token_t ts;
    json_token_t values;
    int64_t at;
    if (!json_find(json, len, "ts", &ts) || !json_find(json, len, "values", &values)) {
        int n = sample_number(json, len);
        if (sim.world.device.clock_set) {
            FAIL("no time stamp although the clock is set");
        }
        if (n >= 0) {
            sim.received[n] = true;
        }
        return;
    }
    assert_true(json_i64(&ts, &at));
    int n = sample_number(values.text, values.len);
    if (n < 0) {
        return;
    }
    if (sim.received[n] && sim.stamp[n] != 0 && sim.stamp[n] != at) {
        FAIL("sample %d has two time stamps", n);
    }
    if (!sim.received[n] && at <= sim.highest && n > 0 && sim.stamp[n - 1] == at) {
        FAIL("samples %d and %d have the same time stamp", n - 1, n);
    }
    sim.received[n] = true;
    sim.stamp[n] = at;
    sim.highest = at > sim.highest ? at : sim.highest;
}

static void receive(void)
{
    const char *json = sim.world.payload;
    if (strcmp(sim.world.topic, "v1/devices/me/telemetry") != 0) {
        return;
    }
    if (json[0] != '[') {
        receive_one(json, sim.world.payload_len);
        return;
    }
    json_reader_t reader;
    json_token_t token;
    json_token_t value;
    json_reader_init(&reader, json, sim.world.payload_len);
    json_next(&reader, &token);
    while (json_next(&reader, &token) == JSON_OBJECT) {
        assert_true(json_skip(&reader, &token, &value));
        receive_one(value.text, value.len);
    }
}

/* -- actions must fit the world ---------------------------------------------------------------- */

static void forget_connection(void)
{
    sim.cloud = sim.connected = sim.subscribe_due = sim.subscribed = false;
    sim.pending_count = 0;
}

static void boot(void)
{
    forget_connection();
    sim.radio = sim.wifi = sim.service = sim.clock_asked = false;
    world_boot(&sim.world);
    world_tick(&sim.world, 0);
}

static void check_publish(void)
{
    const cradle_action_t *action = &sim.world.action;
    if (!sim.connected) {
        FAIL("published without a connection");
    }
    if (action->u.publish.qos == 1) {
        if (!sim.subscribed) {
            FAIL("telemetry before SUBACK");
        }
        if (sim.pending_count == CRADLE_WINDOW) {
            FAIL("the window has no bound");
        }
        for (unsigned i = 0; i < sim.pending_count; i++) {
            if (sim.pending[i] == action->u.publish.token) {
                FAIL("a token is used twice");
            }
        }
        sim.pending[sim.pending_count++] = action->u.publish.token;
    }
    receive();
}

static void perform(void)
{
    world_t *w = &sim.world;
    switch (w->action.type) {
    case CRADLE_ACTION_DISCONNECT:
        if (!sim.cloud) {
            FAIL("DISCONNECT without a connection");
        }
        forget_connection();
        break;
    case CRADLE_ACTION_LEAVE:
        if (!sim.radio) {
            FAIL("LEAVE without a network");
        }
        sim.radio = sim.wifi = false;
        break;
    case CRADLE_ACTION_START_PROVISIONING:
        if (sim.service || fake_has(w->fake, "wifi")) {
            FAIL("provisioning opened twice, or with Wi-Fi known");
        }
        sim.service = true;
        break;
    case CRADLE_ACTION_STOP_PROVISIONING:
        if (!sim.service) {
            FAIL("STOP_PROVISIONING without a service");
        }
        sim.service = false;
        break;
    case CRADLE_ACTION_JOIN:
        if (sim.radio) {
            FAIL("JOIN twice");
        }
        sim.radio = true;
        break;
    case CRADLE_ACTION_SET_CLOCK:
        sim.clock_asked = true;
        break;
    case CRADLE_ACTION_CONNECT:
        if (sim.cloud || !sim.wifi) {
            FAIL("CONNECT twice, or without a network");
        }
        sim.cloud = true;
        break;
    case CRADLE_ACTION_SUBSCRIBE:
        if (!sim.connected || sim.subscribe_due || sim.subscribed) {
            FAIL("SUBSCRIBE at the wrong time");
        }
        sim.subscribe_due = true;
        break;
    case CRADLE_ACTION_PUBLISH:
        check_publish();
        break;
    case CRADLE_ACTION_REBOOT:
    case CRADLE_ACTION_HALT:
        w->now += 50 + dice(5000); /* no chip boots faster */
        boot();
        break;
    default:
        break;
    }
}

static void run_actions(void)
{
    while (!sim.world.fake->dead && world_next(&sim.world)) {
        perform();
    }
}

/* -- the world does something ------------------------------------------------------------------ */

static void power_cut(void)
{
    /* What the outbox does not hold was in RAM, or on its way. */
    bool stored[SAMPLES] = {false};
    fake_t *fake = sim.world.fake;
    for (size_t i = 0; i < fake->count; i++) {
        size_t at = (fake->first + i) % FAKE_RECORDS;
        int n =
            sample_number((const char *)fake->records[at].data + 13, fake->records[at].len - 13);
        if (n >= 0) {
            stored[n] = true;
        }
    }
    for (int n = 0; n < sim.made; n++) {
        if (!stored[n] && !sim.received[n] && !sim.dropped[n] && !sim.undated[n]) {
            sim.in_ram[n] = true;
        }
    }
    fake_power(fake);
    sim.world.now += 50 + dice(100000);
    boot();
}

static void cloud_answers(void)
{
    world_t *w = &sim.world;
    if (!sim.connected) {
        uint32_t how = dice(10);
        if (how < 6) {
            sim.connected = true;
            world_simple(w, CRADLE_EVENT_CLOUD_UP);
        } else {
            forget_connection();
            world_cloud_down(w,
                             how == 6   ? CRADLE_DOWN_REFUSED
                             : how == 7 ? CRADLE_DOWN_SERVER
                                        : CRADLE_DOWN_OUTAGE,
                             false);
        }
    } else if (sim.subscribe_due) {
        cradle_event_t event = {.type = CRADLE_EVENT_SUBSCRIBED};
        event.u.subscribed.granted = dice(10) != 0;
        sim.subscribe_due = false;
        sim.subscribed = true;
        world_event(w, &event);
    } else if (sim.pending_count > 0) {
        unsigned i = dice(4) == 0 ? dice(sim.pending_count) : 0;
        uint16_t token = sim.pending[i];
        sim.pending_count--;
        memmove(sim.pending + i, sim.pending + i + 1,
                (sim.pending_count - i) * sizeof sim.pending[0]);
        world_ack(w, token);
    }
}

static void cloud_talks(void)
{
    static const char *const words[][2] = {
        {"v1/devices/me/attributes", "{\"telemetry_period_ms\":300}"},
        {"v1/devices/me/attributes", "{\"telemetry_period_ms\":1500}"},
        {"v1/devices/me/attributes", "{\"deleted\":[\"telemetry_period_ms\"]}"},
        {"v1/devices/me/attributes/response/1", "{\"shared\":{}}"},
        {"v1/devices/me/rpc/request/4", "{\"method\":\"what\"}"},
        {"v1/devices/me/rpc/request/5", "{\"method\":\"reboot\"}"},
        {"v1/devices/me/rpc/request/x", "\xff\xfe"},
        {"nonsense", ""},
    };
    unsigned i = dice(8);
    if (sim.connected && (i != 5 || dice(20) == 0)) {
        world_message(&sim.world, words[i][0], words[i][1]);
    }
}

static void network_does(void)
{
    world_t *w = &sim.world;
    static const uint16_t reasons[] = {15, 201, 203, 8};
    if (sim.radio && !sim.wifi && dice(3) != 0) {
        sim.wifi = true;
        world_simple(w, CRADLE_EVENT_WIFI_UP);
    } else if (sim.radio && (!sim.wifi || dice(8) == 0)) {
        sim.radio = sim.wifi = false;
        forget_connection();
        /* The brain ends the connection itself when the network goes. */
        sim.cloud = w->device.cloud_on;
        world_wifi_down(w, reasons[dice(4)]);
    } else if (sim.wifi && sim.clock_asked) {
        sim.clock_asked = false;
        world_clock(w, sim.epoch_ms + (int64_t)w->now);
    }
}

static void phone_does(void)
{
    world_t *w = &sim.world;
    if (!sim.service || fake_has(w->fake, "wifi")) {
        return;
    }
    if (dice(6) == 0 && w->device.candidate) {
        world_simple(w, CRADLE_EVENT_FORGET);
    } else {
        world_credentials(w, "Alice-Home", "rhubarb-crumble");
    }
}

static void time_passes(void)
{
    world_t *w = &sim.world;
    uint64_t deadline = cradle_device_deadline(&w->device);
    if (deadline == UINT64_MAX || dice(4) == 0) {
        world_tick(w, dice(3000));
        return;
    }
    world_tick(w, deadline > w->now ? deadline - w->now : 0);
}

static void connection_ends(void)
{
    if (!sim.connected || dice(6) != 0) {
        return;
    }
    forget_connection();
    world_cloud_down(&sim.world, CRADLE_DOWN_OUTAGE, dice(2) != 0);
}

static void step(void)
{
    world_t *w = &sim.world;
    uint32_t what = dice(1000);
    if (what < 400) {
        time_passes();
    } else if (what < 600) {
        if (sim.cloud) {
            cloud_answers();
        }
    } else if (what < 700) {
        network_does();
    } else if (what < 740) {
        phone_does();
    } else if (what < 840) {
        connection_ends();
    } else if (what < 960) {
        cloud_talks();
    } else if (what < 990) {
        if (sim.service && dice(4) == 0) {
            world_simple(w, CRADLE_EVENT_CLIENT_DONE);
        }
    } else if (what < 993) {
        world_simple(w, CRADLE_EVENT_SHUTDOWN);
    } else if (what < 998) {
        w->fake->cut_at = (int)dice(6);
        w->fake->cut_before = dice(2) != 0;
    } else {
        power_cut();
    }
    run_actions();
    if (w->fake->dead) {
        power_cut();
        run_actions();
    }
}

/* Everything works: how long until all is delivered? */
static void heal(void)
{
    world_t *w = &sim.world;
    fake_power(w->fake);
    for (int i = 0; i < 20000; i++) {
        cradle_status_t status = world_status(w);
        if (status.state == CRADLE_ONLINE && sim.subscribed && w->fake->count == 0 &&
            status.in_flight == 0) {
            return;
        }
        if (sim.service && !fake_has(w->fake, "wifi") && !sim.radio) {
            world_credentials(w, "Alice-Home", "rhubarb-crumble");
        } else if (sim.radio && !sim.wifi) {
            sim.wifi = true;
            world_simple(w, CRADLE_EVENT_WIFI_UP);
        } else if (sim.wifi && sim.clock_asked) {
            sim.clock_asked = false;
            world_clock(w, sim.epoch_ms + (int64_t)w->now);
        } else if (sim.cloud && !sim.connected) {
            sim.connected = true;
            world_simple(w, CRADLE_EVENT_CLOUD_UP);
        } else if (sim.cloud && (sim.subscribe_due || sim.pending_count > 0)) {
            cloud_answers();
        } else {
            world_wait(w, CRADLE_REFUSED_CAP_MS);
        }
        run_actions();
    }
    FAIL("the device does not come back: %s, %s", cradle_state_name(world_status(w).state),
         world_status(w).why);
}

static void account(void)
{
    uint64_t missing = 0;
    for (int n = 0; n < sim.made; n++) {
        if (sim.received[n] || sim.in_ram[n]) {
            continue;
        }
        if (!sim.dropped[n] && !sim.undated[n]) {
            FAIL("sample %d of %d is nowhere", n, sim.made);
        }
        missing++;
    }
    if (world_status(&sim.world).dropped < missing) {
        FAIL("%llu samples are missing, %llu are counted as dropped", (unsigned long long)missing,
             (unsigned long long)world_status(&sim.world).dropped);
    }
}

static void run(uint64_t seed)
{
    memset(&sim, 0, sizeof sim);
    sim.seed = seed;
    fake_t *fake = fake_new(seed);
    world_init(&sim.world, fake, &PRODUCT);
    fake->bound = 20 + dice(200);
    fake->sector = 1 + dice(10);
    fake->gone = record_gone;
    sim.epoch_ms = UNIX_MS;
    sim.world.now = dice(2) ? 0xffffffffu - dice(100000) : dice(100000);
    boot();
    run_actions();
    for (int i = 0; i < STEPS; i++) {
        step();
        assert_true(sim.made < SAMPLES);
    }
    heal();
    account();
    fake_free(fake);
}

static void random_lives(void **state)
{
    const char *one = getenv("CRADLE_SIM_SEED");
    const char *many = getenv("CRADLE_SIM_RUNS");
    uint64_t runs = many != NULL ? strtoull(many, NULL, 10) : 200;
    (void)state;
    if (one != NULL) {
        run(strtoull(one, NULL, 10));
        return;
    }
    int samples = 0;
    for (uint64_t seed = 1; seed <= runs; seed++) {
        run(seed);
        samples += sim.made;
    }
    assert_true(samples > 1000); /* the world was not dead all the time */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_lives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

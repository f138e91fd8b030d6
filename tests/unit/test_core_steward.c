/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The brain and its steward: asking before streaming, claims, new keys, lost messages, power cuts
 * at every write, answers that are none, HTTPS when the cloud refuses. After every step the fake
 * checks that nothing but statements leaves before *stream*.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core_steward_fake.h"

#define TICKET "eyJhbGciOiJIUzI1NiJ9.e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define MINUTE 60000
#define HOUR   (60 * MINUTE)

static int setup(void **state)
{
    static sim_t sim;
    sim_init(&sim, 11);
    *state = &sim;
    return 0;
}

static int teardown(void **state)
{
    sim_free(*state);
    return 0;
}

/* What is to be true when all is over. */
static void assert_settled(sim_t *sim, uint32_t key)
{
    assert_false(fake_has(sim->world.fake, "ticket"));
    assert_false(fake_has(sim->world.fake, "pending"));
    cradle_status_t status = world_status(&sim->world);
    assert_int_equal(status.state, CRADLE_ONLINE);
    assert_int_equal(sim->world.device.steward.granted, 0);
    assert_int_equal(sim_key(sim), key);
    assert_int_equal(sim_cert(sim, status.leaf->hash)->standing, CERT_CURRENT);
}

/* -- hello ------------------------------------------------------------------------------------- */

static void stream_at_once(void **state)
{
    sim_t *sim = *state;
    sim->open = true;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, MINUTE));
    assert_settled(sim, 1);
    assert_int_equal(sim->asked[STATEMENT_HELLO], 1);
    assert_int_equal(sim->said.days, 999 + 0);
    assert_int_equal(sim->said.bundle, 1);
    assert_int_equal(sim->connects, 1); /* no second connection for it */
    assert_int_equal(world_status(&sim->world).answer, ANSWER_STREAM);
}

/* *stream* holds for the epoch: a reboot asks for nothing before it streams, and says hello. */
static void stream_holds(void **state)
{
    sim_t *sim = *state;
    sim->open = true;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, MINUTE));
    sim_boot(sim);
    sim->spoil = SPOIL_LOST; /* even if nobody answers */
    assert_true(sim_until_stream(sim, MINUTE));
    sim_live(sim, HOUR);
    assert_int_equal(sim->asked[STATEMENT_HELLO], 3);
    sim_live(sim, 26 * (uint64_t)HOUR);
    assert_int_equal(sim->asked[STATEMENT_HELLO], 4); /* daily */
    sim->unowned = ANSWER_HOLD;
    sim->open = false; /* a steward that says hold later changes nothing in this epoch */
    sim_live(sim, 26 * (uint64_t)HOUR);
    assert_true(sim_until_stream(sim, MINUTE));
}

static void held_back(void **state)
{
    sim_t *sim = *state;
    sim->retry_after = 600;
    sim_provision(sim, NULL);
    sim_live(sim, 590 * 1000);
    assert_int_equal(world_status(&sim->world).state, CRADLE_ASKING);
    assert_int_equal(sim->telemetry, 0);
    assert_int_equal(sim->asked[STATEMENT_HELLO], 1); /* not before retry after */
    assert_int_equal(sim->world.fake->count, 0);      /* nothing measured either */
    assert_int_equal(cradle_device_telemetry(&sim->world.device, "{\"a\":1}", 7, sim->world.now),
                     CRADLE_NOT_NOW);
    sim_live(sim, 60 * 1000);
    assert_int_equal(sim->asked[STATEMENT_HELLO], 2);
    sim->open = true;
    assert_true(sim_until_stream(sim, 700 * 1000));
}

static void doorbell(void **state)
{
    sim_t *sim = *state;
    sim->open = true;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, MINUTE));
    world_message(&sim->world, "v1/devices/me/rpc/request/7", "{\"method\":\"cradle.call\"}");
    world_expect(&sim->world, CRADLE_ACTION_PUBLISH);
    assert_string_equal(sim->world.topic, "v1/devices/me/rpc/response/7");
    assert_string_equal(sim->world.payload, "{}");
    sim_live(sim, MINUTE);
    assert_int_equal(sim->asked[STATEMENT_HELLO], 2);
    world_simple(&sim->world, CRADLE_EVENT_PRESS);
    sim_live(sim, MINUTE);
    assert_int_equal(sim->asked[STATEMENT_HELLO], 3);
    assert_true(sim->said.press);
}

/* With a steward, but not told to ask first. */
static void not_told_to_ask(void **state)
{
    sim_t *sim = *state;
    sim->world.facts.ask = false;
    sim->https = false;
    sim->spoil_method = STATEMENT_HELLO;
    sim->lose_request = true;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, MINUTE));
    sim_live(sim, 10 * MINUTE);
    assert_true(sim->asked[STATEMENT_HELLO] > 0);
}

/* -- claims ------------------------------------------------------------------------------------ */

static void mine(void **state)
{
    sim_t *sim = *state;
    sim_provision(sim, TICKET);
    assert_true(sim_until_stream(sim, MINUTE));
    assert_settled(sim, 1);
    assert_int_equal(sim->asked[STATEMENT_CLAIM], 1);
    assert_true(sim->ticketed);
    assert_int_equal(sim->asked[STATEMENT_HELLO], 1); /* after it */
    assert_int_equal(sim->connects, 1);
}

static void granted(void **state)
{
    sim_t *sim = *state;
    sim->claimed = ANSWER_GRANTED;
    sim_provision(sim, TICKET);
    assert_true(sim_until_stream(sim, 5 * MINUTE));
    assert_settled(sim, 100);
    assert_int_equal(sim->certs[0].standing, CERT_DENIED); /* birth */
    assert_int_equal(sim->asked[STATEMENT_CLAIM], 1);
    assert_int_equal(sim->asked[STATEMENT_COMMIT], 1);
    assert_int_equal(sim->asked[STATEMENT_HELLO], 1);
    assert_int_equal(sim->tried[0], 0);
    assert_int_equal(sim->tried[1], 1); /* came back with the new one, after 4 s */
    assert_int_equal(sim->connects, 2);
    /* And the next owner: the other slot. */
    world_simple(&sim->world, CRADLE_EVENT_RESET);
    sim_act(sim);
    assert_true(fake_has(sim->world.fake, "slot1"));
    sim->owned = false;
    sim_provision(sim, TICKET);
    assert_true(sim_until_stream(sim, 5 * MINUTE));
    assert_settled(sim, 101);
    assert_int_equal(sim->slot, 2);
    world_simple(&sim->world, CRADLE_EVENT_RESET);
    sim_act(sim);
    sim->owned = false;
    sim_provision(sim, TICKET);
    assert_true(sim_until_stream(sim, 5 * MINUTE));
    assert_settled(sim, 102);
    assert_int_equal(sim->slot, 1);
}

static void held_then_granted(void **state)
{
    sim_t *sim = *state;
    sim->claimed = ANSWER_HELD;
    sim->reason = ANSWER_OWNER;
    sim_provision(sim, TICKET);
    sim_live(sim, 5 * MINUTE);
    assert_int_equal(sim->telemetry, 0);
    assert_true(fake_has(sim->world.fake, "ticket"));
    assert_int_equal(world_status(&sim->world).reason, ANSWER_OWNER);
    assert_in_range(sim->asked[STATEMENT_CLAIM], 8, 11); /* each 30 s */
    sim_boot(sim);
    sim->claimed = ANSWER_GRANTED;
    assert_true(sim_until_stream(sim, 5 * MINUTE));
    assert_settled(sim, 100); /* the key of the first request */
}

/* Nobody has a ticket, but the steward knows: a claim code and a press. */
static void claim_without_ticket(void **state)
{
    sim_t *sim = *state;
    sim->unowned = ANSWER_CLAIM;
    sim->claimed = ANSWER_GRANTED;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, 5 * MINUTE));
    assert_false(sim->ticketed);
    assert_settled(sim, 100);
}

static void ticket_refused(void **state)
{
    sim_t *sim = *state;
    sim->claimed = ANSWER_REFUSED;
    sim->reason = ANSWER_TICKET_EXPIRED;
    sim_provision(sim, TICKET);
    sim_live(sim, MINUTE);
    assert_int_equal(sim->telemetry, 0);
    assert_false(fake_has(sim->world.fake, "ticket"));
    assert_int_equal(sim->asked[STATEMENT_CLAIM], 1);
    assert_int_equal(sim->asked[STATEMENT_HELLO], 1);
    assert_int_equal(world_status(&sim->world).state, CRADLE_ASKING);
}

/* hello: claim; claim: no ticket; hello: claim ... is not played without a pause. */
static void no_endless_hurry(void **state)
{
    sim_t *sim = *state;
    sim->unowned = ANSWER_CLAIM;
    sim->claimed = ANSWER_REFUSED;
    sim->reason = ANSWER_NO_TICKET;
    sim_provision(sim, NULL);
    sim_live(sim, 10 * MINUTE);
    assert_true(sim->asked[STATEMENT_HELLO] + sim->asked[STATEMENT_CLAIM] < 100);
}

static void stolen_waits(void **state)
{
    sim_t *sim = *state;
    sim->claimed = ANSWER_REFUSED;
    sim->reason = ANSWER_STOLEN;
    sim_provision(sim, TICKET);
    sim_live(sim, 10 * MINUTE);
    assert_in_range(sim->asked[STATEMENT_CLAIM], 17, 21);
    assert_true(fake_has(sim->world.fake, "ticket"));
    sim->claimed = ANSWER_MINE;
    assert_true(sim_until_stream(sim, 5 * MINUTE));
}

static void closed_epoch(void **state)
{
    sim_t *sim = *state;
    uint8_t old[CRADLE_EPOCH_SIZE];
    sim->open = true;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, MINUTE));
    memcpy(old, world_status(&sim->world).epoch, sizeof old);
    memcpy(sim->closed, old, sizeof old);
    sim->open = false;
    sim->retry_after = 60;
    sim_live(sim, 26 * (uint64_t)HOUR); /* the daily hello hears it */
    assert_int_equal(world_status(&sim->world).state, CRADLE_ASKING);
    assert_memory_not_equal(world_status(&sim->world).epoch, old, sizeof old);
    assert_true(world_status(&sim->world).provisioned); /* the Wi-Fi stays */
    unsigned before = sim->telemetry;
    sim_live(sim, HOUR);
    assert_int_equal(sim->telemetry, before);
    sim_boot(sim);
    sim_live(sim, HOUR);
    assert_int_equal(sim->telemetry, before);
    sim->open = true;
    assert_true(sim_until_stream(sim, HOUR));
}

/* -- lost on the way, each once, with and without the power -------------------------------------
 */

static void lost_each(void **state)
{
    static const struct {
        statement_method_t method;
        bool request;
    } cases[] = {
        {STATEMENT_CLAIM, true},   {STATEMENT_CLAIM, false}, {STATEMENT_COMMIT, true},
        {STATEMENT_COMMIT, false}, {STATEMENT_HELLO, true},  {STATEMENT_HELLO, false},
    };
    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        static sim_t sim;
        sim_init(&sim, 100 + i);
        sim.claimed = ANSWER_GRANTED;
        sim.spoil_method = (int)cases[i / 2].method;
        sim.lose_request = cases[i / 2].request;
        sim.spoil = cases[i / 2].request ? SPOIL_NOT : SPOIL_LOST;
        sim.reboot = i % 2 == 1;
        sim_provision(&sim, TICKET);
        if (!sim_until_stream(&sim, HOUR)) {
            fail_msg("case %zu never streams", i);
        }
        assert_settled(&sim, 100);
        sim_free(&sim);
    }
}

static bool survives_cut(unsigned seed, int cut, bool before)
{
    static sim_t sim;
    sim_init(&sim, seed);
    sim.claimed = ANSWER_GRANTED;
    sim_provision(&sim, TICKET);
    sim.world.fake->cut_at = cut;
    sim.world.fake->cut_before = before;
    for (int i = 0; i < 3 && !sim_until_stream(&sim, HOUR); i++) {
        if (!world_status(&sim.world).provisioned) {
            sim_provision(&sim, TICKET); /* the credentials were not kept: once more */
        }
    }
    bool cut_came = sim.world.fake->cut_at < 0;
    if (sim.telemetry == 0 || sim.world.device.steward.granted != 0) {
        cradle_status_t s = world_status(&sim.world);
        fail_msg("cut at write %d (%s): %s, %s", cut, before ? "before" : "after",
                 cradle_state_name(s.state), s.why);
    }
    if (world_status(&sim.world).provisioned && sim.asked[STATEMENT_CLAIM] > 0) {
        assert_int_equal(sim_cert(&sim, world_status(&sim.world).leaf->hash)->standing,
                         CERT_CURRENT);
        assert_false(fake_has(sim.world.fake, "ticket"));
        assert_false(fake_has(sim.world.fake, "pending"));
        assert_true(sim_key(&sim) >= 100);
    }
    sim_free(&sim);
    return cut_came;
}

/* -- answers that are none ----------------------------------------------------------------------
 */

static void no_answer_at_all(void **state)
{
    (void)state;
    for (int spoil = SPOIL_LOST; spoil <= SPOIL_GARBAGE; spoil++) {
        static sim_t sim;
        sim_init(&sim, 300 + (unsigned)spoil);
        sim.claimed = ANSWER_GRANTED;
        sim_provision(&sim, TICKET);
        sim.spoil_method = STATEMENT_CLAIM;
        sim.spoil = (sim_spoil_t)spoil;
        while (sim.asked[STATEMENT_CLAIM] == 0) {
            sim_live(&sim, 1);
        }
        assert_int_equal(sim.asked[STATEMENT_COMMIT], 0); /* it granted, but not so */
        assert_false(fake_has(sim.world.fake, "slot1"));
        if (!sim_until_stream(&sim, HOUR)) {
            fail_msg("never recovers from %d", spoil);
        }
        assert_settled(&sim, 100);
        sim_free(&sim);
    }
}

/* What was right once is not right for the next question. */
static void replayed_done(void **state)
{
    sim_t *sim = *state;
    sim->open = true;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, MINUTE));
    uint32_t floor = sim->world.device.steward.floor;
    for (int i = 0; i < 3; i++) {
        sim->spoil = SPOIL_REPLAY;
        sim_live(sim, 26 * (uint64_t)HOUR);
    }
    assert_true(sim->asked[STATEMENT_HELLO] >= 5);
    assert_true(sim->world.device.steward.floor > floor);
    /* Out of turn nothing is listened to. */
    unsigned ignored = world_status(&sim->world).ignored;
    world_message(&sim->world, "v1/devices/me/rpc/response/9999", sim->reply);
    assert_int_equal(world_status(&sim->world).ignored, ignored + 1);
}

/* -- bundles ------------------------------------------------------------------------------------
 */

static void newer_bundle(void **state)
{
    sim_t *sim = *state;
    const int64_t *version = &sim->world.device.steward.bundle.version;
    sim->open = true;
    sim->bundle_version = 2;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, MINUTE));
    sim_live(sim, MINUTE);
    assert_int_equal(sim->asked[STATEMENT_BUNDLE], 1);
    assert_int_equal(*version, 2);
    assert_int_equal(sim->said.bundle, 2); /* and says so */
    sim_boot(sim);
    sim_live(sim, MINUTE);
    assert_int_equal(*version, 2);
    assert_int_equal(sim->asked[STATEMENT_BUNDLE], 1);
    sim->bundle_version = 3;
    sim->bundle_steward = sim->signs = SIM_OTHER_STEWARD;
    sim_boot(sim);
    sim_live(sim, 5 * MINUTE);
    assert_int_equal(*version, 3);
    /* The former steward's key is worth nothing now, and an older bundle brings it not back. */
    sim->bundle_version = 1;
    sim->bundle_steward = sim->signs = SIM_STEWARD;
    world_simple(&sim->world, CRADLE_EVENT_RESET);
    sim_act(sim);
    assert_true(fake_has(sim->world.fake, "bundle"));
    sim_provision(sim, NULL);
    assert_false(sim_until_stream(sim, 2 * (uint64_t)HOUR));
    assert_int_equal(*version, 3);
}

/* A breached steward makes a bundle of its own. */
static void forged_offer(void **state)
{
    sim_t *sim = *state;
    sim->open = true;
    sim->bundle_version = 2;
    sim->bundle_anchor = SIM_STEWARD;
    sim_provision(sim, NULL);
    sim_live(sim, HOUR);
    assert_true(sim->asked[STATEMENT_BUNDLE] > 0);
    assert_int_equal(sim->world.device.steward.bundle.version, 1);
    assert_false(fake_has(sim->world.fake, "bundle"));
    assert_true(sim_until_stream(sim, MINUTE)); /* it streams all the same */
}

/* A steward that signs with a new key: the device asks for the bundle, which the anchor signed. */
static void rolled_steward(void **state)
{
    sim_t *sim = *state;
    sim->open = true;
    sim->bundle_version = 2;
    sim->bundle_steward = sim->signs = SIM_OTHER_STEWARD;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, 5 * MINUTE));
    assert_int_equal(sim->world.device.steward.bundle.version, 2);
}

static void forged_bundle(void **state)
{
    static const struct {
        uint32_t anchor;
        const char *site;
    } cases[] = {{SIM_STRANGER, SIM_SITE}, {SIM_STEWARD, SIM_SITE}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static sim_t sim;
        sim_init(&sim, 400 + i);
        sim.open = true;
        sim.world.facts.bundle = sim_bundle(1, SIM_STEWARD, cases[i].anchor);
        sim.world.facts.bundle_len = strlen(sim.world.facts.bundle);
        sim_provision(&sim, NULL);
        assert_false(sim_until_stream(&sim, HOUR));
        assert_int_equal(sim.world.device.steward.bundle.version, 0);
        sim.bundle_version = 1; /* but the true one may still be had */
        assert_true(sim_until_stream(&sim, 2 * (uint64_t)HOUR));
        sim_free(&sim);
    }
}

/* The bench's *stream* counts until the unit has left the factory; nothing else of it ever does. */
static void bench_streams(void **state)
{
    sim_t *sim = *state;
    sim->signs = SIM_BENCH;
    sim->open = true;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, MINUTE));
}

static void bench_after_shipping(void **state)
{
    sim_t *sim = *state;
    assert_true(sim->world.port.set(&sim->world, "shipped", "1", 1));
    sim->signs = SIM_BENCH;
    sim->open = true;
    sim_provision(sim, NULL);
    assert_false(sim_until_stream(sim, 2 * (uint64_t)HOUR));
    assert_true(sim->asked[STATEMENT_HELLO] > 1);
    sim->signs = SIM_STEWARD;
    assert_true(sim_until_stream(sim, HOUR));
}

static void bench_says_no_more(void **state)
{
    static const answer_result_t results[] = {ANSWER_MINE, ANSWER_GRANTED, ANSWER_REFUSED};
    (void)state;
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        static sim_t sim;
        sim_init(&sim, 700 + i);
        sim.signs = SIM_BENCH;
        sim.claimed = results[i];
        sim.reason = ANSWER_TICKET_BAD;
        sim_provision(&sim, "ticket");
        sim_live(&sim, HOUR);
        assert_true(sim.asked[STATEMENT_CLAIM] > 1); /* it is still being asked */
        assert_int_equal(sim.asked[STATEMENT_COMMIT], 0);
        assert_int_equal(sim.telemetry, 0);
        assert_true(sim.ticketed);
        sim_free(&sim);
    }
}

/* -- certificates -------------------------------------------------------------------------------
 */

/* *done* was heard by nobody, and an older leaf gets in: the commit is repeated. */
static void commit_with_an_older_leaf(void **state)
{
    sim_t *sim = *state;
    sim->claimed = ANSWER_GRANTED;
    sim->spoil_method = STATEMENT_COMMIT;
    sim->lose_request = true;
    sim->reboot = true;
    sim_provision(sim, TICKET);
    assert_true(sim_until_stream(sim, 10 * MINUTE));
    /* newest first (refused), then birth, which repeats the commit; then the newest */
    assert_int_equal(sim->tried[1], 1);
    assert_int_equal(sim->tried[2], 0);
    assert_int_equal(sim->tried[3], 1);
    assert_int_equal(sim->asked[STATEMENT_CLAIM], 1);
    assert_settled(sim, 100);
}

/* The steward voided the grant: pending key and slot go, and the claim begins anew. */
static void voided_grant(void **state)
{
    sim_t *sim = *state;
    sim->claimed = ANSWER_GRANTED;
    sim->spoil_method = STATEMENT_COMMIT;
    sim->lose_request = true;
    sim->reboot = true;
    sim_provision(sim, TICKET);
    sim_live(sim, 1000);
    sim->certs[1].standing = CERT_DENIED;
    assert_true(sim_until_stream(sim, 20 * MINUTE));
    assert_settled(sim, 101);
}

static void slot_dropped(void **state)
{
    sim_t *sim = *state;
    sim->claimed = ANSWER_GRANTED;
    sim_provision(sim, TICKET);
    assert_true(sim_until_stream(sim, 5 * MINUTE));
    /* A restored steward: birth is on record again, and the cloud lets only that in. */
    sim->certs[0].standing = CERT_CURRENT;
    sim->certs[1].standing = CERT_DENIED;
    sim_live(sim, 26 * (uint64_t)HOUR);
    assert_false(fake_has(sim->world.fake, "slot1"));
    assert_int_equal(sim->slot, 0);
}

static void renewal(void **state)
{
    sim_t *sim = *state;
    sim->open = true;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, MINUTE));
    sim->renew = true;
    sim_live(sim, 26 * (uint64_t)HOUR);
    assert_int_equal(sim->asked[STATEMENT_RENEW], 1);
    assert_int_equal(sim->asked[STATEMENT_COMMIT], 1);
    assert_int_equal(sim->asked[STATEMENT_CLAIM], 0);
    assert_settled(sim, 100);
    assert_true(sim_until_stream(sim, MINUTE));
}

/* Certificates that are always in their last month: one renewal for each hello, no more. */
static void short_lived(void **state)
{
    sim_t *sim = *state;
    sim->open = true;
    sim->days = 20;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, MINUTE));
    sim_live(sim, 10 * MINUTE);
    assert_int_equal(sim->asked[STATEMENT_RENEW], 1);
    sim_live(sim, 50 * (uint64_t)HOUR);
    assert_in_range(sim->asked[STATEMENT_RENEW], 2, 3);
    assert_true(sim_until_stream(sim, MINUTE));
}

/* A steward that renews nothing keeps nobody from streaming, whether it says so or asks for it. */
static void renewal_refused(void **state)
{
    sim_t *sim = *state;
    sim->open = true;
    sim->days = 20;
    sim->no_renewals = true;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, MINUTE));
    sim_live(sim, HOUR);
    assert_int_equal(sim->asked[STATEMENT_RENEW], 1);
    world_simple(&sim->world, CRADLE_EVENT_RESET);
    sim_act(sim);
    sim->renew = true;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, 2 * MINUTE));
    sim_live(sim, HOUR);
    assert_int_equal(sim->asked[STATEMENT_RENEW], 2);
}

/* The cloud lets none of the certificates in: after three rounds the steward itself is asked. */
static void https_after_three_rounds(void **state)
{
    sim_t *sim = *state;
    sim->claimed = ANSWER_GRANTED;
    sim->refuses = true;
    sim_provision(sim, TICKET);
    for (int i = 0; i < 100 && sim->posted == 0; i++) {
        sim_live(sim, 1000);
    }
    assert_int_equal(sim->connects, 3);
    assert_true(world_status(&sim->world).refused);
    sim_live(sim, MINUTE);
    assert_int_equal(sim->asked[STATEMENT_CLAIM], 1);
    assert_int_equal(sim->asked[STATEMENT_COMMIT], 1);
    sim->refuses = false; /* the new record is there */
    assert_true(sim_until_stream(sim, 20 * MINUTE));
    assert_settled(sim, 100);
}

/* Streaming for weeks, and then the cloud lets it in no more: not only the daily hello tells. */
static void https_when_streaming(void **state)
{
    sim_t *sim = *state;
    sim->open = true;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, MINUTE));
    sim->refuses = true;
    sim->renew = true;
    sim_live(sim, 5 * MINUTE);
    assert_true(sim->posted >= 3); /* hello, renew, commit */
    assert_int_equal(sim->asked[STATEMENT_RENEW], 1);
    sim->refuses = false;
    assert_true(sim_until_stream(sim, HOUR));
    assert_settled(sim, 100);
}

/* The steward is away, too. */
static void nobody_is_there(void **state)
{
    sim_t *sim = *state;
    sim->open = true;
    sim->refuses = true;
    sim->https = false;
    sim_provision(sim, NULL);
    sim_live(sim, 5 * (uint64_t)HOUR);
    assert_in_range(sim->posted, 5, 100);
    assert_int_equal(sim->telemetry, 0);
    sim->https = true;
    sim_live(sim, HOUR);
    assert_true(world_status(&sim->world).streaming); /* heard by HTTPS */
    sim->refuses = false;
    assert_true(sim_until_stream(sim, HOUR));
}

/* -- reset, time --------------------------------------------------------------------------------
 */

static void reset_forgets_the_claim(void **state)
{
    sim_t *sim = *state;
    sim->claimed = ANSWER_HELD;
    sim->reason = ANSWER_OWNER;
    sim_provision(sim, TICKET);
    sim_live(sim, MINUTE);
    assert_true(fake_has(sim->world.fake, "ticket"));
    assert_true(fake_has(sim->world.fake, "pending"));
    world_simple(&sim->world, CRADLE_EVENT_RESET);
    assert_false(fake_has(sim->world.fake, "ticket"));
    assert_false(fake_has(sim->world.fake, "pending"));
    assert_false(fake_has(sim->world.fake, "wifi"));
    sim_act(sim);
    assert_int_equal(world_status(&sim->world).state, CRADLE_UNPROVISIONED);
}

static void ticket_goes_with_bad_credentials(void **state)
{
    sim_t *sim = *state;
    cradle_event_t event = {.type = CRADLE_EVENT_CREDENTIALS};
    event.u.credentials.ssid = "Alice-Home";
    event.u.credentials.passphrase = "wrong";
    event.u.credentials.ticket = TICKET;
    sim_boot(sim);
    world_drain(&sim->world);
    world_event(&sim->world, &event);
    world_drain(&sim->world);
    assert_false(fake_has(sim->world.fake, "ticket"));
    world_wifi_down(&sim->world, 15);
    world_drain(&sim->world);
    event.u.credentials.passphrase = "right";
    event.u.credentials.ticket = NULL;
    world_event(&sim->world, &event);
    world_drain(&sim->world);
    world_simple(&sim->world, CRADLE_EVENT_WIFI_UP);
    assert_false(fake_has(sim->world.fake, "ticket"));
}

static void time_never_before_a_signature(void **state)
{
    sim_t *sim = *state;
    sim->open = true;
    sim_provision(sim, NULL);
    assert_true(sim_until_stream(sim, MINUTE));
    uint32_t floor = sim->world.device.steward.floor;
    assert_in_range(floor, UNIX_MS / 1000, UNIX_MS / 1000 + 100000);
    world_clock(&sim->world, ((int64_t)floor - 10) * 1000);
    assert_true(cradle_device_now(&sim->world.device) >= (int64_t)floor * 1000);
    sim_boot(sim);
    assert_false(world_status(&sim->world).clock_set);
    assert_int_equal(cradle_device_now(&sim->world.device) / 1000, floor);
}

/* At each write of a claim that changes the key. */
static void power_cut_at_every_write(void **state)
{
    (void)state;
    int cut = 0;
    while (survives_cut(500, cut, false) && survives_cut(500, cut, true)) {
        cut++;
    }
    assert_true(cut >= 10);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stream_at_once),
        TEST(stream_holds),
        TEST(held_back),
        TEST(doorbell),
        TEST(not_told_to_ask),
        TEST(mine),
        TEST(granted),
        TEST(held_then_granted),
        TEST(claim_without_ticket),
        TEST(ticket_refused),
        TEST(no_endless_hurry),
        TEST(stolen_waits),
        TEST(closed_epoch),
        cmocka_unit_test(lost_each),
        cmocka_unit_test(no_answer_at_all),
        TEST(replayed_done),
        TEST(newer_bundle),
        TEST(rolled_steward),
        cmocka_unit_test(forged_bundle),
        TEST(forged_offer),
        TEST(bench_streams),
        TEST(bench_after_shipping),
        cmocka_unit_test(bench_says_no_more),
        TEST(commit_with_an_older_leaf),
        TEST(voided_grant),
        TEST(slot_dropped),
        TEST(renewal),
        TEST(short_lived),
        TEST(renewal_refused),
        TEST(https_after_three_rounds),
        TEST(https_when_streaming),
        TEST(nobody_is_there),
        TEST(reset_forgets_the_claim),
        TEST(ticket_goes_with_bad_credentials),
        TEST(time_never_before_a_signature),
        cmocka_unit_test(power_cut_at_every_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The brain against what comes as an answer of the steward, and against what stands in the settings
 * of the claim. The first byte chooses: a reply as it comes; the payload of an answer or of a
 * bundle that is properly signed (a steward gone mad); a setting. Random numbers are seeded, so
 * that a corpus can name the right nonce. Whatever comes: no crash, only statements before
 * *stream*, and a factory reset ends it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/core_steward_fake.h"
#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char reply[16384];

/* header.payload.signature */
static bool sign_payload(uint32_t key, const char *type, const uint8_t *data, size_t size,
                         char *out, size_t cap)
{
    char header[128];
    uint8_t signature[JWS_ES256_SIZE];
    snprintf(header, sizeof header,
             "{\"alg\":\"ES256\",\"typ\":\"cradle-%s+jwt\",\"kid\":\"%016x\"}", type, key);
    if (!bytes_to_base64url(header, strlen(header), out, cap)) {
        return false;
    }
    size_t len = strlen(out);
    out[len++] = '.';
    if (!bytes_to_base64url(data, size, out + len, cap - len)) {
        return false;
    }
    len += strlen(out + len);
    sim_sign(key, out, len, signature);
    return jws_append(out, cap, &len, signature, sizeof signature) == JWS_OK;
}

static void hear(sim_t *sim, const char *text, size_t len)
{
    char topic[CRADLE_TOPIC_MAX];
    cradle_event_t event = {.type = CRADLE_EVENT_MESSAGE};
    snprintf(topic, sizeof topic, "v1/devices/me/rpc/response/%u",
             (unsigned)sim->world.device.steward.rpc);
    event.u.message.topic = topic;
    event.u.message.topic_len = strlen(topic);
    event.u.message.payload = text;
    event.u.message.len = len;
    world_event(&sim->world, &event);
}

static void feed(sim_t *sim, unsigned kind, const uint8_t *data, size_t size)
{
    static const char *const settings[] = {"steward", "ticket", "bundle",
                                           "slot1",   "slot2",  "pending"};
    static char jws[8192];
    if (kind == 0) {
        hear(sim, (const char *)data, size);
    } else if (kind == 1 && sign_payload(SIM_STEWARD, "answer", data, size, jws, sizeof jws)) {
        hear(sim, reply, (size_t)snprintf(reply, sizeof reply, "{\"a\":\"%s\"}", jws));
    } else if (kind == 2 && sign_payload(SIM_ANCHOR, "bundle", data, size, jws, sizeof jws)) {
        hear(sim, reply,
             (size_t)snprintf(reply, sizeof reply, "{\"a\":\"e30.e30.AA\",\"b\":\"%s\"}", jws));
    } else if (kind >= 3 && kind < 9 && size <= FAKE_VALUE) {
        sim->world.port.set(&sim->world, settings[kind - 3], data, size);
        sim_boot(sim);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sim_t sim;
    if (size == 0) {
        return 0;
    }
    unsigned kind = data[0] % 9;
    sim_init(&sim, 1);
    sim.claimed = ANSWER_GRANTED;
    sim.spoil = SPOIL_LOST; /* the first question is left to the fuzzer */
    sim_provision(&sim, data[0] >= 128 ? "e30.e30.AAAA" : NULL);
    if (kind == 2) { /* the bundle is asked for when an answer's key is not known */
        sim.spoil = SPOIL_KID;
        for (int i = 0; i < 200 && sim.asked[STATEMENT_BUNDLE] == 0; i++) {
            sim.spoil_method = sim.spoil == SPOIL_NOT ? STATEMENT_BUNDLE : -1;
            sim.spoil = sim.spoil == SPOIL_NOT ? SPOIL_LOST : sim.spoil;
            sim_live(&sim, 500);
        }
    } else {
        for (int i = 0; i < 100 && sim.spoil != SPOIL_NOT; i++) {
            sim_live(&sim, 100);
        }
    }
    feed(&sim, kind, data + 1, size - 1);
    sim_live(&sim, 600000);
    world_simple(&sim.world, CRADLE_EVENT_RESET);
    sim_act(&sim);
    if (world_status(&sim.world).state != CRADLE_UNPROVISIONED) {
        abort();
    }
    sim_free(&sim);
    return 0;
}

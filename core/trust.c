/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom the device believes: the newest bundle of those that the anchor key has signed for its site.
 * It looks at the one in the settings, then at the one of its birth, then asks for a newer one when
 * an answer names it or is signed by a key that it does not know. A bundle is looked at twice: once
 * for what it holds, decoded in place, and once more for its signature; both copies are the same
 * bytes. Only a verified one that is newer than every other is kept.
 */
#include <string.h>

#include "core/internal.h"

static const char BUNDLE[] = "bundle";

enum { KEPT, BORN, OFFERED };

/* Without a text: the one in the settings. */
static bool copy(cradle_device_t *device, jws_text_t text, size_t *len)
{
    *len = text.len;
    if (text.text == NULL) {
        return core_get(device, BUNDLE, device->message, sizeof device->message, len);
    }
    if (text.len > sizeof device->message) {
        return false;
    }
    memcpy(device->message, text.text, text.len);
    return true;
}

/* The signature is asked about; false: not worth it. */
static bool look(cradle_device_t *device, jws_text_t text)
{
    cradle_steward_t *s = &device->steward;
    bundle_t bundle;
    jws_t jws;
    size_t len = 0;
    if (!copy(device, text, &len) || !core_talk_take_apart(device, JWS_BUNDLE, len, &jws) ||
        bundle_read(&jws, device->message + s->payload, s->payload_len, &bundle) != JWS_OK ||
        !bundle_replaces(&bundle, jws_text(device->facts.site), s->bundle.version)) {
        return false;
    }
    s->next.version = bundle.version;
    memcpy(s->next.by[0].kid, bundle.steward_kid, sizeof s->next.by[0].kid);
    memcpy(s->next.by[0].key, bundle.steward.data, sizeof s->next.by[0].key);
    memcpy(s->next.by[1].kid, bundle.bench_kid, sizeof s->next.by[1].kid);
    if (bundle.bench.len > 0) {
        memcpy(s->next.by[1].key, bundle.bench.data, sizeof s->next.by[1].key);
    }
    if (!copy(device, text, &len) || !core_talk_take_apart(device, JWS_BUNDLE, len, &jws)) {
        return false;
    }
    core_talk_step(device, CORE_TALK_BUNDLE);
    return true;
}

/* From the source on, until one is to be verified or there is no further. */
static void go_on(cradle_device_t *device)
{
    cradle_steward_t *s = &device->steward;
    for (; s->source <= BORN; s->source++) {
        const jws_text_t text = {s->source == BORN ? device->facts.bundle : NULL,
                                 device->facts.bundle_len};
        if (look(device, text)) {
            return;
        }
    }
    s->loaded = true;
    core_talk_step(device, CORE_TALK_IDLE);
}

void core_trust_load(cradle_device_t *device)
{
    device->steward.source = KEPT;
    go_on(device);
}

void core_trust_offer(cradle_device_t *device, jws_text_t bundle)
{
    device->steward.source = OFFERED;
    if (!look(device, bundle)) {
        core_steward_silent(device);
    }
}

/* The text that was verified is not needed any more when it was KEPT or BORN; the OFFERED one is
   put together again from what lies in the buffer: only its signature was decoded. */
static bool keep(cradle_device_t *device)
{
    const cradle_steward_t *s = &device->steward;
    uint8_t signature[JWS_ES256_SIZE];
    size_t len = s->len;
    memcpy(signature, device->message + s->signature, sizeof signature);
    return jws_append(device->message, sizeof device->message, &len, signature, sizeof signature) ==
               JWS_OK &&
           device->port->set(device->port->ctx, BUNDLE, device->message, len);
}

/* The steward, or the bench until the unit has left the factory. */
bool core_trust_find(cradle_device_t *device, const char *kid)
{
    cradle_steward_t *s = &device->steward;
    uint8_t mark[1];
    size_t len;
    s->by = strcmp(kid, s->bundle.by[0].kid) != 0;
    return s->bundle.version != 0 &&
           (s->by == 0 || (strcmp(kid, s->bundle.by[1].kid) == 0 &&
                           !core_get(device, "shipped", mark, sizeof mark, &len)));
}

void core_trust_verified(cradle_device_t *device, bool good)
{
    cradle_steward_t *s = &device->steward;
    if (s->source != OFFERED) {
        if (good) {
            s->bundle = s->next;
        }
        s->source++;
        go_on(device);
    } else if (good && keep(device)) {
        s->bundle = s->next;
        core_talk_drop(device);
        core_steward_fetched(device);
    } else {
        core_steward_silent(device);
    }
}

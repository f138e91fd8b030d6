/* SPDX-License-Identifier: Apache-2.0 */
/* internal: what the files of core/ call of one another. Nothing here is for a port. */
#ifndef CRADLE_CORE_INTERNAL_H
#define CRADLE_CORE_INTERNAL_H

#include "core/device.h"

/* -- device.c: actions to do, timers ---------------------------------------------------------- */

void core_want(cradle_device_t *device, cradle_action_type_t action);
void core_unwant(cradle_device_t *device, cradle_action_type_t action);

/* `after` milliseconds from now. */
void core_arm(cradle_device_t *device, cradle_timer_t timer, uint64_t after);
void core_disarm(cradle_device_t *device, cradle_timer_t timer);

/* Full jitter: evenly from 0 to min(cap, base * 2^attempt). */
uint32_t core_backoff(const cradle_device_t *device, uint32_t base, uint32_t cap, unsigned attempt);

/* Appends a decimal number to the text in device->topic. */
void core_topic(cradle_device_t *device, const char *prefix, uint32_t id);

/* -- lifecycle.c ------------------------------------------------------------------------------ */

/* Takes the first state from what is known. */
void core_lifecycle_begin(cradle_device_t *device);
void core_lifecycle_event(cradle_device_t *device, const cradle_event_t *event);
void core_lifecycle_timer(cradle_device_t *device, cradle_timer_t timer);
/* Publishes wait too long for their answer. */
void core_lifecycle_silent(cradle_device_t *device);
/* An RPC asked for it; the answer still leaves first. */
void core_lifecycle_reboot(cradle_device_t *device);
void core_lifecycle_reset(cradle_device_t *device, const char *why);

/* Still asking, for this reason. */
void core_lifecycle_waits(cradle_device_t *device, const char *why, uint32_t wait_ms);
/* Asking is over. */
void core_lifecycle_stream(cradle_device_t *device);
/* Asking begins again: nothing is sent any more. */
void core_lifecycle_ask(cradle_device_t *device);
/* Leaves the cloud, and comes back with the newest certificate when the steward has done its work.
 */
void core_lifecycle_return(cradle_device_t *device);
/* The certificate in use is of no use, the steward says. */
void core_lifecycle_other_key(cradle_device_t *device);
/* What there was to ask by HTTPS is asked: the cloud again. */
void core_lifecycle_indirect(cradle_device_t *device);

/* -- steward.c: what to ask, what answers mean ------------------------------------------------ */

/* After core_store_load: which certificates there are. */
void core_steward_begin(cradle_device_t *device);
/* Nothing may be sent or measured before it says so. */
bool core_steward_holds(const cradle_device_t *device);
/* Asks, if it is time and there is a way. */
void core_steward_go(cradle_device_t *device);
void core_steward_timer(cradle_device_t *device);
/* The way is gone: the question is put again in the next connection. */
void core_steward_down(cradle_device_t *device);
/* The doorbell; the button. */
void core_steward_call(cradle_device_t *device);
void core_steward_press(cradle_device_t *device);
/* From talk.c and trust.c: how the question ended. */
void core_steward_silent(cradle_device_t *device);
void core_steward_unsaid(cradle_device_t *device); /* it cannot be written */
void core_steward_answer(cradle_device_t *device, const answer_t *answer);
void core_steward_kept(cradle_device_t *device, bool good);
void core_steward_fetched(cradle_device_t *device);
/* For the next chain. */
uint32_t core_steward_counter(const cradle_device_t *device);

/* -- talk.c: one question's way --------------------------------------------------------------- */

typedef enum {
    CORE_TALK_IDLE,
    CORE_TALK_REQUEST,
    CORE_TALK_SIGN,
    CORE_TALK_SEND,
    CORE_TALK_WAIT,
    CORE_TALK_VERIFY,
    CORE_TALK_BUNDLE, /* verify one */
    CORE_TALK_KEEP,
} core_talk_step_t;

void core_talk_begin(cradle_device_t *device, statement_method_t method, uint8_t signer);
void core_talk_step(cradle_device_t *device, core_talk_step_t step);
void core_talk_drop(cradle_device_t *device);
/* The shared buffer is in use. */
bool core_talk_busy(const cradle_device_t *device);
/* A statement is in `message`, its topic in `topic`: to be published. */
bool core_talk_send(cradle_device_t *device);
void core_talk_fill(cradle_device_t *device, cradle_action_t *action);
void core_talk_done(cradle_device_t *device, const cradle_event_t *event);
void core_talk_reply(cradle_device_t *device, const char *json, size_t len);
bool core_talk_take_apart(cradle_device_t *device, jws_kind_t kind, size_t len, jws_t *jws);
/* Days left of the leaf in a slot. */
int32_t core_talk_days(const cradle_device_t *device, uint8_t slot);

/* -- trust.c: bundles ------------------------------------------------------------------------- */

void core_trust_load(cradle_device_t *device);
/* May that key sign an answer? Remembers whose it is. */
bool core_trust_find(cradle_device_t *device, const char *kid);
void core_trust_offer(cradle_device_t *device, jws_text_t bundle);
void core_trust_verified(cradle_device_t *device, bool good);

/* -- store.c: what is in the settings --------------------------------------------------------- */

/* As the port has them. */
bool core_get(const cradle_device_t *device, const char *name, void *out, size_t cap, size_t *len);
void core_erase(cradle_device_t *device, const char *name);

/* Ends a reset that was cut; fills wifi, kept, epoch, lost. */
void core_store_load(cradle_device_t *device);
bool core_store_keep_wifi(cradle_device_t *device);
/* Erases everything of the owner's and draws a new epoch; a power cut at any moment is mended by
   core_store_load. */
void core_store_reset(cradle_device_t *device);
/* *stream*, the granted slot and the highest time seen, for this epoch. */
bool core_store_keep_steward(cradle_device_t *device);
void core_store_drop_ticket(cradle_device_t *device);
/* Everything is kept but what was said in the epoch before. */
void core_store_new_epoch(cradle_device_t *device);
extern const char CORE_TICKET[];
extern const char CORE_PENDING[];
/* Adds to the count of lost records; those up to number `upto` are never counted again. */
void core_store_lost(cradle_device_t *device, int64_t count, uint64_t upto);

/* -- config.c: watched shared attributes ------------------------------------------------------ */

void core_config_load(cradle_device_t *device);
/* {"shared":{...}} as the answer to a request, or a push with the changed keys, or
   {"deleted":[...]}. */
void core_config_answer(cradle_device_t *device, const char *json, size_t len);
void core_config_push(cradle_device_t *device, const char *json, size_t len);
/* Writes the request, or what the device reports of itself, into `message`; false: too long. */
bool core_config_ask(cradle_device_t *device);
bool core_config_report(cradle_device_t *device);

/* -- rpc.c ------------------------------------------------------------------------------------ */

/* Answers into `message` and sets reply_due. */
void core_rpc_request(cradle_device_t *device, uint32_t id, const char *json, size_t len);

/* -- message.c -------------------------------------------------------------------------------- */

extern const char CORE_TOPIC_TELEMETRY[];
extern const char CORE_TOPIC_ATTRIBUTES[];
extern const char CORE_TOPIC_ASK[];
extern const char CORE_TOPIC_RPC_RESPONSE[];
extern const char CORE_TOPIC_STEWARD[];
/* The first is for the steward's answers. */
extern const char *const CORE_FILTERS[];
extern const size_t CORE_FILTER_COUNT;

void core_message(cradle_device_t *device, const char *topic, size_t topic_len, const char *payload,
                  size_t len);

/* -- telemetry.c: samples, time stamps -------------------------------------------------------- */

/* Sampling begins (credentials are kept), or a new period counts from now. */
void core_telemetry_start(cradle_device_t *device);
void core_telemetry_sample(cradle_device_t *device);
void core_telemetry_health(cradle_device_t *device);
void core_telemetry_clock(cradle_device_t *device, int64_t unix_ms);
/* Something signed says that it is not earlier, in seconds. */
void core_telemetry_floor(cradle_device_t *device, int64_t unix_s);
/* In milliseconds; while the clock is not set, what it surely is not before. */
int64_t core_telemetry_now(const cradle_device_t *device);
uint64_t core_telemetry_dropped(const cradle_device_t *device);

typedef enum {
    CORE_DATED,
    CORE_NOT_YET, /* of this boot, and the clock is not set      */
    CORE_NEVER,   /* of an earlier boot, or not telemetry at all */
} core_date_t;

/* When a record's values were taken. */
core_date_t core_telemetry_date(const cradle_device_t *device, const uint8_t *record, size_t len,
                                int64_t *unix_ms);
#define CORE_RECORD_HEADER 13

/* -- window.c: records on their way, the outbox behind it ------------------------------------- */

/* Subscribed: telemetry may flow. */
void core_window_begin(cradle_device_t *device);
/* Takes a record: into the window when it can go out at once, else into the outbox. */
bool core_window_add(cradle_device_t *device, const uint8_t header[CORE_RECORD_HEADER],
                     const char *values, size_t len);
/* The next telemetry publish; its text is in `message`. */
bool core_window_next(cradle_device_t *device, cradle_action_t *action);
void core_window_acked(cradle_device_t *device, uint16_t token);
/* No connection any more: what was not acknowledged goes to the outbox. */
void core_window_spill(cradle_device_t *device, bool closed_by_peer);
/* When the oldest publish has waited too long; CRADLE_NEVER. */
uint64_t core_window_deadline(const cradle_device_t *device);
uint32_t core_window_in_flight(const cradle_device_t *device);

#endif

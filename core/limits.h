/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits: every size and time that bounds the device's brain, in one place. A port may define its
 * own before including anything of core/; the memory follows (cradle_device_t).
 */
#ifndef CRADLE_CORE_LIMITS_H
#define CRADLE_CORE_LIMITS_H

/* -- sizes, bytes ---------------------------------------------------------------------------- */

/* The one shared buffer: samples, answers, and what is published next are made in it; statements,
   and the steward's answers and bundles (3584 characters) while they are verified. */
#ifndef CRADLE_MESSAGE_MAX
#define CRADLE_MESSAGE_MAX 3588
#endif
/* Largest telemetry object ({"temperature":21.5,...}) of one moment. */
#ifndef CRADLE_VALUES_MAX
#define CRADLE_VALUES_MAX 512
#endif
/* A record of the outbox: 13 bytes of header, then the values. */
#define CRADLE_RECORD_MAX (13 + CRADLE_VALUES_MAX)
/* Samples on their way to the cloud that are not in the outbox: kept here until the PUBACK. When
   full, further ones go to the outbox. */
#ifndef CRADLE_LIVE_MAX
#define CRADLE_LIVE_MAX 1536
#endif
/* Publishes without PUBACK. When full, nothing more is published until one arrives. */
#ifndef CRADLE_WINDOW
#define CRADLE_WINDOW 32
#endif
/* Topics and keys of the cloud; longer ones are ignored and counted. */
#define CRADLE_TOPIC_MAX 64
/* A value of a watched shared attribute, as JSON text; longer ones are ignored and counted. */
#define CRADLE_CONFIG_MAX 128
/* Watched keys, the brain's own included, and room for all their kept values together. */
#define CRADLE_CONFIG_KEYS 16
#define CRADLE_CONFIGS_MAX 1024
/* Wi-Fi (802.11): without the NUL. */
#define CRADLE_SSID_MAX       32
#define CRADLE_PASSPHRASE_MAX 64
#define CRADLE_EPOCH_SIZE     16
/* Certificate slots: birth, and the two that hold renewed pairs. */
#define CRADLE_SLOTS 3
/* Name of a setting, without the NUL (NVS allows 15). */
#define CRADLE_SETTING_NAME_MAX 15

/* -- times, milliseconds --------------------------------------------------------------------- */

#define CRADLE_JOIN_TIMEOUT_MS     20000 /* no answer of the radio: as if the network were gone    */
#define CRADLE_CLOCK_TIMEOUT_MS    10000 /* no time server: connect without a set clock            */
#define CRADLE_CONNECT_TIMEOUT_MS  30000 /* name, TCP, TLS and CONNACK together */
#define CRADLE_ACK_TIMEOUT_MS      60000 /* oldest publish, or SUBSCRIBE, without its answer       */
#define CRADLE_ASK_AGAIN_MS        10000 /* attribute request without an answer: repeated ...      */
#define CRADLE_ASK_TIMES           3    /* ... so many times in one connection                    */
#define CRADLE_PROVISION_READ_MS   1000 /* client has read the success: service stops after       */
#define CRADLE_PROVISION_LINGER_MS 30000 /* it never did: service stops after */

/* Full jitter: attempt n waits a random time from 0 to min(cap, base * 2^n). */
#define CRADLE_JOIN_BASE_MS    1000
#define CRADLE_JOIN_CAP_MS     60000
#define CRADLE_CLOUD_BASE_MS   1000
#define CRADLE_CLOUD_CAP_MS    60000
#define CRADLE_REFUSED_BASE_MS 5000 /* every certificate of a round was refused */
#define CRADLE_REFUSED_CAP_MS  900000
#define CRADLE_STABLE_MS       30000 /* a connection this old makes the next failure a first one   */

/* Telemetry: the default, and the bounds of the shared attribute telemetry_period_ms. */
#define CRADLE_PERIOD_MS     1000
#define CRADLE_PERIOD_MIN_MS 100
#define CRADLE_PERIOD_MAX_MS 86400000
#define CRADLE_HEALTH_MS     60000 /* uptime, days left, counters; and once at each connection */
/* A clock that is set back by less than this stays monotonic; by more, it is believed. */
#define CRADLE_CLOCK_STEP_MS 60000

/* The steward: `retry after` and daily come from its answers, in seconds. */
#define CRADLE_STEWARD_TIMEOUT_MS 65000 /* ThingsBoard itself answers after 60 s              */
#define CRADLE_STEWARD_BASE_MS    2000  /* silence, or what is no answer                      */
#define CRADLE_STEWARD_CAP_MS     900000
#define CRADLE_STEWARD_HURRY      8     /* questions in a row without a wait; then retry after  */
#define CRADLE_STEWARD_CALM_MS    60000 /* ... or this                                         */
#define CRADLE_STEWARD_LEAVE_MS   4000  /* after *done*: the steward works on the record        */
#define CRADLE_STEWARD_ROUNDS     3     /* every certificate refused so often: HTTPS            */
#define CRADLE_RENEW_DAYS         30

/* A record that was under way this many times in a row when the cloud closed the connection is sent
   alone; after the second number it is dropped and counted: ThingsBoard closes on what it cannot
   parse, and would never let anything past it. */
#define CRADLE_POISON_ALONE 3
#define CRADLE_POISON_DROP  8

#endif

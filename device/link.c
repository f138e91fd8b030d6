/* SPDX-License-Identifier: Apache-2.0 */
#include "device/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mqtt/mqtt_client.h"
#include "net/address.h"
#include "net/tls.h"

#define INPUT_FIRST  2048 /* what the input buffer begins with */
#define INPUT_MAX    (MQTT_REMAINING_DEFAULT + 5)
#define OUTPUT_MAX   8192         /* one publish of the brain and small packets */
#define BACKED_UP    (64u * 1024) /* this much unsent: the brain waits with more */
#define KEEP_ALIVE_S 60

struct link {
    loop_t *loop;
    const boot_t *boot;
    link_handler_t handler;
    tls_t *tls;
    mqtt_client_t mqtt;
    bool up; /* CONNACK 0 came */
    loop_timer_t timer;
    /* The end is reported from a timer, where nothing of TLS or MQTT is on the stack: the brain may
       begin the next attempt inside that call. */
    loop_timer_t late;
    cradle_event_t end;
    char end_text[ERR_TEXT_MAX];
    uint8_t *in;
    size_t in_len;
    size_t in_cap;
    uint8_t *out_buf;
    mqtt_out_t out;
};

static void on_timer(void *ctx);

bool link_open(link_t **link, loop_t *loop, const boot_t *boot, const link_handler_t *handler,
               err_t *err)
{
    link_t *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a connection");
    }
    l->loop = loop;
    l->boot = boot;
    l->handler = *handler;
    *link = l;
    return true;
}

/* Forgets the connection without a word to the brain. */
static void drop(link_t *link)
{
    loop_timer_stop(link->loop, &link->timer);
    loop_timer_stop(link->loop, &link->late);
    tls_close(link->tls);
    link->tls = NULL;
    link->up = false;
    free(link->in);
    free(link->out_buf);
    link->in = NULL;
    link->out_buf = NULL;
    link->in_len = 0;
    link->in_cap = 0;
    mqtt_out_init(&link->out, NULL, 0);
}

void link_free(link_t *link)
{
    if (link != NULL) {
        drop(link);
        free(link);
    }
}

static void on_late(void *ctx)
{
    link_t *link = ctx;
    link->handler.event(link->handler.ctx, &link->end, link->end_text);
}

static void report_down(link_t *link, cradle_down_t why, bool by_peer, const char *text)
{
    link->end = (cradle_event_t){.type = CRADLE_EVENT_CLOUD_DOWN,
                                 .u.cloud_down = {why, link->up && by_peer}};
    snprintf(link->end_text, sizeof link->end_text, "%s", text); /* may lie in what drop frees */
    drop(link);
    loop_timer_start(link->loop, &link->late, 0, on_late, link, NULL);
}

/* Sends what the MQTT session has written, and sets the timer to its deadline. */
static void flush(link_t *link)
{
    if (link->tls == NULL) {
        return;
    }
    if (link->out.len > 0 && tls_write(link->tls, link->out.buf, link->out.len)) {
        mqtt_out_sent(&link->out, link->out.len);
    }
    uint64_t deadline = mqtt_client_deadline(&link->mqtt);
    uint64_t now = loop_now_ms(link->loop);
    if (deadline == MQTT_CLIENT_NO_DEADLINE) {
        loop_timer_stop(link->loop, &link->timer);
    } else {
        loop_timer_start(link->loop, &link->timer, deadline > now ? deadline - now : 0, on_timer,
                         link, NULL);
    }
}

/* ---- what comes from the cloud ---- */

static void on_message(link_t *link, const mqtt_client_event_t *in)
{
    const cradle_event_t event = {.type = CRADLE_EVENT_MESSAGE,
                                  .u.message = {in->publish.topic.text, in->publish.topic.len,
                                                in->publish.payload.text, in->publish.payload.len}};
    uint16_t id = in->publish.id;
    link->handler.event(link->handler.ctx, &event, "");
    if (id != 0 && link->tls != NULL) {
        mqtt_client_puback(&link->mqtt, id, loop_now_ms(link->loop), &link->out);
    }
}

static void on_suback(link_t *link, const mqtt_client_event_t *in)
{
    cradle_event_t event = {.type = CRADLE_EVENT_SUBSCRIBED, .u.subscribed = {true}};
    for (size_t i = 0; i < in->count; i++) {
        if (in->codes[i] >= MQTT_SUBACK_REFUSED) {
            event.u.subscribed.granted = false;
        }
    }
    link->handler.event(link->handler.ctx, &event, "");
}

static void on_event(link_t *link, const mqtt_client_event_t *in)
{
    cradle_event_t event = {.type = CRADLE_EVENT_CLOUD_UP};
    char text[64];
    switch (in->type) {
    case MQTT_CLIENT_CONNECTED:
        link->up = true;
        link->handler.event(link->handler.ctx, &event, "");
        break;
    case MQTT_CLIENT_REFUSED:
        snprintf(text, sizeof text, "CONNACK %u", in->code);
        /* 5 is about our certificate; 3 (unavailable) and the rest are the server's own trouble */
        report_down(link, in->code == 5 ? CRADLE_DOWN_REFUSED : CRADLE_DOWN_OUTAGE, true, text);
        break;
    case MQTT_CLIENT_CLOSED:
        report_down(link, CRADLE_DOWN_OUTAGE, false, mqtt_closed_text(in->reason));
        break;
    case MQTT_CLIENT_PUBLISH:
        on_message(link, in);
        break;
    case MQTT_CLIENT_PUBACK:
        event.type = CRADLE_EVENT_ACKED;
        event.u.acked.token = (uint16_t)in->token;
        link->handler.event(link->handler.ctx, &event, "");
        break;
    case MQTT_CLIENT_SUBACK:
        on_suback(link, in);
        break;
    case MQTT_CLIENT_NOTHING:
    case MQTT_CLIENT_UNSUBACK:
    default:
        break;
    }
}

/* Room for the packet that has begun. Its size was checked against the limit by lib/mqtt. */
static bool make_room(link_t *link)
{
    size_t cap = mqtt_client_needed(&link->mqtt);
    if (cap < INPUT_FIRST) {
        cap = INPUT_FIRST;
    }
    if (cap <= link->in_cap) {
        return true;
    }
    uint8_t *in = cap <= INPUT_MAX ? realloc(link->in, cap) : NULL;
    if (in == NULL) {
        report_down(link, CRADLE_DOWN_OUTAGE, false, "no memory for a message from the cloud");
        return false;
    }
    link->in = in;
    link->in_cap = cap;
    return true;
}

static void take_packets(link_t *link)
{
    size_t at = 0;
    mqtt_client_event_t event;
    while (link->tls != NULL &&
           mqtt_client_take(&link->mqtt, link->in + at, link->in_len - at, &event)) {
        at += event.size;
        on_event(link, &event);
    }
    if (link->tls != NULL) {
        memmove(link->in, link->in + at, link->in_len - at);
        link->in_len -= at;
    }
}

static void on_readable(void *ctx)
{
    link_t *link = ctx;
    size_t n = 1;
    while (n > 0 && link->tls != NULL && make_room(link)) {
        n = tls_read(link->tls, link->in + link->in_len, link->in_cap - link->in_len);
        link->in_len += n;
        take_packets(link);
    }
    flush(link);
}

static void on_drained(void *ctx)
{
    link_t *link = ctx;
    flush(link);
    if (link->up) {
        const cradle_event_t event = {.type = CRADLE_EVENT_TICK};
        link->handler.event(link->handler.ctx, &event, "");
    }
}

static void on_timer(void *ctx)
{
    link_t *link = ctx;
    mqtt_client_event_t event;
    if (mqtt_client_tick(&link->mqtt, loop_now_ms(link->loop), &event, &link->out)) {
        on_event(link, &event);
    }
    flush(link);
}

static void on_ready(void *ctx)
{
    link_t *link = ctx;
    const mqtt_client_config_t config = {.client_id = link->boot->sn, .keep_alive_s = KEEP_ALIVE_S};
    mqtt_client_init(&link->mqtt, &config);
    mqtt_client_connect(&link->mqtt, loop_now_ms(link->loop), &link->out);
    flush(link);
}

/* TLS alerts about the certificate we showed; others are trouble of the connection. */
static bool alert_is_about_us(int alert)
{
    return (alert >= 40 && alert <= 49) || alert == 116 || alert == 51;
}

static void on_end(void *ctx, const tls_end_t *end)
{
    link_t *link = ctx;
    cradle_down_t why = CRADLE_DOWN_OUTAGE;
    if (end->kind == TLS_END_UNTRUSTED) {
        why = CRADLE_DOWN_SERVER;
    } else if (end->kind == TLS_END_REFUSED && alert_is_about_us(end->alert)) {
        why = CRADLE_DOWN_REFUSED;
    }
    report_down(link, why, true, end->text);
}

/* ---- what the brain wants ---- */

static bool begin(link_t *link, const link_target_t *target, err_t *err)
{
    char host[NET_HOST_SIZE];
    uint16_t port;
    int fd;
    tls_context_t *context;
    if (!net_split(target->name, host, &port, err)) {
        return false;
    }
    const tls_client_settings_t settings = {.chain = target->chain,
                                            .key = target->key,
                                            .anchors = target->anchors,
                                            .name = host,
                                            .now = target->unix_ms / 1000,
                                            .clock_unset = !target->clock_set};
    const tls_handlers_t handlers = {
        .on_ready = on_ready,
        .on_readable = on_readable,
        .on_drained = on_drained,
        .on_end = on_end,
        .ctx = link,
    };
    if (!tls_client_context(&context, &settings, err)) {
        return false;
    }
    bool ok = net_connect(target->address, &fd, err) &&
              tls_connect(&link->tls, link->loop, context, fd, &handlers, err);
    tls_context_free(context);
    return ok;
}

void link_connect(link_t *link, const link_target_t *target)
{
    err_t err = ERR_INIT;
    drop(link);
    link->out_buf = malloc(OUTPUT_MAX);
    if (link->out_buf == NULL) {
        report_down(link, CRADLE_DOWN_OUTAGE, false, "out of memory for a connection");
        return;
    }
    mqtt_out_init(&link->out, link->out_buf, OUTPUT_MAX);
    if (!begin(link, target, &err)) {
        link->tls = NULL;
        report_down(link, CRADLE_DOWN_OUTAGE, false, err.text);
    }
}

void link_disconnect(link_t *link)
{
    if (link->tls != NULL && link->up) {
        mqtt_client_disconnect(&link->mqtt, loop_now_ms(link->loop), &link->out);
        flush(link);
        tls_finish(link->tls, 1000);
        link->tls = NULL;
    }
    drop(link);
}

void link_lost(link_t *link)
{
    drop(link);
}

bool link_ready(const link_t *link)
{
    return !link->up || (link->out.len == 0 && tls_pending(link->tls) < BACKED_UP);
}

bool link_subscribe(link_t *link, const char *const *filters, size_t count)
{
    bool ok =
        link->up && mqtt_client_subscribe(&link->mqtt, filters, count, 1, 0,
                                          loop_now_ms(link->loop), &link->out) == MQTT_CLIENT_OK;
    flush(link);
    return ok;
}

bool link_publish(link_t *link, const char *topic, const char *payload, size_t len, uint8_t qos,
                  uint16_t token)
{
    const mqtt_text_t text = {payload, len};
    bool ok =
        link->up && mqtt_client_publish(&link->mqtt, mqtt_text(topic), text, qos, token,
                                        loop_now_ms(link->loop), &link->out) == MQTT_CLIENT_OK;
    flush(link);
    return ok;
}

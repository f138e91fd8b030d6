/* SPDX-License-Identifier: Apache-2.0 */
#include "device/provisioning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "json/json.h"
#include "protocomm/httpd.h"

struct provisioning {
    loop_t *loop;
    const boot_t *boot;
    const char *networks;
    provisioning_handler_t handler;
    protocomm_device_t *device;
    protocomm_httpd_t *httpd;
    loop_fd_t watch;
    loop_timer_t timer;
    loop_timer_t scan_timer;
    char ticket[JWS_TICKET_MAX + 1]; /* "" for none; of ...   */
    uint32_t ticket_session;         /* ... this session       */
    char announced[FILE_PATH_MAX];   /* "" when not announced */
};

/* What a scan takes on the simulated radio. */
#define SCAN_MS 150

static void on_timer(void *ctx);

static void schedule(provisioning_t *service)
{
    uint64_t deadline = protocomm_httpd_deadline(service->httpd);
    uint64_t now = loop_now_ms(service->loop);
    if (deadline == UINT64_MAX) {
        loop_timer_stop(service->loop, &service->timer);
    } else {
        loop_timer_start(service->loop, &service->timer, deadline > now ? deadline - now : 0,
                         on_timer, service, NULL);
    }
}

static void on_ready(void *ctx, unsigned events)
{
    provisioning_t *service = ctx;
    (void)events;
    protocomm_httpd_handle(service->httpd, loop_now_ms(service->loop));
    schedule(service);
}

static void on_timer(void *ctx)
{
    on_ready(ctx, 0);
}

/* ---- what the protocol asks of the device ---- */

static void on_scanned(void *ctx)
{
    provisioning_t *service = ctx;
    protocomm_network_t networks[RADIO_NETWORKS_MAX];
    size_t count = 0;
    err_t err = ERR_INIT;
    if (!radio_scan(service->networks, networks, RADIO_NETWORKS_MAX, &count, &err)) {
        service->handler.note(service->handler.ctx, err.text);
    }
    protocomm_device_scan_done(service->device, networks, count);
    on_ready(service, 0);
}

static bool scan_start(void *ctx, const protocomm_scan_t *how)
{
    provisioning_t *service = ctx;
    (void)how;
    return loop_timer_start(service->loop, &service->scan_timer, SCAN_MS, on_scanned, service,
                            NULL);
}

static bool apply(void *ctx, const protocomm_credentials_t *credentials)
{
    provisioning_t *service = ctx;
    bool ticket = service->ticket[0] != '\0' && service->ticket_session == credentials->session;
    const cradle_event_t event = {.type = CRADLE_EVENT_CREDENTIALS,
                                  .u.credentials = {credentials->ssid, credentials->passphrase,
                                                    ticket ? service->ticket : NULL}};
    service->handler.event(service->handler.ctx, &event);
    return true;
}

static void reset(void *ctx)
{
    provisioning_t *service = ctx;
    const cradle_event_t event = {.type = CRADLE_EVENT_FORGET};
    service->handler.event(service->handler.ctx, &event);
}

static void finished(void *ctx)
{
    provisioning_t *service = ctx;
    const cradle_event_t event = {.type = CRADLE_EVENT_CLIENT_DONE};
    service->handler.event(service->handler.ctx, &event);
}

static void session_up(void *ctx, uint32_t session)
{
    provisioning_t *service = ctx;
    if (session != service->ticket_session) {
        bytes_wipe(service->ticket, sizeof service->ticket);
    }
    service->handler.note(service->handler.ctx, "a phone has opened a session");
}

static void refused(void *ctx, const char *endpoint, const err_t *why)
{
    provisioning_t *service = ctx;
    char text[ERR_TEXT_MAX + 80];
    snprintf(text, sizeof text, "a request to %.32s was not answered: %s", endpoint, why->text);
    service->handler.note(service->handler.ctx, text);
}

/* ---- cradle-info: what a phone may know before it hands over anything ---- */

static bool cradle_info(void *ctx, uint32_t session, const uint8_t *in, size_t in_len, uint8_t *out,
                        size_t cap, size_t *out_len)
{
    provisioning_t *service = ctx;
    const boot_t *boot = service->boot;
    cradle_status_t status;
    char leaf[44] = "";
    char epoch[23] = "";
    json_writer_t w;
    (void)session;
    (void)in;
    (void)in_len;
    service->handler.status(service->handler.ctx, &status);
    bytes_to_base64url(status.leaf->hash, sizeof status.leaf->hash, leaf, sizeof leaf);
    bytes_to_base64url(status.epoch, sizeof status.epoch, epoch, sizeof epoch);
    json_writer_init(&w, (char *)out, cap);
    json_object(&w);
    json_key(&w, "v");
    json_put_i64(&w, 1);
    json_key(&w, "sn");
    json_put_string(&w, boot->sn);
    json_key(&w, "model");
    json_put_string(&w, boot->identity.model);
    json_key(&w, "fw");
    json_put_string(&w, boot->app.version);
    json_key(&w, "leaf");
    json_put_string(&w, leaf);
    json_key(&w, "ep");
    json_put_string(&w, epoch);
    if (boot->identity.steward[0] != '\0') {
        json_key(&w, "steward");
        json_put_string(&w, boot->identity.steward);
    }
    json_key(&w, "ask");
    json_put_bool(&w, boot->identity.ask);
    json_end(&w);
    return json_writer_done(&w, out_len);
}

/* ---- cradle-claim: a ticket, for the steward ---- */

/* Only its form: what it is worth the steward knows. */
static const char *ticket_fault(const provisioning_t *service, const uint8_t *in, size_t in_len)
{
    jws_t jws;
    if (service->boot->identity.steward[0] == '\0') {
        return "this device has no steward: it needs no ticket";
    }
    if (in_len > JWS_TICKET_MAX || jws_open(JWS_TICKET, (const char *)in, in_len, &jws) != JWS_OK) {
        return "this is no ticket";
    }
    return NULL;
}

static bool cradle_claim(void *ctx, uint32_t session, const uint8_t *in, size_t in_len,
                         uint8_t *out, size_t cap, size_t *out_len)
{
    provisioning_t *service = ctx;
    const char *fault = ticket_fault(service, in, in_len);
    json_writer_t w;
    bytes_wipe(service->ticket, sizeof service->ticket);
    if (fault == NULL) {
        memcpy(service->ticket, in, in_len);
        service->ticket_session = session;
    }
    json_writer_init(&w, (char *)out, cap);
    json_object(&w);
    json_key(&w, fault == NULL ? "ok" : "error");
    if (fault == NULL) {
        json_put_bool(&w, true);
    } else {
        json_put_string(&w, fault);
    }
    json_end(&w);
    return json_writer_done(&w, out_len);
}

/* ---- life ---- */

static bool announce(provisioning_t *service, const char *air, err_t *err)
{
    char text[256];
    char name[64];
    json_writer_t w;
    size_t len;
    json_writer_init(&w, text, sizeof text);
    json_object(&w);
    json_key(&w, "name");
    json_put_string(&w, service->boot->service);
    json_key(&w, "transport");
    json_put_string(&w, "softap");
    json_key(&w, "address");
    json_put_string(&w, protocomm_httpd_address(service->httpd));
    json_key(&w, "pid");
    json_put_i64(&w, getpid());
    json_end(&w);
    snprintf(name, sizeof name, "%s.json", service->boot->service);
    if (!json_writer_done(&w, &len) || !file_make_dirs(air, 0700, err) ||
        !file_join(service->announced, air, name, err) ||
        !file_write(service->announced, text, len, 0600, err)) {
        service->announced[0] = '\0';
        return err_add(err, "announcing %s", service->boot->service);
    }
    return true;
}

static bool open_service(provisioning_t *service, err_t *err)
{
    const site_identity_t *identity = &service->boot->identity;
    const protocomm_security_t security = {.version = identity->security,
                                           .pop = (const uint8_t *)identity->pop,
                                           .pop_len = strlen(identity->pop)};
    const protocomm_port_t port = {.ctx = service,
                                   .scan_start = scan_start,
                                   .apply = apply,
                                   .reset = reset,
                                   .finished = finished,
                                   .session_up = session_up,
                                   .refused = refused};
    const protocomm_random_t random = {0};
    service->device = protocomm_device_new(&security, &port, err);
    if (service->device == NULL ||
        !protocomm_device_endpoint(service->device, "cradle-info", false, cradle_info, service,
                                   err) ||
        !protocomm_device_endpoint(service->device, "cradle-claim", true, cradle_claim, service,
                                   err)) {
        return false;
    }
    service->httpd = protocomm_httpd_new(service->device, "127.0.0.1", 0, &random, err);
    return service->httpd != NULL &&
           loop_fd_add(service->loop, &service->watch, protocomm_httpd_fd(service->httpd),
                       LOOP_READ, on_ready, service, err);
}

bool provisioning_start(provisioning_t **service, loop_t *loop, const boot_t *boot, const char *air,
                        const char *networks, const provisioning_handler_t *handler, err_t *err)
{
    provisioning_t *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for the provisioning service");
    }
    s->loop = loop;
    s->boot = boot;
    s->networks = networks;
    s->handler = *handler;
    if (!open_service(s, err) || !announce(s, air, err)) {
        provisioning_stop(s);
        return false;
    }
    schedule(s);
    *service = s;
    return true;
}

void provisioning_stop(provisioning_t *service)
{
    if (service == NULL) {
        return;
    }
    if (service->announced[0] != '\0') {
        unlink(service->announced);
    }
    loop_timer_stop(service->loop, &service->timer);
    loop_timer_stop(service->loop, &service->scan_timer);
    loop_fd_remove(service->loop, &service->watch);
    if (service->httpd != NULL) {
        protocomm_httpd_free(service->httpd);
    }
    if (service->device != NULL) {
        protocomm_device_free(service->device);
    }
    bytes_wipe(service->ticket, sizeof service->ticket);
    free(service);
}

void provisioning_result(provisioning_t *service, cradle_joined_t result,
                         const radio_joined_t *joined)
{
    protocomm_connected_t connected = {.ip4 = "192.168.4.2"};
    switch (result) {
    case CRADLE_JOINED:
        connected.network = joined->network;
        protocomm_device_wifi_connected(service->device, &connected);
        break;
    case CRADLE_JOIN_AUTH:
        protocomm_device_wifi_failed(service->device, PROTOCOMM_FAIL_AUTH);
        break;
    case CRADLE_JOIN_NOT_FOUND:
        protocomm_device_wifi_failed(service->device, PROTOCOMM_FAIL_NOT_FOUND);
        break;
    case CRADLE_JOIN_OTHER:
    default:
        protocomm_device_wifi_failed(service->device, PROTOCOMM_FAIL_OTHER);
        break;
    }
}

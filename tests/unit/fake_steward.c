/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_steward.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/http.h"

static void reply(http_request_t *request, int status, const char *json)
{
    http_reply(request, status, "application/json", json, strlen(json), NULL);
}

static bool is(const http_request_t *request, http_method_t method, const char *path)
{
    return request->method == method && strcmp(request->path, path) == 0;
}

static void login(fake_steward_t *fake, http_request_t *request)
{
    fake->logins++;
    if (strcmp(request->body, "{\"name\":\"alice\",\"password\":\"open sesame\"}") != 0)
        reply(request, 401, "{\"error\":\"wrong name or \\u001bpassword\"}");
    else if (fake->login_answer)
        reply(request, 200, fake->login_answer);
    else
        reply(request, 200, "{\"token\":\"" FAKE_STEWARD_TOKEN "\",\"expires\":1900000000}");
}

static void ticket(fake_steward_t *fake, http_request_t *request)
{
    fake->tickets++;
    snprintf(fake->at_ticket, sizeof fake->at_ticket, "%s", request->body);
    reply(request, fake->ticket_status,
          fake->ticket_answer ? fake->ticket_answer
                              : "{\"ticket\":\"" FAKE_STEWARD_TICKET "\",\"expires\":1800000000}");
}

static void look(fake_steward_t *fake, http_request_t *request)
{
    const char *answer = fake->looks[fake->looked];

    if (fake->looked + 1 < FAKE_STEWARD_LOOKS && fake->looks[fake->looked + 1])
        fake->looked++;
    reply(request, answer ? 200 : 404, answer ? answer : "{\"error\":\"no such device\"}");
}

static void handle(void *ctx, http_request_t *request)
{
    fake_steward_t *fake = ctx;

    snprintf(fake->asked, sizeof fake->asked, "%s %s?%s", http_method_name(request->method),
             request->path, request->query);
    snprintf(fake->body, sizeof fake->body, "%s", request->body);
    if (is(request, HTTP_POST, "/api/login"))
        login(fake, request);
    else if (strcmp(request->authorization, "Bearer " FAKE_STEWARD_TOKEN) != 0)
        reply(request, 401, "{\"error\":\"log in first\"}");
    else if (is(request, HTTP_POST, "/api/ticket"))
        ticket(fake, request);
    else if (is(request, HTTP_GET, "/api/device"))
        look(fake, request);
    else if (is(request, HTTP_GET, "/api/devices") || is(request, HTTP_GET, "/api/receipts"))
        reply(request, fake->list_status, fake->list_answer);
    else if (is(request, HTTP_POST, "/api/release") || is(request, HTTP_POST, "/api/code"))
        fake->others++, reply(request, 200, "{}");
    else
        reply(request, 404, "{\"error\":\"there is nothing here\"}");
}

static void *run(void *ctx)
{
    fake_steward_t *fake = ctx;
    http_server_t *server;
    err_t err = ERR_INIT;
    const http_settings_t settings = {
        .listen = "127.0.0.1:0", .cert_file = fake->cert, .key_file = fake->key};

    if (!http_server_open(&server, &settings, handle, fake, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    snprintf(fake->url, sizeof fake->url, "https://%s", http_server_address(server));
    atomic_store(&fake->ready, true);
    while (!atomic_load(&fake->stop)) {
        struct pollfd p = {http_server_fd(server), POLLIN, 0};
        (void)poll(&p, 1, 10);
        http_server_dispatch(server, 0);
    }
    http_server_close(server);
    return NULL;
}

void fake_steward_start(fake_steward_t *fake, const char *cert, const char *key)
{
    memset(fake, 0, sizeof *fake);
    fake->cert = cert;
    fake->key = key;
    fake->ticket_status = fake->list_status = 200;
    if (pthread_create(&fake->thread, NULL, run, fake) != 0)
        abort();
    while (!atomic_load(&fake->ready))
        sched_yield();
}

void fake_steward_stop(fake_steward_t *fake)
{
    atomic_store(&fake->stop, true);
    pthread_join(fake->thread, NULL);
}

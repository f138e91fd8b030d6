/* SPDX-License-Identifier: Apache-2.0 */
/* cradle-cloud: ThingsBoard's device API and REST API for one machine. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud/auth.h"
#include "cloud/forward.h"
#include "cloud/frontdoor.h"
#include "cloud/hub.h"
#include "cloud/log.h"
#include "cloud/rest.h"
#include "cloud/rpc.h"
#include "cloud/store.h"
#include "http/http.h"
#include "net/loop.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "site/ca.h"
#include "site/run.h"
#include "site/site.h"
#include "term/options.h"
#include "term/term.h"

typedef struct {
    const char *site;
    const char *listen;
    const char *http_listen;
    const char *steward_url;
    const char *steward_ca;
    const char *steward_key;
    bool durable;
    bool as_thingsboard;
    bool help;
} arguments_t;

/* Everything that is open, in the order of opening. */
typedef struct {
    site_t site;
    loop_t *loop;
    store_t *store;
    pki_chain_t product, issuing, chain;
    EVP_PKEY *key;
    site_deny_t *deny;
    frontdoor_t *door;
    hub_t *hub;
    forward_t *forward; /* NULL: no steward */
    rpc_t *rpc;
    auth_t *auth;
    rest_t *rest;
    http_server_t *http;
    loop_fd_t http_watch;
} cloud_t;

static const option_t *options_of(arguments_t *a, option_t options[11])
{
    const option_t all[] = {
        {"site", 'C', OPTION_TEXT, &a->site, "DIR", "the site (default: the current directory)"},
        {"listen", 0, OPTION_TEXT, &a->listen, "HOST:PORT", "MQTTS (default 127.0.0.1:8883)"},
        {"http-listen", 0, OPTION_TEXT, &a->http_listen, "HOST:PORT",
         "REST over HTTPS (default 127.0.0.1:8080)"},
        {"steward-url", 0, OPTION_TEXT, &a->steward_url, "URL",
         "https://HOST:PORT: devices' calls \"cradle.*\" are posted to its /rpc"},
        {"steward-ca", 0, OPTION_TEXT, &a->steward_ca, "FILE",
         "PEM: the CA of its certificate (default: the site's ca/server-root.crt)"},
        {"steward-key", 0, OPTION_TEXT, &a->steward_key, "FILE",
         "what it knows this cloud by (default: the site's steward/forward.key)"},
        {"durable", 0, OPTION_FLAG, &a->durable, NULL,
         "acknowledge what survives a power cut, not only a killed process (slower)"},
        {"as-thingsboard", 0, OPTION_FLAG, &a->as_thingsboard, NULL,
         "be as lax as ThingsBoard at the front door, on the wire and over REST (for tests)"},
        {"help", 'h', OPTION_FLAG, &a->help, NULL, "this text"},
        {0},
    };
    memcpy(options, all, sizeof all);
    return options;
}

static void print_help(const option_t *options)
{
    fputs("usage: cradle-cloud [-C DIR] [options]\n\n"
          "ThingsBoard's device API (MQTTS, X.509) and REST API for one machine, on SQLite.\n\n",
          stdout);
    options_print_help(options, stdout);
    fputs(
        "\nPort 0 takes a free one; the addresses are in run/cloud.json of the site. It listens "
        "on\n"
        "this machine only: --listen 0.0.0.0:8883 opens it to the network. The first start makes\n"
        "a login in cloud/admin.json.\n\n"
        "examples:\n"
        "  cradle-cloud -C acme\n"
        "  cradle-cloud -C acme --listen 0.0.0.0:8883 --http-listen 0.0.0.0:8443 --durable\n",
        stdout);
}

/* ---- opening ---- */

static bool load_certificates(cloud_t *c, err_t *err)
{
    char path[FILE_PATH_MAX];
    return site_device_trust(&c->site, &c->product, &c->issuing, NULL, err) &&
           site_path(&c->site, "cloud/server.crt", path, err) &&
           pki_chain_load(path, &c->chain, err) &&
           site_path(&c->site, "cloud/server.key", path, err) && pki_key_load(path, &c->key, err);
}

static bool open_store(cloud_t *c, const arguments_t *a, err_t *err)
{
    char path[FILE_PATH_MAX];
    bool ok = site_path(&c->site, "cloud/cloud.db", path, err) &&
              store_open(&c->store, &(store_settings_t){path, a->durable}, err) &&
              site_deny_watch(&c->site, &c->deny, err) &&
              frontdoor_open(&c->door, c->store, &c->product, &c->issuing, err);
    if (ok) {
        frontdoor_use_deny(c->door, c->deny);
    }
    return ok;
}

static void on_shared_saved(void *ctx, const store_id_t *device, const char *json, size_t len)
{
    hub_push_attributes(((cloud_t *)ctx)->hub, device, json, len);
}

static void on_session_close(void *ctx, const store_id_t *device)
{
    hub_close_session(((cloud_t *)ctx)->hub, device);
}

/* ---- remote calls ---- */

static bool on_rpc_request(void *ctx, const store_id_t *device, uint32_t id, const char *payload,
                           size_t len, uint16_t *packet)
{
    return hub_rpc_request(((cloud_t *)ctx)->hub, device, id, payload, len, packet);
}

static void on_rpc_response(void *ctx, const store_id_t *device, tb_family_t family, uint32_t id,
                            const char *text, size_t len)
{
    hub_rpc_response(((cloud_t *)ctx)->hub, device, family, id, text, len);
}

static void on_rpc_forward(void *ctx, const store_id_t *device, uint64_t ticket, const char *method,
                           const char *params, size_t params_len)
{
    forward_ask(((cloud_t *)ctx)->forward, device, ticket, method, params, params_len);
}

static void on_forwarded(void *ctx, const store_id_t *device, uint64_t ticket, const char *text,
                         size_t len)
{
    rpc_reply(((cloud_t *)ctx)->rpc, device, ticket, text, len);
}

static bool open_rpc(cloud_t *c, const arguments_t *a, err_t *err)
{
    char ca[FILE_PATH_MAX];
    char key[FILE_PATH_MAX];
    if (a->steward_url == NULL && (a->steward_ca != NULL || a->steward_key != NULL)) {
        return err_set(err, ERR_USAGE, "--steward-ca and --steward-key need --steward-url");
    }
    if (a->steward_url != NULL) {
        if (!site_ca_path(&c->site, "server-root", ca, err) ||
            !site_path(&c->site, SITE_FORWARD_KEY, key, err)) {
            return false;
        }
        const forward_settings_t forward = {.loop = c->loop,
                                            .url = a->steward_url,
                                            .ca_file = a->steward_ca != NULL ? a->steward_ca : ca,
                                            .key_file =
                                                a->steward_key != NULL ? a->steward_key : key,
                                            .answered = on_forwarded,
                                            .ctx = c};
        if (!forward_open(&c->forward, &forward, err)) {
            return false;
        }
    }
    const rpc_link_t link = {.ctx = c,
                             .request = on_rpc_request,
                             .response = on_rpc_response,
                             .forward = c->forward != NULL ? on_rpc_forward : NULL};
    if (!rpc_open(&c->rpc, c->loop, c->store, &link, err)) {
        return false;
    }
    hub_set_rpc(c->hub, c->rpc);
    return true;
}

/* ---- REST ---- */

static void on_http(void *ctx, unsigned events)
{
    (void)events;
    http_server_dispatch(((cloud_t *)ctx)->http, 0);
}

static bool open_rest(cloud_t *c, const arguments_t *a, err_t *err)
{
    char key[FILE_PATH_MAX];
    char admin[FILE_PATH_MAX];
    char cert_file[FILE_PATH_MAX];
    char key_file[FILE_PATH_MAX];
    const rest_hooks_t hooks = {c, on_shared_saved, on_shared_saved, on_session_close};
    if (!site_path(&c->site, "cloud/jwt.key", key, err) ||
        !site_path(&c->site, "cloud/admin.json", admin, err) ||
        !site_path(&c->site, "cloud/server.crt", cert_file, err) ||
        !site_path(&c->site, "cloud/server.key", key_file, err)) {
        return false;
    }
    const http_settings_t http = {
        .listen = a->http_listen, .cert_file = cert_file, .key_file = key_file};
    return auth_open(&c->auth, c->store, &(auth_settings_t){.key_file = key}, err) &&
           auth_first_admin(c->auth, admin, err) &&
           rest_open(&c->rest,
                     &(rest_settings_t){c->store, c->auth, hooks, c->rpc, a->as_thingsboard},
                     err) &&
           http_server_open(&c->http, &http, rest_handle, c->rest, err) &&
           loop_fd_add(c->loop, &c->http_watch, http_server_fd(c->http), LOOP_READ, on_http, c,
                       err);
}

static bool announce(cloud_t *c, err_t *err)
{
    site_run_listener_t listeners[] = {{"mqtts", hub_address(c->hub)},
                                       {"https", http_server_address(c->http)}};
    return site_run_write(&c->site, "cloud", listeners, 2, err);
}

static void on_turn_end(void *ctx)
{
    hub_turn_end(((cloud_t *)ctx)->hub);
}

static bool open_all(cloud_t *c, const arguments_t *a, err_t *err)
{
    loop_raise_files();
    if (!site_open(&c->site, a->site, err) || !loop_open(&c->loop, err) ||
        !loop_stop_on_signals(c->loop, err) || !load_certificates(c, err) ||
        !open_store(c, a, err)) {
        return false;
    }
    if (a->as_thingsboard) {
        frontdoor_as_thingsboard(c->door);
    }
    const hub_settings_t hub = {.loop = c->loop,
                                .store = c->store,
                                .door = c->door,
                                .listen = a->listen,
                                .chain = &c->chain,
                                .key = c->key,
                                .as_thingsboard = a->as_thingsboard};
    if (!hub_open(&c->hub, &hub, err) || !open_rpc(c, a, err) || !open_rest(c, a, err) ||
        !announce(c, err)) {
        return false;
    }
    loop_at_turn_end(c->loop, on_turn_end, c);
    return true;
}

static void close_all(cloud_t *c)
{
    if (c->loop != NULL) {
        loop_at_turn_end(c->loop, NULL, NULL);
        loop_fd_remove(c->loop, &c->http_watch);
    }
    if (c->hub != NULL) {
        hub_set_rpc(c->hub, NULL);
    }
    forward_close(c->forward);
    rpc_close(c->rpc); /* who waits over HTTP is answered */
    if (c->http != NULL) {
        http_server_close(c->http);
    }
    rest_close(c->rest);
    auth_close(c->auth);
    hub_close(c->hub);
    frontdoor_close(c->door);
    site_deny_close(c->deny);
    store_close(c->store);
    pki_key_free(c->key);
    pki_chain_free(&c->chain);
    pki_chain_free(&c->product);
    pki_chain_free(&c->issuing);
    loop_close(c->loop);
}

int main(int argc, char **argv)
{
    arguments_t a = {.site = ".", .listen = "127.0.0.1:8883", .http_listen = "127.0.0.1:8080"};
    option_t options[11];
    cloud_t *c = calloc(1, sizeof *c);
    err_t err = ERR_INIT;
    argc--;
    signal(SIGPIPE, SIG_IGN);
    bool ok = c != NULL && options_parse(options_of(&a, options), &argc, argv + 1, 0, 0, &err);
    if (ok && a.help) {
        print_help(options);
        free(c);
        return 0;
    }
    ok = ok && open_all(c, &a, &err);
    if (ok) {
        cloud_log(LOG_INFO, "ready", "mqtts=%s https=%s", hub_address(c->hub),
                  http_server_address(c->http));
        ok = loop_run(c->loop, &err);
        site_run_remove(&c->site, "cloud");
    }
    if (c != NULL) {
        close_all(c);
    }
    free(c);
    if (!ok) {
        term_error("%s", err.text);
        return err.kind == ERR_USAGE ? 2 : 1;
    }
    cloud_log(LOG_INFO, "stopped", "by=signal");
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libwebsockets half: one thread, one callback. Each connection has one timer of ours that
 * covers the phases libwebsockets leaves open: handshake and request, reply, idle.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "http/internal.h"
#include "http/query.h"

#define SEND_STEP 65536
#define LINGER_S  2

static http_server_t *server_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

/* 0 seconds: the handler's turn. Cancelling is documented by libwebsockets and not done by 4.1
   and 4.3, so "never" is a day. */
static void set_timer(struct lws *wsi, unsigned seconds)
{
    lws_set_timer_usecs(wsi, (lws_usec_t)(seconds ? seconds : 86400) * LWS_US_PER_SEC);
}

/* ---- reading a request ----------------------------------------------------------------------- */

typedef struct {
    char *at;
    char *end;
} arena_t;

static const char x_authorization[] = "x-authorization:";
static const char x_device_id[] = "x-device-id:";

/* A header's value, or "". The arena was measured for it. */
static const char *take_header(struct lws *wsi, enum lws_token_indexes token, arena_t *arena)
{
    int n = lws_hdr_total_length(wsi, token);
    if (n <= 0 || n + 1 > arena->end - arena->at ||
        lws_hdr_copy(wsi, arena->at, n + 1, token) < 0) {
        return "";
    }
    const char *value = arena->at;
    arena->at += n + 1;
    return value;
}

/* The same for one that libwebsockets has no token for; `name` in lower case and with its colon. */
static const char *take_custom(struct lws *wsi, const char *name, arena_t *arena)
{
    int len = (int)strlen(name);
    int n = lws_hdr_custom_length(wsi, name, len);
    if (n <= 0 || n + 1 > arena->end - arena->at ||
        lws_hdr_custom_copy(wsi, arena->at, n + 1, name, len) < 0) {
        return "";
    }
    char *value = arena->at;
    value[n] = '\0';
    arena->at += n + 1;
    return value;
}

static const char *take_authorization(struct lws *wsi, arena_t *arena)
{
    const char *value = take_custom(wsi, x_authorization, arena);
    return *value != '\0' ? value : take_header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION, arena);
}

/* libwebsockets has decoded the parameters and keeps them apart; one text again, so that nothing
   of it is seen by the users of http.h. */
static bool take_query(struct lws *wsi, arena_t *arena, const char **query)
{
    char *const start = arena->at;
    char parameter[HTTP_HEADER_MAX];
    int n;
    for (int i = 0; (n = lws_hdr_copy_fragment(wsi, parameter, sizeof(parameter),
                                               WSI_TOKEN_HTTP_URI_ARGS, i)) >= 0;
         i++) {
        const char *equals = memchr(parameter, '=', (size_t)n);
        size_t name = equals ? (size_t)(equals - parameter) : (size_t)n;
        if (arena->end - arena->at < 3 * n + 3) {
            return false;
        }
        if (arena->at != start) {
            *arena->at++ = '&';
        }
        http_percent_encode(parameter, name, arena->at, (size_t)(arena->end - arena->at));
        arena->at += strlen(arena->at);
        if (equals) {
            *arena->at++ = '=';
            http_percent_encode(equals + 1, (size_t)n - name - 1, arena->at,
                                (size_t)(arena->end - arena->at));
            arena->at += strlen(arena->at);
        }
    }
    *arena->at++ = '\0';
    *query = start;
    return true;
}

static bool find_method(struct lws *wsi, http_method_t *method)
{
    static const struct {
        enum lws_token_indexes token;
        http_method_t method;
    } methods[] = {
        {WSI_TOKEN_GET_URI, HTTP_GET},         {WSI_TOKEN_POST_URI, HTTP_POST},
        {WSI_TOKEN_PUT_URI, HTTP_PUT},         {WSI_TOKEN_DELETE_URI, HTTP_DELETE},
        {WSI_TOKEN_PATCH_URI, HTTP_PATCH},     {WSI_TOKEN_HEAD_URI, HTTP_HEAD},
        {WSI_TOKEN_OPTIONS_URI, HTTP_OPTIONS},
    };
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (lws_hdr_total_length(wsi, methods[i].token) > 0) {
            *method = methods[i].method;
            return true;
        }
    }
    return false;
}

/* Room for all texts of a request; a query may grow threefold when it is encoded again. */
static size_t measure_head(struct lws *wsi, size_t path_len)
{
    size_t size = path_len + 128;
    const enum lws_token_indexes plain[] = {WSI_TOKEN_HTTP_AUTHORIZATION,
                                            WSI_TOKEN_HTTP_CONTENT_TYPE, WSI_TOKEN_HOST};
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        size += (size_t)lws_hdr_total_length(wsi, plain[i]) + 1;
    }
    const char *const customs[] = {x_authorization, x_device_id};
    for (size_t i = 0; i < sizeof(customs) / sizeof(customs[0]); i++) {
        int custom = lws_hdr_custom_length(wsi, customs[i], (int)strlen(customs[i]));
        size += custom > 0 ? (size_t)custom + 1 : 1;
    }
    return size + 4 * (size_t)lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_URI_ARGS);
}

/* Copies what the handler sees out of libwebsockets' header table. */
static bool read_head(struct lws *wsi, http_job_t *job, const char *path, size_t path_len)
{
    size_t size = measure_head(wsi, path_len);
    char *text = malloc(size);
    if (!text) {
        return false;
    }
    job->text = text;
    arena_t arena = {text, text + size};
    http_request_t *view = &job->view;
    view->path = view->query = view->authorization = view->content_type = view->host = "";
    view->device_id = view->body = "";
    memcpy(arena.at, path, path_len);
    arena.at[path_len] = '\0';
    view->path = arena.at;
    arena.at += path_len + 1;
    view->authorization = take_authorization(wsi, &arena);
    view->device_id = take_custom(wsi, x_device_id, &arena);
    view->content_type = take_header(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, &arena);
    view->host = take_header(wsi, WSI_TOKEN_HOST, &arena);
    view->peer = arena.at;
    lws_get_peer_simple(wsi, arena.at, 64);
    arena.at += strlen(arena.at) + 1;
    return take_query(wsi, &arena, &view->query);
}

/* The version, and whether to keep the connection after the reply (RFC 9112 section 9.3).
   libwebsockets ends the request line at a CR that it has decoded from "%0d", too: then there is
   no version, and what it takes for headers is part of a path. */
static bool read_version(struct lws *wsi, bool *keep_alive)
{
    char version[16] = "";
    char connection[32] = "";
    lws_hdr_copy(wsi, version, sizeof(version), WSI_TOKEN_HTTP);
    lws_hdr_copy(wsi, connection, sizeof(connection), WSI_TOKEN_CONNECTION);
    if (strcmp(version, "HTTP/1.1") == 0) {
        *keep_alive = strcasecmp(connection, "close") != 0;
        return true;
    }
    *keep_alive = strcasecmp(connection, "keep-alive") == 0;
    return strcmp(version, "HTTP/1.0") == 0;
}

/* The length of the body: 0 and more, or -1 when the framing is wrong. `*unframed`: a method that
   usually has a body, without a word about its length; libwebsockets would wait for one. */
static int64_t body_length(struct lws *wsi, http_method_t method, bool *unframed)
{
    char text[24];
    int n = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    if (n <= 0) {
        *unframed = method == HTTP_POST || method == HTTP_PUT || method == HTTP_PATCH;
        return 0;
    }
    if (n > 18 || lws_hdr_copy(wsi, text, sizeof(text), WSI_TOKEN_HTTP_CONTENT_LENGTH) < 0) {
        return -1;
    }
    text[n] = '\0';
    if (strspn(text, "0123456789") != (size_t)n) {
        return -1;
    }
    return strtoll(text, NULL, 10);
}

/* ---- answering from here --------------------------------------------------------------------- */

static int refuse(http_conn_t *conn, int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {
        {400, "Bad request\n"},
        {411, "A body needs a Content-Length\n"},
        {413, "\"Request payload size is too large\""},
        {503, "Too many requests are waiting; try again\n"},
    };
    const char *text = "";
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        text = texts[i].status == status ? texts[i].text : text;
    }
    const char *type = status == 413 ? "application/json" : "text/plain";
    conn->refused = true;
    conn->collecting = false;
    conn->job->keep_alive = false;
    if (!http_job_answer(conn->job, status, type, text, strlen(text), NULL)) {
        return -1;
    }
    lws_callback_on_writable(conn->wsi);
    return 0;
}

static int deliver(http_conn_t *conn)
{
    conn->collecting = false;
    http_job_t *job = conn->job;
    job->view.body = job->body ? job->body : "";
    /* What the client pipelines stays in its socket until this one is answered. */
    lws_rx_flow_control(conn->wsi, 0);
    lws_set_timeout(conn->wsi, NO_PENDING_TIMEOUT, 0);
    set_timer(conn->wsi, 0);
    http_job_deliver(job);
    return 0;
}

static int on_request(struct lws *wsi, http_conn_t *conn, const char *path, size_t path_len)
{
    http_server_t *server = server_of(wsi);
    http_job_t *job = http_job_new(server, conn);
    http_method_t method = HTTP_GET;
    if (!job) {
        return -1;
    }
    conn->job = job;
    conn->refused = conn->sending = conn->unframed = conn->collecting = false;
    bool good = find_method(wsi, &method) && read_head(wsi, job, path, path_len);
    if (!job->text) {
        return -1;
    }
    job->view.method = method;
    good = read_version(wsi, &job->keep_alive) && good;
    int64_t length = body_length(wsi, method, &conn->unframed);
    bool chunked = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0;
    job->keep_alive = job->keep_alive && !conn->unframed;
    conn->body_coming = chunked || length > 0;
    if (chunked) {
        return refuse(conn, 411);
    }
    if (!good || length < 0 || memchr(path, '\0', path_len) || !http_text_valid(path, path_len)) {
        return refuse(conn, 400);
    }
    if ((uint64_t)length > server->settings.body_max) {
        return refuse(conn, 413);
    }
    if (http_live(server) > server->settings.queue_max) {
        return refuse(conn, 503);
    }
    if (length == 0) {
        return deliver(conn);
    }
    conn->expect = (size_t)length;
    conn->collecting = true;
    set_timer(wsi, server->settings.request_s + (unsigned)(length / (256 * 1024)));
    return 0;
}

/* Grows with what has come, not with what was announced. */
static bool body_room(http_server_t *server, http_job_t *job, size_t more, size_t whole)
{
    size_t need = job->view.body_len + more + 1;
    if (need <= job->body_cap) {
        return true;
    }
    size_t cap = job->body_cap ? job->body_cap * 2 : 1024;
    cap = cap < need ? need : cap;
    cap = cap > whole + 1 ? whole + 1 : cap;
    size_t total = atomic_fetch_add(&server->bodies, cap - job->body_cap) + cap - job->body_cap;
    job->counted += cap - job->body_cap;
    if (total > 4 * server->settings.body_max) {
        return false;
    }
    char *body = realloc(job->body, cap);
    if (!body) {
        return false;
    }
    job->body = body;
    job->body_cap = cap;
    return true;
}

static int on_body(http_conn_t *conn, const void *data, size_t len)
{
    if (!conn->collecting || len == 0) {
        return 0;
    }
    http_job_t *job = conn->job;
    size_t whole = job->view.body_len + conn->expect;
    if (len > conn->expect || !body_room(job->server, job, len, whole)) {
        return refuse(conn, 503);
    }
    memcpy(job->body + job->view.body_len, data, len);
    job->view.body_len += len;
    job->body[job->view.body_len] = '\0';
    conn->expect -= len;
    return 0;
}

/* ---- sending a reply ------------------------------------------------------------------------- */

/* libwebsockets (4.1 and 4.3) mistakes the headers of a request that it has already buffered for
   the request's body, and may then loop for ever. So a connection on which a client did not wait
   for the reply ends after it; RFC 9112 section 9.3.2 has clients that pipeline expect that.
   libwebsockets keeps the header table exactly when it holds more: then it touches `probe`. */
static bool holds_more(struct lws *wsi)
{
    char probe[2] = "?";
    (void)lws_hdr_custom_copy(wsi, probe, 1, x_authorization, sizeof(x_authorization) - 1);
    return probe[0] != '?';
}

static int finish(http_conn_t *conn)
{
    http_server_t *server = conn->job->server;
    http_job_free(conn->job);
    conn->job = NULL;
    if (conn->refused && conn->body_coming) {
        /* Closing at once would reset the connection and lose the reply. */
        set_timer(conn->wsi, LINGER_S);
        return 0;
    }
    if (conn->refused || conn->unframed || lws_http_transaction_completed(conn->wsi) ||
        holds_more(conn->wsi)) {
        return -1;
    }
    set_timer(conn->wsi, server->settings.idle_s);
    return 0;
}

static int on_body_complete(http_conn_t *conn)
{
    if (conn->collecting) {
        return deliver(conn);
    }
    conn->body_coming = false;
    return conn->job ? 0 : -1; /* without a job: a refused one, whose reply is out */
}

static int on_writable(http_conn_t *conn)
{
    http_job_t *job = conn->job;
    if (!job || !job->reply || !(conn->refused || conn->sending)) {
        return 0;
    }
    size_t left = job->reply_len - job->reply_sent;
    if (left == 0) {
        return finish(conn);
    }
    size_t n = left > SEND_STEP ? SEND_STEP : left;
    set_timer(conn->wsi, job->server->settings.request_s);
    int sent = lws_write(conn->wsi, job->reply + LWS_PRE + job->reply_sent, n,
                         job->reply_sent == 0 ? LWS_WRITE_HTTP_HEADERS : LWS_WRITE_HTTP);
    if (sent < (int)n) {
        return -1;
    }
    job->reply_sent += n;
    if (job->reply_sent == job->reply_len && !lws_partial_buffered(conn->wsi)) {
        return finish(conn);
    }
    lws_callback_on_writable(conn->wsi);
    return 0;
}

/* The caller has answered: note whose turn it is to write. */
static void take_replies(http_server_t *server)
{
    http_job_t *job;
    while ((job = http_take_replied(server)) != NULL) {
        job->conn->sending = true;
        lws_rx_flow_control(job->conn->wsi, 1); /* it holds back writing as well */
        lws_callback_on_writable(job->conn->wsi);
    }
}

/* ---- the callback ---------------------------------------------------------------------------- */

static int on_accepted(struct lws *wsi)
{
    http_server_t *server = server_of(wsi);
    http_conn_t *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        return -1;
    }
    conn->wsi = wsi;
    lws_set_opaque_user_data(wsi, conn);
    server->connections++;
    set_timer(wsi, server->settings.request_s);
    return 0;
}

static void on_destroyed(struct lws *wsi, http_conn_t *conn)
{
    if (!conn) {
        return; /* the listening socket, or refused before it was ours */
    }
    server_of(wsi)->connections--;
    if (conn->job) {
        http_job_orphan(conn->job);
    }
    lws_set_opaque_user_data(wsi, NULL);
    free(conn);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    (void)user;
    http_server_t *server = server_of(wsi);
    http_conn_t *conn;
    switch (reason) {
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
        take_replies(server);
        return 0;
    case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
        return server->connections >= server->settings.connections_max;
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        return on_accepted(wsi);
    case LWS_CALLBACK_WSI_DESTROY:
        on_destroyed(wsi, lws_get_opaque_user_data(wsi));
        return 0;
    case LWS_CALLBACK_TIMER:
    case LWS_CALLBACK_RAW_RX:
    case LWS_CALLBACK_RAW_ADOPT:
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: /* WebSocket will be let in here */
        return -1;
    case LWS_CALLBACK_HTTP:
    case LWS_CALLBACK_HTTP_BODY:
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
    case LWS_CALLBACK_HTTP_WRITEABLE:
        break;
    default:
        return 0;
    }
    conn = lws_get_opaque_user_data(wsi);
    if (!conn) {
        return -1;
    }
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return conn->job ? -1 : on_request(wsi, conn, in, len);
    case LWS_CALLBACK_HTTP_BODY:
        return on_body(conn, in, len);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return on_body_complete(conn);
    default:
        return on_writable(conn);
    }
}

/* ---- open, run, close ------------------------------------------------------------------------ */

/* libwebsockets only logs what is wrong with a certificate; this says it. */
static bool check_certificate(const http_server_t *server, err_t *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx) {
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    bool good = true;
    if (SSL_CTX_use_certificate_chain_file(ctx, server->cert_file) != 1) {
        good = err_set(err, ERR_INPUT, "%s holds no certificate that can be used (PEM, leaf first)",
                       server->cert_file);
    } else if (SSL_CTX_use_PrivateKey_file(ctx, server->key_file, SSL_FILETYPE_PEM) != 1) {
        good = err_set(err, ERR_INPUT, "%s holds no private key that fits the certificate %s",
                       server->key_file, server->cert_file);
    }
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return good;
}

/* The same for the port. libwebsockets binds for itself a moment later. */
static bool check_port(const http_server_t *server, err_t *err)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;
    if (server->v6) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)server->port);
        inet_pton(AF_INET6, server->interface, &v6->sin6_addr);
    } else {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)server->port);
        inet_pton(AF_INET, server->interface, &v4->sin_addr);
    }
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    if (fd < 0) {
        return err_errno(err, "making a socket");
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    socklen_t size = server->v6 ? sizeof(*v6) : sizeof(*v4);
    bool good = bind(fd, (struct sockaddr *)&storage, size) == 0;
    if (!good) {
        good = errno == EADDRINUSE
                   ? err_set(err, ERR_PRECONDITION,
                             "port %d of %s is taken by another program; stop it "
                             "or choose another port (0 for any)",
                             server->port, server->interface)
                   : err_errno(err, "listening on %s port %d", server->interface, server->port);
    }
    close(fd);
    return good;
}

bool http_wire_open(http_server_t *server, err_t *err)
{
    static const struct lws_protocols protocols[] = {{"http", on_event, 0, 0, 0, NULL, 0},
                                                     {NULL, NULL, 0, 0, 0, NULL, 0}};
    const http_settings_t *settings = &server->settings;
    if (!check_port(server, err) || (server->cert_file && !check_certificate(server, err))) {
        return false;
    }
    lws_set_log_level(0, NULL);
    struct lws_context_creation_info info = {0};
    info.port = server->port;
    info.iface = server->interface;
    info.protocols = protocols;
    info.user = server;
    info.gid = (gid_t)-1;
    info.uid = (uid_t)-1;
    info.vhost_name = "cradle";
    info.server_string = "cradle";
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND;
    info.options |= server->v6 ? 0 : LWS_SERVER_OPTION_DISABLE_IPV6;
    info.max_http_header_data = HTTP_HEADER_MAX;
    info.max_http_header_pool2 = settings->connections_max + 1;
    info.fd_limit_per_thread = settings->connections_max + 16;
    info.timeout_secs = settings->request_s;
    info.keepalive_timeout = (int)settings->idle_s;
    info.alpn = "http/1.1";
    if (server->cert_file) {
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.ssl_cert_filepath = server->cert_file;
        info.ssl_private_key_filepath = server->key_file;
        info.ssl_options_set =
            SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_RENEGOTIATION;
    }
    server->lws = lws_create_context(&info);
    server->vhost = server->lws ? lws_create_vhost(server->lws, &info) : NULL;
    int port = server->vhost ? lws_get_vhost_listen_port(server->vhost) : 0;
    if (port <= 0) {
        return err_set(err, ERR_SYSTEM, "libwebsockets cannot listen on %s port %d",
                       server->interface, server->port);
    }
    snprintf(server->address, sizeof(server->address), server->v6 ? "[%s]:%d" : "%s:%d",
             server->interface, port);
    return true;
}

void *http_wire_run(void *arg)
{
    http_server_t *server = arg;
    while (!atomic_load(&server->stop) && lws_service(server->lws, 0) >= 0) {
    }
    return NULL;
}

void http_wire_close(http_server_t *server)
{
    if (server->lws) {
        lws_context_destroy(server->lws);
        server->lws = NULL;
    }
}

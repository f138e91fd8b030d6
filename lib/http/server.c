/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's half: open, dispatch, reply, close, and the life of a job. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "http/internal.h"

const char *http_method_name(http_method_t method)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET",         [HTTP_POST] = "POST",   [HTTP_PUT] = "PUT",
        [HTTP_DELETE] = "DELETE",   [HTTP_PATCH] = "PATCH", [HTTP_HEAD] = "HEAD",
        [HTTP_OPTIONS] = "OPTIONS",
    };
    return names[method];
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static void list_push(job_list_t *list, http_job_t *job)
{
    job->next = NULL;
    if (list->last) {
        list->last->next = job;
    } else {
        list->first = job;
    }
    list->last = job;
}

static http_job_t *list_pop(job_list_t *list)
{
    http_job_t *job = list->first;
    if (job) {
        list->first = job->next;
        if (!list->first) {
            list->last = NULL;
        }
        job->next = NULL;
    }
    return job;
}

static void list_remove(job_list_t *list, http_job_t *job)
{
    http_job_t *before = NULL;
    for (http_job_t *at = list->first; at; before = at, at = at->next) {
        if (at != job) {
            continue;
        }
        if (before) {
            before->next = job->next;
        } else {
            list->first = job->next;
        }
        if (list->last == job) {
            list->last = before;
        }
        return;
    }
}

http_job_t *http_job_new(http_server_t *server, http_conn_t *conn)
{
    http_job_t *job = calloc(1, sizeof(*job));
    if (!job) {
        return NULL;
    }
    job->server = server;
    job->conn = conn;
    pthread_mutex_lock(&server->lock);
    job->all_next = server->all;
    if (server->all) {
        server->all->all_prev = job;
    }
    server->all = job;
    server->live++;
    pthread_mutex_unlock(&server->lock);
    return job;
}

/* With the lock held. */
static void job_unlink(http_job_t *job)
{
    http_server_t *server = job->server;
    if (job->state == JOB_WAITING) {
        list_remove(&server->waiting, job);
    } else if (job->state == JOB_REPLIED) {
        list_remove(&server->replied, job);
    }
    if (job->all_prev) {
        job->all_prev->all_next = job->all_next;
    } else {
        server->all = job->all_next;
    }
    if (job->all_next) {
        job->all_next->all_prev = job->all_prev;
    }
    server->live--;
}

static void job_destroy(http_job_t *job)
{
    atomic_fetch_sub(&job->server->bodies, job->counted);
    free(job->text);
    free(job->body);
    free(job->reply);
    free(job);
}

void http_job_free(http_job_t *job)
{
    http_server_t *server = job->server;
    pthread_mutex_lock(&server->lock);
    job_unlink(job);
    pthread_mutex_unlock(&server->lock);
    job_destroy(job);
}

void http_job_deliver(http_job_t *job)
{
    http_server_t *server = job->server;
    pthread_mutex_lock(&server->lock);
    job->state = JOB_WAITING;
    list_push(&server->waiting, job);
    pthread_mutex_unlock(&server->lock);
    uint64_t one = 1;
    ssize_t ignored = write(server->event_fd, &one, sizeof(one));
    (void)ignored; /* full means that it is readable already */
}

void http_job_orphan(http_job_t *job)
{
    http_server_t *server = job->server;
    pthread_mutex_lock(&server->lock);
    job->conn = NULL;
    bool mine = job->state != JOB_HANDLED;
    if (mine) {
        job_unlink(job);
    }
    pthread_mutex_unlock(&server->lock);
    if (mine) {
        job_destroy(job);
    }
}

http_job_t *http_take_replied(http_server_t *server)
{
    pthread_mutex_lock(&server->lock);
    http_job_t *job = list_pop(&server->replied);
    if (job) {
        job->state = JOB_SENDING;
    }
    pthread_mutex_unlock(&server->lock);
    return job;
}

unsigned http_live(http_server_t *server)
{
    pthread_mutex_lock(&server->lock);
    unsigned live = server->live;
    pthread_mutex_unlock(&server->lock);
    return live;
}

/* ---- replies --------------------------------------------------------------------------------- */

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {204, "No Content"},
        {303, "See Other"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Unknown";
}

/* RFC 9110 section 5.6.7; not strftime, whose names follow the locale. */
static void date_now(char *out, size_t cap)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = time(NULL);
    struct tm t;
    gmtime_r(&now, &t);
    snprintf(out, cap, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * t.tm_wday, t.tm_mday,
             months + 3 * t.tm_mon, t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

bool http_job_answer(http_job_t *job, int status, const char *content_type, const void *body,
                     size_t len, const char *headers)
{
    char date[64];
    char head[512];
    date_now(date, sizeof(date));
    bool typed = content_type && content_type[0];
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %d %s\r\nDate: %s\r\n%s%s%sContent-Length: %zu\r\n"
                     "Connection: %s\r\n",
                     status, reason_of(status), date, typed ? "Content-Type: " : "",
                     typed ? content_type : "", typed ? "\r\n" : "", len,
                     job->keep_alive ? "keep-alive" : "close");
    if (n < 0 || (size_t)n >= sizeof(head)) {
        return false; /* an absurdly long content type of the program's own */
    }
    size_t extra = headers ? strlen(headers) : 0;
    size_t send = job->view.method == HTTP_HEAD ? 0 : len;
    unsigned char *reply = malloc(LWS_PRE + (size_t)n + extra + 2 + send);
    if (!reply) {
        return false;
    }
    unsigned char *p = reply + LWS_PRE;
    memcpy(p, head, (size_t)n);
    p += n;
    if (extra) {
        memcpy(p, headers, extra);
        p += extra;
    }
    memcpy(p, "\r\n", 2);
    p += 2;
    if (send) {
        memcpy(p, body, send);
        p += send;
    }
    job->reply = reply;
    job->reply_len = (size_t)(p - reply) - LWS_PRE;
    return true;
}

void http_reply(http_request_t *request, int status, const char *content_type, const void *body,
                size_t len, const char *headers)
{
    http_job_t *job = (http_job_t *)request;
    http_server_t *server = job->server;
    bool good = http_job_answer(job, status, content_type, body, len, headers);
    if (!good) {
        good = http_job_answer(job, 500, NULL, NULL, 0, NULL);
    }
    pthread_mutex_lock(&server->lock);
    bool gone = !job->conn || !good;
    if (gone) {
        /* Without memory for even an empty reply the connection waits for its time-out. */
        if (job->conn) {
            job->conn->job = NULL;
        }
        job_unlink(job);
    } else {
        job->state = JOB_REPLIED;
        list_push(&server->replied, job);
    }
    pthread_mutex_unlock(&server->lock);
    if (gone) {
        job_destroy(job);
    } else {
        lws_cancel_service(server->lws);
    }
}

bool http_request_alive(const http_request_t *request)
{
    const http_job_t *job = (const http_job_t *)request;
    pthread_mutex_lock(&job->server->lock);
    bool alive = job->conn != NULL;
    pthread_mutex_unlock(&job->server->lock);
    return alive;
}

/* ---- dispatch -------------------------------------------------------------------------------- */

int http_server_fd(const http_server_t *server)
{
    return server->event_fd;
}

static http_job_t *take_waiting(http_server_t *server)
{
    pthread_mutex_lock(&server->lock);
    http_job_t *job = list_pop(&server->waiting);
    if (job) {
        job->state = JOB_HANDLED;
    }
    pthread_mutex_unlock(&server->lock);
    return job;
}

unsigned http_server_dispatch(http_server_t *server, unsigned max)
{
    uint64_t count;
    ssize_t ignored = read(server->event_fd, &count, sizeof(count));
    (void)ignored; /* nothing to read: nobody waits, and take_waiting says so */
    unsigned ran = 0;
    for (http_job_t *job; (max == 0 || ran < max) && (job = take_waiting(server)) != NULL; ran++) {
        server->handler(server->ctx, &job->view);
    }
    pthread_mutex_lock(&server->lock);
    bool more = server->waiting.first != NULL;
    pthread_mutex_unlock(&server->lock);
    if (more) {
        count = 1;
        ignored = write(server->event_fd, &count, sizeof(count));
        (void)ignored;
    }
    return ran;
}

/* ---- open and close -------------------------------------------------------------------------- */

/* "127.0.0.1:8080", "[::1]:0", "localhost:0", "*:8080". */
static bool parse_listen(http_server_t *server, const char *text, err_t *err)
{
    const char *colon = text ? strrchr(text, ':') : NULL;
    char *end = NULL;
    long port = colon && colon[1] ? strtol(colon + 1, &end, 10) : -1;
    if (!end || *end || port < 0 || port > 65535) {
        return err_set(err, ERR_USAGE, "'%s' is no address to listen on; write 127.0.0.1:8080",
                       text ? text : "");
    }
    size_t len = (size_t)(colon - text);
    char host[64];
    if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len >= sizeof(host)) {
        return err_set(err, ERR_USAGE, "the address to listen on is too long");
    }
    memcpy(host, text, len);
    host[len] = '\0';
    unsigned char raw[16];
    if (strcmp(host, "localhost") == 0) {
        strcpy(host, "127.0.0.1");
    } else if (strcmp(host, "*") == 0) {
        strcpy(host, "0.0.0.0");
    }
    server->v6 = inet_pton(AF_INET6, host, raw) == 1;
    if (!server->v6 && inet_pton(AF_INET, host, raw) != 1) {
        return err_set(err, ERR_USAGE,
                       "'%s' is no numeric address; listen on 127.0.0.1, 0.0.0.0 or [::1]", host);
    }
    bool loopback = server->v6 ? strcmp(host, "::1") == 0 : raw[0] == 127;
    if (!server->settings.cert_file && !loopback) {
        return err_set(err, ERR_USAGE,
                       "plain HTTP is served on loopback only, not on %s; give a "
                       "certificate and key",
                       host);
    }
    snprintf(server->interface, sizeof(server->interface), "%s", host);
    server->port = (int)port;
    return true;
}

static bool copy_settings(http_server_t *server, const http_settings_t *settings, err_t *err)
{
    server->settings = *settings;
    http_settings_t *own = &server->settings;
    own->body_max = own->body_max ? own->body_max : HTTP_BODY_MAX;
    own->connections_max = own->connections_max ? own->connections_max : 512;
    own->queue_max = own->queue_max ? own->queue_max : 1024;
    own->request_s = own->request_s ? own->request_s : 20;
    own->idle_s = own->idle_s ? own->idle_s : 60;
    own->listen = NULL;
    if (!settings->cert_file != !settings->key_file) {
        return err_set(err, ERR_USAGE, "a certificate needs its key, and a key its certificate");
    }
    if (settings->cert_file) {
        server->cert_file = strdup(settings->cert_file);
        server->key_file = strdup(settings->key_file);
        if (!server->cert_file || !server->key_file) {
            return err_set(err, ERR_SYSTEM, "out of memory");
        }
    }
    return true;
}

static bool start_thread(http_server_t *server, err_t *err)
{
    /* Signals are the caller's business. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&server->thread, NULL, http_wire_run, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        errno = rc;
        return err_errno(err, "starting the HTTP thread");
    }
    server->started = true;
    return true;
}

bool http_server_open(http_server_t **out, const http_settings_t *settings, http_handler_t handler,
                      void *ctx, err_t *err)
{
    http_server_t *server = calloc(1, sizeof(*server));
    if (!server) {
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    server->handler = handler;
    server->ctx = ctx;
    pthread_mutex_init(&server->lock, NULL);
    server->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    bool good = server->event_fd >= 0 ? copy_settings(server, settings, err)
                                      : err_errno(err, "making an event descriptor");
    if (good && parse_listen(server, settings->listen, err) && http_wire_open(server, err) &&
        start_thread(server, err)) {
        *out = server;
        return true;
    }
    http_server_close(server);
    return false;
}

const char *http_server_address(const http_server_t *server)
{
    return server->address;
}

void http_server_close(http_server_t *server)
{
    if (!server) {
        return;
    }
    if (server->started) {
        atomic_store(&server->stop, true);
        lws_cancel_service(server->lws);
        pthread_join(server->thread, NULL);
    }
    http_wire_close(server);
    while (server->all) {
        http_job_free(server->all);
    }
    if (server->event_fd >= 0) {
        close(server->event_fd);
    }
    pthread_mutex_destroy(&server->lock);
    free(server->cert_file);
    free(server->key_file);
    free(server);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "device/post.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/address.h"
#include "net/tls.h"

#define LIMIT_MS  60000
#define REPLY_MAX 16384 /* headers and body */

struct post {
    loop_t *loop;
    post_fn_t fn;
    void *ctx;
    tls_t *tls;
    loop_timer_t limit;
    loop_timer_t late;
    char why[200];
    char *request;
    size_t request_len;
    char reply[REPLY_MAX + 1];
    size_t reply_len;
};

static void finish(post_t *post, const char *body, size_t len, const char *why)
{
    tls_close(post->tls);
    post->tls = NULL;
    loop_timer_stop(post->loop, &post->limit);
    loop_timer_stop(post->loop, &post->late);
    post->fn(post->ctx, body, len, why);
}

/* Where the body begins; 0: the headers are not all there. */
static size_t body_at(const post_t *post)
{
    const char *end = strstr(post->reply, "\r\n\r\n");
    return end != NULL ? (size_t)(end - post->reply) + 4 : 0;
}

/* -1: none. */
static long content_length(const post_t *post, size_t headers)
{
    for (const char *line = strstr(post->reply, "\r\n");
         line != NULL && (size_t)(line - post->reply) + 4 < headers;
         line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, "Content-Length:", 15) == 0) {
            char *end;
            long length = strtol(line + 17, &end, 10);
            return *end == '\r' && length >= 0 && length <= REPLY_MAX ? length : REPLY_MAX + 1;
        }
    }
    return -1;
}

static void take(post_t *post, bool ended)
{
    size_t at = body_at(post);
    long length = at > 0 ? content_length(post, at) : -1;
    size_t have = post->reply_len - at;
    if (at == 0 || (length < 0 && !ended) || (length >= 0 && have < (size_t)length)) {
        if (ended || post->reply_len == REPLY_MAX) {
            finish(post, NULL, 0, "the steward's answer is cut off or too long");
        }
        return;
    }
    if (strncmp(post->reply, "HTTP/1.1 200", 12) != 0) {
        char why[64];
        snprintf(why, sizeof why, "the steward answers %.12s", post->reply);
        why[strcspn(why, "\r\n")] = '\0';
        finish(post, NULL, 0, why);
        return;
    }
    finish(post, post->reply + at, length >= 0 ? (size_t)length : have, "");
}

static void on_readable(void *ctx)
{
    post_t *post = ctx;
    size_t n = 1;
    while (n > 0 && post->reply_len < REPLY_MAX) {
        n = tls_read(post->tls, post->reply + post->reply_len, REPLY_MAX - post->reply_len);
        post->reply_len += n;
    }
    post->reply[post->reply_len] = '\0';
    take(post, false);
}

static void on_ready(void *ctx)
{
    post_t *post = ctx;
    tls_write(post->tls, post->request, post->request_len);
}

static void on_end(void *ctx, const tls_end_t *end)
{
    post_t *post = ctx;
    if (post->reply_len > 0) {
        take(post, true);
        return;
    }
    char why[sizeof post->why];
    snprintf(why, sizeof why, "the steward cannot be reached: %.150s", end->text);
    finish(post, NULL, 0, why);
}

static void on_limit(void *ctx)
{
    finish(ctx, NULL, 0, "the steward does not answer");
}

static void on_late(void *ctx)
{
    post_t *post = ctx;
    char why[sizeof post->why];
    memcpy(why, post->why, sizeof why);
    finish(post, NULL, 0, why);
}

static bool make_request(post_t *post, const post_target_t *target, const void *body, size_t len)
{
    char head[512];
    int size = snprintf(head, sizeof head,
                        "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                        target->path, target->name, len);
    if (size < 0 || (size_t)size >= sizeof head) {
        return false;
    }
    post->request_len = (size_t)size + len;
    post->request = malloc(post->request_len);
    if (post->request == NULL) {
        return false;
    }
    memcpy(post->request, head, (size_t)size);
    memcpy(post->request + size, body, len);
    return true;
}

static bool begin(post_t *post, const post_target_t *target, err_t *err)
{
    char host[NET_HOST_SIZE];
    uint16_t port;
    int fd;
    tls_context_t *context;
    if (!net_split(target->name, host, &port, err)) {
        return false;
    }
    const tls_client_settings_t settings = {.anchors = target->anchors,
                                            .name = host,
                                            .now = target->now,
                                            .clock_unset = target->clock_unset};
    const tls_handlers_t handlers = {
        .on_ready = on_ready, .on_readable = on_readable, .on_end = on_end, .ctx = post};
    if (!tls_client_context(&context, &settings, err)) {
        return false;
    }
    bool ok = net_connect(target->address, &fd, err) &&
              tls_connect(&post->tls, post->loop, context, fd, &handlers, err);
    tls_context_free(context);
    return ok;
}

post_t *post_start(loop_t *loop, const post_target_t *target, const void *body, size_t len,
                   post_fn_t fn, void *ctx)
{
    err_t err = ERR_INIT;
    post_t *post = calloc(1, sizeof *post);
    if (post == NULL) {
        return NULL;
    }
    post->loop = loop;
    post->fn = fn;
    post->ctx = ctx;
    if (!make_request(post, target, body, len)) {
        post_free(post);
        return NULL;
    }
    if (begin(post, target, &err)) {
        loop_timer_start(loop, &post->limit, LIMIT_MS, on_limit, post, NULL);
    } else {
        post->tls = NULL;
        snprintf(post->why, sizeof post->why, "%s", err.text);
        loop_timer_start(loop, &post->late, 0, on_late, post, NULL);
    }
    return post;
}

void post_free(post_t *post)
{
    if (post == NULL) {
        return;
    }
    loop_timer_stop(post->loop, &post->limit);
    loop_timer_stop(post->loop, &post->late);
    tls_close(post->tls);
    free(post->request);
    free(post);
}

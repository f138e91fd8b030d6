/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/forward.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "cloud/log.h"
#include "json/json.h"
#include "tbdevice/tb_device.h"

#define URL_MAX     512
#define KEY_MAX     256
#define CONNECTIONS 16
#define CONNECT_MS  10000
#define ESCAPED     6 /* a byte of a text becomes at most this many in JSON */

/* One question on its way. */
typedef struct transfer {
    struct transfer *next;
    forward_t *forward;
    CURL *easy;
    struct curl_slist *headers;
    store_id_t device;
    uint64_t ticket;
    char *body;
    char *answer;
    size_t answer_len;
} transfer_t;

/* A socket of libcurl's. */
typedef struct watch {
    struct watch *next;
    forward_t *forward;
    curl_socket_t fd;
    loop_fd_t loop_fd;
} watch_t;

struct forward {
    loop_t *loop;
    CURLM *multi;
    loop_timer_t timer;
    char url[URL_MAX + sizeof "/rpc"];
    char *ca_file;
    char authorization[KEY_MAX + sizeof "Authorization: Bearer "];
    forward_fn_t answered;
    void *ctx;
    transfer_t *transfers;
    watch_t *watches;
};

/* ---- ends ---- */

static void free_transfer(transfer_t *t)
{
    transfer_t **at = &t->forward->transfers;
    while (*at != NULL && *at != t) {
        at = &(*at)->next;
    }
    if (*at == t) {
        *at = t->next;
    }
    if (t->easy != NULL) {
        curl_multi_remove_handle(t->forward->multi, t->easy);
        curl_easy_cleanup(t->easy);
    }
    for (struct curl_slist *h = t->headers; h != NULL; h = h->next) {
        bytes_wipe(h->data, strlen(h->data)); /* one holds the key */
    }
    curl_slist_free_all(t->headers);
    free(t->body);
    free(t->answer);
    free(t);
}

static void end(transfer_t *t, CURLcode code)
{
    forward_t *f = t->forward;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
        cloud_log(LOG_WARN, "steward", "why=\"%s\" do=\"see that it runs at %s\"",
                  curl_easy_strerror(code), f->url);
    } else if (status != 200) {
        cloud_log(LOG_WARN, "steward", "why=\"it answered with status %ld\"", status);
    } else if (!json_valid(t->answer, t->answer_len)) {
        cloud_log(LOG_WARN, "steward", "why=\"its answer is no JSON\"");
    } else {
        f->answered(f->ctx, &t->device, t->ticket, t->answer, t->answer_len);
    }
    free_transfer(t);
}

/* Hands out what has come to its end. */
static void collect(forward_t *f)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(f->multi, &left)) != NULL) {
        void *t = NULL;
        if (message->msg == CURLMSG_DONE) {
            CURLcode code = message->data.result; /* gone with the handle */
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
            end(t, code);
        }
    }
}

/* ---- what libcurl wants ---- */

static void on_socket(void *ctx, unsigned events)
{
    const watch_t *w = ctx;
    forward_t *f = w->forward;
    int running;
    int what = ((events & LOOP_READ) != 0 ? CURL_CSELECT_IN : 0) |
               ((events & LOOP_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(f->multi, w->fd, what != 0 ? what : CURL_CSELECT_ERR, &running);
    collect(f);
}

static void on_timer(void *ctx)
{
    forward_t *f = ctx;
    int running;
    curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(f);
}

static int want_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    forward_t *f = ctx;
    (void)multi;
    if (timeout_ms < 0) {
        loop_timer_stop(f->loop, &f->timer);
        return 0;
    }
    return loop_timer_start(f->loop, &f->timer, (uint64_t)timeout_ms, on_timer, f, NULL) ? 0 : -1;
}

static void unwatch(watch_t *w)
{
    watch_t **at = &w->forward->watches;
    while (*at != w) {
        at = &(*at)->next;
    }
    *at = w->next;
    loop_fd_remove(w->forward->loop, &w->loop_fd);
    free(w);
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    forward_t *f = ctx;
    watch_t *w = known;
    unsigned events = (what != CURL_POLL_OUT ? LOOP_READ : 0u) |
                      (what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? LOOP_WRITE : 0u);
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL) {
            unwatch(w);
            curl_multi_assign(f->multi, fd, NULL);
        }
        return 0;
    }
    if (w != NULL) {
        loop_fd_change(f->loop, &w->loop_fd, events);
        return 0;
    }
    w = calloc(1, sizeof *w);
    if (w == NULL || !loop_fd_add(f->loop, &w->loop_fd, fd, events, on_socket, w, NULL)) {
        free(w);
        return -1;
    }
    w->forward = f;
    w->fd = fd;
    w->next = f->watches;
    f->watches = w;
    curl_multi_assign(f->multi, fd, w);
    return 0;
}

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
    transfer_t *t = ctx;
    size_t more = size * count;
    if (more > FORWARD_ANSWER_MAX - t->answer_len) {
        return 0; /* libcurl ends with CURLE_WRITE_ERROR */
    }
    char *answer = realloc(t->answer, t->answer_len + more + 1);
    if (answer == NULL) {
        return 0;
    }
    memcpy(answer + t->answer_len, data, more);
    t->answer = answer;
    t->answer_len += more;
    answer[t->answer_len] = '\0';
    return more;
}

/* ---- asking ---- */

static bool is_full(const forward_t *f, const store_id_t *device)
{
    size_t all = 0;
    size_t own = 0;
    for (const transfer_t *t = f->transfers; t != NULL; t = t->next) {
        all++;
        own += store_id_equal(&t->device, device);
    }
    return all >= FORWARD_MAX || own >= FORWARD_DEVICE_MAX;
}

static bool write_request(transfer_t *t, const char *method, const char *params, size_t params_len)
{
    char header[64] = "X-Device-Id: ";
    size_t cap = 64 + ESCAPED * strlen(method) + params_len;
    json_writer_t w;
    store_id_format(&t->device, header + strlen(header));
    t->headers = curl_slist_append(NULL, header);
    if (t->headers == NULL || curl_slist_append(t->headers, t->forward->authorization) == NULL ||
        curl_slist_append(t->headers, "Content-Type: application/json") == NULL ||
        curl_slist_append(t->headers, "Expect:") == NULL || /* no second round trip */
        (t->body = malloc(cap)) == NULL) {
        return false;
    }
    json_writer_init(&w, t->body, cap);
    tb_put_rpc_request(&w, method, params, params_len);
    return json_writer_done(&w, NULL);
}

static bool prepare(transfer_t *t)
{
    const forward_t *f = t->forward;
    t->easy = curl_easy_init();
    if (t->easy == NULL) {
        return false;
    }
    curl_easy_setopt(t->easy, CURLOPT_URL, f->url);
    curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(t->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(t->easy, CURLOPT_CAINFO, f->ca_file);
    curl_easy_setopt(t->easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)FORWARD_TIMEOUT_MS);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->body);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(t->body));
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    return curl_multi_add_handle(f->multi, t->easy) == CURLM_OK;
}

void forward_ask(forward_t *forward, const store_id_t *device, uint64_t ticket, const char *method,
                 const char *params, size_t params_len)
{
    if (is_full(forward, device)) {
        cloud_log(LOG_WARN, "steward", "why=\"too many questions are on their way to it\"");
        return;
    }
    transfer_t *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return;
    }
    t->forward = forward;
    t->device = *device;
    t->ticket = ticket;
    t->next = forward->transfers;
    forward->transfers = t;
    if (!write_request(t, method, params, params_len) || !prepare(t)) {
        cloud_log(LOG_ERROR, "steward", "why=\"out of memory\"");
        free_transfer(t);
    }
}

/* ---- life ---- */

static bool check(const forward_settings_t *settings, err_t *err)
{
    const char *url = settings->url;
    if (strncmp(url, "https://", 8) != 0 || strlen(url) >= URL_MAX || url[8] == '\0' ||
        url[8] == '/' || strpbrk(url, " \t\r\n\"?#@\\") != NULL) {
        return err_set(err, ERR_USAGE,
                       "\"%.200s\" is no address of a steward: give https://HOST:PORT", url);
    }
    if (access(settings->ca_file, R_OK) != 0) {
        return err_set(err, ERR_INPUT, "the steward's CA %.300s cannot be read", settings->ca_file);
    }
    return true;
}

static bool load_key(forward_t *f, const char *path, err_t *err)
{
    char *text;
    size_t len;
    if (!file_read_private(path, KEY_MAX, &text, &len, err)) {
        return err_add(err, "the key of the steward's forwarder");
    }
    size_t from = strspn(text, " \t\r\n");
    size_t n = strcspn(text + from, " \t\r\n");
    size_t rest = from + n + strspn(text + from + n, " \t\r\n");
    bool ok = n > 0 && rest == len;
    for (size_t i = from; ok && i < from + n; i++) {
        ok = text[i] > ' ' && text[i] < 0x7f;
    }
    if (ok) {
        snprintf(f->authorization, sizeof f->authorization, "Authorization: Bearer %.*s", (int)n,
                 text + from);
    }
    bytes_wipe(text, len);
    free(text);
    return ok || err_set(err, ERR_INPUT,
                         "%s holds no key: give one word, the steward's steward/forward.key", path);
}

static bool set_url(forward_t *f, const char *url)
{
    size_t len = strlen(url);
    while (url[len - 1] == '/') { /* it begins with https:// and a host */
        len--;
    }
    int n = snprintf(f->url, sizeof f->url, "%.*s/rpc", (int)len, url);
    return n > 0 && (size_t)n < sizeof f->url;
}

bool forward_open(forward_t **forward, const forward_settings_t *settings, err_t *err)
{
    if (!check(settings, err)) {
        return false;
    }
    forward_t *f = calloc(1, sizeof *f);
    if (f == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(f);
        return err_set(err, ERR_SYSTEM, "out of memory for the steward's forwarder");
    }
    if (!set_url(f, settings->url) || !load_key(f, settings->key_file, err)) {
        free(f);
        curl_global_cleanup();
        return false;
    }
    f->loop = settings->loop;
    f->answered = settings->answered;
    f->ctx = settings->ctx;
    f->ca_file = strdup(settings->ca_file);
    f->multi = curl_multi_init();
    if (f->ca_file == NULL || f->multi == NULL) {
        forward_close(f);
        return err_set(err, ERR_SYSTEM, "out of memory for the steward's forwarder");
    }
    curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
    curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
    curl_multi_setopt(f->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS);
    *forward = f;
    return true;
}

void forward_close(forward_t *forward)
{
    if (forward == NULL) {
        return;
    }
    while (forward->transfers != NULL) {
        free_transfer(forward->transfers);
    }
    curl_multi_cleanup(forward->multi); /* closes what is kept open, and says so */
    while (forward->watches != NULL) {
        unwatch(forward->watches);
    }
    loop_timer_stop(forward->loop, &forward->timer);
    bytes_wipe(forward->authorization, sizeof forward->authorization);
    free(forward->ca_file);
    free(forward);
    curl_global_cleanup();
}

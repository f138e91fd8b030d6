/* SPDX-License-Identifier: Apache-2.0 */
#include "tbrest/internal.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "json/json.h"

#define TIMEOUT_MS 30000
#define URL_MAX    4096
#define TOKEN_MAX  8192
/* A token is renewed when it has less than this left. */
#define RENEW_EARLY_S 30

struct tbrest {
    CURL *curl;
    char url[512];
    bool plain;
    char *token;
    char *refresh_token;
    int64_t expires_s; /* of the token; 0: unknown */
    size_t answer_max;
    char why[CURL_ERROR_SIZE]; /* curl's own words */
};

typedef struct {
    tbrest_answer_t *answer;
    size_t max;
} collector_t;

/* ---- small tools ---- */

bool tbrest_text(const char *json, size_t len, const char *path, char *out, size_t cap)
{
    json_token_t token;
    if (!json_find(json, len, path, &token)) {
        return false;
    }
    if (token.type == JSON_NULL) {
        out[0] = '\0';
        return true;
    }
    return json_string(&token, out, cap, NULL);
}

bool tbrest_encode(const char *text, char *out, size_t cap)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t o = 0;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     strchr("-._~,", c) != NULL;
        if (o + 4 > cap) {
            return false;
        }
        if (plain) {
            out[o++] = (char)c;
        } else {
            out[o++] = '%';
            out[o++] = hex[c >> 4];
            out[o++] = hex[c & 15];
        }
    }
    out[o] = '\0';
    return true;
}

static void wipe_text(char **text)
{
    if (*text != NULL) {
        bytes_wipe(*text, strlen(*text));
        free(*text);
        *text = NULL;
    }
}

static bool is_loopback(const char *url)
{
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0 ||
           strncmp(host, "localhost:", 10) == 0 || strcmp(host, "localhost") == 0;
}

/* ---- life ---- */

static bool check_url(const tbrest_settings_t *settings, bool *plain, err_t *err)
{
    const char *url = settings->url;
    *plain = strncmp(url, "http://", 7) == 0;
    if (!*plain && strncmp(url, "https://", 8) != 0) {
        return err_set(err, ERR_USAGE, "\"%.200s\" is no https:// URL", url);
    }
    if (*plain && !settings->allow_plain_http && !is_loopback(url)) {
        return err_set(err, ERR_USAGE,
                       "%.200s would send passwords in the clear; use https:// (plain HTTP is for "
                       "this machine only)",
                       url);
    }
    if (strchr(strstr(url, "://") + 3, '@') != NULL) {
        return err_set(err, ERR_USAGE, "the URL holds a login; give it in a file instead");
    }
    return true;
}

static void trust_pem(CURL *curl, const char *pem)
{
    struct curl_blob blob = {NULL, strlen(pem), CURL_BLOB_COPY};
    memcpy(&blob.data, &pem, sizeof pem); /* curl only reads it, but its member is not const */
    curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
}

bool tbrest_open(tbrest_t **rest, const tbrest_settings_t *settings, err_t *err)
{
    bool plain;
    if (!check_url(settings, &plain, err)) {
        return false;
    }
    tbrest_t *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a REST client");
    }
    size_t len = strlen(settings->url);
    while (len > 0 && settings->url[len - 1] == '/') {
        len--;
    }
    r->curl = curl_easy_init();
    if (r->curl == NULL || len >= sizeof r->url) {
        tbrest_close(r);
        return err_set(err, ERR_USAGE, "the REST client cannot be made (is the URL too long?)");
    }
    memcpy(r->url, settings->url, len);
    r->plain = plain;
    r->answer_max = settings->answer_max != 0 ? settings->answer_max : TBREST_ANSWER_MAX;
    long timeout = settings->timeout_ms != 0 ? (long)settings->timeout_ms : TIMEOUT_MS;
    curl_easy_setopt(r->curl, CURLOPT_TIMEOUT_MS, timeout);
    curl_easy_setopt(r->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(r->curl, CURLOPT_ERRORBUFFER, r->why);
    curl_easy_setopt(r->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(r->curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(r->curl, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
    if (settings->ca_file != NULL) {
        curl_easy_setopt(r->curl, CURLOPT_CAINFO, settings->ca_file);
        curl_easy_setopt(r->curl, CURLOPT_CAPATH, NULL);
    } else if (settings->ca_pem != NULL) {
        trust_pem(r->curl, settings->ca_pem);
    }
    *rest = r;
    return true;
}

void tbrest_close(tbrest_t *rest)
{
    if (rest != NULL) {
        curl_easy_cleanup(rest->curl);
        wipe_text(&rest->token);
        wipe_text(&rest->refresh_token);
        free(rest);
    }
}

/* ---- one exchange ---- */

static size_t collect(char *data, size_t size, size_t count, void *ctx)
{
    const collector_t *to = ctx;
    tbrest_answer_t *answer = to->answer;
    size_t more = size * count;
    if (more > to->max - answer->len) {
        return 0; /* curl ends with CURLE_WRITE_ERROR */
    }
    char *body = realloc(answer->body, answer->len + more + 1);
    if (body == NULL) {
        return 0;
    }
    memcpy(body + answer->len, data, more);
    answer->len += more;
    body[answer->len] = '\0';
    answer->body = body;
    return more;
}

static struct curl_slist *headers(const tbrest_t *rest, bool with_body, bool with_token)
{
    struct curl_slist *list = NULL;
    if (with_body) {
        list = curl_slist_append(list, "Content-Type: application/json");
    }
    list = curl_slist_append(list, "Accept: application/json, text/plain, */*");
    if (with_token && rest->token != NULL) {
        char *line = malloc(strlen(rest->token) + 32);
        if (line != NULL) {
            sprintf(line, "X-Authorization: Bearer %s", rest->token);
            list = curl_slist_append(list, line);
            bytes_wipe(line, strlen(line));
            free(line);
        }
    }
    return list;
}

static bool exchange(tbrest_t *rest, const char *method, const char *path, const char *body,
                     bool with_token, tbrest_answer_t *answer, err_t *err)
{
    char url[URL_MAX];
    long status = 0;
    collector_t collector = {answer, rest->answer_max};
    memset(answer, 0, sizeof *answer);
    int n = snprintf(url, sizeof url, "%s%s", rest->url, path);
    if (n < 0 || (size_t)n >= sizeof url) {
        return err_set(err, ERR_USAGE, "the path of a REST call is too long: %.100s...", path);
    }
    struct curl_slist *list = headers(rest, body != NULL, with_token);
    curl_easy_setopt(rest->curl, CURLOPT_URL, url);
    curl_easy_setopt(rest->curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(rest->curl, CURLOPT_HTTPGET, 1L);
    if (body != NULL || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
        curl_easy_setopt(rest->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(rest->curl, CURLOPT_POSTFIELDS, body != NULL ? body : "");
        curl_easy_setopt(rest->curl, CURLOPT_POSTFIELDSIZE, body != NULL ? (long)strlen(body) : 0L);
    }
    curl_easy_setopt(rest->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(rest->curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(rest->curl, CURLOPT_WRITEDATA, &collector);
    rest->why[0] = '\0';
    CURLcode code = curl_easy_perform(rest->curl);
    curl_easy_getinfo(rest->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(list);
    if (code == CURLE_OK && answer->body == NULL) {
        answer->body = calloc(1, 1);
    }
    if (code != CURLE_OK || answer->body == NULL) {
        tbrest_answer_free(answer);
        return err_set(err, ERR_PEER, "%s %s: %s%s", method, url,
                       code == CURLE_WRITE_ERROR ? "the answer is too large"
                       : rest->why[0] != '\0'    ? rest->why
                                                 : curl_easy_strerror(code),
                       code == CURLE_PEER_FAILED_VERIFICATION
                           ? "; whom to trust there has to be in the CA file that was named"
                           : "");
    }
    answer->status = (int)status;
    return true;
}

void tbrest_answer_free(tbrest_answer_t *answer)
{
    free(answer->body);
    memset(answer, 0, sizeof *answer);
}

void tbrest_message(const tbrest_answer_t *answer, char *out, size_t cap)
{
    if (!tbrest_text(answer->body, answer->len, "message", out, cap)) {
        snprintf(out, cap, "%s", answer->body);
    }
    for (char *c = out; *c != '\0'; c++) {
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c;
    }
}

/* ---- tokens ---- */

/* The "exp" of a JWT, unverified: only to know when to renew. */
static int64_t expiry(const char *token)
{
    char payload[TOKEN_MAX];
    size_t len;
    json_token_t value;
    int64_t exp = 0;
    const char *from = strchr(token, '.');
    const char *to = from != NULL ? strchr(from + 1, '.') : NULL;
    if (to == NULL ||
        !bytes_from_base64url(from + 1, (size_t)(to - from - 1), payload, sizeof payload, &len)) {
        return 0;
    }
    if (json_find(payload, len, "exp", &value) && json_i64(&value, &exp) && exp > 0) {
        return exp;
    }
    return 0;
}

bool tbrest_use_tokens(tbrest_t *rest, const char *token, const char *refresh_token, err_t *err)
{
    char *a = token != NULL ? strdup(token) : NULL;
    char *b = refresh_token != NULL ? strdup(refresh_token) : NULL;
    if ((token != NULL && a == NULL) || (refresh_token != NULL && b == NULL)) {
        wipe_text(&a);
        wipe_text(&b);
        return err_set(err, ERR_SYSTEM, "out of memory for a token");
    }
    if (a != NULL && strpbrk(a, "\r\n") != NULL) {
        wipe_text(&a);
        wipe_text(&b);
        return err_set(err, ERR_INPUT, "a token holds a line end");
    }
    wipe_text(&rest->token);
    wipe_text(&rest->refresh_token);
    rest->token = a;
    rest->refresh_token = b;
    rest->expires_s = a != NULL ? expiry(a) : 0;
    return true;
}

const char *tbrest_token(const tbrest_t *rest)
{
    return rest->token;
}

const char *tbrest_refresh_token(const tbrest_t *rest)
{
    return rest->refresh_token;
}

/* {"token":"...","refreshToken":"..."} of an answer. */
static bool take_tokens(tbrest_t *rest, const tbrest_answer_t *answer, err_t *err)
{
    char *token = malloc(2 * TOKEN_MAX);
    if (token == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a token");
    }
    char *refresh = token + TOKEN_MAX;
    bool ok = (tbrest_text(answer->body, answer->len, "token", token, TOKEN_MAX) &&
               tbrest_text(answer->body, answer->len, "refreshToken", refresh, TOKEN_MAX)) ||
              err_set(err, ERR_INPUT, "%s answered a login without tokens", rest->url);
    ok = ok && tbrest_use_tokens(rest, token, refresh, err);
    bytes_wipe(token, 2 * TOKEN_MAX);
    free(token);
    return ok;
}

static bool fail(const tbrest_t *rest, const char *method, const char *path,
                 const tbrest_answer_t *answer, err_t *err)
{
    char message[200];
    size_t shown = strcspn(path, "?");
    tbrest_message(answer, message, sizeof message);
    return err_set(err, answer->status == 404 ? ERR_PRECONDITION : ERR_PEER, "%s %s%.*s: %d%s%s",
                   method, rest->url, (int)shown, path, answer->status,
                   message[0] != '\0' ? " " : "", message);
}

/* Posts a body with secrets in it and takes the tokens of the answer. */
static bool ask_tokens(tbrest_t *rest, const char *path, const char *const members[4], err_t *err)
{
    char *body = malloc(TOKEN_MAX);
    json_writer_t w;
    tbrest_answer_t answer;
    if (body == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a login");
    }
    json_writer_init(&w, body, TOKEN_MAX);
    json_object(&w);
    for (int i = 0; i < 4 && members[i] != NULL; i += 2) {
        json_key(&w, members[i]);
        json_put_string(&w, members[i + 1]);
    }
    json_end(&w);
    bool ok = (json_writer_done(&w, NULL) || err_set(err, ERR_USAGE, "the login is too long")) &&
              exchange(rest, "POST", path, body, false, &answer, err);
    bytes_wipe(body, TOKEN_MAX);
    free(body);
    if (!ok) {
        return false;
    }
    ok = answer.status == 200 ? take_tokens(rest, &answer, err)
                              : fail(rest, "POST", path, &answer, err);
    bytes_wipe(answer.body, answer.len);
    tbrest_answer_free(&answer);
    return ok;
}

bool tbrest_login(tbrest_t *rest, const char *username, const char *password, err_t *err)
{
    const char *const members[4] = {"username", username, "password", password};
    return ask_tokens(rest, "/api/auth/login", members, err);
}

static bool renew(tbrest_t *rest, err_t *err)
{
    char *refresh = strdup(rest->refresh_token);
    if (refresh == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a token");
    }
    const char *const members[4] = {"refreshToken", refresh, NULL, NULL};
    bool ok = ask_tokens(rest, "/api/auth/token", members, err);
    wipe_text(&refresh);
    return ok;
}

/* ---- calls ---- */

bool tbrest_call(tbrest_t *rest, const char *method, const char *path, const char *body,
                 tbrest_answer_t *answer, err_t *err)
{
    int64_t now_s = clock_wall_ms() / 1000;
    bool can_renew = rest->refresh_token != NULL;
    if (can_renew && rest->expires_s != 0 && now_s + RENEW_EARLY_S >= rest->expires_s) {
        renew(rest, NULL); /* if it fails, the call itself will say so */
        can_renew = false;
    }
    if (!exchange(rest, method, path, body, true, answer, err)) {
        return false;
    }
    if (answer->status == 401 && can_renew && renew(rest, NULL)) {
        tbrest_answer_free(answer);
        return exchange(rest, method, path, body, true, answer, err);
    }
    return true;
}

bool tbrest_expect(tbrest_t *rest, const char *method, const char *path, const char *body,
                   tbrest_answer_t *answer, err_t *err)
{
    if (!tbrest_call(rest, method, path, body, answer, err)) {
        return false;
    }
    if (answer->status < 200 || answer->status > 299) {
        fail(rest, method, path, answer, err);
        tbrest_answer_free(answer);
        return false;
    }
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP transport's phone side, over libcurl. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocomm/client.h"

#define ADDRESS_MAX        255
#define CONNECT_TIMEOUT_MS 5000L

typedef struct {
    CURL *curl;
    struct curl_slist *headers;
    char address[ADDRESS_MAX + 1];
    char why[CURL_ERROR_SIZE];
} http_t;

/* Where an answer's body goes. */
typedef struct {
    uint8_t *data;
    size_t cap, len;
} sink_t;

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
    sink_t *sink = ctx;
    size_t len = size * count;

    if (len > sink->cap - sink->len)
        return 0; /* libcurl ends the transfer */
    memcpy(sink->data + sink->len, data, len);
    sink->len += len;
    return len;
}

static protocomm_outcome_t failed(const http_t *http, CURLcode code, err_t *err)
{
    const char *why = http->why[0] ? http->why : curl_easy_strerror(code);

    switch (code) {
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
        err_set(err, ERR_PEER, "the device at %s closed the connection without an answer",
                http->address);
        return PROTOCOMM_NO_ANSWER;
    case CURLE_WRITE_ERROR:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
        err_set(err, ERR_PEER, "%s does not answer like a device: %s", http->address, why);
        return PROTOCOMM_BAD_ANSWER;
    default:
        err_set(err, ERR_PEER,
                "the device at %s cannot be reached: %s; is it switched on and waiting for Wi-Fi?",
                http->address, why);
        return PROTOCOMM_GONE;
    }
}

static protocomm_outcome_t http_request(void *ctx, const char *endpoint, const uint8_t *data,
                                        size_t len, uint8_t *out, size_t cap, size_t *out_len,
                                        err_t *err)
{
    http_t *http = ctx;
    char url[ADDRESS_MAX + PROTOCOMM_NAME_MAX + 16];
    sink_t sink = {out, cap, 0};
    long status = 0;

    *out_len = 0;
    http->why[0] = '\0';
    snprintf(url, sizeof url, "http://%s/%s", http->address, endpoint);
    curl_easy_setopt(http->curl, CURLOPT_URL, url);
    curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, (const char *)data);
    curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE, (long)len);
    curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, &sink);
    CURLcode code = curl_easy_perform(http->curl);
    if (code != CURLE_OK)
        return failed(http, code, err);
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 404) {
        err_set(err, ERR_PEER, "the device at %s has no endpoint %s", http->address, endpoint);
        return PROTOCOMM_NO_ENDPOINT;
    }
    if (status != 200) {
        err_set(err, ERR_PEER, "the device at %s answers with HTTP status %ld", http->address,
                status);
        return PROTOCOMM_BAD_ANSWER;
    }
    *out_len = sink.len;
    return PROTOCOMM_OK;
}

static void http_close(void *ctx)
{
    http_t *http = ctx;

    curl_easy_cleanup(http->curl);
    curl_slist_free_all(http->headers);
    free(http);
}

static bool is_address(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= ADDRESS_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") ==
               len;
}

static void set_options(http_t *http, int timeout_ms)
{
    CURL *curl = http->curl;

    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    /* The device is next to us, whatever the environment says about proxies. */
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->why);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, http->headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_COOKIEFILE, ""); /* keeps the session's cookie in memory */
    /* libcurl sends a request again by itself when a reused socket is closed without an answer,
       which is how a device says no. A repeated message would end a Security 1 session. */
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
}

/* Appends to a list, which stays whole on failure. */
static bool add_header(struct curl_slist **list, const char *header)
{
    struct curl_slist *longer = curl_slist_append(*list, header);

    if (longer)
        *list = longer;
    return longer != NULL;
}

bool protocomm_http_open(protocomm_transport_t *transport, const char *address, int timeout_ms,
                         err_t *err)
{
    if (!is_address(address))
        return err_set(err, ERR_USAGE, "'%.80s' is no HOST:PORT", address);
    http_t *http = calloc(1, sizeof *http);
    if (!http)
        return err_set(err, ERR_SYSTEM, "out of memory for a connection");
    strcpy(http->address, address);
    http->curl = curl_easy_init();
    if (!http->curl || !add_header(&http->headers, "Accept: text/plain") ||
        !add_header(&http->headers, "Expect:")) {
        http_close(http);
        return err_set(err, ERR_SYSTEM, "the HTTP client cannot be started");
    }
    set_options(http, timeout_ms);
    *transport = (protocomm_transport_t){http, http_request, http_close};
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a device left at the cloud: counted and erased, item by item (thingsboard.md 4.6 to 4.10).
   Keys with a comma cannot be named in ThingsBoard 4.2's `keys=`; newer ones have `key=`: that is
   tried, and where it does not help, the count stays above 0 and the receipt says so. */
#include "steward/cloud_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T       "/api/plugins/telemetry/DEVICE/"
#define KEY_MAX 512 /* bytes of a key; longer ones than 255 are lost by ThingsBoard */
/* Of encoded keys in one call. */
#define CHUNK_MAX 2500
#define PAGE      100
/* Alarms and RPCs: pages in one cloud_erase; what is left then is found by the next look. */
#define PAGES_MAX 50
/* Every moment there is: points of the year 1 and of a device whose clock runs wild as well. */
#define ALWAYS "&startTs=-9223372036854775808&endTs=9223372036854775807"
/* For counting. One interval as long as this. */
#define COUNTED "&startTs=0&endTs=9999999999999&interval=9999999999999&agg=COUNT"

static const char *const SCOPES[] = {[RECEIPT_CLIENT_ATTRIBUTES] = "CLIENT_SCOPE",
                                     [RECEIPT_SHARED_ATTRIBUTES] = "SHARED_SCOPE",
                                     [RECEIPT_SERVER_ATTRIBUTES] = "SERVER_SCOPE"};

/* Kept in the server's memory too, and about the device, not about its owner: erasing them would
   only confuse the server until the next connection. */
static bool is_platforms(const char *key)
{
    static const char *const names[] = {"active",           "lastConnectTime",
                                        "lastActivityTime", "lastDisconnectTime",
                                        "provisionState",   "inactivityAlarmTime"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(key, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- keys ---- */

static bool add_key(void *ctx, const json_token_t *element)
{
    cloud_keys_t *keys = ctx;
    char key[KEY_MAX];
    char encoded[3 * KEY_MAX + 1];
    if (!json_string(element, key, sizeof key, NULL)) {
        keys->failed = true;
        return false;
    }
    if (keys->skip_platforms && is_platforms(key)) {
        return true;
    }
    cloud_encode(key, encoded, sizeof encoded);
    size_t more = strlen(encoded) + 1;
    char *text = realloc(keys->text, keys->len + more);
    if (text == NULL) {
        keys->failed = true;
        return false;
    }
    memcpy(text + keys->len, encoded, more);
    keys->text = text;
    keys->len += more;
    keys->count++;
    return true;
}

static cloud_outcome_t list_keys(cloud_t *cloud, const char *id, receipt_item_t item,
                                 cloud_keys_t *keys, err_t *err)
{
    char after[64] = "/keys/timeseries";
    tbrest_answer_t answer;
    memset(keys, 0, sizeof *keys);
    if (item != RECEIPT_SERIES) {
        snprintf(after, sizeof after, "/keys/attributes/%s", SCOPES[item]);
        keys->skip_platforms = item == RECEIPT_SERVER_ATTRIBUTES;
    }
    cloud_outcome_t outcome = cloud_do(cloud, "GET", T, id, after, NULL, &answer, err);
    if (outcome != CLOUD_OK) {
        return outcome;
    }
    bool ok = cloud_elements(&answer, "", add_key, keys) && !keys->failed;
    tbrest_answer_free(&answer);
    if (!ok) {
        free(keys->text);
        keys->text = NULL;
        err_set(err, ERR_INPUT, "the cloud's list of keys is not as expected");
        return CLOUD_FAILED;
    }
    return CLOUD_OK;
}

void cloud_keys_forget(cloud_t *cloud)
{
    for (int i = 0; i <= RECEIPT_SERVER_ATTRIBUTES; i++) {
        free(cloud->keys[i].text);
        cloud->keys[i] = (cloud_keys_t){.text = NULL};
    }
    cloud->counted[0] = '\0';
}

/* As listed by the count just before, once: keys that came since are found by the next count. */
static cloud_outcome_t take_keys(cloud_t *cloud, const char *id, receipt_item_t item,
                                 cloud_keys_t *keys, err_t *err)
{
    if (strcmp(cloud->counted, id) != 0 || cloud->keys[item].count == 0) {
        return list_keys(cloud, id, item, keys, err);
    }
    *keys = cloud->keys[item];
    cloud->keys[item] = (cloud_keys_t){.text = NULL};
    return CLOUD_OK;
}

static bool is_odd(const char *encoded)
{
    return encoded[0] == '\0' || strstr(encoded, "%2C") != NULL;
}

/* "keys=a,b" of as many as fit, from *at on; false when there is none left. */
static bool next_chunk(const cloud_keys_t *keys, size_t *at, char out[CHUNK_MAX + 8])
{
    size_t len = (size_t)sprintf(out, "keys=");
    size_t begin = len;
    while (*at < keys->len) {
        const char *key = keys->text + *at;
        size_t more = strlen(key);
        if (!is_odd(key)) {
            if (len + more + 1 > CHUNK_MAX) {
                break;
            }
            len += (size_t)sprintf(out + len, "%s%s", len > begin ? "," : "", key);
        }
        *at += more + 1;
    }
    return len > begin;
}

/* ---- counting ---- */

typedef struct {
    int64_t points;
    bool ok;
} sum_t;

static bool add_point(void *ctx, const json_token_t *element)
{
    sum_t *sum = ctx;
    char text[32];
    json_token_t number = {.type = JSON_NUMBER, .text = text};
    int64_t points = 0;
    if (cloud_text(element->text, element->len, "value", text, sizeof text)) {
        number.len = strlen(text);
        sum->ok = json_i64(&number, &points) && points >= 0 && sum->points < INT64_MAX / 2 &&
                  points < INT64_MAX / 2;
    } else {
        sum->ok = false;
    }
    sum->points += sum->ok ? points : 0;
    return sum->ok;
}

/* {"temp":[{"ts":..,"value":"17"}]}: 17. */
static bool sum_points(const tbrest_answer_t *answer, sum_t *sum)
{
    json_reader_t reader;
    json_token_t key;
    json_token_t token;
    json_token_t value;
    json_reader_init(&reader, answer->body, answer->len);
    if (json_next(&reader, &token) != JSON_OBJECT) {
        return false;
    }
    while (json_next(&reader, &key) == JSON_KEY) {
        json_next(&reader, &token);
        if (!json_skip(&reader, &token, &value)) {
            return false;
        }
        if (!cloud_each_in(&value, add_point, sum) || !sum->ok) {
            return false;
        }
    }
    return key.type == JSON_OBJECT_END;
}

/* Points where the server counts them, else keys: never 0 when there are any. */
static cloud_outcome_t count_series(cloud_t *cloud, const char *id, int64_t *count, err_t *err)
{
    cloud_keys_t *keys = &cloud->keys[RECEIPT_SERIES];
    char chunk[CHUNK_MAX + 8];
    sum_t sum = {0, true};
    size_t at = 0;
    bool exact = true;
    cloud_outcome_t outcome = list_keys(cloud, id, RECEIPT_SERIES, keys, err);
    while (outcome == CLOUD_OK && exact && next_chunk(keys, &at, chunk)) {
        char after[CHUNK_MAX + 160];
        tbrest_answer_t answer;
        snprintf(after, sizeof after, "/values/timeseries?%s" COUNTED, chunk);
        exact = cloud_call(cloud, "GET", T, id, after, NULL, &answer, NULL);
        if (exact) {
            exact = answer.status == 200 && sum_points(&answer, &sum);
            tbrest_answer_free(&answer);
        }
    }
    int64_t at_least = (int64_t)keys->count;
    *count = sum.points > at_least ? sum.points : at_least;
    return outcome;
}

static cloud_outcome_t count_page(cloud_t *cloud, const char *before, const char *id,
                                  int64_t *count, err_t *err)
{
    tbrest_answer_t answer;
    json_token_t token;
    cloud_outcome_t outcome =
        cloud_do(cloud, "GET", before, id, "?pageSize=1&page=0", NULL, &answer, err);
    if (outcome == CLOUD_OK) {
        if (!json_find(answer.body, answer.len, "totalElements", &token) ||
            !json_i64(&token, count) || *count < 0) {
            err_set(err, ERR_INPUT, "the cloud's page has no number of elements");
            outcome = CLOUD_FAILED;
        }
        tbrest_answer_free(&answer);
    }
    return outcome;
}

#define ALARMS "/api/alarm/DEVICE/"
#define RPCS   "/api/rpc/persistent/device/"

cloud_outcome_t cloud_count(cloud_t *cloud, const char *id, int64_t count[CLOUD_ITEMS], err_t *err)
{
    memset(count, 0, CLOUD_ITEMS * sizeof count[0]);
    cloud_keys_forget(cloud);
    cloud_outcome_t outcome = count_series(cloud, id, &count[RECEIPT_SERIES], err);
    for (int i = RECEIPT_CLIENT_ATTRIBUTES; i <= RECEIPT_SERVER_ATTRIBUTES; i++) {
        if (outcome == CLOUD_OK) {
            outcome = list_keys(cloud, id, (receipt_item_t)i, &cloud->keys[i], err);
            count[i] = (int64_t)cloud->keys[i].count;
        }
    }
    if (outcome == CLOUD_OK) {
        outcome = count_page(cloud, ALARMS, id, &count[RECEIPT_ALARMS], err);
    }
    if (outcome == CLOUD_OK) {
        outcome = count_page(cloud, RPCS, id, &count[RECEIPT_RPCS], err);
    }
    if (outcome == CLOUD_OK) {
        snprintf(cloud->counted, sizeof cloud->counted, "%s", id);
    }
    return outcome;
}

/* ---- erasing ---- */

static void chunk_path(receipt_item_t item, const char *chunk, char *out, size_t cap)
{
    if (item == RECEIPT_SERIES) {
        snprintf(out, cap, "/timeseries/delete?%s" ALWAYS, chunk);
    } else {
        snprintf(out, cap, "/%s?%s", SCOPES[item], chunk);
    }
}

static cloud_outcome_t erase_keys(cloud_t *cloud, const char *id, receipt_item_t item, err_t *err)
{
    cloud_keys_t keys;
    char chunk[CHUNK_MAX + 8];
    char after[CHUNK_MAX + 160];
    size_t at = 0;
    cloud_outcome_t outcome = take_keys(cloud, id, item, &keys, err);
    while (outcome == CLOUD_OK && next_chunk(&keys, &at, chunk)) {
        chunk_path(item, chunk, after, sizeof after);
        outcome = cloud_order(cloud, "DELETE", T, id, after, NULL, err);
    }
    for (at = 0; outcome == CLOUD_OK && at < keys.len; at += strlen(keys.text + at) + 1) {
        if (is_odd(keys.text + at) && strlen(keys.text + at) < CHUNK_MAX) {
            snprintf(chunk, sizeof chunk, "key=%s", keys.text + at);
            chunk_path(item, chunk, after, sizeof after);
            cloud_order(cloud, "DELETE", T, id, after, NULL, NULL); /* if it cannot: see above */
        }
    }
    free(keys.text);
    return outcome;
}

typedef struct {
    char id[PAGE][TBREST_ID_SIZE];
    size_t count;
} page_t;

static bool add_id(void *ctx, const json_token_t *element)
{
    page_t *page = ctx;
    if (cloud_text(element->text, element->len, "id.id", page->id[page->count], TBREST_ID_SIZE)) {
        page->count++;
    }
    return page->count < PAGE;
}

/* Page 0 again and again, until it is empty: deleting moves the rest up. */
static cloud_outcome_t erase_pages(cloud_t *cloud, const char *list, const char *one,
                                   const char *id, err_t *err)
{
    page_t page = {.count = 1};
    cloud_outcome_t outcome = CLOUD_OK;
    for (int i = 0; i < PAGES_MAX && page.count > 0 && outcome == CLOUD_OK; i++) {
        tbrest_answer_t answer;
        outcome = cloud_do(cloud, "GET", list, id, "?pageSize=100&page=0", NULL, &answer, err);
        if (outcome != CLOUD_OK) {
            return outcome;
        }
        page.count = 0;
        bool more = cloud_has_next(&answer);
        bool ok = cloud_elements(&answer, "data", add_id, &page);
        tbrest_answer_free(&answer);
        if (!ok) {
            err_set(err, ERR_INPUT, "the cloud's page is not as expected");
            return CLOUD_FAILED;
        }
        for (size_t k = 0; k < page.count && outcome == CLOUD_OK; k++) {
            tbrest_answer_t gone;
            if (!cloud_call(cloud, "DELETE", one, page.id[k], "", NULL, &gone, err)) {
                return CLOUD_FAILED;
            }
            outcome = gone.status == 404 ? CLOUD_OK : cloud_judge(&gone, "deleting", err);
            tbrest_answer_free(&gone);
        }
        if (!more) {
            break; /* the next look proves it */
        }
    }
    return outcome;
}

cloud_outcome_t cloud_erase(cloud_t *cloud, const char *id, receipt_item_t item, err_t *err)
{
    switch (item) {
    case RECEIPT_SERIES:
    case RECEIPT_CLIENT_ATTRIBUTES:
    case RECEIPT_SHARED_ATTRIBUTES:
    case RECEIPT_SERVER_ATTRIBUTES:
        return erase_keys(cloud, id, item, err);
    case RECEIPT_ALARMS:
        return erase_pages(cloud, ALARMS, "/api/alarm/", id, err);
    case RECEIPT_RPCS:
        return erase_pages(cloud, RPCS, "/api/rpc/persistent/", id, err);
    default:
        err_set(err, ERR_USAGE, "%s is not erased one by one", receipt_item_name(item));
        return CLOUD_FAILED;
    }
}

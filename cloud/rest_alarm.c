/* SPDX-License-Identifier: Apache-2.0 */
/* AlarmController. An alarm belongs to the customer that the device had when it began, whoever the
   device is given to (so does ThingsBoard): delete the alarms of a device that changes hands. */
#include "cloud/rest_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define BOTH      (AUTH_TENANT_ADMIN | AUTH_CUSTOMER_USER)
#define TYPES_MAX 4096

static const char *const SEVERITIES[] = {"CRITICAL", "MAJOR", "MINOR", "WARNING", "INDETERMINATE"};

/* ---- as JSON ---- */

static void put_flag(json_writer_t *w, const store_alarm_t *a, const char *name)
{
    json_token_t token;
    rest_put_bool(w, name,
                  a->extra != NULL && json_find(a->extra, strlen(a->extra), name, &token) &&
                      token.type == JSON_TRUE);
}

static void put_ids(json_writer_t *w, const store_alarm_t *a)
{
    rest_put_id(w, "id", "ALARM", &a->id);
    rest_put_i64(w, "createdTime", a->created_ms);
}

static void put_state(json_writer_t *w, const store_alarm_t *a)
{
    rest_put_id(w, "tenantId", "TENANT", &a->tenant);
    if (store_id_is_null(&a->customer)) {
        rest_put_null(w, "customerId");
    } else {
        rest_put_id(w, "customerId", "CUSTOMER", &a->customer);
    }
    rest_put_text(w, "type", a->type);
    rest_put_id(w, "originator", "DEVICE", &a->device);
    rest_put_text(w, "severity", SEVERITIES[a->severity]);
    rest_put_bool(w, "acknowledged", a->acknowledged);
    rest_put_bool(w, "cleared", a->cleared);
    rest_put_null(w, "assigneeId");
    rest_put_i64(w, "startTs", a->start_ms);
    rest_put_i64(w, "endTs", a->end_ms);
    rest_put_i64(w, "ackTs", a->acked_ms);
    rest_put_i64(w, "clearTs", a->cleared_at_ms);
    rest_put_i64(w, "assignTs", 0);
}

static void put_details(json_writer_t *w, const store_alarm_t *a)
{
    json_key(w, "details");
    if (a->details != NULL) {
        json_put_raw(w, a->details, strlen(a->details));
    } else {
        json_put_null(w);
    }
}

static void put_propagation(json_writer_t *w, const store_alarm_t *a)
{
    static const char types[] = "propagateRelationTypes";
    json_token_t token;
    put_flag(w, a, "propagate");
    put_flag(w, a, "propagateToOwner");
    put_flag(w, a, "propagateToTenant");
    json_key(w, types);
    if (a->extra != NULL && json_find(a->extra, strlen(a->extra), types, &token) &&
        token.type == JSON_ARRAY) {
        json_put_raw(w, token.text, token.len);
    } else {
        json_put_raw(w, "[]", 2);
    }
}

static void put_name(json_writer_t *w, const store_alarm_t *a)
{
    static const char *const statuses[2][2] = {{"ACTIVE_UNACK", "ACTIVE_ACK"},
                                               {"CLEARED_UNACK", "CLEARED_ACK"}};
    rest_put_text(w, "name", a->type);
    rest_put_text(w, "status", statuses[a->cleared][a->acknowledged]);
}

static void put_alarm(void *ctx, const store_alarm_t *a)
{
    json_writer_t *w = ctx;
    json_object(w);
    put_state(w, a);
    put_details(w, a);
    put_propagation(w, a);
    put_ids(w, a);
    put_name(w, a);
    json_end(w);
}

static void put_info(void *ctx, const store_alarm_t *a)
{
    json_writer_t *w = ctx;
    bool labelled = a->device_label != NULL && a->device_label[0] != '\0';
    json_object(w);
    put_ids(w, a);
    put_state(w, a);
    put_propagation(w, a);
    rest_put_text(w, "originatorName", a->device_name);
    rest_put_text(w, "originatorLabel", labelled ? a->device_label : a->device_name);
    rest_put_null(w, "assignee");
    put_name(w, a);
    put_details(w, a);
    json_end(w);
}

/* ---- who may ---- */

static void note_customer(void *ctx, const store_alarm_t *alarm)
{
    *(store_id_t *)ctx = alarm->customer;
}

/* False: replied. */
static bool may_touch(rest_call_t *call)
{
    store_id_t customer;
    err_t err = ERR_INIT;
    return rest_ok(call, store_alarm_get(call->store, &call->id[0], note_customer, &customer, &err),
                   "Alarm", &err) &&
           rest_owns(call, &customer);
}

/* Answers with the alarm {id}. */
static void answer(rest_call_t *call, store_alarm_fn_t put)
{
    err_t err = ERR_INIT;
    if (rest_ok(call, store_alarm_get(call->store, &call->id[0], put, &call->json, &err), "Alarm",
                &err)) {
        rest_done(call);
    }
}

static void get_alarm(rest_call_t *call)
{
    if (may_touch(call)) {
        answer(call, put_alarm);
    }
}

static void get_info(rest_call_t *call)
{
    if (may_touch(call)) {
        answer(call, put_info);
    }
}

/* ---- lists ---- */

static bool no_such(rest_call_t *call, const char *what, const char *text)
{
    rest_error(call, 400, REST_BAD_REQUEST,
               "No enum constant org.thingsboard.server.common.data.%s.%s", what, text);
    return false;
}

/* One word of the search: ANY, ACTIVE, CLEARED, ACK, UNACK. */
static bool take_search(store_alarm_query_t *q, const char *text)
{
    if (strcmp(text, "ACTIVE") == 0 || strcmp(text, "CLEARED") == 0) {
        int wanted = text[0] == 'C';
        q->cleared = q->cleared == !wanted ? -1 : wanted; /* both: any */
    } else if (strcmp(text, "ACK") == 0 || strcmp(text, "UNACK") == 0) {
        int wanted = text[0] == 'A';
        q->acknowledged = q->acknowledged == !wanted ? -1 : wanted;
    } else {
        return strcmp(text, "ANY") == 0;
    }
    return true;
}

static bool take_status(store_alarm_query_t *q, const char *text)
{
    bool cleared = strncmp(text, "CLEARED_", 8) == 0;
    bool active = strncmp(text, "ACTIVE_", 7) == 0;
    const char *rest = text + (cleared ? 8 : 7);
    if ((!cleared && !active) || (strcmp(rest, "ACK") != 0 && strcmp(rest, "UNACK") != 0)) {
        return false;
    }
    q->cleared = cleared;
    q->acknowledged = rest[0] == 'A';
    return true;
}

static bool take_severity(store_alarm_query_t *q, const char *text)
{
    for (size_t i = 0; i < sizeof SEVERITIES / sizeof SEVERITIES[0]; i++) {
        if (strcmp(text, SEVERITIES[i]) == 0) {
            q->severities |= 1u << i;
            return true;
        }
    }
    return false;
}

/* Comma separated words of a parameter. False: replied. */
static bool take_list(rest_call_t *call, const char *name, const char *what, store_alarm_query_t *q,
                      bool (*take)(store_alarm_query_t *, const char *))
{
    char list[128];
    char *save = NULL;
    if (!rest_param(call, name, list, sizeof list)) {
        return !call->replied;
    }
    for (char *word = strtok_r(list, ",", &save); word != NULL; word = strtok_r(NULL, ",", &save)) {
        if (!take(q, word)) {
            return no_such(call, what, word);
        }
    }
    return true;
}

static bool read_filter_1(rest_call_t *call, store_alarm_query_t *q)
{
    char search[32];
    char status[32];
    bool some = rest_param(call, "searchStatus", search, sizeof search) && search[0] != '\0';
    bool one = rest_param(call, "status", status, sizeof status) && status[0] != '\0';
    if (some && one) {
        rest_error(call, 400, REST_BAD_REQUEST,
                   "Invalid alarms search query: Both parameters 'searchStatus' and 'status' "
                   "can't be specified at the same time!");
    } else if (some && !take_search(q, search)) {
        no_such(call, "alarm.AlarmSearchStatus", search);
    } else if (one && !take_status(q, status)) {
        no_such(call, "alarm.AlarmStatus", status);
    }
    return !call->replied;
}

static bool read_filter_2(rest_call_t *call, store_alarm_query_t *q, char *types)
{
    types[0] = ',';
    if (rest_param(call, "typeList", types + 1, TYPES_MAX - 2) && types[1] != '\0') {
        strcat(types, ",");
        q->types = types;
    }
    return take_list(call, "statusList", "alarm.AlarmSearchStatus", q, take_search) &&
           take_list(call, "severityList", "alarm.AlarmSeverity", q, take_severity) &&
           !call->replied;
}

static void list(rest_call_t *call, const store_id_t *device, bool second)
{
    store_alarm_query_t query = {.device = device, .acknowledged = -1, .cleared = -1};
    char types[TYPES_MAX];
    char search[STORE_TEXT];
    char order[8] = "DESC";
    uint64_t total;
    err_t err = ERR_INIT;
    if (!rest_page(call, &query.page, search) ||
        !(second ? read_filter_2(call, &query, types) : read_filter_1(call, &query))) {
        return;
    }
    rest_param(call, "sortOrder", order, sizeof order);
    query.page.descending = strcmp(order, "ASC") != 0; /* the newest first, as ThingsBoard */
    rest_param_i64(call, "startTime", &query.from_ms);
    rest_param_i64(call, "endTime", &query.to_ms);
    if (device == NULL && call->caller.authority == AUTH_CUSTOMER_USER &&
        rest_owns(call, &call->caller.customer_id)) {
        query.customer = &call->caller.customer_id;
    }
    if (call->replied) {
        return;
    }
    json_object(&call->json);
    json_key(&call->json, "data");
    json_array(&call->json);
    if (rest_ok(call, store_alarm_list(call->store, &query, put_info, &call->json, &total, &err),
                "Alarm", &err)) {
        rest_page_end(call, &query.page, total);
        rest_done(call);
    }
}

/* Whoever may see the device sees all of its alarms, those of former owners included. */
static void of_device(rest_call_t *call, bool second)
{
    if (strcmp(call->word[0], "DEVICE") != 0) {
        no_such(call, "EntityType", call->word[0]);
    } else if (rest_may_see(call)) {
        list(call, &call->id[0], second);
    }
}

static void of_device_1(rest_call_t *call)
{
    of_device(call, false);
}

static void of_device_2(rest_call_t *call)
{
    of_device(call, true);
}

static void all_1(rest_call_t *call)
{
    list(call, NULL, false);
}

static void all_2(rest_call_t *call)
{
    list(call, NULL, true);
}

/* ---- writing ---- */

typedef struct {
    store_alarm_t alarm;
    bool acknowledged, cleared;
    char type[STORE_TEXT];
    char *details;
    char extra[1024];
} body_t;

static int64_t number(const rest_call_t *call, const char *name)
{
    int64_t value = 0;
    json_token_t token;
    bool there = json_find(call->http->body, call->http->body_len, name, &token) &&
                 token.type == JSON_NUMBER && json_i64(&token, &value);
    return there ? value : 0;
}

static bool flag(const rest_call_t *call, const char *name)
{
    json_token_t token;
    return json_find(call->http->body, call->http->body_len, name, &token) &&
           token.type == JSON_TRUE;
}

/* What is kept as it came. False: too long. */
static bool read_extra(const rest_call_t *call, body_t *in)
{
    json_writer_t w;
    json_token_t token;
    json_writer_init(&w, in->extra, sizeof in->extra);
    json_object(&w);
    rest_put_bool(&w, "propagate", flag(call, "propagate"));
    rest_put_bool(&w, "propagateToOwner", flag(call, "propagateToOwner"));
    rest_put_bool(&w, "propagateToTenant", flag(call, "propagateToTenant"));
    if (json_find(call->http->body, call->http->body_len, "propagateRelationTypes", &token) &&
        token.type == JSON_ARRAY) {
        json_key(&w, "propagateRelationTypes");
        json_put_raw(&w, token.text, token.len);
    }
    json_end(&w);
    in->alarm.extra = in->extra;
    return json_writer_done(&w, NULL);
}

/* Absent: an empty object; null: null; heap. */
static bool read_details(const rest_call_t *call, body_t *in)
{
    json_token_t token = {.type = JSON_OBJECT, .text = "{}", .len = 2};
    if (json_find(call->http->body, call->http->body_len, "details", &token)) {
        if (token.type == JSON_NULL) {
            return true;
        }
        if (token.type == JSON_STRING) { /* with its quotes */
            token.text--;
            token.len += 2;
        }
    }
    in->details = strndup(token.text, token.len);
    in->alarm.details = in->details;
    return in->details != NULL;
}

static bool read_severity(rest_call_t *call, store_alarm_t *alarm)
{
    char text[32] = "";
    json_token_t token;
    store_alarm_query_t q = {.severities = 0};
    if (!json_find(call->http->body, call->http->body_len, "severity", &token) ||
        token.type == JSON_NULL) {
        rest_error(call, 400, REST_BAD_REQUEST, "Validation error: severity must not be null");
        return false;
    }
    if (!rest_body_text(call, "severity", text, sizeof text) || !take_severity(&q, text)) {
        rest_error(call, 500, REST_GENERAL,
                   "JSON parse error: severity \"%s\" is none of CRITICAL, MAJOR, MINOR, WARNING, "
                   "INDETERMINATE",
                   text);
        return false;
    }
    while ((q.severities & 1u << alarm->severity) == 0) {
        alarm->severity++;
    }
    return true;
}

/* False: replied. */
static bool read_body(rest_call_t *call, body_t *in)
{
    const char *json = call->http->body;
    size_t len = call->http->body_len;
    if (!rest_body_object(call)) {
        return false;
    }
    if (!rest_body_id(json, len, "originator", &in->alarm.device)) {
        rest_error(call, 404, REST_NOT_FOUND, "Requested item wasn't found!");
        return false;
    }
    if (!rest_body_text(call, "type", in->type, sizeof in->type)) {
        rest_error(call, 400, REST_BAD_REQUEST, "Validation error: type must not be null");
        return false;
    }
    if (!read_severity(call, &in->alarm)) {
        return false;
    }
    if (!read_extra(call, in) || !read_details(call, in)) {
        rest_error(call, 400, REST_BAD_REQUEST, "The alarm is too large");
        return false;
    }
    rest_body_id(json, len, "id", &in->alarm.id);
    in->alarm.type = in->type;
    in->alarm.start_ms = number(call, "startTs");
    in->alarm.end_ms = number(call, "endTs");
    in->acknowledged = flag(call, "acknowledged");
    in->cleared = flag(call, "cleared");
    return true;
}

static bool may_save(rest_call_t *call, const store_alarm_t *alarm)
{
    if (!store_id_is_null(&alarm->id)) {
        call->id[0] = alarm->id;
        if (!may_touch(call)) {
            return false;
        }
    }
    call->id[0] = alarm->device;
    return rest_may_see(call);
}

static void save(rest_call_t *call)
{
    body_t in = {.details = NULL};
    err_t err = ERR_INIT;
    int64_t now = clock_wall_ms();
    if (!read_body(call, &in) || !may_save(call, &in.alarm)) {
        free(in.details);
        return;
    }
    store_result_t result = store_alarm_save(call->store, &in.alarm, now, &err);
    call->id[0] = in.alarm.id;
    if (result == STORE_OK && in.acknowledged) {
        result = store_alarm_acknowledge(call->store, &in.alarm.id, now, &err);
    }
    if ((result == STORE_OK || result == STORE_CONFLICT) && in.cleared) {
        result = store_alarm_clear(call->store, &in.alarm.id, now, &err);
    }
    free(in.details);
    result = result == STORE_CONFLICT ? STORE_OK : result; /* it already was */
    if (rest_ok(call, result, "Alarm", &err) && rest_commit(call)) {
        answer(call, put_alarm);
    }
}

static void mark(rest_call_t *call, bool clear)
{
    err_t err = ERR_INIT;
    int64_t now = clock_wall_ms();
    if (!may_touch(call)) {
        return;
    }
    store_result_t result = clear ? store_alarm_clear(call->store, &call->id[0], now, &err)
                                  : store_alarm_acknowledge(call->store, &call->id[0], now, &err);
    if (result == STORE_CONFLICT) {
        rest_error(call, 400, REST_BAD_REQUEST, "Alarm was already %s!",
                   clear ? "cleared" : "acknowledged");
    } else if (rest_ok(call, result, "Alarm", &err) && rest_commit(call)) {
        answer(call, put_info);
    }
}

static void acknowledge(rest_call_t *call)
{
    mark(call, false);
}

static void clear(rest_call_t *call)
{
    mark(call, true);
}

static void delete_alarm(rest_call_t *call)
{
    err_t err = ERR_INIT;
    if (may_touch(call) &&
        rest_ok(call, store_alarm_delete(call->store, &call->id[0], &err), "Alarm", &err) &&
        rest_commit(call)) {
        json_put_bool(&call->json, true);
        rest_done(call);
    }
}

const rest_route_t REST_ALARM[] = {
    {HTTP_POST, "/api/alarm", BOTH, save},
    {HTTP_GET, "/api/alarm/info/{id}", BOTH, get_info},
    {HTTP_GET, "/api/alarm/{id}", BOTH, get_alarm},
    {HTTP_DELETE, "/api/alarm/{id}", BOTH, delete_alarm},
    {HTTP_POST, "/api/alarm/{id}/ack", BOTH, acknowledge},
    {HTTP_POST, "/api/alarm/{id}/clear", BOTH, clear},
    {HTTP_GET, "/api/alarm/{word}/{id}", BOTH, of_device_1},
    {HTTP_GET, "/api/alarms", BOTH, all_1},
    {HTTP_GET, "/api/v2/alarm/{word}/{id}", BOTH, of_device_2},
    {HTTP_GET, "/api/v2/alarms", BOTH, all_2},
    {0},
};

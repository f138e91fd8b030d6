/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: looked at, listed, changed, made, deleted. ThingsBoard wants the whole object back when
   a member changes, and refuses one that was changed meanwhile (409): then it is read again. */
#include "steward/cloud_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGE_TRIES 5
#define CREATE_MAX   (CLOUD_VALUE_SIZE + 1024)

/* ---- looking ---- */

static bool is_empty(const json_token_t *value)
{
    return value->type == JSON_NULL || value->type == JSON_FALSE ||
           (value->type == JSON_STRING && value->len == 0);
}

static bool has_value(const char *json, size_t len, const char *path)
{
    json_token_t token;
    return json_find(json, len, path, &token) && !is_empty(&token);
}

/* ThingsBoard takes 1 and "true" for a gateway as well. Empty members are what its web page leaves
   behind. */
static void read_info(const char *json, size_t len, cloud_device_t *device)
{
    json_token_t info;
    json_reader_t reader;
    json_token_t key;
    json_token_t token;
    json_token_t value;
    if (!json_find(json, len, "additionalInfo", &info) || is_empty(&info)) {
        return;
    }
    if (info.type != JSON_OBJECT) {
        device->dressed = true;
        return;
    }
    json_reader_init(&reader, info.text, info.len);
    json_next(&reader, &token);
    while (json_next(&reader, &key) == JSON_KEY) {
        json_next(&reader, &token);
        if (!json_skip(&reader, &token, &value) || is_empty(&value)) {
            continue;
        }
        if (json_equals(&key, "gateway")) {
            device->gateway = true;
        } else {
            device->dressed = true;
        }
    }
}

static bool read_device(const cloud_t *cloud, const char *json, size_t len, cloud_device_t *device,
                        err_t *err)
{
    char profile[TBREST_ID_SIZE];
    json_token_t token;
    memset(device, 0, sizeof *device);
    bool ok = cloud_text(json, len, "id.id", device->id, sizeof device->id) &&
              device->id[0] != '\0' &&
              cloud_text(json, len, "name", device->name, sizeof device->name) &&
              cloud_text(json, len, "customerId.id", device->customer, sizeof device->customer) &&
              cloud_text(json, len, "deviceProfileId.id", profile, sizeof profile) &&
              json_find(json, len, "createdTime", &token) && json_i64(&token, &device->created_ms);
    if (!ok) {
        return err_set(err, ERR_INPUT, "the cloud's description of a device is not as expected");
    }
    device->found = true;
    device->profile = strcmp(profile, cloud->operating) == 0 ? CLOUD_OPERATING
                      : strcmp(profile, cloud->lobby) == 0   ? CLOUD_LOBBY
                                                             : CLOUD_OTHER;
    device->dressed = has_value(json, len, "label") || has_value(json, len, "firmwareId.id") ||
                      has_value(json, len, "softwareId.id");
    read_info(json, len, device);
    return true;
}

/* From the answer of a GET, and the credentials with it. */
static bool take_device(cloud_t *cloud, const char *before, const char *id, cloud_device_t *device,
                        err_t *err)
{
    tbrest_answer_t answer;
    err_t why = ERR_INIT;
    memset(device, 0, sizeof *device);
    cloud_outcome_t outcome = cloud_do(cloud, "GET", before, id, "", NULL, &answer, &why);
    if (outcome == CLOUD_OK) {
        bool ok = read_device(cloud, answer.body, answer.len, device, &why);
        tbrest_answer_free(&answer);
        outcome = ok ? cloud_credentials_read(cloud, device, &why) : CLOUD_FAILED;
    }
    if (outcome == CLOUD_OK || outcome == CLOUD_NOT_FOUND) {
        device->found = outcome == CLOUD_OK;
        return true;
    }
    return err_set(err, why.kind, "%s", why.text);
}

bool cloud_device_read(cloud_t *cloud, const char *id, cloud_device_t *device, err_t *err)
{
    return take_device(cloud, "/api/device/", id, device, err);
}

bool cloud_device_find(cloud_t *cloud, const char *name, cloud_device_t *device, err_t *err)
{
    char path[3 * TBREST_NAME_SIZE + 64] = "/api/tenant/devices?deviceName=";
    size_t len = strlen(path);
    if (!cloud_encode(name, path + len, sizeof path - len)) {
        return err_set(err, ERR_USAGE, "the device's name is too long");
    }
    return take_device(cloud, path, NULL, device, err);
}

typedef struct {
    cloud_each_fn each;
    void *ctx;
    bool on;
} lobby_t;

static bool visit(void *ctx, const json_token_t *element)
{
    lobby_t *lobby = ctx;
    char id[TBREST_ID_SIZE];
    char name[TBREST_NAME_SIZE];
    if (cloud_text(element->text, element->len, "id.id", id, sizeof id) &&
        cloud_text(element->text, element->len, "name", name, sizeof name)) {
        lobby->on = lobby->each(lobby->ctx, id, name);
    }
    return lobby->on;
}

bool cloud_lobby(cloud_t *cloud, cloud_each_fn each, void *ctx, err_t *err)
{
    lobby_t lobby = {each, ctx, true};
    bool more = true;
    if (!cloud_ready(cloud, err) || !cloud_profiles_find(cloud, err)) {
        return false;
    }
    for (unsigned page = 0; more && lobby.on; page++) {
        char rest[96];
        tbrest_answer_t answer;
        snprintf(rest, sizeof rest, "&page=%u&sortProperty=createdTime&sortOrder=ASC", page);
        if (cloud_do(cloud, "GET", "/api/tenant/deviceInfos?pageSize=100&deviceProfileId=",
                     cloud->lobby, rest, NULL, &answer, err) != CLOUD_OK) {
            return false;
        }
        more = cloud_has_next(&answer);
        bool ok = cloud_elements(&answer, "data", visit, &lobby);
        tbrest_answer_free(&answer);
        if (!ok) {
            return err_set(err, ERR_INPUT, "the cloud's list of devices is not as expected");
        }
    }
    return true;
}

/* ---- changing ---- */

/* What is to be true of a device; what is so already is not sent. */
typedef struct {
    const char *name; /* NULL: as it is */
    bool operating;   /* profile */
    bool bare;        /* no label, additionalInfo, firmware, software */
    bool no_gateway;
    bool nobodys; /* unassigned */
} change_t;

#define EDITS_MAX 8

typedef struct {
    json_edit_t edit[EDITS_MAX];
    size_t count;
    char profile[128];
    char name[8 * TBREST_NAME_SIZE];
    char *info; /* heap */
} edits_t;

static void put(edits_t *edits, const char *name, const char *raw)
{
    edits->edit[edits->count++] = (json_edit_t){name, raw};
}

static bool quote(const char *text, char *out, size_t cap)
{
    json_writer_t w;
    json_writer_init(&w, out, cap);
    json_put_string(&w, text);
    return json_writer_done(&w, NULL);
}

/* additionalInfo without "gateway", the owner's own members kept. */
static bool edit_info(edits_t *edits, const char *json, size_t len, err_t *err)
{
    static const json_edit_t out = {"gateway", NULL};
    json_token_t info;
    if (!json_find(json, len, "additionalInfo", &info) || info.type != JSON_OBJECT) {
        return true;
    }
    edits->info = cloud_edit(info.text, info.len, &out, 1, err);
    if (edits->info == NULL) {
        return false;
    }
    put(edits, "additionalInfo", edits->info);
    return true;
}

static bool edits_of(const cloud_t *cloud, const change_t *change, const cloud_device_t *device,
                     const char *json, size_t len, edits_t *edits, err_t *err)
{
    bool moves = change->operating && device->profile != CLOUD_OPERATING;
    bool bare = change->bare && (device->dressed || device->gateway);
    memset(edits, 0, sizeof *edits);
    if (change->name != NULL && strcmp(change->name, device->name) != 0) {
        if (!quote(change->name, edits->name, sizeof edits->name)) {
            return err_set(err, ERR_USAGE, "the device's name is too long");
        }
        put(edits, "name", edits->name);
    }
    if (moves) {
        snprintf(edits->profile, sizeof edits->profile,
                 "{\"entityType\":\"DEVICE_PROFILE\",\"id\":\"%s\"}", cloud->operating);
        put(edits, "deviceProfileId", edits->profile);
    }
    if (moves || bare) { /* firmware belongs to a profile: it cannot come along */
        put(edits, "firmwareId", "null");
        put(edits, "softwareId", "null");
    }
    if (bare) {
        put(edits, "label", "null");
        put(edits, "additionalInfo", "null");
    } else if (change->no_gateway && device->gateway) {
        return edit_info(edits, json, len, err);
    }
    return true;
}

/* One round. *again: somebody else changed it between reading and writing. */
static cloud_outcome_t change_once(cloud_t *cloud, const char *id, const change_t *change,
                                   bool *again, err_t *err)
{
    tbrest_answer_t answer;
    cloud_device_t device;
    edits_t edits;
    *again = false;
    cloud_outcome_t outcome = cloud_do(cloud, "GET", "/api/device/", id, "", NULL, &answer, err);
    if (outcome != CLOUD_OK) {
        return outcome;
    }
    char *body = NULL;
    bool ok = read_device(cloud, answer.body, answer.len, &device, err) &&
              edits_of(cloud, change, &device, answer.body, answer.len, &edits, err);
    if (ok && change->nobodys && strcmp(device.customer, TBREST_NULL_ID) != 0) {
        free(edits.info);
        tbrest_answer_free(&answer);
        outcome = cloud_unassign(cloud, id, err);
        *again = outcome == CLOUD_OK; /* that was a change, too: its version is another now */
        return outcome;
    }
    bool same = ok && edits.count == 0;
    if (ok && !same) {
        body = cloud_edit(answer.body, answer.len, edits.edit, edits.count, err);
        free(edits.info);
    }
    tbrest_answer_free(&answer);
    if (body == NULL) {
        return same ? CLOUD_OK : CLOUD_FAILED;
    }
    ok = cloud_call(cloud, "POST", "/api/device", NULL, "", body, &answer, err);
    free(body);
    if (!ok) {
        return CLOUD_FAILED;
    }
    *again = answer.status == 409;
    outcome = *again ? CLOUD_FAILED : cloud_judge(&answer, "POST /api/device", err);
    tbrest_answer_free(&answer);
    return outcome;
}

static cloud_outcome_t change_device(cloud_t *cloud, const char *id, const change_t *change,
                                     err_t *err)
{
    bool again = true;
    cloud_outcome_t outcome = CLOUD_FAILED;
    for (int i = 0; i < CHANGE_TRIES && again; i++) {
        outcome = change_once(cloud, id, change, &again, err);
    }
    if (again) {
        outcome = CLOUD_FAILED;
        err_set(err, ERR_PEER, "device %s is changed by others again and again", id);
    }
    return outcome;
}

cloud_outcome_t cloud_leaf(cloud_t *cloud, const char *id, const uint8_t *leaf, size_t len,
                           err_t *err)
{
    const change_t change = {.operating = true};
    cloud_outcome_t outcome = change_device(cloud, id, &change, err);
    return outcome == CLOUD_OK ? cloud_credentials_leaf(cloud, id, leaf, len, err) : outcome;
}

cloud_outcome_t cloud_secure(cloud_t *cloud, const char *id, const uint8_t *leaf, size_t len,
                             err_t *err)
{
    const change_t change = {.operating = true, .no_gateway = true, .nobodys = true};
    cloud_outcome_t outcome = change_device(cloud, id, &change, err);
    return outcome == CLOUD_OK ? cloud_credentials_leaf(cloud, id, leaf, len, err) : outcome;
}

cloud_outcome_t cloud_quarantine(cloud_t *cloud, const char *id, err_t *err)
{
    const change_t change = {.operating = true};
    cloud_outcome_t outcome = change_device(cloud, id, &change, err);
    return outcome == CLOUD_OK ? cloud_credentials_token(cloud, id, err) : outcome;
}

cloud_outcome_t cloud_fields(cloud_t *cloud, const char *id, const char *name, err_t *err)
{
    const change_t change = {.name = name, .bare = true};
    return change_device(cloud, id, &change, err);
}

/* ---- whose ---- */

cloud_outcome_t cloud_unassign(cloud_t *cloud, const char *id, err_t *err)
{
    tbrest_answer_t answer;
    char message[128];
    if (!cloud_call(cloud, "DELETE", "/api/customer/device/", id, "", NULL, &answer, err)) {
        return CLOUD_FAILED;
    }
    tbrest_message(&answer, message, sizeof message);
    bool was_so = answer.status == 400 && strncmp(message, "Device isn't assigned", 21) == 0;
    cloud_outcome_t outcome = was_so ? CLOUD_OK : cloud_judge(&answer, "unassigning", err);
    tbrest_answer_free(&answer);
    return outcome;
}

cloud_outcome_t cloud_assign(cloud_t *cloud, const char *id, const char *customer, err_t *err)
{
    char before[96];
    snprintf(before, sizeof before, "/api/customer/%.36s/device/", customer);
    return cloud_order(cloud, "POST", before, id, "", NULL, err);
}

cloud_outcome_t cloud_delete(cloud_t *cloud, const char *id, err_t *err)
{
    err_t why = ERR_INIT;
    cloud_outcome_t outcome = cloud_order(cloud, "DELETE", "/api/device/", id, "", NULL, &why);
    if (outcome == CLOUD_OK || outcome == CLOUD_NOT_FOUND) {
        return CLOUD_OK;
    }
    err_set(err, why.kind, "%s", why.text);
    return outcome;
}

/* ---- making ---- */

static bool write_new(const cloud_t *cloud, const char *name, const char *value,
                      const char *customer, char *out, size_t cap)
{
    json_writer_t w;
    json_writer_init(&w, out, cap);
    json_object(&w);
    json_key(&w, "device");
    json_object(&w);
    json_key(&w, "name");
    json_put_string(&w, name);
    json_key(&w, "deviceProfileId");
    json_object(&w);
    json_key(&w, "entityType");
    json_put_string(&w, "DEVICE_PROFILE");
    json_key(&w, "id");
    json_put_string(&w, cloud->operating);
    json_end(&w);
    if (customer[0] != '\0') {
        json_key(&w, "customerId");
        json_object(&w);
        json_key(&w, "entityType");
        json_put_string(&w, "CUSTOMER");
        json_key(&w, "id");
        json_put_string(&w, customer);
        json_end(&w);
    }
    json_end(&w);
    json_key(&w, "credentials");
    json_object(&w);
    json_key(&w, "credentialsType");
    json_put_string(&w, "X509_CERTIFICATE");
    json_key(&w, "credentialsValue");
    json_put_raw(&w, value, strlen(value));
    json_end(&w);
    json_end(&w);
    return json_writer_done(&w, NULL);
}

cloud_outcome_t cloud_create(cloud_t *cloud, const char *name, const uint8_t *leaf, size_t len,
                             const char *customer, char id[TBREST_ID_SIZE], err_t *err)
{
    char value[CLOUD_VALUE_SIZE];
    char body[CREATE_MAX];
    tbrest_answer_t answer;
    cloud_device_t device;
    if (!cloud_leaf_value(leaf, len, value, err) || !cloud_ready(cloud, err)) {
        return CLOUD_FAILED;
    }
    if (!write_new(cloud, name, value, customer, body, sizeof body)) {
        err_set(err, ERR_USAGE, "the device's name is too long");
        return CLOUD_FAILED;
    }
    cloud_outcome_t outcome =
        cloud_do(cloud, "POST", "/api/device-with-credentials", NULL, "", body, &answer, err);
    if (outcome != CLOUD_OK) {
        return outcome == CLOUD_NOT_FOUND ? CLOUD_FAILED : outcome;
    }
    bool ok = read_device(cloud, answer.body, answer.len, &device, err);
    tbrest_answer_free(&answer);
    if (!ok) {
        return CLOUD_FAILED;
    }
    snprintf(id, TBREST_ID_SIZE, "%s", device.id);
    outcome = cloud_credentials_check(cloud, id, leaf, len, err);
    return outcome == CLOUD_NOT_FOUND ? CLOUD_FAILED : outcome;
}

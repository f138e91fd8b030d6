/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, logging in, one call, what its answer means. */
#include "steward/cloud_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"

#define LOGIN_MAX  4096
#define REFUSED_MS 60000
#define PATH_LIMIT 3500 /* tbrest takes 4096 with the URL in front */

bool cloud_text(const char *json, size_t len, const char *path, char *out, size_t cap)
{
    json_token_t token;
    out[0] = '\0';
    if (!json_find(json, len, path, &token)) {
        return false;
    }
    return token.type == JSON_NULL || json_string(&token, out, cap, NULL);
}

/* ---- the login ---- */

static bool check_private(const char *path, err_t *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return errno == ENOENT ? err_set(err, ERR_PRECONDITION, "there is no login file %s", path)
                               : err_errno(err, "cannot look at %s", path);
    }
    if ((st.st_mode & 077) != 0) {
        return err_set(err, ERR_USAGE, "%s holds a password and others can read it: chmod 600",
                       path);
    }
    return true;
}

bool cloud_login_read(const char *path, cloud_login_t *login, err_t *err)
{
    char *text;
    size_t len;
    if (!check_private(path, err) || !file_read(path, LOGIN_MAX, &text, &len, err)) {
        return false;
    }
    bool ok = cloud_text(text, len, "username", login->username, sizeof login->username) &&
              cloud_text(text, len, "password", login->password, sizeof login->password) &&
              login->username[0] != '\0';
    bytes_wipe(text, len);
    free(text);
    return ok ||
           err_set(err, ERR_INPUT, "%s is not {\"username\":\"..\",\"password\":\"..\"}", path);
}

/* ThingsBoard locks an account after some wrong passwords: one of them a minute is enough. */
static bool log_in(cloud_t *cloud, err_t *err)
{
    cloud_login_t login;
    err_t why = ERR_INIT;
    uint64_t now = clock_monotonic_ms();
    memset(&login, 0, sizeof login);
    if (now < cloud->refused_until_ms) {
        return err_set(err, cloud->refused.kind, "%s", cloud->refused.text);
    }
    cloud->calls++;
    bool read = cloud_login_read(cloud->login_file, &login, &why);
    bool ok = read && tbrest_login(cloud->rest, login.username, login.password, &why);
    bytes_wipe(&login, sizeof login);
    if (ok) {
        return true;
    }
    if (read && strstr(why.text, ": 401 ") != NULL) { /* tbrest says the status so */
        cloud->refused = (err_t)ERR_INIT;
        cloud->refused_until_ms = now + REFUSED_MS;
        err_set(&cloud->refused, ERR_PEER, "%.300s; correct %.120s, it is read once a minute",
                why.text, cloud->login_file);
        return err_set(err, ERR_PEER, "%s", cloud->refused.text);
    }
    return err_set(err, why.kind, "%s", why.text);
}

/* ---- life ---- */

bool cloud_open(cloud_t **cloud, const cloud_settings_t *settings, err_t *err)
{
    tbrest_settings_t rest = {
        .url = settings->url, .ca_file = settings->ca_file, .timeout_ms = CLOUD_TIMEOUT_MS};
    cloud_login_t login;
    bool good = cloud_login_read(settings->login_file, &login, err);
    bytes_wipe(&login, sizeof login);
    if (!good) {
        return false;
    }
    if (strlen(settings->lobby) >= TBREST_NAME_SIZE ||
        strlen(settings->operating) >= TBREST_NAME_SIZE ||
        strcmp(settings->lobby, settings->operating) == 0) {
        return err_set(err, ERR_USAGE,
                       "the lobby's and the operating profile are two, with names "
                       "of at most 255 bytes");
    }
    if (settings->ca_file != NULL && access(settings->ca_file, R_OK) != 0) {
        return err_errno(err, "cannot read the CA file %s", settings->ca_file);
    }
    cloud_t *c = calloc(1, sizeof *c);
    if (c == NULL || (c->login_file = strdup(settings->login_file)) == NULL) {
        free(c);
        return err_set(err, ERR_SYSTEM, "out of memory for the cloud's client");
    }
    snprintf(c->lobby_name, sizeof c->lobby_name, "%s", settings->lobby);
    snprintf(c->operating_name, sizeof c->operating_name, "%s", settings->operating);
    if (!tbrest_open(&c->rest, &rest, err)) {
        cloud_close(c);
        return false;
    }
    *cloud = c;
    return true;
}

void cloud_close(cloud_t *cloud)
{
    if (cloud != NULL) {
        cloud_keys_forget(cloud);
        tbrest_close(cloud->rest);
        free(cloud->login_file);
        free(cloud);
    }
}

uint64_t cloud_calls(const cloud_t *cloud)
{
    return cloud->calls;
}

/* ---- getting ready ---- */

bool cloud_profiles_find(cloud_t *cloud, err_t *err)
{
    cloud_wanted_t wanted[2] = {{cloud->lobby_name, cloud->lobby},
                                {cloud->operating_name, cloud->operating}};
    bool more = true;
    cloud->ready = false;
    cloud->lobby[0] = cloud->operating[0] = '\0';
    for (unsigned page = 0; more; page++) {
        char path[96];
        tbrest_answer_t answer;
        snprintf(path, sizeof path, "/api/deviceProfileInfos?pageSize=100&page=%u", page);
        cloud->calls++;
        if (!tbrest_expect(cloud->rest, "GET", path, NULL, &answer, err)) {
            return false;
        }
        for (int i = 0; i < 2; i++) {
            if (wanted[i].id[0] == '\0') {
                cloud_elements(&answer, "data", cloud_note_wanted, &wanted[i]);
            }
        }
        more = cloud_has_next(&answer) && (cloud->lobby[0] == '\0' || cloud->operating[0] == '\0');
        tbrest_answer_free(&answer);
    }
    for (int i = 0; i < 2; i++) {
        if (wanted[i].id[0] == '\0') {
            return err_set(err, ERR_PRECONDITION,
                           "the cloud has no device profile \"%.64s\"; `cradle thingsboard setup` "
                           "makes it",
                           wanted[i].name);
        }
    }
    cloud->ready = true;
    return true;
}

bool cloud_ready(cloud_t *cloud, err_t *err)
{
    return cloud->ready || (log_in(cloud, err) && cloud_profiles_find(cloud, err));
}

/* ---- calls ---- */

static bool is_id(const char *id)
{
    return strlen(id) == TBREST_ID_SIZE - 1 && strspn(id, "0123456789abcdefABCDEF-") == strlen(id);
}

bool cloud_call(cloud_t *cloud, const char *method, const char *before, const char *id,
                const char *after, const char *body, tbrest_answer_t *answer, err_t *err)
{
    char path[PATH_LIMIT];
    if (id != NULL && !is_id(id)) {
        return err_set(err, ERR_INPUT, "\"%.40s\" is no id of an entity", id);
    }
    int n = snprintf(path, sizeof path, "%s%s%s", before, id != NULL ? id : "", after);
    if (n < 0 || (size_t)n >= sizeof path) {
        return err_set(err, ERR_INPUT, "a REST call's path is too long: %.60s...", path);
    }
    for (int attempt = 0;; attempt++) {
        if (!cloud_ready(cloud, err)) {
            return false;
        }
        cloud->calls++;
        if (!tbrest_call(cloud->rest, method, path, body, answer, err)) {
            return false;
        }
        if (answer->status != 401 || attempt > 0) {
            return true;
        }
        tbrest_answer_free(answer);
        cloud->ready = false; /* other keys, other profiles: all is looked up again */
    }
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* ThingsBoard tells these apart by their text alone. */
static cloud_outcome_t meaning(int status, const char *message)
{
    if (status >= 200 && status <= 299) {
        return CLOUD_OK;
    }
    if (status == 404 &&
        (begins(message, "Device with ") || begins(message, "Requested item wasn't found"))) {
        return CLOUD_NOT_FOUND;
    }
    if (status == 400 && (begins(message, "Device with such name already exists") ||
                          begins(message, "Device credentials are already assigned") ||
                          begins(message, "Specified credentials are already registered"))) {
        return CLOUD_EXISTS;
    }
    return CLOUD_FAILED;
}

cloud_outcome_t cloud_judge(const tbrest_answer_t *answer, const char *what, err_t *err)
{
    char message[200];
    tbrest_message(answer, message, sizeof message);
    cloud_outcome_t outcome = meaning(answer->status, message);
    if (outcome != CLOUD_OK) {
        err_set(err, outcome == CLOUD_NOT_FOUND ? ERR_PRECONDITION : ERR_PEER, "%s: %d%s%s", what,
                answer->status, message[0] != '\0' ? " " : "", message);
    }
    return outcome;
}

cloud_outcome_t cloud_do(cloud_t *cloud, const char *method, const char *before, const char *id,
                         const char *after, const char *body, tbrest_answer_t *answer, err_t *err)
{
    char what[160];
    size_t shown = strcspn(after, "?");
    if (!cloud_call(cloud, method, before, id, after, body, answer, err)) {
        return CLOUD_FAILED;
    }
    snprintf(what, sizeof what, "%s %.*s%s%.*s", method, (int)strcspn(before, "?"), before,
             id != NULL ? id : "", (int)shown, after);
    cloud_outcome_t outcome = cloud_judge(answer, what, err);
    if (outcome != CLOUD_OK) {
        tbrest_answer_free(answer);
    }
    return outcome;
}

cloud_outcome_t cloud_order(cloud_t *cloud, const char *method, const char *before, const char *id,
                            const char *after, const char *body, err_t *err)
{
    tbrest_answer_t answer;
    cloud_outcome_t outcome = cloud_do(cloud, method, before, id, after, body, &answer, err);
    if (outcome == CLOUD_OK) {
        tbrest_answer_free(&answer);
    }
    return outcome;
}

/* ---- answers ---- */

bool cloud_each_in(const json_token_t *array, cloud_element_fn each, void *ctx)
{
    json_reader_t reader;
    json_token_t token;
    json_token_t element;
    if (array->type != JSON_ARRAY) {
        return false;
    }
    json_reader_init(&reader, array->text, array->len);
    json_next(&reader, &token);
    for (;;) {
        if (json_next(&reader, &token) == JSON_ARRAY_END) {
            return true;
        }
        if (!json_skip(&reader, &token, &element)) {
            return false;
        }
        if (!each(ctx, &element)) {
            return true;
        }
    }
}

bool cloud_elements(const tbrest_answer_t *answer, const char *path, cloud_element_fn each,
                    void *ctx)
{
    json_token_t token;
    return json_find(answer->body, answer->len, path, &token) && cloud_each_in(&token, each, ctx);
}

bool cloud_note_wanted(void *ctx, const json_token_t *element)
{
    const cloud_wanted_t *wanted = ctx;
    char name[TBREST_NAME_SIZE];
    if (cloud_text(element->text, element->len, "name", name, sizeof name) &&
        strcmp(name, wanted->name) == 0) {
        cloud_text(element->text, element->len, "id.id", wanted->id, TBREST_ID_SIZE);
    }
    return wanted->id[0] == '\0';
}

bool cloud_encode(const char *text, char *out, size_t cap)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    size_t o = 0;
    for (; *text != '\0'; text++) {
        if (o + 4 > cap) {
            return false;
        }
        if (strchr(plain, *text) != NULL) {
            out[o++] = *text;
        } else {
            o += (size_t)sprintf(out + o, "%%%02X", (unsigned char)*text);
        }
    }
    out[o] = '\0';
    return true;
}

bool cloud_has_next(const tbrest_answer_t *answer)
{
    json_token_t token;
    return json_find(answer->body, answer->len, "hasNext", &token) && token.type == JSON_TRUE;
}

char *cloud_edit(const char *object, size_t len, const json_edit_t *edits, size_t count, err_t *err)
{
    size_t size = json_edit_size(len, edits, count);
    char *out = malloc(size);
    if (out == NULL || !json_edit(object, len, edits, count, out, size, NULL)) {
        free(out);
        err_set(err, ERR_INPUT, "the cloud's answer is no JSON object that can be changed");
        return NULL;
    }
    return out;
}

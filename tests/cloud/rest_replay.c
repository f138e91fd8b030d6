/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays the REST exchanges that a live ThingsBoard 4.2.1 answered (tests/fixtures) to a real
 * cradle-cloud, and compares the answers (rest_compare.h). Every recorded case is either played or
 * in the list of those that are left out, with the reason (rest_cases.h).
 *
 *     rest_replay FOLDER-OF-THE-PROGRAMS [strict]
 *
 * The cloud runs with --as-thingsboard; with "strict" without, and the cases that are deliberately
 * refused then must be.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "json/json.h"
#include "proc/proc.h"
#include "site/run.h"
#include "site/site.h"
#include "tbrest/tbrest.h"

#include "rest_cases.h"
#include "rest_compare.h"

#define RECORDED "tests/fixtures/thingsboard-4.2.1/rest.jsonl"
typedef struct {
    char site[FILE_PATH_MAX];
    char log[FILE_PATH_MAX];
    const char *bin;
    bool strict;
    proc_t cloud;
    tbrest_t *rest;
    tbrest_device_t device;
    char operating[TBREST_ID_SIZE];
    char customer[TBREST_ID_SIZE];
    char credentials[TBREST_ID_SIZE];
    char credentials_version[16];
    char alarm[TBREST_ID_SIZE];
    char call[TBREST_ID_SIZE];
    char future[24]; /* ms */
    char login[256]; /* the body of a login        */
    char others_leaf[4096];
    char leaf[4096]; /* of a unit that never connected */
    char product[4096];
    int failures;
} world_t;

/* ---- the world: one device that has come and gone, with the recorded values ---- */

static bool cradle(world_t *w, const char *a, const char *b, const char *c, const char *d)
{
    char program[FILE_PATH_MAX];
    char *out = NULL;
    int code = -1;
    err_t err = ERR_INIT;
    snprintf(program, sizeof program, "%s/cradle", w->bin);
    const char *const argv[] = {program, "-C", w->site, a, b, c, d, NULL};
    bool ok = proc_run(argv, NULL, w->log, 30000, &out, &code, &err) && code == 0;
    free(out);
    return ok;
}

static bool start_cloud(world_t *w, err_t *err)
{
    char program[FILE_PATH_MAX];
    char ready[SITE_RUN_MAX + 1];
    char https[SITE_HOST_SIZE];
    char url[SITE_HOST_SIZE + 16];
    char path[FILE_PATH_MAX];
    char *login = NULL;
    size_t len;
    json_token_t token;
    char user[64];
    char password[64];
    site_t site;
    snprintf(program, sizeof program, "%s/cradle-cloud", w->bin);
    const char *const argv[] = {program,       "-C",
                                w->site,       "--listen",
                                "127.0.0.1:0", "--http-listen",
                                "127.0.0.1:0", w->strict ? NULL : "--as-thingsboard",
                                NULL};
    if (!site_open(&site, w->site, err) || !proc_start(&w->cloud, argv, w->log, false, err) ||
        !site_run_wait(&site, "cloud", w->cloud.pid, 10000, ready, err) ||
        !site_run_address(&site, "cloud", "https", https, err) ||
        !site_path(&site, "cloud/admin.json", path, err) ||
        !file_read(path, 4096, &login, &len, err)) {
        return false;
    }
    bool ok = json_find(login, len, "username", &token) &&
              json_string(&token, user, sizeof user, NULL) &&
              json_find(login, len, "password", &token) &&
              json_string(&token, password, sizeof password, NULL) &&
              site_ca_path(&site, "server-root", path, err);
    snprintf(w->login, sizeof w->login, "%.*s", (int)len, login);
    free(login);
    snprintf(url, sizeof url, "https://%s", https);
    return ok && tbrest_open(&w->rest, &(tbrest_settings_t){.url = url, .ca_file = path}, err) &&
           tbrest_login(w->rest, user, password, err);
}

/* The mission's way in: the unit's own certificate, and a peer's client. */
static bool be_the_device(world_t *w, err_t *err)
{
    char port[SITE_HOST_SIZE];
    char image[FILE_PATH_MAX];
    char folder[FILE_PATH_MAX];
    char cert[FILE_PATH_MAX + 16];
    char key[FILE_PATH_MAX + 16];
    char ca[FILE_PATH_MAX];
    char *out = NULL;
    int code = -1;
    site_t site;
    snprintf(folder, sizeof folder, "%.900s/identity", w->site);
    if (!site_open(&site, w->site, err) || !site_run_address(&site, "cloud", "mqtts", port, err) ||
        !site_unit_path(&site, "SN-000001", "identity.bin", image, err) ||
        !site_ca_path(&site, "server-root", ca, err)) {
        return false;
    }
    char program[FILE_PATH_MAX];
    snprintf(program, sizeof program, "%s/cradle", w->bin);
    const char *const extract[] = {program, "image", "spiffs", "extract",
                                   image,   "-o",    folder,   NULL};
    if (!proc_run(extract, NULL, w->log, 10000, &out, &code, err) || code != 0) {
        free(out);
        return err_set(err, ERR_PEER, "the identity cannot be extracted");
    }
    free(out);
    snprintf(cert, sizeof cert, "%s/device.crt", folder);
    snprintf(key, sizeof key, "%s/device.key", folder);
    const char *const publish[] = {"mosquitto_pub",
                                   "-h",
                                   "localhost",
                                   "-p",
                                   strrchr(port, ':') + 1,
                                   "--cafile",
                                   ca,
                                   "--cert",
                                   cert,
                                   "--key",
                                   key,
                                   "-t",
                                   "v1/devices/me/attributes",
                                   "-q",
                                   "1",
                                   "-m",
                                   "{\"fw\":\"1.0\",\"model\":\"A1\"}",
                                   NULL};
    bool ok = proc_run(publish, NULL, w->log, 10000, &out, &code, err) && code == 0;
    free(out);
    return ok || err_set(err, ERR_PEER, "mosquitto_pub ended with %d", code);
}

/* The series that were there when the recording was made, with the very same times. */
static bool fill_series(world_t *w, err_t *err)
{
    char path[128];
    char body[4096];
    size_t at = 0;
    tbrest_answer_t answer;
    static const char last[] =
        "{\"ts\":1795351365470,\"values\":{\"t\":20,\"s\":\"a0\",\"b\":true,\"j\":{\"x\":[1,2]},"
        "\"n\":\"7\",\"f\":1.5,\"big\":12345678901234567890,\"e\":1e3,\"cert_days_left\":90}}";
    at += (size_t)snprintf(body + at, sizeof body - at, "[");
    for (int i = 4; i >= 1; i--) {
        at += (size_t)snprintf(body + at, sizeof body - at, "{\"ts\":%lld,\"values\":{\"t\":%d}},",
                               1795351365470LL - 1000 * i, 20 + i);
    }
    snprintf(body + at, sizeof body - at, "%s]", last);
    snprintf(path, sizeof path, "/api/plugins/telemetry/DEVICE/%s/timeseries/ANY", w->device.id);
    if (!tbrest_expect(w->rest, "POST", path, body, &answer, err)) {
        return false;
    }
    tbrest_answer_free(&answer);
    return true;
}

/* A certificate as a JSON text: its line ends as \n. */
static bool load_certificate(world_t *w, const char *name, char *out, size_t cap, err_t *err)
{
    char path[FILE_PATH_MAX];
    char *pem;
    size_t len;
    size_t o = 0;
    site_t site;
    if (!site_open(&site, w->site, err) || !site_ca_path(&site, name, path, err) ||
        !file_read(path, 3000, &pem, &len, err)) {
        return false;
    }
    for (size_t i = 0; i < len && o + 3 < cap; i++) {
        if (pem[i] == '\n') {
            out[o++] = '\\';
            out[o++] = 'n';
        } else {
            out[o++] = pem[i];
        }
    }
    out[o] = '\0';
    free(pem);
    return true;
}

static bool add_other(world_t *w, err_t *err)
{
    tbrest_answer_t answer;
    char body[8192];
    snprintf(body, sizeof body,
             "{\"device\":{\"name\":\"other\"},\"credentials\":{\"credentialsType\":"
             "\"X509_CERTIFICATE\",\"credentialsValue\":\"%s\"}}",
             w->others_leaf);
    bool ok = tbrest_expect(w->rest, "POST", "/api/device-with-credentials", body, &answer, err);
    if (ok) {
        tbrest_answer_free(&answer);
    }
    return ok;
}

static bool build_world(world_t *w, err_t *err)
{
    return (cradle(w, "init", NULL, NULL, NULL) || err_set(err, ERR_PEER, "cradle init failed")) &&
           (cradle(w, "factory", "run", NULL, NULL) ||
            err_set(err, ERR_PEER, "cradle factory run failed")) &&
           load_certificate(w, "product", w->product, sizeof w->product, err) &&
           load_certificate(w, "line", w->leaf, sizeof w->leaf, err) &&
           load_certificate(w, "server-root", w->others_leaf, sizeof w->others_leaf, err) &&
           start_cloud(w, err) && be_the_device(w, err) &&
           tbrest_device_by_name(w->rest, "SN-000001", &w->device, err) && fill_series(w, err) &&
           add_other(w, err);
}

static void complain(world_t *w, const char *name, const char *why)
{
    printf("FAIL %s: %s\n", name, why);
    w->failures++;
}

/* ---- playing ---- */

/* What %letter stands for; NULL: nothing. */
static const char *value_of(const world_t *w, char letter)
{
    switch (letter) {
    case 'A':
        return w->alarm;
    case 'C':
        return w->product;
    case 'D':
        return w->device.id;
    case 'F':
        return w->leaf;
    case 'I':
        return w->credentials;
    case 'K':
        return w->customer;
    case 'L':
        return w->login;
    case 'N':
        return w->device.name;
    case 'O':
        return w->operating;
    case 'P':
        return w->device.profile_id;
    case 'R':
        return w->call;
    case 'T':
        return w->future;
    case 'V':
        return "1";
    case 'W':
        return w->credentials_version;
    case 'X':
        return w->others_leaf;
    default:
        return NULL;
    }
}

static void expand(const world_t *w, const char *text, char *out, size_t cap)
{
    size_t o = 0;
    for (; *text != '\0' && o + 1 < cap; text++) {
        const char *with = text[0] == '%' ? value_of(w, text[1]) : NULL;
        if (with == NULL) {
            out[o++] = *text;
            continue;
        }
        int n = snprintf(out + o, cap - o, "%s", with);
        o = (size_t)n < cap - o ? o + (size_t)n : cap - 1;
        text++;
    }
    out[o] = '\0';
}

/* Later cases ask for what earlier ones have made. */
static void learn(world_t *w, const char *name, const tbrest_answer_t *answer)
{
    json_token_t id;
    json_token_t version;
    if (answer->status != 200) {
        return;
    }
    if (json_find(answer->body, answer->len, "rpcId", &id)) {
        json_string(&id, w->call, sizeof w->call, NULL);
    }
    if (!json_find(answer->body, answer->len, "id.id", &id)) {
        return;
    }
    if (strcmp(name, "create operating profile") == 0) {
        json_string(&id, w->operating, sizeof w->operating, NULL);
    } else if (strcmp(name, "create customer") == 0) {
        json_string(&id, w->customer, sizeof w->customer, NULL);
    } else if (strcmp(name, "create alarm") == 0) {
        json_string(&id, w->alarm, sizeof w->alarm, NULL);
    } else if (strncmp(name, "credentials", 11) == 0 &&
               json_find(answer->body, answer->len, "version", &version)) {
        json_string(&id, w->credentials, sizeof w->credentials, NULL);
        snprintf(w->credentials_version, sizeof w->credentials_version, "%.*s", (int)version.len,
                 version.text);
    }
}

static void prepare(world_t *w, const rest_case_t *c)
{
    char path[512];
    tbrest_answer_t answer;
    err_t err = ERR_INIT;
    if (c->first != NULL) {
        expand(w, c->first, path, sizeof path);
        if (tbrest_expect(w->rest, "POST", path, NULL, &answer, &err)) {
            tbrest_answer_free(&answer);
        } else {
            complain(w, c->name, err.text);
        }
    }
}

static void play(world_t *w, const rest_case_t *c, const char *line, size_t len)
{
    char path[512];
    char body[8192];
    char *token = strdup(tbrest_token(w->rest));
    char *refresh = strdup(tbrest_refresh_token(w->rest));
    const rest_compare_t with = {.name = c->name, .path = path, .exact = c->exact};
    tbrest_answer_t answer;
    err_t err = ERR_INIT;
    prepare(w, c);
    expand(w, c->path, path, sizeof path);
    expand(w, c->body != NULL ? c->body : "", body, sizeof body);
    if (c->no_token || c->junk_token) {
        tbrest_use_tokens(w->rest, c->junk_token ? "junk" : NULL, NULL, NULL);
    }
    if (!tbrest_call(w->rest, c->method, path, c->body != NULL ? body : NULL, &answer, &err)) {
        complain(w, c->name, err.text);
    } else {
        bool refused = c->lax && w->strict;
        if (refused ? answer.status == 400 : rest_compare(&with, &answer, line, len)) {
            printf("ok   %s\n", c->name);
        } else {
            printf("FAIL %s\n", c->name);
            w->failures++;
        }
        learn(w, c->name, &answer);
        tbrest_answer_free(&answer);
    }
    tbrest_use_tokens(w->rest, token, refresh, NULL);
    free(token);
    free(refresh);
}

static bool is_left_out(const char *name)
{
    for (size_t i = 0; i < REST_LEFT_OUT_COUNT; i++) {
        size_t n = strlen(REST_LEFT_OUT[i].name);
        bool prefix = REST_LEFT_OUT[i].name[n - 1] == '*';
        if (prefix ? strncmp(REST_LEFT_OUT[i].name, name, n - 1) == 0
                   : strcmp(REST_LEFT_OUT[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void play_all(world_t *w)
{
    FILE *file = fopen(RECORDED, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    size_t played = 0;
    while (file != NULL && (n = getline(&line, &cap, file)) > 0) {
        char name[128] = "";
        json_token_t token;
        size_t i = 0;
        if (json_find(line, (size_t)n, "name", &token)) {
            json_string(&token, name, sizeof name, NULL);
        }
        while (i < REST_CASE_COUNT && strcmp(REST_CASES[i].name, name) != 0) {
            i++;
        }
        if (i < REST_CASE_COUNT) {
            play(w, &REST_CASES[i], line, (size_t)n);
            played++;
        } else if (!is_left_out(name)) {
            complain(w, name, "neither played nor left out with a reason");
        }
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    if (played != REST_CASE_COUNT) {
        complain(w, "all", "some cases are not in the recording");
    }
}

int main(int argc, char **argv)
{
    world_t w = {.bin = argc > 1 ? argv[1] : "."};
    w.strict = argc > 2 && strcmp(argv[2], "strict") == 0;
    char dir[] = "/tmp/cradle-replay-XXXXXX";
    err_t err = ERR_INIT;
    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    snprintf(w.site, sizeof w.site, "%s/site", dir);
    snprintf(w.log, sizeof w.log, "%s/log", dir);
    snprintf(w.future, sizeof w.future, "%" PRId64, clock_wall_ms() + 3600000);
    if (build_world(&w, &err)) {
        play_all(&w);
    } else {
        printf("FAIL the world: %s\n", err.text);
        w.failures++;
    }
    tbrest_close(w.rest);
    proc_stop(&w.cloud, 5000);
    file_remove_tree(dir, NULL);
    return w.failures == 0 ? 0 : 1;
}

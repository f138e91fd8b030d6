/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of station 4 for one unit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "factory/test_internal.h"
#include "json/json.h"
#include "site/run.h"

#define LIMIT_S   30
#define CLOCK_MS  10000 /* how far a unit's clock may be off */
#define FIELD_MAX 256

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static bool in_time(const trial_t *t)
{
    return clock_monotonic_ms() < t->until;
}

static int left_ms(const trial_t *t)
{
    uint64_t now = clock_monotonic_ms();
    return now < t->until ? (int)(t->until - now) : 1;
}

/* Too late, or the unit is gone: then there is nothing to wait for. */
static bool may_wait(trial_t *t, const char *what, err_t *err)
{
    int status;
    if (proc_ended(&t->device, &status)) {
        return err_set(err, ERR_PEER, "it stopped running; its log is kept");
    }
    if (!in_time(t)) {
        return err_set(err, ERR_PEER, "%s within the limit of %u s", what,
                       t->settings->limit_s == 0 ? LIMIT_S : t->settings->limit_s);
    }
    pause_ms(20);
    return true;
}

static bool add_value(factory_test_t *out, const char *name, const char *text)
{
    double value;
    if (strlen(name) >= sizeof out->value[0].name || !factory_number_parse(text, &value)) {
        return true; /* no measurement */
    }
    for (size_t i = 0; i < out->value_count; i++) {
        if (strcmp(out->value[i].name, name) == 0) {
            out->value[i].value = value;
            return true;
        }
    }
    if (out->value_count < FACTORY_TEST_VALUES) {
        factory_value_t *v = &out->value[out->value_count++];
        snprintf(v->name, sizeof v->name, "%s", name);
        v->value = value;
    }
    return true;
}

/* ---- steps ---- */

static bool advertises(const trial_t *t)
{
    char name[64];
    char path[FILE_PATH_MAX];
    snprintf(name, sizeof name, "air/%s.json", t->service);
    return site_path(&t->bench->own, name, path, NULL) && file_exists(path);
}

static bool step_boot(trial_t *t, err_t *err)
{
    const char *argv[] = {t->bench->cradle, "-C", t->bench->dir, "device", "run", t->out->sn, NULL};
    char name[64];
    char ready[SITE_RUN_MAX + 1];
    snprintf(name, sizeof name, "device-%s", t->out->sn);
    if (!proc_start(&t->device, argv, t->log, false, err) ||
        !site_run_wait(&t->bench->own, name, t->device.pid, left_ms(t), ready, err)) {
        return false;
    }
    while (!advertises(t)) {
        if (!may_wait(t, "it did not wait for a phone", err)) {
            return false;
        }
    }
    return true;
}

static bool step_provision(trial_t *t, err_t *err)
{
    char seconds[12];
    const char *argv[18] = {t->bench->cradle,
                            "-C",
                            t->bench->dir,
                            "--json",
                            "phone",
                            "provision",
                            t->service,
                            "--ssid",
                            FACTORY_BENCH_SSID,
                            "--passphrase-file",
                            t->bench->passphrase_file,
                            "--timeout",
                            seconds};
    char *answer = NULL;
    int code = -1;
    json_token_t token;
    char why[FIELD_MAX] = "";
    snprintf(seconds, sizeof seconds, "%d", left_ms(t) / 1000 + 1);
    if (t->pop_file[0] != '\0') {
        argv[13] = "--pop-file";
        argv[14] = t->pop_file;
    }
    bool ok = proc_run(argv, NULL, t->log, left_ms(t) + 5000, &answer, &code, err);
    if (ok && code != 0) {
        if (json_find(answer, strlen(answer), "text", &token)) {
            json_string(&token, why, sizeof why, NULL);
        }
        ok = err_set(err, ERR_PEER, "it cannot be put on the Wi-Fi: %s",
                     why[0] != '\0' ? why : "the phone gave up");
    }
    free(answer);
    return ok;
}

static bool step_connect(trial_t *t, err_t *err)
{
    for (;;) {
        tbrest_device_t device;
        err_t now = ERR_INIT;
        if (tbrest_device_by_name(t->rest, t->out->sn, &device, &now)) {
            snprintf(t->id, sizeof t->id, "%s", device.id);
            return true;
        }
        if (now.kind != ERR_PRECONDITION) {
            return err_set(err, now.kind, "%s", now.text);
        }
        if (!may_wait(t, "the test cloud did not see it", err)) {
            return false;
        }
    }
}

static bool take_value(void *ctx, const tbrest_value_t *value)
{
    trial_t *t = ctx;
    int64_t now = clock_wall_ms();
    if (value->kind == TBREST_NUMBER && value->ts >= t->began_ms - CLOCK_MS &&
        value->ts <= now + CLOCK_MS) {
        add_value(t->out, value->key, value->text);
    }
    return true;
}

static const factory_value_t *find_value(const factory_test_t *out, const char *name)
{
    for (size_t i = 0; i < out->value_count; i++) {
        if (strcmp(out->value[i].name, name) == 0) {
            return &out->value[i];
        }
    }
    return NULL;
}

/* The first limit without a value; NULL: there is none. "a value", where nothing came at all. */
static const char *missing_value(const trial_t *t)
{
    const factory_limits_t *limits = t->settings->limits;
    for (size_t i = 0; limits != NULL && i < limits->count; i++) {
        if (find_value(t->out, limits->limit[i].name) == NULL) {
            return limits->limit[i].name;
        }
    }
    return t->out->value_count == 0 ? "any number" : NULL;
}

static bool step_telemetry(trial_t *t, err_t *err)
{
    for (;;) {
        char what[128];
        if (!tbrest_latest(t->rest, t->id, NULL, take_value, t, err)) {
            return false;
        }
        const char *missing = missing_value(t);
        if (missing == NULL) {
            return true;
        }
        snprintf(what, sizeof what, "it did not send %s with a time stamp of now", missing);
        if (!may_wait(t, what, err)) {
            return false;
        }
    }
}

static bool step_limits(trial_t *t, err_t *err)
{
    const factory_limits_t *limits = t->settings->limits;
    for (size_t i = 0; limits != NULL && i < limits->count; i++) {
        const factory_limit_t *limit = &limits->limit[i];
        const factory_value_t *v = find_value(t->out, limit->name);
        if (v == NULL || v->value < limit->min || v->value > limit->max) {
            snprintf(t->out->cause, sizeof t->out->cause, "%s", limit->name);
            return err_set(err, ERR_PEER, "%s is %g, outside %g to %g", limit->name,
                           v == NULL ? 0 : v->value, limit->min, limit->max);
        }
    }
    return true;
}

static bool call(trial_t *t, const char *method, tbrest_answer_t *answer, err_t *err)
{
    char path[96];
    char body[256];
    json_writer_t w;
    json_writer_init(&w, body, sizeof body);
    json_object(&w);
    json_key(&w, "method");
    json_put_string(&w, method);
    json_key(&w, "params");
    json_object(&w);
    json_end(&w);
    json_key(&w, "timeout");
    json_put_i64(&w, left_ms(t) < 10000 ? left_ms(t) : 10000);
    json_end(&w);
    snprintf(path, sizeof path, "/api/rpc/twoway/%s", t->id);
    return (json_writer_done(&w, NULL) || err_set(err, ERR_USAGE, "the method is too long")) &&
           (tbrest_expect(t->rest, "POST", path, body, answer, err) ||
            err_add(err, "it did not answer the call %s", method));
}

static bool step_self_test(trial_t *t, err_t *err)
{
    const char *method =
        t->settings->self_test == NULL ? FACTORY_SELF_TEST : t->settings->self_test;
    tbrest_answer_t answer;
    json_reader_t r;
    json_token_t key, value;
    if (!call(t, method, &answer, err)) {
        return false;
    }
    bool bad = json_find(answer.body, answer.len, "error", &value) ||
               (json_find(answer.body, answer.len, "ok", &value) && value.type != JSON_TRUE);
    if (bad || !json_valid(answer.body, answer.len)) {
        err_set(err, ERR_PEER, "its self-test says: %.120s", answer.body);
    } else {
        json_reader_init(&r, answer.body, answer.len);
        if (json_next(&r, &key) == JSON_OBJECT) {
            while (json_next(&r, &key) == JSON_KEY) {
                char name[33];
                char text[64];
                json_next(&r, &value);
                if (value.type == JSON_NUMBER && value.len < sizeof text &&
                    json_string(&(json_token_t){JSON_STRING, key.escaped, key.text, key.len}, name,
                                sizeof name, NULL)) {
                    snprintf(text, sizeof text, "%.*s", (int)value.len, value.text);
                    add_value(t->out, name, text);
                }
                json_skip(&r, &value, NULL);
            }
        }
    }
    tbrest_answer_free(&answer);
    return err->kind == ERR_NONE;
}

static bool step_reset(trial_t *t, err_t *err)
{
    tbrest_answer_t answer;
    if (!call(t, "factoryReset", &answer, err)) {
        return false;
    }
    tbrest_answer_free(&answer);
    while (!advertises(t)) {
        if (!may_wait(t, "it was not blank again", err)) {
            return false;
        }
    }
    return true;
}

/* After it was switched off, so that it cannot come back. */
static bool step_unregister(trial_t *t, err_t *err)
{
    tbrest_device_t device;
    err_t gone = ERR_INIT;
    proc_stop(&t->device, 3000);
    if (!tbrest_device_delete(t->rest, t->id, err)) {
        return false;
    }
    if (tbrest_device_by_name(t->rest, t->out->sn, &device, &gone)) {
        return err_set(err, ERR_PEER, "its test record is still there after it was deleted");
    }
    t->id[0] = '\0';
    return gone.kind == ERR_PRECONDITION || err_set(err, gone.kind, "%s", gone.text);
}

typedef struct {
    const char *name;
    bool (*run)(trial_t *t, err_t *err);
} step_t;

static const step_t STEPS[FACTORY_TEST_STEPS] = {
    {"boot", step_boot},           {"provision", step_provision},  {"connect", step_connect},
    {"telemetry", step_telemetry}, {"limits", step_limits},        {"self-test", step_self_test},
    {"reset", step_reset},         {"unregister", step_unregister}};

const char *factory_test_step_name(unsigned step)
{
    return step < FACTORY_TEST_STEPS ? STEPS[step].name : "?";
}

/* ---- the whole ---- */

/* A record that a failed test leaves in the cloud would be found by the unit's next one. */
static void forget_record(trial_t *t)
{
    tbrest_device_t device;
    if (t->id[0] == '\0' && tbrest_device_by_name(t->rest, t->out->sn, &device, NULL)) {
        snprintf(t->id, sizeof t->id, "%s", device.id);
    }
    if (t->id[0] != '\0' && !tbrest_device_delete(t->rest, t->id, NULL) && t->out->pass) {
        t->out->pass = false;
    }
}

static void tidy(trial_t *t)
{
    char path[FILE_PATH_MAX];
    if (t->device.pid != 0) {
        proc_stop(&t->device, 3000);
    }
    forget_record(t);
    if (t->pop_file[0] != '\0') {
        remove(t->pop_file);
    }
    if (site_device_path(&t->bench->own, t->out->sn, NULL, path, NULL) && file_exists(path)) {
        file_remove_tree(path, NULL);
    }
}

static bool prepare(trial_t *t, const char *mac, const char *pop, err_t *err)
{
    char name[64];
    t->began_ms = clock_wall_ms();
    if (!factory_service_name(mac, t->service)) {
        return err_set(err, ERR_INPUT, "custody has no MAC of it");
    }
    snprintf(name, sizeof name, "logs/%s.log", t->out->sn);
    if (!file_join(t->log, t->bench->dir, name, err)) {
        return false;
    }
    if (pop[0] == '\0') {
        return true;
    }
    snprintf(name, sizeof name, "%s.pop", t->out->sn);
    return file_join(t->pop_file, t->bench->dir, name, err) &&
           file_write(t->pop_file, pop, strlen(pop), 0600, err);
}

void factory_trial_run(trial_t *t, const char *mac, const char *pop)
{
    factory_test_t *out = t->out;
    unsigned limit_s = t->settings->limit_s == 0 ? LIMIT_S : t->settings->limit_s;
    bool ok = prepare(t, mac, pop, &out->err);
    for (unsigned i = 0; i < FACTORY_TEST_STEPS; i++) {
        out->ms[i] = -1;
    }
    for (unsigned i = 0; ok && i < FACTORY_TEST_STEPS; i++) {
        uint64_t from = clock_monotonic_ms();
        t->until = from + 1000 * (uint64_t)limit_s;
        ok = STEPS[i].run(t, &out->err);
        out->ms[i] = (int64_t)(clock_monotonic_ms() - from);
        if (!ok && out->cause[0] == '\0') {
            snprintf(out->cause, sizeof out->cause, "%s", STEPS[i].name);
        }
    }
    out->pass = ok;
    tidy(t);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Device profiles. ThingsBoard takes any text for a CA and computes provisionDeviceKey of it, which
   then nothing ever matches (thingsboard-live.md section 6): the key is read back and compared. */
#include "steward/setup_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/bytes.h"
#include "pki/cert.h"

#define CHAIN    "X509_CERTIFICATE_CHAIN"
#define CHECKED  "CHECK_PRE_PROVISIONED_DEVICES"
#define DISABLED "DISABLED"
#define BODY_MAX 16384
#define NO_ID    "null"

/* ---- what is wanted ---- */

/* One CA certificate and nothing else: its PEM without text around it, and its key. */
static bool read_ca(const char *text, const char *what, char *pem, size_t cap,
                    char key[SETUP_KEY_SIZE], err_t *err)
{
    pki_chain_t chain = PKI_CHAIN_INIT;
    pki_facts_t facts;
    char *clean = NULL;
    size_t len;
    if (!pki_chain_parse(text, strlen(text), &chain, err)) {
        return err_add(err, "%s", what);
    }
    bool ok =
        (chain.count == 1 || err_set(err, ERR_USAGE, "%s: one certificate is wanted, %zu are there",
                                     what, chain.count)) &&
        pki_cert_facts(chain.cert[0], &facts, err) && pki_chain_to_pem(&chain, &clean, &len, err);
    if (ok) {
        snprintf(key, SETUP_KEY_SIZE, "%s", facts.credentials_id);
        if (pem != NULL && (size_t)snprintf(pem, cap, "%s", clean) >= cap) {
            ok = err_set(err, ERR_INPUT, "%s is too large", what);
        }
    }
    free(clean);
    pki_chain_free(&chain);
    return ok;
}

bool setup_profile_lobby(const setup_t *s, char *pem, size_t cap, char *key,
                         setup_profile_t *profile, err_t *err)
{
    *profile = (setup_profile_t){.what = "profile",
                                 .name = s->lobby,
                                 .note = "first contact of devices under the product CA",
                                 .type = CHAIN,
                                 .key = key,
                                 .pem = pem,
                                 .chained = true};
    return read_ca(s->product_pem, "the product CA", pem, cap, key, err);
}

void setup_profile_operating(const setup_t *s, setup_profile_t *profile)
{
    *profile = (setup_profile_t){.what = "profile",
                                 .name = s->operating,
                                 .note = "certificates come from the steward only",
                                 .type = DISABLED,
                                 .chained = true};
}

bool setup_profile_placeholder(const setup_t *s, size_t i, char *name, char *key,
                               setup_profile_t *profile, err_t *err)
{
    const setup_issuing_t *issuing = &s->issuing[i];
    *profile = (setup_profile_t){.what = "placeholder",
                                 .name = name,
                                 .note = "no other tenant can register this issuing CA",
                                 .type = CHECKED,
                                 .key = key,
                                 .send_key = true};
    int n = snprintf(name, TBREST_NAME_SIZE, "%s placeholder %s", s->lobby, issuing->name);
    if (n < 0 || n >= TBREST_NAME_SIZE) {
        return err_set(err, ERR_USAGE, "the lobby's name is too long for placeholders");
    }
    return read_ca(issuing->pem, issuing->name, NULL, 0, key, err);
}

/* ---- looking ---- */

static bool find(setup_work_t *w, const char *name, char id[TBREST_ID_SIZE], err_t *err)
{
    cloud_wanted_t wanted = {name, id};
    id[0] = '\0';
    return setup_pages(w->rest, "/api/deviceProfileInfos?", cloud_note_wanted, &wanted, err);
}

static bool get(setup_work_t *w, const char *id, tbrest_answer_t *answer, err_t *err)
{
    char path[96];
    snprintf(path, sizeof path, "/api/deviceProfile/%s", id);
    return tbrest_expect(w->rest, "GET", path, NULL, answer, err);
}

/* The default chain as JSON: "null" when it is not ours to say. */
static void chain_of(const setup_work_t *w, const setup_profile_t *profile, char out[128])
{
    if (profile->chained && w->chain_named && w->chain[0] != '\0') {
        snprintf(out, 128, "{\"entityType\":\"RULE_CHAIN\",\"id\":\"%s\"}", w->chain);
    } else {
        snprintf(out, 128, NO_ID);
    }
}

static bool is_key(const setup_profile_t *profile, const char *json)
{
    char key[160];
    if (!cloud_text(json, strlen(json), "provisionDeviceKey", key, sizeof key)) {
        key[0] = '\0';
    }
    return profile->key != NULL ? strcmp(key, profile->key) == 0 : key[0] == '\0';
}

static bool is_right(const setup_work_t *w, const setup_profile_t *profile, const char *json)
{
    static const char *const patterns[] = {"(.*)", "^(.*)$"}; /* say the same */
    char chain[128];
    char want[1024];
    chain_of(w, profile, chain);
    if (!is_key(profile, json) || (profile->chained && w->chain_named && w->chain[0] == '\0')) {
        return false;
    }
    for (int i = 0; i < (profile->pem != NULL ? 2 : 1); i++) {
        int n = snprintf(want, sizeof want,
                         "{\"provisionType\":\"%s\",\"profileData\":{\"provisionConfiguration\":{"
                         "\"type\":\"%s\"",
                         profile->type, profile->type);
        if (profile->pem != NULL) {
            n += snprintf(want + n, sizeof want - (size_t)n,
                          ",\"certificateRegExPattern\":\"%s\","
                          "\"allowCreateNewDevicesByX509Certificate\":true",
                          patterns[i]);
        }
        n += snprintf(want + n, sizeof want - (size_t)n, "}}");
        if (strcmp(chain, NO_ID) != 0) {
            n += snprintf(want + n, sizeof want - (size_t)n, ",\"defaultRuleChainId\":%s", chain);
        }
        snprintf(want + n, sizeof want - (size_t)n, "}");
        if (setup_text_contains(json, want)) {
            return true;
        }
    }
    return false;
}

/* ---- making ---- */

/* provisionConfiguration as it is sent; heap. */
static char *configuration(const setup_profile_t *profile, err_t *err)
{
    char *out = malloc(BODY_MAX);
    char *pem = profile->pem != NULL ? setup_quote(profile->pem) : NULL;
    uint8_t random[20];
    char secret[sizeof random * 2 + 1];
    int n = -1;
    bool ready = out != NULL && (profile->pem == NULL || pem != NULL) &&
                 getrandom(random, sizeof random, 0) == (ssize_t)sizeof random;
    if (ready && profile->pem != NULL) {
        n = snprintf(out, BODY_MAX,
                     "{\"type\":\"" CHAIN "\",\"provisionDeviceSecret\":%s,"
                     "\"certificateRegExPattern\":\"(.*)\","
                     "\"allowCreateNewDevicesByX509Certificate\":true}",
                     pem);
    } else if (ready && profile->send_key) { /* nobody is to know or need the secret */
        bytes_to_hex(random, sizeof random, secret, sizeof secret);
        n = snprintf(out, BODY_MAX, "{\"type\":\"" CHECKED "\",\"provisionDeviceSecret\":\"%s\"}",
                     secret);
    } else if (ready) {
        n = snprintf(out, BODY_MAX, "{\"type\":\"" DISABLED "\",\"provisionDeviceSecret\":null}");
    }
    free(pem);
    if (n < 0 || n >= BODY_MAX) {
        free(out);
        err_set(err, ERR_SYSTEM, "out of memory for a device profile");
        return NULL;
    }
    return out;
}

static char *new_body(const setup_work_t *w, const setup_profile_t *profile, const char *config,
                      err_t *err)
{
    size_t cap = strlen(config) + 2048;
    char chain[128];
    char key[SETUP_KEY_SIZE + 2] = "null";
    char *out = malloc(cap);
    char *name = setup_quote(profile->name);
    chain_of(w, profile, chain);
    if (profile->send_key) {
        snprintf(key, sizeof key, "\"%s\"", profile->key);
    }
    int n = out == NULL || name == NULL
                ? -1
                : snprintf(out, cap,
                           "{\"name\":%s,\"type\":\"DEFAULT\",\"transportType\":\"DEFAULT\","
                           "\"provisionType\":\"%s\",\"provisionDeviceKey\":%s,"
                           "\"defaultRuleChainId\":%s,\"profileData\":{\"configuration\":{"
                           "\"type\":\"DEFAULT\"},\"transportConfiguration\":{\"type\":\"DEFAULT\"}"
                           ",\"alarms\":null,\"provisionConfiguration\":%s}}",
                           name, profile->type, key, chain, config);
    free(name);
    if (n < 0 || (size_t)n >= cap) {
        free(out);
        err_set(err, ERR_SYSTEM, "out of memory for a device profile");
        return NULL;
    }
    return out;
}

/* The profile that is there, with what matters changed. */
static char *changed_body(const setup_work_t *w, const setup_profile_t *profile, const char *json,
                          const char *config, err_t *err)
{
    char chain[128];
    char type[64];
    char key[SETUP_KEY_SIZE + 2] = "null";
    json_token_t data;
    const json_edit_t inner = {"provisionConfiguration", config};
    if (!json_find(json, strlen(json), "profileData", &data) || data.type != JSON_OBJECT) {
        err_set(err, ERR_INPUT, "the server's description of a profile is not as expected");
        return NULL;
    }
    char *edited = cloud_edit(data.text, data.len, &inner, 1, err);
    if (edited == NULL) {
        return NULL;
    }
    chain_of(w, profile, chain);
    snprintf(type, sizeof type, "\"%s\"", profile->type);
    if (profile->send_key) {
        snprintf(key, sizeof key, "\"%s\"", profile->key);
    }
    const json_edit_t edits[] = {{"profileData", edited},
                                 {"provisionType", type},
                                 {"provisionDeviceKey", key},
                                 {"defaultRuleChainId", chain}};
    char *out = cloud_edit(json, strlen(json), edits, strcmp(chain, NO_ID) != 0 ? 4 : 3, err);
    free(edited);
    return out;
}

/* `have` is the profile's JSON, or NULL when there is none. */
static bool save(setup_work_t *w, const setup_profile_t *profile, const char *have, err_t *err)
{
    tbrest_answer_t answer;
    char id[TBREST_ID_SIZE];
    char *config = configuration(profile, err);
    if (config == NULL) {
        return false;
    }
    char *body = have != NULL ? changed_body(w, profile, have, config, err)
                              : new_body(w, profile, config, err);
    free(config);
    if (body == NULL) {
        return false;
    }
    bool ok = tbrest_expect(w->rest, "POST", "/api/deviceProfile", body, &answer, err);
    free(body);
    if (!ok) {
        return err_add(err, "profile \"%s\"", profile->name);
    }
    ok = cloud_text(answer.body, answer.len, "id.id", id, sizeof id);
    tbrest_answer_free(&answer);
    if (!ok || !get(w, id, &answer, err)) {
        return err_set(err, ERR_INPUT, "the server's description of a profile is not as expected");
    }
    ok = is_right(w, profile, answer.body);
    tbrest_answer_free(&answer);
    return ok || err_set(err, ERR_PEER,
                         "profile \"%s\": the server keeps something else than it was sent",
                         profile->name);
}

bool setup_profile_make(setup_work_t *w, const setup_profile_t *profile, err_t *err)
{
    char id[TBREST_ID_SIZE];
    tbrest_answer_t answer = {.body = NULL};
    bool dry = w->s->dry_run;
    if (!find(w, profile->name, id, err) || (id[0] != '\0' && !get(w, id, &answer, err))) {
        return false;
    }
    bool right = id[0] != '\0' && is_right(w, profile, answer.body);
    setup_state_t state = right           ? SETUP_RIGHT
                          : id[0] == '\0' ? (dry ? SETUP_WOULD_MAKE : SETUP_MADE)
                          : dry           ? SETUP_WOULD_CHANGE
                                          : SETUP_CHANGED;
    bool ok = right || dry || save(w, profile, answer.body, err);
    tbrest_answer_free(&answer);
    if (ok) {
        setup_say(w, profile->what, profile->name, state, profile->note);
    }
    return ok;
}

/* ---- removing ---- */

bool setup_profile_removable(setup_work_t *w, const setup_profile_t *profile,
                             char id[TBREST_ID_SIZE], err_t *err)
{
    char path[160];
    char type[64];
    json_token_t token;
    tbrest_answer_t answer;
    int64_t devices = -1;
    if (!find(w, profile->name, id, err) || id[0] == '\0') {
        return err == NULL || err->kind == ERR_NONE;
    }
    if (!get(w, id, &answer, err)) {
        return false;
    }
    bool ours = is_key(profile, answer.body) &&
                cloud_text(answer.body, answer.len, "provisionType", type, sizeof type) &&
                strcmp(type, profile->type) == 0;
    tbrest_answer_free(&answer);
    if (!ours) {
        return err_set(err, ERR_PRECONDITION, "profile \"%s\" was not made by this setup; it stays",
                       profile->name);
    }
    snprintf(path, sizeof path, "/api/tenant/deviceInfos?pageSize=1&page=0&deviceProfileId=%s", id);
    if (!tbrest_expect(w->rest, "GET", path, NULL, &answer, err)) {
        return false;
    }
    bool ok =
        json_find(answer.body, answer.len, "totalElements", &token) && json_i64(&token, &devices);
    tbrest_answer_free(&answer);
    if (!ok) {
        return err_set(err, ERR_INPUT, "the server's list of devices is not as expected");
    }
    return devices == 0 || err_set(err, ERR_PRECONDITION,
                                   "profile \"%s\" has %lld devices; delete or move them first",
                                   profile->name, (long long)devices);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/setup_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define PEM_MAX 8192

const char *setup_state_name(setup_state_t state)
{
    static const char *const names[] = {"right",        "made",     "changed", "would be made",
                                        "would change", "not here", "removed", "would be removed"};
    return (size_t)state < sizeof names / sizeof names[0] ? names[state] : "?";
}

void setup_say(const setup_work_t *w, const char *what, const char *name, setup_state_t state,
               const char *note)
{
    const setup_line_t line = {what, name, state, note};
    w->s->line(w->s->ctx, &line);
}

bool setup_login(tbrest_t *rest, const char *login_file, err_t *err)
{
    cloud_login_t login;
    if (login_file == NULL) {
        const char *username = getenv("CRADLE_TB_USERNAME");
        const char *password = getenv("CRADLE_TB_PASSWORD");
        if (username == NULL || password == NULL) {
            return err_set(err, ERR_USAGE,
                           "who is the tenant administrator? Give a login file, or set "
                           "CRADLE_TB_USERNAME and CRADLE_TB_PASSWORD");
        }
        return tbrest_login(rest, username, password, err);
    }
    memset(&login, 0, sizeof login);
    bool ok = cloud_login_read(login_file, &login, err) &&
              tbrest_login(rest, login.username, login.password, err);
    bytes_wipe(&login, sizeof login);
    return ok;
}

bool setup_pages(tbrest_t *rest, const char *path, cloud_element_fn each, void *ctx, err_t *err)
{
    bool more = true;
    for (unsigned page = 0; more && page < 1000; page++) {
        char whole[256];
        tbrest_answer_t answer;
        snprintf(whole, sizeof whole, "%spageSize=100&page=%u", path, page);
        if (!tbrest_expect(rest, "GET", whole, NULL, &answer, err)) {
            return false;
        }
        more = cloud_has_next(&answer);
        bool ok = cloud_elements(&answer, "data", each, ctx);
        tbrest_answer_free(&answer);
        if (!ok) {
            return err_set(err, ERR_INPUT, "the server's page of %s is not as expected", path);
        }
    }
    return true;
}

/* ---- what was asked for ---- */

static bool check_name(const char *name, err_t *err)
{
    return (name != NULL && name[0] != '\0' && strlen(name) < TBREST_NAME_SIZE) ||
           err_set(err, ERR_USAGE, "names of profiles and chains have 1 to 255 bytes");
}

/* '$' would make it a template of ThingsBoard's (a device's own words could get in). */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f ||
            strchr("$\"\\{}", *text) != NULL) {
            return false;
        }
    }
    return true;
}

static bool check_steward(const setup_t *s, err_t *err)
{
    if (s->steward_url == NULL) {
        return true;
    }
    const char *host = strncmp(s->steward_url, "https://", 8) == 0 ? s->steward_url + 8 : "";
    if (host[0] == '\0' || strchr(host, '/') != NULL || strlen(host) > 300 ||
        !is_plain(s->steward_url)) {
        return err_set(err, ERR_USAGE,
                       "\"%.200s\" is no https://host:port of a steward; it needs no path",
                       s->steward_url);
    }
    if (s->forward_key == NULL || strlen(s->forward_key) < 32 || strlen(s->forward_key) > 200 ||
        !is_plain(s->forward_key)) {
        return err_set(err, ERR_INPUT, "the forward key is not 64 hex digits");
    }
    return s->steward_ca != NULL ||
           err_set(err, ERR_USAGE, "a rule chain needs the root that the steward is trusted by");
}

static bool check(const setup_t *s, err_t *err)
{
    if (!check_name(s->lobby, err) || !check_name(s->operating, err) ||
        !check_name(s->chain, err)) {
        return false;
    }
    if (strcmp(s->lobby, s->operating) == 0) {
        return err_set(err, ERR_USAGE, "the lobby and the operating profile are two");
    }
    if (s->issuing_count > SETUP_ISSUING_MAX) {
        return err_set(err, ERR_USAGE, "at most %d issuing CAs", SETUP_ISSUING_MAX);
    }
    return check_steward(s, err);
}

/* All profiles in the order in which they are made. */
#define PROFILES_MAX (2 + SETUP_ISSUING_MAX)

typedef struct {
    setup_profile_t profile[PROFILES_MAX];
    size_t count;
    char pem[PEM_MAX];
    char key[PROFILES_MAX][SETUP_KEY_SIZE];
    char name[SETUP_ISSUING_MAX][TBREST_NAME_SIZE];
} profiles_t;

static bool list_profiles(const setup_t *s, profiles_t *all, err_t *err)
{
    memset(all, 0, sizeof *all);
    if (!setup_profile_lobby(s, all->pem, sizeof all->pem, all->key[0], &all->profile[0], err)) {
        return false;
    }
    setup_profile_operating(s, &all->profile[1]);
    all->count = 2;
    for (size_t i = 0; i < s->issuing_count; i++) {
        if (!setup_profile_placeholder(s, i, all->name[i], all->key[all->count],
                                       &all->profile[all->count], err)) {
            return false;
        }
        all->count++;
    }
    return true;
}

/* ---- both ways ---- */

bool setup_run(tbrest_t *rest, const setup_t *setup, err_t *err)
{
    setup_work_t w = {.rest = rest, .s = setup};
    profiles_t all;
    if (!check(setup, err) || !list_profiles(setup, &all, err) || !setup_chain_look(&w, err)) {
        return false;
    }
    if (!w.has_chains) {
        setup_say(&w, "rule chain", setup->chain, SETUP_NOT_HERE,
                  "cradle-cloud has none; start it with --steward-url instead");
    } else if (setup->steward_url == NULL) {
        setup_say(&w, "rule chain", setup->chain, SETUP_NOT_HERE,
                  "without --steward-url nobody is asked");
    } else if (!setup_chain_make(&w, err)) {
        return false;
    }
    for (size_t i = 0; i < all.count; i++) {
        if (!setup_profile_make(&w, &all.profile[i], err)) {
            return false;
        }
    }
    return true;
}

static bool remove_one(setup_work_t *w, const char *path, const char *id, const char *what,
                       const char *name, err_t *err)
{
    char whole[96];
    tbrest_answer_t answer;
    if (id[0] == '\0') {
        setup_say(w, what, name, SETUP_NOT_HERE, "");
        return true;
    }
    if (!w->s->dry_run) {
        snprintf(whole, sizeof whole, "%s%s", path, id);
        if (!tbrest_expect(w->rest, "DELETE", whole, NULL, &answer, err)) {
            return err_add(err, "%s \"%s\"", what, name);
        }
        tbrest_answer_free(&answer);
    }
    setup_say(w, what, name, w->s->dry_run ? SETUP_WOULD_REMOVE : SETUP_REMOVED, "");
    return true;
}

bool setup_remove(tbrest_t *rest, const setup_t *setup, err_t *err)
{
    setup_work_t w = {.rest = rest, .s = setup};
    profiles_t all;
    char id[PROFILES_MAX][TBREST_ID_SIZE];
    if (!check(setup, err) || !list_profiles(setup, &all, err) || !setup_chain_look(&w, err)) {
        return false;
    }
    /* cradle-cloud's lobby is its own */
    size_t first = w.has_chains || strcmp(all.profile[0].name, "lobby") != 0 ? 0 : 1;
    for (size_t i = first; i < all.count; i++) {
        if (!setup_profile_removable(&w, &all.profile[i], id[i], err)) {
            return false;
        }
    }
    if (!setup_chain_removable(&w, err)) {
        return false;
    }
    for (size_t i = first; i < all.count; i++) {
        if (!remove_one(&w, "/api/deviceProfile/", id[i], all.profile[i].what, all.profile[i].name,
                        err)) {
            return false;
        }
    }
    return remove_one(&w, "/api/ruleChain/", w.chain, "rule chain", setup->chain, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "factory/people.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "factory/internal.h"
#include "json/json.h"

#define PEOPLE "factory/people.json"
#define LOCK   "factory-people"

bool factory_person(const site_t *site, const char *name, char out[CUSTODY_PERSON_SIZE], err_t *err)
{
    char path[FILE_PATH_MAX];
    int lock;
    if (!site_path(site, PEOPLE, path, err) || !site_lock(site, LOCK, true, &lock, err)) {
        return false;
    }
    bool ok = custody_people_pseudonym(path, name, out, err);
    site_unlock(lock);
    return ok;
}

bool factory_person_forget(const site_t *site, const char *name, char was[CUSTODY_PERSON_SIZE],
                           err_t *err)
{
    char path[FILE_PATH_MAX];
    int lock;
    if (!site_path(site, PEOPLE, path, err) || !site_lock(site, LOCK, true, &lock, err)) {
        return false;
    }
    bool ok = custody_people_forget(path, name, was, err);
    site_unlock(lock);
    return ok;
}

static bool take(void *context, const custody_entry_t *entry)
{
    json_token_t value;
    char *out = context;
    if (!json_find(entry->detail, strlen(entry->detail), FACTORY_OPERATOR, &value) ||
        !json_string(&value, out, CUSTODY_PERSON_SIZE, NULL)) {
        out[0] = '\0';
    }
    return true;
}

bool factory_operator_at(custody_t *custody, const char *writer, uint64_t seq,
                         char out[CUSTODY_PERSON_SIZE], err_t *err)
{
    out[0] = '\0';
    return custody_latest(custody, writer, FACTORY_OPERATOR, seq, take, out, err);
}

bool factory_operator(const site_t *site, const char *writer, const char *name, err_t *err)
{
    char person[CUSTODY_PERSON_SIZE], before[CUSTODY_PERSON_SIZE], detail[64];
    custody_t *custody;
    writer = writer == NULL ? FACTORY_WRITER : writer;
    if (name == NULL) {
        return true;
    }
    if (!factory_person(site, name, person, err) ||
        !factory_custody_open(site, writer, &custody, err)) {
        return false;
    }
    bool ok = factory_operator_at(custody, writer, 0, before, err);
    if (ok && strcmp(before, person) != 0) {
        const custody_event_t event = {.sn = "", .kind = FACTORY_OPERATOR, .detail = detail};
        snprintf(detail, sizeof detail, "{\"operator\":\"%s\"}", person);
        ok = custody_append(custody, &event, 1, clock_wall_ms(), err);
    }
    custody_close(custody);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "factory/people.h"

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

/* SPDX-License-Identifier: Apache-2.0 */
#include "custody/people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "base/file.h"
#include "json/json.h"

#define SALT       32
#define PERSON_MAX 64
#define FILE_MAX   (CUSTODY_PEOPLE_MAX * 512)

typedef struct {
    char name[PERSON_MAX + 1];
    uint8_t salt[SALT];
} person_t;

typedef struct {
    person_t *person; /* room for one more than there are */
    size_t count;
} people_t;

static bool check_name(const char *name, err_t *err)
{
    size_t len = strlen(name);
    bool ok = len > 0 && len <= PERSON_MAX;
    for (size_t i = 0; ok && i < len; i++) {
        ok = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
    }
    return ok || err_set(err, ERR_USAGE, "a person's name has 1 to %d printable bytes", PERSON_MAX);
}

static bool read_person(const char *text, size_t len, size_t index, person_t *person, bool *end)
{
    char path[40];
    char salt[2 * SALT + 1];
    json_token_t value;
    snprintf(path, sizeof path, "people.%zu", index);
    *end = !json_find(text, len, path, &value);
    if (*end) {
        return true;
    }
    json_token_t member;
    return json_find(value.text, value.len, "name", &member) &&
           json_string(&member, person->name, sizeof person->name, NULL) &&
           json_find(value.text, value.len, "salt", &member) &&
           json_string(&member, salt, sizeof salt, NULL) &&
           bytes_from_hex(salt, strlen(salt), person->salt, SALT);
}

static void drop(people_t *people)
{
    if (people->person != NULL) {
        bytes_wipe(people->person, (CUSTODY_PEOPLE_MAX + 1) * sizeof *people->person);
    }
    free(people->person);
}

static bool load(const char *path, people_t *people, err_t *err)
{
    char *text = NULL;
    size_t len = 0;
    bool end = false;
    json_token_t value;
    people->count = 0;
    people->person = calloc(CUSTODY_PEOPLE_MAX + 1, sizeof *people->person);
    if (people->person == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    if (!file_exists(path)) {
        return true;
    }
    if (!file_read_private(path, FILE_MAX, &text, &len, err)) {
        return false;
    }
    bool ok = json_find(text, len, "people", &value) && value.type == JSON_ARRAY;
    while (ok && !end) {
        ok = people->count < CUSTODY_PEOPLE_MAX &&
             read_person(text, len, people->count, &people->person[people->count], &end);
        people->count += ok && !end;
    }
    bytes_wipe(text, len);
    free(text);
    return ok || err_set(err, ERR_INPUT, "%s is damaged; restore it from a back-up", path);
}

static bool store(const char *path, const people_t *people, err_t *err)
{
    char *text = malloc(FILE_MAX);
    size_t len;
    json_writer_t w;
    if (text == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    json_writer_init(&w, text, FILE_MAX);
    json_object(&w);
    json_key(&w, "v");
    json_put_i64(&w, 1);
    json_key(&w, "people");
    json_array(&w);
    for (size_t i = 0; i < people->count; i++) {
        char salt[2 * SALT + 1] = "";
        bytes_to_hex(people->person[i].salt, SALT, salt, sizeof salt);
        json_object(&w);
        json_key(&w, "name");
        json_put_string(&w, people->person[i].name);
        json_key(&w, "salt");
        json_put_string(&w, salt);
        json_end(&w);
    }
    json_end(&w);
    json_end(&w);
    bool ok = json_writer_done(&w, &len) || err_set(err, ERR_USAGE, "%s would be too large", path);
    ok = ok && file_write(path, text, len, 0600, err);
    bytes_wipe(text, FILE_MAX);
    free(text);
    return ok;
}

static person_t *find(const people_t *people, const char *name)
{
    for (size_t i = 0; i < people->count; i++) {
        if (strcmp(people->person[i].name, name) == 0) {
            return &people->person[i];
        }
    }
    return NULL;
}

static bool pseudonym(const person_t *person, char out[CUSTODY_PERSON_SIZE], err_t *err)
{
    uint8_t mac[32];
    unsigned len = sizeof mac;
    strcpy(out, "p-");
    return (HMAC(EVP_sha256(), person->salt, SALT, (const uint8_t *)person->name,
                 strlen(person->name), mac, &len) != NULL &&
            bytes_to_hex(mac, 8, out + 2, CUSTODY_PERSON_SIZE - 2)) ||
           err_set(err, ERR_SYSTEM, "making a pseudonym failed");
}

static bool add(const char *path, people_t *people, const char *name, err_t *err)
{
    person_t *person = &people->person[people->count];
    if (people->count == CUSTODY_PEOPLE_MAX) {
        return err_set(err, ERR_PRECONDITION, "%s knows %d people; forget some", path,
                       CUSTODY_PEOPLE_MAX);
    }
    strcpy(person->name, name);
    if (RAND_bytes(person->salt, SALT) != 1) {
        return err_set(err, ERR_SYSTEM, "no random numbers");
    }
    people->count++;
    return store(path, people, err);
}

bool custody_people_pseudonym(const char *path, const char *name, char out[CUSTODY_PERSON_SIZE],
                              err_t *err)
{
    people_t people = {0};
    bool ok = check_name(name, err) && load(path, &people, err) &&
              (find(&people, name) != NULL || add(path, &people, name, err)) &&
              pseudonym(find(&people, name), out, err);
    drop(&people);
    return ok;
}

bool custody_people_forget(const char *path, const char *name, char out[CUSTODY_PERSON_SIZE],
                           err_t *err)
{
    people_t people = {0};
    char was[CUSTODY_PERSON_SIZE];
    bool ok = check_name(name, err) && load(path, &people, err);
    person_t *person = ok ? find(&people, name) : NULL;
    if (ok && person == NULL) {
        ok = err_set(err, ERR_PRECONDITION, "nobody is known as \"%.64s\"", name);
    }
    if (ok) {
        ok = pseudonym(person, out == NULL ? was : out, err);
        *person = people.person[people.count - 1];
        people.count--;
        ok = ok && store(path, &people, err);
    }
    drop(&people);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cloud_internal: what the files behind steward/cloud.h share. */
#ifndef CRADLE_STEWARD_CLOUD_INTERNAL_H
#define CRADLE_STEWARD_CLOUD_INTERNAL_H

#include "json/json.h"
#include "json/json_edit.h"
#include "steward/cloud.h"

/* Keys of telemetry or of one scope, percent-encoded, one NUL after each. */
typedef struct {
    char *text;
    size_t len;
    size_t count;
    bool skip_platforms;
    bool failed;
} cloud_keys_t;

struct cloud {
    tbrest_t *rest;
    char *login_file;
    char lobby_name[TBREST_NAME_SIZE];
    char operating_name[TBREST_NAME_SIZE];
    bool ready;
    err_t refused;              /* the login was wrong: not tried again ... */
    uint64_t refused_until_ms;  /* ... before that (monotonic) */
    char lobby[TBREST_ID_SIZE]; /* profile ids */
    char operating[TBREST_ID_SIZE];
    uint64_t calls;
    /* What the last cloud_count listed, for the cloud_erase that follows. */
    char counted[TBREST_ID_SIZE];
    cloud_keys_t keys[RECEIPT_SERVER_ATTRIBUTES + 1];
};

typedef struct {
    char username[256];
    char password[256];
} cloud_login_t;

/* {"username","password"} of a file that others cannot read. The caller wipes it. */
bool cloud_login_read(const char *path, cloud_login_t *login, err_t *err);

/* Looks up the two profiles: they may have been made anew since. */
bool cloud_profiles_find(cloud_t *cloud, err_t *err);

/* Forgets the listed keys. */
void cloud_keys_forget(cloud_t *cloud);

/* One REST call of a handle that is ready: `id` goes between `before` and `after` in the path, and
   is checked to be an id first (NULL: none). A 401 that tbrest could not cure (the cloud was set up
   anew) leads to one more login. True when an answer came, whatever its status. */
bool cloud_call(cloud_t *cloud, const char *method, const char *before, const char *id,
                const char *after, const char *body, tbrest_answer_t *answer, err_t *err);

/* What an answer means; anything but CLOUD_OK is said in `err` as "<what>: <ThingsBoard's words>".
   The answer stays the caller's. */
cloud_outcome_t cloud_judge(const tbrest_answer_t *answer, const char *what, err_t *err);

/* cloud_call and cloud_judge; the answer is freed unless it is CLOUD_OK. */
cloud_outcome_t cloud_do(cloud_t *cloud, const char *method, const char *before, const char *id,
                         const char *after, const char *body, tbrest_answer_t *answer, err_t *err);

/* The same when the answer's content does not matter. */
cloud_outcome_t cloud_order(cloud_t *cloud, const char *method, const char *before, const char *id,
                            const char *after, const char *body, err_t *err);

/* A text member; null is "". False when it is absent or too long. */
bool cloud_text(const char *json, size_t len, const char *path, char *out, size_t cap);

/* Calls `each` for every element of the array at `path` ("" is the whole); false to stop. False
   when there is no such array. */
typedef bool (*cloud_element_fn)(void *ctx, const json_token_t *element);
bool cloud_elements(const tbrest_answer_t *answer, const char *path, cloud_element_fn each,
                    void *ctx);
bool cloud_each_in(const json_token_t *array, cloud_element_fn each, void *ctx);

/* An element looked for by its name: for cloud_elements, which stops at the first. `id` is of
   TBREST_ID_SIZE and begins empty. */
typedef struct {
    const char *name;
    char *id;
} cloud_wanted_t;
bool cloud_note_wanted(void *wanted, const json_token_t *element);

/* Percent-encodes everything but unreserved characters (RFC 3986). False: does not fit. */
bool cloud_encode(const char *text, char *out, size_t cap);

/* True when "hasNext" of a page is. */
bool cloud_has_next(const tbrest_answer_t *answer);

/* json_edit on the heap; NULL with `err`. */
char *cloud_edit(const char *object, size_t len, const json_edit_t *edits, size_t count,
                 err_t *err);

/* The credentials of a device: of its leaf, if they are one. */
cloud_outcome_t cloud_credentials_read(cloud_t *cloud, cloud_device_t *device, err_t *err);

/* Makes `leaf` the credentials of the device, unless it is. */
cloud_outcome_t cloud_credentials_leaf(cloud_t *cloud, const char *id, const uint8_t *leaf,
                                       size_t len, err_t *err);
/* ... or a random access token. */
cloud_outcome_t cloud_credentials_token(cloud_t *cloud, const char *id, err_t *err);

/* Reads them back: CLOUD_OK when they are that leaf. */
cloud_outcome_t cloud_credentials_check(cloud_t *cloud, const char *id, const uint8_t *leaf,
                                        size_t len, err_t *err);

/* A DER certificate as ThingsBoard's credentialsValue, a JSON string with its quotes. */
#define CLOUD_VALUE_SIZE (4 * ((CLOUD_LEAF_MAX + 2) / 3) + 3)
bool cloud_leaf_value(const uint8_t *leaf, size_t len, char out[CLOUD_VALUE_SIZE], err_t *err);

#endif

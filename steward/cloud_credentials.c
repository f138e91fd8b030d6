/* SPDX-License-Identifier: Apache-2.0 */
/* A device's credentials. ThingsBoard takes any text as a certificate, junk and whole chains too,
   and then lets nobody in (thingsboard-live.md section 1): so a leaf is checked before it is sent,
   sent alone, and read back. */
#include "steward/cloud_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/bytes.h"
#include "pki/cert.h"

#define TRIES       4
#define TOKEN_BYTES 16

bool cloud_leaf_value(const uint8_t *leaf, size_t len, char out[CLOUD_VALUE_SIZE], err_t *err)
{
    X509 *cert;
    if (len > CLOUD_LEAF_MAX) {
        return err_set(err, ERR_INPUT, "a device's certificate has at most %d bytes",
                       CLOUD_LEAF_MAX);
    }
    if (!pki_cert_from_der(leaf, len, &cert, err)) {
        return false;
    }
    pki_cert_free(cert);
    out[0] = '"';
    bytes_to_base64(leaf, len, out + 1, CLOUD_VALUE_SIZE - 2);
    strcat(out, "\"");
    return true;
}

/* The leaf that an answer's credentials hold, if they are one; white space between is skipped. */
static void take_leaf(const tbrest_answer_t *answer, cloud_device_t *device)
{
    char type[64];
    char value[CLOUD_VALUE_SIZE + 256];
    X509 *cert;
    size_t len = 0;
    device->has_leaf = false;
    if (!cloud_text(answer->body, answer->len, "credentialsType", type, sizeof type) ||
        strcmp(type, "X509_CERTIFICATE") != 0 ||
        !cloud_text(answer->body, answer->len, "credentialsValue", value, sizeof value)) {
        return;
    }
    for (const char *c = value; *c != '\0'; c++) {
        if (strchr(" \r\n\t", *c) == NULL) {
            value[len++] = *c;
        }
    }
    if (bytes_from_base64(value, len, device->leaf, sizeof device->leaf, &device->leaf_len) &&
        pki_cert_from_der(device->leaf, device->leaf_len, &cert, NULL)) {
        pki_cert_free(cert);
        device->has_leaf = pki_sha256(device->leaf, device->leaf_len, device->leaf_hash, NULL);
    }
}

cloud_outcome_t cloud_credentials_read(cloud_t *cloud, cloud_device_t *device, err_t *err)
{
    tbrest_answer_t answer;
    cloud_outcome_t outcome =
        cloud_do(cloud, "GET", "/api/device/", device->id, "/credentials", NULL, &answer, err);
    if (outcome == CLOUD_OK) {
        take_leaf(&answer, device);
        tbrest_answer_free(&answer);
    }
    return outcome;
}

static bool is_leaf(const cloud_device_t *device, const uint8_t *leaf, size_t len)
{
    return device->has_leaf && device->leaf_len == len && memcmp(device->leaf, leaf, len) == 0;
}

cloud_outcome_t cloud_credentials_check(cloud_t *cloud, const char *id, const uint8_t *leaf,
                                        size_t len, err_t *err)
{
    cloud_device_t device = {.found = true};
    snprintf(device.id, sizeof device.id, "%s", id);
    cloud_outcome_t outcome = cloud_credentials_read(cloud, &device, err);
    if (outcome == CLOUD_OK && !is_leaf(&device, leaf, len)) {
        err_set(err, ERR_PEER, "device %s has another certificate than the one just put there", id);
        return CLOUD_FAILED;
    }
    return outcome;
}

/* Reads the credentials, and writes them back with type, id and value changed; `leaf` NULL for a
   token. *again: somebody else was faster. *same: nothing was to do. */
static cloud_outcome_t replace_once(cloud_t *cloud, const char *id, const json_edit_t edits[3],
                                    const uint8_t *leaf, size_t len, bool *again, bool *same,
                                    err_t *err)
{
    tbrest_answer_t answer;
    cloud_device_t device = {.found = true};
    *again = false;
    cloud_outcome_t outcome =
        cloud_do(cloud, "GET", "/api/device/", id, "/credentials", NULL, &answer, err);
    if (outcome != CLOUD_OK) {
        return outcome;
    }
    take_leaf(&answer, &device);
    *same = leaf != NULL && is_leaf(&device, leaf, len);
    char *body = *same ? NULL : cloud_edit(answer.body, answer.len, edits, 3, err);
    tbrest_answer_free(&answer);
    if (body == NULL) {
        return *same ? CLOUD_OK : CLOUD_FAILED;
    }
    bool ok = cloud_call(cloud, "POST", "/api/device/credentials", NULL, "", body, &answer, err);
    bytes_wipe(body, strlen(body));
    free(body);
    if (!ok) {
        return CLOUD_FAILED;
    }
    *again = answer.status == 409;
    outcome = *again ? CLOUD_FAILED : cloud_judge(&answer, "POST /api/device/credentials", err);
    tbrest_answer_free(&answer);
    return outcome;
}

static cloud_outcome_t replace(cloud_t *cloud, const char *id, const json_edit_t edits[3],
                               const uint8_t *leaf, size_t len, err_t *err)
{
    bool again = true;
    bool same = false;
    cloud_outcome_t outcome = CLOUD_FAILED;
    for (int i = 0; i < TRIES && again; i++) {
        outcome = replace_once(cloud, id, edits, leaf, len, &again, &same, err);
    }
    if (again) {
        err_set(err, ERR_PEER, "the credentials of %s are changed by others again and again", id);
    }
    if (outcome == CLOUD_OK && leaf != NULL && !same) {
        return cloud_credentials_check(cloud, id, leaf, len, err);
    }
    return outcome;
}

cloud_outcome_t cloud_credentials_leaf(cloud_t *cloud, const char *id, const uint8_t *leaf,
                                       size_t len, err_t *err)
{
    char value[CLOUD_VALUE_SIZE];
    if (!cloud_leaf_value(leaf, len, value, err)) {
        return CLOUD_FAILED;
    }
    const json_edit_t edits[3] = {{"credentialsType", "\"X509_CERTIFICATE\""},
                                  {"credentialsId", "null"},
                                  {"credentialsValue", value}};
    return replace(cloud, id, edits, leaf, len, err);
}

cloud_outcome_t cloud_credentials_token(cloud_t *cloud, const char *id, err_t *err)
{
    uint8_t random[TOKEN_BYTES];
    char token[2 * TOKEN_BYTES + 3] = "\"";
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        err_errno(err, "no random bytes");
        return CLOUD_FAILED;
    }
    bytes_to_hex(random, sizeof random, token + 1, sizeof token - 1);
    strcat(token, "\"");
    const json_edit_t edits[3] = {{"credentialsType", "\"ACCESS_TOKEN\""},
                                  {"credentialsId", token},
                                  {"credentialsValue", "null"}};
    cloud_outcome_t outcome = replace(cloud, id, edits, NULL, 0, err);
    bytes_wipe(random, sizeof random);
    bytes_wipe(token, sizeof token);
    return outcome;
}

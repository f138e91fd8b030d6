/* SPDX-License-Identifier: Apache-2.0 */
/* Customers, and the doorbell. */
#include "steward/cloud_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (8 * TBREST_NAME_SIZE)

static bool take_id(const tbrest_answer_t *answer, char id[TBREST_ID_SIZE], err_t *err)
{
    return (cloud_text(answer->body, answer->len, "id.id", id, TBREST_ID_SIZE) && id[0] != '\0') ||
           err_set(err, ERR_INPUT, "the cloud's description of a customer is not as expected");
}

/* *found tells whether there is one. */
static bool find_customer(cloud_t *cloud, const char *encoded, char id[TBREST_ID_SIZE], bool *found,
                          err_t *err)
{
    tbrest_answer_t answer;
    *found = false;
    if (!cloud_call(cloud, "GET", "/api/tenant/customers?customerTitle=", NULL, encoded, NULL,
                    &answer, err)) {
        return false;
    }
    bool ok =
        answer.status == 404 || cloud_judge(&answer, "looking for a customer", err) == CLOUD_OK;
    if (ok && answer.status != 404) {
        ok = *found = take_id(&answer, id, err);
    }
    tbrest_answer_free(&answer);
    return ok;
}

bool cloud_customer(cloud_t *cloud, const char *title, char id[TBREST_ID_SIZE], err_t *err)
{
    char encoded[3 * TBREST_NAME_SIZE];
    char body[BODY_MAX];
    json_writer_t w;
    tbrest_answer_t answer;
    bool found;
    if (title[0] == '\0' || !cloud_encode(title, encoded, sizeof encoded)) {
        return err_set(err, ERR_USAGE, "a customer's title has 1 to 255 bytes");
    }
    if (!find_customer(cloud, encoded, id, &found, err)) {
        return false;
    }
    if (found) {
        return true;
    }
    json_writer_init(&w, body, sizeof body);
    json_object(&w);
    json_key(&w, "title");
    json_put_string(&w, title);
    json_end(&w);
    if (!json_writer_done(&w, NULL)) {
        return err_set(err, ERR_USAGE, "a customer's title is too long");
    }
    if (cloud_do(cloud, "POST", "/api/customer", NULL, "", body, &answer, err) != CLOUD_OK) {
        return false;
    }
    bool ok = take_id(&answer, id, err);
    tbrest_answer_free(&answer);
    return ok;
}

cloud_outcome_t cloud_doorbell(cloud_t *cloud, const char *id, err_t *err)
{
    static const char body[] =
        "{\"method\":\"cradle.call\",\"params\":{},\"persistent\":false,\"timeout\":5000}";
    tbrest_answer_t answer;
    if (!cloud_call(cloud, "POST", "/api/rpc/oneway/", id, "", body, &answer, err)) {
        return CLOUD_FAILED;
    }
    cloud_outcome_t outcome = cloud_judge(
        &answer, answer.status == 504 ? "the device is not connected" : "ringing a device", err);
    tbrest_answer_free(&answer);
    return outcome;
}

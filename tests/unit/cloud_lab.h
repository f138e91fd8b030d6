/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cloud_lab: a cloud that the steward's REST side is tried on: a cradle-cloud of a temporary site,
 * or, when TB_URL is set, that server (a ThingsBoard; TB_CA, TB_USERNAME, TB_PASSWORD), where what
 * was made is taken away again.
 */
#ifndef CRADLE_TESTS_CLOUD_LAB_H
#define CRADLE_TESTS_CLOUD_LAB_H

#include "proc/proc.h"
#include "site/site.h"
#include "steward/cloud.h"

typedef struct {
    site_t site;
    bool live; /* somebody's server */
    proc_t cloud;
    char log[FILE_PATH_MAX];
    char url[SITE_HOST_SIZE + 16];
    char ca[FILE_PATH_MAX]; /* "": the system's */
    char login[FILE_PATH_MAX];
    char username[128];
    char password[128];
    char lobby[64]; /* profiles */
    char operating[64];
    char tag[16]; /* for names that are nobody else's */
    tbrest_t *rest;
    cloud_t *cloud_handle;
} cloud_lab_t;

/* The profiles are made; `rest` is logged in, `cloud_handle` is open. Fails the test otherwise. */
void cloud_lab_open(cloud_lab_t *lab);
/* Devices whose names begin with the tag, the profiles, all of it. */
void cloud_lab_close(cloud_lab_t *lab);

/* A fresh handle, as after a restart of the steward. */
void cloud_lab_again(cloud_lab_t *lab);
/* cradle-cloud is killed and started again at the same place. Not for a live server. */
void cloud_lab_restart(cloud_lab_t *lab);

/* A device's leaf, made by the site's line CA. */
void cloud_lab_leaf(const cloud_lab_t *lab, const char *sn, uint8_t leaf[CLOUD_LEAF_MAX],
                    size_t *len);

/* One call that must be answered with 2xx; the body of the answer, which the caller frees. */
char *cloud_lab_call(cloud_lab_t *lab, const char *method, const char *path, const char *body);
/* The same with the path built of a format with one %s. */
char *cloud_lab_on(cloud_lab_t *lab, const char *method, const char *format, const char *id,
                   const char *body);

#endif

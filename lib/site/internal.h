/* SPDX-License-Identifier: Apache-2.0 */
/* internal: what the files of lib/site share with one another and with nobody else. */
#ifndef CRADLE_SITE_INTERNAL_H
#define CRADLE_SITE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "json/json.h"
#include "pki/cert.h"
#include "site/site.h"

#define SITE_SETTINGS "cradle.json"
#define SITE_NAME_MAX 40 /* leaves room for " Server Issuing CA" in a CN of 64 */

/* Printable ASCII, 1 to `max` characters, no space at an end. */
bool site_text_valid(const char *text, size_t max);

/* An absolute path that cradle.json can hold. */
bool site_dir_valid(const char *path);

/* Makes `dir` if it is missing; site->checkpoint_dir becomes its absolute path. */
bool site_checkpoint_dir_settle(site_t *site, const char *dir, err_t *err);

/* product.c: from a request, from cradle.json, into it. The check comes when all is read: no
   product has another's name, or the beginning of another's SNs. */
bool site_products_settle(site_t *site, const site_create_t *request, err_t *err);
bool site_products_read(site_t *site, const json_token_t *array);
bool site_products_check(const site_t *site, err_t *err);
void site_products_write(const site_t *site, json_writer_t *writer);

/* The text of cradle.json. */
bool site_write_settings(const site_t *site, char *out, size_t cap, size_t *len);

/* All CAs, keys and the servers' certificates of a new site, into directories that exist. */
bool site_make_pki(const site_t *site, const site_create_t *request, err_t *err);

/* server-root and what cloud-root holds; freed with pki_chain_free. */
bool site_server_roots(const site_t *site, pki_chain_t *roots, err_t *err);

/* The steward's shared secrets and its first bundle, after the keys are there. */
bool site_make_steward(const site_t *site, int64_t now, err_t *err);

#endif

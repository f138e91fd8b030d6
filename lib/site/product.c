/* SPDX-License-Identifier: Apache-2.0 */
/* product: what a site makes beside its first product, and whose an SN is. */
#include <stdio.h>
#include <string.h>

#include "site/internal.h"
#include "site/site.h"

bool site_product_choose(site_t *site, const char *name, err_t *err)
{
    char names[200] = "";
    if (name == NULL || strcmp(name, site->model) == 0) {
        return true;
    }
    for (size_t i = 0; i < site->product_count; i++) {
        const site_product_t *product = &site->product[i];
        size_t len = strlen(names);
        snprintf(names + len, sizeof names - len, ", %s", product->name);
        if (strcmp(product->name, name) == 0) {
            strcpy(site->model, product->name);
            strcpy(site->hw, product->hw);
            strcpy(site->sn_pattern, product->sn_pattern);
            return true;
        }
    }
    return err_set(err, ERR_USAGE, "there is no product \"%.32s\"; cradle.json names %s%s", name,
                   site->model, names);
}

static const char *pattern_text(const site_t *site, size_t index)
{
    return index == 0 ? site->sn_pattern : site->product[index - 1].sn_pattern;
}

bool site_sn_number(const site_t *site, const char *sn, uint64_t *number)
{
    for (size_t i = 0; i <= site->product_count; i++) {
        site_pattern_t pattern;
        if (site_pattern_parse(pattern_text(site, i), &pattern, NULL) &&
            site_pattern_number(&pattern, sn, number)) {
            return true;
        }
    }
    return false;
}

bool site_sn_typed(const site_t *site, const char *sn, err_t *err)
{
    uint64_t number;
    if (!site_sn_check(sn, err)) {
        return false;
    }
    if (site_sn_number(site, sn, &number)) {
        return true;
    }
    for (size_t i = 0; i <= site->product_count; i++) {
        site_pattern_t pattern;
        if (site_pattern_parse(pattern_text(site, i), &pattern, NULL) &&
            site_pattern_mistyped(&pattern, sn)) {
            return err_set(err, ERR_USAGE,
                           "the check character of %s is wrong: it was typed or scanned wrongly; "
                           "read it from the label again",
                           sn);
        }
    }
    return true;
}

/* "NAME=PATTERN". */
static bool take(site_t *site, const char *text, err_t *err)
{
    site_product_t *product = &site->product[site->product_count];
    site_pattern_t pattern;
    const char *equals = strchr(text, '=');
    if (site->product_count == SITE_PRODUCTS_MAX) {
        return err_set(err, ERR_USAGE, "a site makes at most %d products more", SITE_PRODUCTS_MAX);
    }
    if (equals == NULL || (size_t)(equals - text) >= sizeof product->name ||
        strlen(equals + 1) >= sizeof product->sn_pattern) {
        return err_set(err, ERR_USAGE,
                       "a product is NAME=PATTERN, as in sensor-2=S2-%%06d, not \"%.40s\"", text);
    }
    memcpy(product->name, text, (size_t)(equals - text));
    strcpy(product->sn_pattern, equals + 1);
    strcpy(product->hw, site->hw);
    site->product_count++;
    return site_pattern_parse(product->sn_pattern, &pattern, err);
}

bool site_products_settle(site_t *site, const site_create_t *request, err_t *err)
{
    for (size_t i = 0; i < request->product_count; i++) {
        if (!take(site, request->products[i], err)) {
            return false;
        }
    }
    return true;
}

static bool members_known(const json_token_t *object)
{
    json_reader_t reader;
    json_token_t token;
    int count = 0;
    json_reader_init(&reader, object->text, object->len);
    json_next(&reader, &token);
    while (json_next(&reader, &token) == JSON_KEY) {
        if (!json_equals(&token, "name") && !json_equals(&token, "hw") &&
            !json_equals(&token, "sn_pattern")) {
            return false;
        }
        count++;
        if (json_next(&reader, &token) != JSON_STRING) {
            return false;
        }
    }
    return count == 3;
}

static bool get_text(const json_token_t *object, const char *name, char *out, size_t cap)
{
    json_token_t value;
    return json_find(object->text, object->len, name, &value) &&
           json_string(&value, out, cap, NULL);
}

static bool read_one(const json_token_t *object, site_product_t *product)
{
    site_pattern_t pattern;
    return object->type == JSON_OBJECT && members_known(object) &&
           get_text(object, "name", product->name, sizeof product->name) &&
           get_text(object, "hw", product->hw, sizeof product->hw) &&
           get_text(object, "sn_pattern", product->sn_pattern, sizeof product->sn_pattern) &&
           site_text_valid(product->name, sizeof product->name - 1) &&
           site_text_valid(product->hw, sizeof product->hw - 1) &&
           site_pattern_parse(product->sn_pattern, &pattern, NULL);
}

bool site_products_read(site_t *site, const json_token_t *array)
{
    char index[24];
    json_token_t item;
    if (array->type != JSON_ARRAY) {
        return false;
    }
    for (;;) {
        snprintf(index, sizeof index, "%zu", site->product_count);
        if (!json_find(array->text, array->len, index, &item)) {
            return true;
        }
        if (site->product_count == SITE_PRODUCTS_MAX ||
            !read_one(&item, &site->product[site->product_count++])) {
            return false;
        }
    }
}

static bool same_prefix(const char *a, const char *b)
{
    size_t len = strcspn(a, "%");
    return len == strcspn(b, "%") && strncmp(a, b, len) == 0;
}

bool site_products_check(const site_t *site, err_t *err)
{
    for (size_t i = 0; i < site->product_count; i++) {
        const site_product_t *product = &site->product[i];
        for (size_t k = 0; k <= i; k++) {
            const char *name = k == 0 ? site->model : site->product[k - 1].name;
            if (strcmp(name, product->name) == 0) {
                return err_set(err, ERR_INPUT, "the product %s is there twice", name);
            }
            if (same_prefix(pattern_text(site, k), product->sn_pattern)) {
                return err_set(err, ERR_INPUT,
                               "the serial numbers of %s and %s begin with the same text: a label "
                               "would not tell them apart",
                               name, product->name);
            }
        }
    }
    return true;
}

void site_products_write(const site_t *site, json_writer_t *writer)
{
    json_array(writer);
    for (size_t i = 0; i < site->product_count; i++) {
        json_object(writer);
        json_key(writer, "name");
        json_put_string(writer, site->product[i].name);
        json_key(writer, "hw");
        json_put_string(writer, site->product[i].hw);
        json_key(writer, "sn_pattern");
        json_put_string(writer, site->product[i].sn_pattern);
        json_end(writer);
    }
    json_end(writer);
}

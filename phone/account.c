/* SPDX-License-Identifier: Apache-2.0 */
/* The account file. */
#include "phone/account.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/file.h"
#include "json/json.h"
#include "phone/internal.h"

/* Every character may take six as JSON, but PEM takes two only at its line ends. */
#define FILE_MAX 65536

bool phone_word_valid(const char *text, size_t max)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(text);

    return len >= 1 && len <= max && strspn(text, alphabet) == len;
}

bool phone_account_name_valid(const char *name)
{
    return name[0] != '.' && phone_word_valid(name, PHONE_ACCOUNT_SIZE - 1);
}

bool phone_epoch_valid(const char *epoch)
{
    uint8_t bytes[16];
    size_t len;

    return strlen(epoch) == PHONE_EPOCH_SIZE - 1 &&
           bytes_from_base64url(epoch, PHONE_EPOCH_SIZE - 1, bytes, sizeof bytes, &len) &&
           len == sizeof bytes;
}

bool phone_member(const char *json, size_t len, const char *name, char *out, size_t cap)
{
    json_token_t token;

    out[0] = '\0';
    return json_find(json, len, name, &token) && json_string(&token, out, cap, NULL);
}

bool phone_url_valid(const char *url)
{
    return strncmp(url, "https://", 8) == 0 && url[8] != '\0' &&
           strcspn(url + 8, "/?#@ \t\r\n") == strlen(url + 8);
}

static bool parse(const char *json, size_t len, phone_account_t *account)
{
    json_token_t token;
    int64_t version;

    return json_find(json, len, "v", &token) && json_i64(&token, &version) && version == 1 &&
           phone_member(json, len, "url", account->url, sizeof account->url) &&
           phone_url_valid(account->url) &&
           phone_member(json, len, "ca", account->ca, sizeof account->ca) &&
           phone_member(json, len, "name", account->name, sizeof account->name) &&
           phone_account_name_valid(account->name) &&
           phone_member(json, len, "token", account->token, sizeof account->token) &&
           phone_word_valid(account->token, PHONE_TOKEN_SIZE - 1) &&
           json_find(json, len, "expires", &token) && json_i64(&token, &account->expires) &&
           (!json_find(json, len, "local", &token) || (account->local = token.type == JSON_TRUE) ||
            token.type == JSON_FALSE);
}

bool phone_account_load(const char *path, phone_account_t *account, err_t *err)
{
    struct stat st;
    char *text;
    size_t len;

    memset(account, 0, sizeof *account);
    if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
        return err_set(err, ERR_PRECONDITION,
                       "%s can be read by others, who then are its owner: `chmod 600` it, or log "
                       "in again",
                       path);
    if (!file_read(path, FILE_MAX, &text, &len, err))
        return err_add(err, "the account (make it with `cradle phone login`)");
    bool ok = parse(text, len, account);
    bytes_wipe(text, len);
    free(text);
    if (ok)
        return true;
    phone_account_wipe(account);
    return err_set(err, ERR_INPUT, "%s is no account file: make it with `cradle phone login`",
                   path);
}

bool phone_account_save(const phone_account_t *account, const char *path, err_t *err)
{
    json_writer_t w;
    size_t len;
    char *text = malloc(FILE_MAX);

    if (!text)
        return err_set(err, ERR_SYSTEM, "out of memory for an account");
    json_writer_init(&w, text, FILE_MAX);
    json_object(&w);
    json_key(&w, "v");
    json_put_i64(&w, 1);
    json_key(&w, "url");
    json_put_string(&w, account->url);
    json_key(&w, "ca");
    json_put_string(&w, account->ca);
    json_key(&w, "name");
    json_put_string(&w, account->name);
    json_key(&w, "token");
    json_put_string(&w, account->token);
    json_key(&w, "expires");
    json_put_i64(&w, account->expires);
    json_key(&w, "local");
    json_put_bool(&w, account->local);
    json_end(&w);
    bool ok = (json_writer_done(&w, &len) || err_set(err, ERR_USAGE, "the account is too large")) &&
              file_write(path, text, len, 0600, err);
    bytes_wipe(text, FILE_MAX);
    free(text);
    return ok;
}

void phone_account_wipe(phone_account_t *account)
{
    bytes_wipe(account, sizeof *account);
}

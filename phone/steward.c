/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls to the steward. They go through lib/tbrest, whose tbrest_call is a JSON-over-HTTPS call
 * with a token and nothing of ThingsBoard's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "json/json.h"
#include "phone/internal.h"
#include "tbrest/tbrest.h"

#define CODE_CAP 64 /* of a claim code as the steward takes it, with the NUL */

#define TIMEOUT_MS 15000
#define ANSWER_MAX (1024u * 1024)
#define BODY_MAX   1024

static void drop(tbrest_answer_t *answer)
{
    if (answer->body)
        bytes_wipe(answer->body, answer->len);
    tbrest_answer_free(answer);
}

/* The steward's own sentence: printable ASCII of it, cut. */
static void sentence(const tbrest_answer_t *answer, char *out, size_t cap)
{
    char text[512];

    if (!phone_member(answer->body, answer->len, "error", text, sizeof text))
        text[0] = '\0';
    snprintf(out, cap, "%.*s", (int)cap - 1, text);
    for (char *c = out; *c; c++)
        *c = (unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e ? '?' : *c;
}

static bool refused(const tbrest_answer_t *answer, bool logged_in, err_t *err)
{
    char said[200];

    sentence(answer, said, sizeof said);
    if (answer->status == 401 && logged_in)
        return err_set(
            err, ERR_PRECONDITION,
            "the steward does not know this log-in any more: `cradle phone login` again");
    return err_set(err, ERR_PEER, "the steward says no (%d)%s%s", answer->status,
                   said[0] ? ": " : "", said);
}

/* One call; 2xx or an error. The answer is dropped by the caller when it succeeded. */
static bool call(const phone_account_t *account, const char *method, const char *path,
                 const char *body, tbrest_answer_t *answer, err_t *err)
{
    const tbrest_settings_t settings = {.url = account->url,
                                        .ca_pem = account->ca,
                                        .timeout_ms = TIMEOUT_MS,
                                        .answer_max = ANSWER_MAX};
    const bool logged_in = account->token[0] != '\0';
    tbrest_t *rest;

    if (!tbrest_open(&rest, &settings, err))
        return false;
    bool ok = (!logged_in || tbrest_use_tokens(rest, account->token, NULL, err)) &&
              tbrest_call(rest, method, path, body, answer, err);
    tbrest_close(rest);
    if (ok && (answer->status < 200 || answer->status > 299)) {
        ok = refused(answer, logged_in, err);
        drop(answer);
    }
    return ok;
}

static bool senseless(const char *what, err_t *err)
{
    return err_set(err, ERR_INPUT, "the steward's answer about %s makes no sense", what);
}

/* A POST of one or two texts. */
static bool post(const phone_account_t *account, const char *path, const char *const members[4],
                 tbrest_answer_t *answer, err_t *err)
{
    char body[BODY_MAX];
    json_writer_t w;

    json_writer_init(&w, body, sizeof body);
    json_object(&w);
    for (int i = 0; i < 4 && members[i]; i += 2) {
        json_key(&w, members[i]);
        json_put_string(&w, members[i + 1]);
    }
    json_end(&w);
    bool ok = (json_writer_done(&w, NULL) ||
               err_set(err, ERR_USAGE, "that is too long to be sent to the steward")) &&
              call(account, "POST", path, body, answer, err);
    bytes_wipe(body, sizeof body);
    return ok;
}

/* -- login ----------------------------------------------------------------------------------- */

static bool take_ca(const char *file, phone_account_t *account, err_t *err)
{
    char *text;
    size_t len;

    if (!file_read(file, PHONE_CA_SIZE - 1, &text, &len, err))
        return err_add(err, "the authority that the steward is checked against");
    bool ok = !memchr(text, '\0', len) && strstr(text, "-----BEGIN CERTIFICATE-----") &&
              !strstr(text, "PRIVATE KEY");
    if (ok)
        memcpy(account->ca, text, len + 1);
    free(text);
    return ok || err_set(err, ERR_INPUT, "%s holds no certificates in PEM, or a private key", file);
}

static bool take_url(const char *url, phone_account_t *account, err_t *err)
{
    bool whole = strstr(url, "://") != NULL;
    int n = snprintf(account->url, sizeof account->url, "%s%s", whole ? "" : "https://", url);

    while (n > 8 && n < (int)sizeof account->url && account->url[n - 1] == '/')
        account->url[--n] = '\0';
    return (n < (int)sizeof account->url && phone_url_valid(account->url)) ||
           err_set(err, ERR_USAGE, "\"%.100s\" is no https://HOST:PORT", url);
}

bool phone_login(const char *url, const char *ca_file, const char *name, const char *password,
                 phone_account_t *account, err_t *err)
{
    const char *const members[4] = {"name", name, "password", password};
    tbrest_answer_t answer;
    json_token_t token;

    memset(account, 0, sizeof *account);
    if (!phone_account_name_valid(name))
        return err_set(err, ERR_USAGE,
                       "\"%.40s\" is no account: 1 to 32 of A-Z a-z 0-9 . _ - , no dot in front",
                       name);
    strcpy(account->name, name);
    if (!take_url(url, account, err) || !take_ca(ca_file, account, err) ||
        !post(account, "/api/login", members, &answer, err))
        return false;
    bool ok =
        (phone_member(answer.body, answer.len, "token", account->token, sizeof account->token) &&
         phone_word_valid(account->token, sizeof account->token - 1) &&
         json_find(answer.body, answer.len, "expires", &token) &&
         json_i64(&token, &account->expires) && account->expires > 0) ||
        senseless("the log-in", err);
    drop(&answer);
    if (!ok)
        phone_account_wipe(account);
    return ok;
}

/* -- one device ------------------------------------------------------------------------------ */

static bool check_sn(const char *sn, err_t *err)
{
    return phone_word_valid(sn, PHONE_SN_SIZE - 1) ||
           err_set(err, ERR_USAGE, "\"%.40s\" is no serial number", sn);
}

bool phone_ticket(const phone_account_t *account, const char *sn, const char *epoch,
                  char ticket[PHONE_TICKET_SIZE], err_t *err)
{
    const char *const members[4] = {"sn", sn, "ep", epoch};
    tbrest_answer_t answer;

    ticket[0] = '\0';
    if (!check_sn(sn, err) || !post(account, "/api/ticket", members, &answer, err))
        return false;
    bool ok = phone_member(answer.body, answer.len, "ticket", ticket, PHONE_TICKET_SIZE) &&
              phone_word_valid(ticket, PHONE_TICKET_SIZE - 1);
    drop(&answer);
    return ok || senseless("a ticket", err);
}

static const char *const owners[] = {"nobody", "you", "somebody"};
static const char *const states[] = {"unknown", "held", "handing-over", "streaming"};

const char *phone_owner_name(phone_owner_t owner)
{
    return owners[owner];
}

const char *phone_state_name(phone_state_t state)
{
    return states[state];
}

static bool find_word(const char *json, size_t len, const char *name, const char *const *words,
                      size_t count, size_t *found)
{
    char text[16];

    if (!phone_member(json, len, name, text, sizeof text))
        return false;
    for (*found = 0; *found < count; (*found)++)
        if (strcmp(words[*found], text) == 0)
            return true;
    return false;
}

static bool find_state(const char *json, size_t len, phone_state_t *state)
{
    size_t which;
    bool ok = find_word(json, len, "state", states, sizeof states / sizeof states[0], &which);

    *state = ok ? (phone_state_t)which : PHONE_UNKNOWN;
    return ok;
}

bool phone_ownership_parse(const char *json, size_t len, phone_ownership_t *out)
{
    json_token_t token;
    size_t owner;

    memset(out, 0, sizeof *out);
    if (!find_word(json, len, "owner", owners, sizeof owners / sizeof owners[0], &owner) ||
        !find_state(json, len, &out->state))
        return false;
    out->owner = (phone_owner_t)owner;
    if (!json_find(json, len, "epoch", &token) || token.type == JSON_NULL)
        return true;
    return json_string(&token, out->epoch, sizeof out->epoch, NULL) &&
           (!out->epoch[0] || phone_epoch_valid(out->epoch));
}

bool phone_ownership(const phone_account_t *account, const char *sn, phone_ownership_t *out,
                     err_t *err)
{
    char path[64];
    tbrest_answer_t answer;

    memset(out, 0, sizeof *out);
    if (!check_sn(sn, err))
        return false;
    snprintf(path, sizeof path, "/api/device?sn=%s", sn);
    if (!call(account, "GET", path, NULL, &answer, err))
        return false;
    bool ok = phone_ownership_parse(answer.body, answer.len, out);
    drop(&answer);
    return ok || senseless("a device", err);
}

bool phone_release(const phone_account_t *account, const char *sn, err_t *err)
{
    const char *const members[4] = {"sn", sn, NULL, NULL};
    tbrest_answer_t answer;

    if (!check_sn(sn, err) || !post(account, "/api/release", members, &answer, err))
        return false;
    drop(&answer);
    return true;
}

/* A label groups the characters of its code, and a keyboard may write them small. */
static bool plain_code(const char *typed, char *out, size_t cap, err_t *err)
{
    size_t len = 0;
    for (; *typed != '\0'; typed++) {
        if (*typed == '-' || *typed == ' ')
            continue;
        if (len + 1 == cap)
            return err_set(err, ERR_USAGE, "a claim code has 8 characters, as on the label");
        out[len++] = *typed >= 'a' && *typed <= 'z' ? (char)(*typed - 'a' + 'A') : *typed;
    }
    out[len] = '\0';
    return true;
}

bool phone_code(const phone_account_t *account, const char *sn, const char *code, err_t *err)
{
    char plain[CODE_CAP];
    const char *const members[4] = {"sn", sn, "code", plain};
    tbrest_answer_t answer;

    bool ok = check_sn(sn, err) && plain_code(code, plain, sizeof plain, err) &&
              post(account, "/api/code", members, &answer, err);
    bytes_wipe(plain, sizeof plain);
    if (ok)
        drop(&answer);
    return ok;
}

/* -- lists ----------------------------------------------------------------------------------- */

/* One object of a list; *more false stops. False: it makes no sense. */
typedef bool (*item_fn)(void *ctx, const char *json, size_t len, bool *more);

static bool each_item(const char *json, size_t len, const char *name, item_fn item, void *ctx)
{
    json_reader_t reader;
    json_token_t token, whole;
    bool more = true;

    if (!json_find(json, len, name, &token) || token.type != JSON_ARRAY)
        return false;
    json_reader_init(&reader, token.text, token.len);
    json_next(&reader, &token);
    while (more && json_next(&reader, &token) != JSON_ARRAY_END) {
        if (token.type != JSON_OBJECT || !json_skip(&reader, &token, &whole) ||
            !item(ctx, whole.text, whole.len, &more))
            return false;
    }
    return true;
}

static bool find_sn(const char *json, size_t len, char sn[PHONE_SN_SIZE])
{
    return phone_member(json, len, "sn", sn, PHONE_SN_SIZE) &&
           phone_word_valid(sn, PHONE_SN_SIZE - 1);
}

typedef struct {
    phone_owned_fn each;
    void *ctx;
} owned_t;

static bool owned_item(void *ctx, const char *json, size_t len, bool *more)
{
    const owned_t *to = ctx;
    char sn[PHONE_SN_SIZE];
    phone_state_t state;

    if (!find_sn(json, len, sn) || !find_state(json, len, &state))
        return false;
    *more = to->each(to->ctx, sn, state);
    return true;
}

bool phone_owned_parse(const char *json, size_t len, phone_owned_fn each, void *ctx)
{
    owned_t to = {each, ctx};

    return each_item(json, len, "devices", owned_item, &to);
}

bool phone_owned(const phone_account_t *account, phone_owned_fn each, void *ctx, err_t *err)
{
    tbrest_answer_t answer;

    if (!call(account, "GET", "/api/devices", NULL, &answer, err))
        return false;
    bool ok = phone_owned_parse(answer.body, answer.len, each, ctx);
    drop(&answer);
    return ok || senseless("the devices", err);
}

typedef struct {
    phone_receipt_fn each;
    void *ctx;
} receipts_t;

static bool link_valid(const char *link)
{
    uint8_t bytes[16];

    return strlen(link) == PHONE_LINK_SIZE - 1 && strncmp(link, "/receipt/", 9) == 0 &&
           bytes_from_hex(link + 9, 32, bytes, sizeof bytes);
}

static bool receipt_item(void *ctx, const char *json, size_t len, bool *more)
{
    const receipts_t *to = ctx;
    char sn[PHONE_SN_SIZE], link[PHONE_LINK_SIZE];
    json_token_t token;
    int64_t issued;

    if (!find_sn(json, len, sn) || !phone_member(json, len, "link", link, sizeof link) ||
        !link_valid(link) || !json_find(json, len, "issued", &token) ||
        !json_i64(&token, &issued) || issued < 0)
        return false;
    *more = to->each(to->ctx, sn, issued, link);
    return true;
}

bool phone_receipts_parse(const char *json, size_t len, phone_receipt_fn each, void *ctx)
{
    receipts_t to = {each, ctx};

    return each_item(json, len, "receipts", receipt_item, &to);
}

bool phone_receipts(const phone_account_t *account, phone_receipt_fn each, void *ctx, err_t *err)
{
    tbrest_answer_t answer;

    if (!call(account, "GET", "/api/receipts", NULL, &answer, err))
        return false;
    bool ok = phone_receipts_parse(answer.body, answer.len, each, ctx);
    drop(&answer);
    return ok || senseless("the receipts", err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* `cradle ca verify`: every rule of the front door, one line each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/verb_ca.h"
#include "json/json.h"
#include "pki/chain.h"
#include "site/deny.h"
#include "term/term.h"

#define JSON_MAX 16384

const char ca_verify_help[] =
    "  FILE                a device's certificate or chain, leaf first (PEM)\n"
    "  --key FILE          also: does this private key belong to it?\n\n"
    "A leaf without its chain is completed from this site's CAs, and that is said: a device must\n"
    "send the chain itself. Exit code 1 when any rule is broken. What is accepted here is what\n"
    "cradle-cloud's front door accepts from a device that it does not know yet, and an SN.\n\n"
    "examples:\n"
    "  cradle ca verify device.crt --key device.key\n"
    "  cradle ca verify device.crt --json\n";

/* Where verdicts go: a table, or JSON. */
typedef struct {
    term_table_t *table; /* NULL: JSON */
    json_writer_t json;
    unsigned faults;
} sheet_t;

static void put(sheet_t *sheet, const char *rule, bool good, const char *text)
{
    sheet->faults += good ? 0 : 1;
    if (sheet->table != NULL) {
        term_table_row(sheet->table, good ? "ok" : "NO", rule, text);
        return;
    }
    json_object(&sheet->json);
    json_key(&sheet->json, "rule");
    json_put_string(&sheet->json, rule);
    json_key(&sheet->json, "ok");
    json_put_bool(&sheet->json, good);
    json_key(&sheet->json, "text");
    json_put_string(&sheet->json, text);
    json_end(&sheet->json);
}

static void put_rule(void *context, const char *rule, const pki_chain_verdict_t *verdict)
{
    put(context, rule, verdict->result == PKI_CHAIN_OK, verdict->text);
}

static void put_sn(sheet_t *sheet, X509 *leaf)
{
    char cn[PKI_CN_MAX + 1];
    err_t why = ERR_INIT;
    bool good = pki_cert_cn(leaf, cn) == PKI_CN_OK && site_sn_check(cn, &why);
    put(sheet, "the common name is a serial number", good, good ? cn : why.text);
}

static void put_key(sheet_t *sheet, const char *file, X509 *leaf)
{
    EVP_PKEY *key = NULL;
    err_t why = ERR_INIT;
    bool good = pki_key_load(file, &key, &why) && pki_key_check_pair(key, &why) &&
                (pki_key_matches(key, leaf) ||
                 err_set(&why, ERR_INPUT, "%s is not the key of this certificate", file));
    pki_key_free(key);
    put(sheet, "the private key belongs to it", good, good ? "" : why.text);
}

typedef struct {
    pki_chain_t chain;
    pki_chain_t product;
    pki_chain_t issuing;
    pki_trust_t *trust;
    site_deny_t *deny;
} papers_t;

static bool load(const site_t *site, const char *file, papers_t *p, size_t *sent, err_t *err)
{
    bool ok = pki_chain_load(file, &p->chain, err) &&
              site_device_trust(site, &p->product, &p->issuing, &p->trust, err) &&
              site_deny_watch(site, &p->deny, err);
    *sent = p->chain.count;
    return ok && pki_chain_complete(&p->chain, &p->issuing, err) &&
           pki_chain_complete(&p->chain, &p->product, err);
}

static void judge(const ca_session_t *session, const papers_t *p, size_t sent, sheet_t *sheet)
{
    const pki_chain_policy_t policy = {
        .now = clock_wall_ms() / 1000, .denied = site_deny_hook, .context = p->deny};
    pki_chain_explain(p->trust, p->chain.cert, p->chain.count, &policy, put_rule, sheet);
    put_sn(sheet, p->chain.cert[0]);
    if (session->key != NULL) {
        put_key(sheet, session->key, p->chain.cert[0]);
    }
    if (sent < p->chain.count) {
        char text[96];
        snprintf(text, sizeof text,
                 "%zu of its issuers are not in the file and were taken from the site",
                 p->chain.count - sent);
        put(sheet, "note", true, text);
    }
}

static int finish(const cli_t *cli, sheet_t *sheet, char *text)
{
    if (cli->json) {
        json_end(&sheet->json);
        json_key(&sheet->json, "ok");
        json_put_bool(&sheet->json, sheet->faults == 0);
        json_end(&sheet->json);
        if (json_writer_done(&sheet->json, NULL)) {
            puts(text);
        }
    } else {
        term_table_print(sheet->table, stdout);
        printf("\n%s\n", sheet->faults == 0 ? "It would be let in."
                                            : "It would be refused: the first NO is the reason.");
    }
    return sheet->faults == 0 ? CLI_DONE : CLI_FAILED;
}

int ca_verify(const cli_t *cli, int argc, char **argv)
{
    ca_session_t session = {.key = NULL};
    papers_t papers = {.trust = NULL};
    err_t err = ERR_INIT;
    size_t sent = 0;
    char *text = malloc(JSON_MAX);
    const option_t options[] = {CA_KEY_OPTION(session), {0}};
    bool ok = (text != NULL || err_set(&err, ERR_SYSTEM, "out of memory")) &&
              options_parse(options, &argc, argv, 1, 1, &err) && ca_open(cli, &session, &err) &&
              load(&session.site, argv[0], &papers, &sent, &err);
    int code;
    if (ok) {
        sheet_t sheet = {.table = cli->json ? NULL : term_table_new("VERDICT|RULE|WHY")};
        json_writer_init(&sheet.json, text, JSON_MAX);
        json_object(&sheet.json);
        json_key(&sheet.json, "rules");
        json_array(&sheet.json);
        judge(&session, &papers, sent, &sheet);
        code = finish(cli, &sheet, text);
        term_table_free(sheet.table);
    } else {
        code = cli_fail(&err);
    }
    pki_chain_free(&papers.chain);
    pki_chain_free(&papers.product);
    pki_chain_free(&papers.issuing);
    pki_trust_free(papers.trust);
    site_deny_close(papers.deny);
    free(text);
    return code;
}

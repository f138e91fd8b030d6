/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule chain that takes devices' calls `cradle.*` to the steward, and all else to the tenant's
 * root chain, as tried on a live ThingsBoard (thingsboard-live.md section 3):
 *
 *     filter  True  -> originator fields -> REST call -> reply
 *             False, Failure -> root chain
 *
 * The device is told by its id: names are its owner's, and templates. There is no Failure link to
 * the reply: the device would get its own words back for an answer.
 */
#include "steward/setup_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define NODES       5
#define CONNECTIONS 5
#define BODY_MAX    32768

enum { FILTER = 0, FIELDS, ASK, REPLY, ELSE };

static const struct {
    const char *name;
    const char *type;
    int x, y;
} NODE[NODES] = {
    [FILTER] = {"for the steward?", "filter.TbJsFilterNode", 300, 150},
    [FIELDS] = {"who is it", "metadata.TbGetOriginatorFieldsNode", 560, 150},
    [ASK] = {"ask the steward", "rest.TbRestApiCallNode", 820, 150},
    [REPLY] = {"answer the device", "rpc.TbSendRPCReplyNode", 1080, 150},
    [ELSE] = {"everything else", "flow.TbRuleChainInputNode", 560, 300},
};

static const struct {
    int from;
    int to;
    const char *type;
} LINK[CONNECTIONS] = {{FILTER, FIELDS, "True"},
                       {FILTER, ELSE, "False"},
                       {FILTER, ELSE, "Failure"},
                       {FIELDS, ASK, "Success"},
                       {ASK, REPLY, "Success"}};

/* ---- which chains there are ---- */

static bool note_chain(void *ctx, const json_token_t *element)
{
    setup_work_t *w = ctx;
    char name[TBREST_NAME_SIZE];
    char id[TBREST_ID_SIZE];
    json_token_t root;
    if (!cloud_text(element->text, element->len, "name", name, sizeof name) ||
        !cloud_text(element->text, element->len, "id.id", id, sizeof id)) {
        return true;
    }
    if (json_find(element->text, element->len, "root", &root) && root.type == JSON_TRUE) {
        memcpy(w->root, id, sizeof w->root);
        memcpy(w->root_name, name, sizeof w->root_name);
    }
    if (w->chain[0] == '\0' && strcmp(name, w->s->chain) == 0) {
        memcpy(w->chain, id, sizeof w->chain);
    }
    return true;
}

bool setup_chain_look(setup_work_t *w, err_t *err)
{
    tbrest_answer_t answer;
    if (!tbrest_call(w->rest, "GET", "/api/ruleChains?pageSize=1&page=0&type=CORE", NULL, &answer,
                     err)) {
        return false;
    }
    w->has_chains = answer.status != 404;
    tbrest_answer_free(&answer);
    if (!w->has_chains) {
        return true;
    }
    if (!setup_pages(w->rest, "/api/ruleChains?type=CORE&", note_chain, w, err)) {
        return false;
    }
    if (w->root[0] == '\0') {
        return err_set(err, ERR_PRECONDITION, "the tenant has no root rule chain");
    }
    return strcmp(w->root, w->chain) != 0 ||
           err_set(err, ERR_PRECONDITION,
                   "\"%s\" is the tenant's root rule chain; give ours another name", w->s->chain);
}

/* ---- what is wanted ---- */

/* The configuration of each node, JSON, heap. */
typedef struct {
    char *text[NODES];
} wanted_t;

static void wanted_free(wanted_t *wanted)
{
    for (int i = 0; i < NODES; i++) {
        if (wanted->text[i] != NULL) {
            bytes_wipe(wanted->text[i], strlen(wanted->text[i]));
            free(wanted->text[i]);
        }
    }
}

static char *ask_configuration(const setup_t *s)
{
    char *ca = setup_quote(s->steward_ca);
    char *out = malloc(BODY_MAX);
    int n = ca == NULL || out == NULL
                ? -1
                : snprintf(out, BODY_MAX,
                           "{\"restEndpointUrlPattern\":\"%s/rpc\",\"requestMethod\":\"POST\","
                           "\"useSimpleClientHttpFactory\":false,\"parseToPlainText\":false,"
                           "\"ignoreRequestBody\":false,\"enableProxy\":false,"
                           "\"readTimeoutMs\":5000,\"maxParallelRequestsCount\":0,"
                           "\"headers\":{\"Content-Type\":\"application/json\","
                           "\"Authorization\":\"Bearer %s\",\"X-Device-Id\":\"${cradleId}\"},"
                           "\"credentials\":{\"type\":\"cert.PEM\",\"caCert\":%s},"
                           "\"maxInMemoryBufferSizeInKb\":256}",
                           s->steward_url, s->forward_key, ca);
    free(ca);
    if (n < 0 || n >= BODY_MAX) {
        free(out);
        return NULL;
    }
    return out;
}

static bool wanted_of(const setup_work_t *w, wanted_t *wanted, err_t *err)
{
    char root[160];
    snprintf(root, sizeof root, "{\"forwardMsgToDefaultRuleChain\":false,\"ruleChainId\":\"%s\"}",
             w->root);
    wanted->text[FILTER] =
        strdup("{\"scriptLang\":\"TBEL\",\"tbelScript\":\"return msgType == "
               "'TO_SERVER_RPC_REQUEST' && msg.method != null && "
               "msg.method.startsWith('cradle.');\",\"jsScript\":\"return false;\"}");
    wanted->text[FIELDS] = strdup("{\"dataMapping\":{\"id\":\"cradleId\"},"
                                  "\"ignoreNullStrings\":false,\"fetchTo\":\"METADATA\"}");
    wanted->text[ASK] = ask_configuration(w->s);
    wanted->text[REPLY] = strdup("{\"serviceIdMetaDataAttribute\":\"serviceId\","
                                 "\"sessionIdMetaDataAttribute\":\"sessionId\","
                                 "\"requestIdMetaDataAttribute\":\"requestId\"}");
    wanted->text[ELSE] = strdup(root);
    for (int i = 0; i < NODES; i++) {
        if (wanted->text[i] == NULL) {
            return err_set(err, ERR_SYSTEM, "out of memory for a rule chain");
        }
    }
    return true;
}

/* ---- what is there ---- */

#define TYPE_PREFIX "org.thingsboard.rule.engine."

typedef struct {
    const wanted_t *wanted;
    int index[NODES]; /* where each of ours is; -1: nowhere */
    int count;
    bool good;
} have_t;

/* Headers may be more than ours only to do harm: those must be the same both ways. */
static bool same_headers(const json_token_t *have, const char *want)
{
    json_token_t a;
    json_token_t b;
    return json_find(have->text, have->len, "headers", &a) &&
           json_find(want, strlen(want), "headers", &b) && setup_contains(&a, &b) &&
           setup_contains(&b, &a);
}

static bool note_node(void *ctx, const json_token_t *element)
{
    have_t *have = ctx;
    char name[TBREST_NAME_SIZE];
    char type[TBREST_NAME_SIZE];
    json_token_t configuration;
    json_token_t want;
    int at = have->count++;
    if (!cloud_text(element->text, element->len, "name", name, sizeof name) ||
        !cloud_text(element->text, element->len, "type", type, sizeof type) ||
        !json_find(element->text, element->len, "configuration", &configuration)) {
        have->good = false;
        return true;
    }
    for (int i = 0; i < NODES; i++) {
        if (strcmp(name, NODE[i].name) != 0 || have->index[i] >= 0 ||
            strncmp(type, TYPE_PREFIX, sizeof TYPE_PREFIX - 1) != 0 ||
            strcmp(type + sizeof TYPE_PREFIX - 1, NODE[i].type) != 0) {
            continue;
        }
        have->index[i] = at;
        if (have->wanted != NULL) {
            const char *text = have->wanted->text[i];
            have->good = have->good && json_find(text, strlen(text), "", &want) &&
                         setup_contains(&configuration, &want) &&
                         (i != ASK || same_headers(&configuration, text));
        }
    }
    return true;
}

typedef struct {
    const have_t *have;
    uint32_t seen;
    int count;
} links_t;

static bool note_link(void *ctx, const json_token_t *element)
{
    links_t *links = ctx;
    json_token_t token;
    char type[64];
    int64_t from = -1;
    int64_t to = -1;
    links->count++;
    if (json_find(element->text, element->len, "fromIndex", &token) && json_i64(&token, &from) &&
        json_find(element->text, element->len, "toIndex", &token) && json_i64(&token, &to) &&
        cloud_text(element->text, element->len, "type", type, sizeof type)) {
        for (int i = 0; i < CONNECTIONS; i++) {
            if (links->have->index[LINK[i].from] == from && links->have->index[LINK[i].to] == to &&
                strcmp(type, LINK[i].type) == 0) {
                links->seen |= 1u << i;
            }
        }
    }
    return true;
}

static bool is_right(const tbrest_answer_t *metadata, const wanted_t *wanted)
{
    have_t have = {.wanted = wanted, .good = true};
    links_t links = {.have = &have};
    json_token_t token;
    int64_t first = -1;
    for (int i = 0; i < NODES; i++) {
        have.index[i] = -1;
    }
    return cloud_elements(metadata, "nodes", note_node, &have) && have.good &&
           have.count == NODES && cloud_elements(metadata, "connections", note_link, &links) &&
           links.count == CONNECTIONS && links.seen == (1u << CONNECTIONS) - 1 &&
           json_find(metadata->body, metadata->len, "firstNodeIndex", &token) &&
           json_i64(&token, &first) && first == have.index[FILTER];
}

static bool get_metadata(setup_work_t *w, tbrest_answer_t *answer, err_t *err)
{
    char path[96];
    snprintf(path, sizeof path, "/api/ruleChain/%s/metadata", w->chain);
    return tbrest_expect(w->rest, "GET", path, NULL, answer, err);
}

/* ---- making ---- */

static char *metadata_of(const setup_work_t *w, const wanted_t *wanted, int64_t version)
{
    char *out = malloc(2 * BODY_MAX);
    json_writer_t j;
    char text[160];
    if (out == NULL) {
        return NULL;
    }
    json_writer_init(&j, out, 2 * BODY_MAX);
    json_object(&j);
    json_key(&j, "ruleChainId");
    snprintf(text, sizeof text, "{\"entityType\":\"RULE_CHAIN\",\"id\":\"%s\"}", w->chain);
    json_put_raw(&j, text, strlen(text));
    if (version >= 0) {
        json_key(&j, "version");
        json_put_i64(&j, version);
    }
    json_key(&j, "firstNodeIndex");
    json_put_i64(&j, FILTER);
    json_key(&j, "nodes");
    json_array(&j);
    for (int i = 0; i < NODES; i++) {
        json_object(&j);
        json_key(&j, "type");
        snprintf(text, sizeof text, TYPE_PREFIX "%s", NODE[i].type);
        json_put_string(&j, text);
        json_key(&j, "name");
        json_put_string(&j, NODE[i].name);
        json_key(&j, "configurationVersion");
        json_put_i64(&j, i == ASK ? 3 : i == FIELDS || i == ELSE ? 1 : 0);
        json_key(&j, "configuration");
        json_put_raw(&j, wanted->text[i], strlen(wanted->text[i]));
        json_key(&j, "additionalInfo");
        snprintf(text, sizeof text, "{\"layoutX\":%d,\"layoutY\":%d}", NODE[i].x, NODE[i].y);
        json_put_raw(&j, text, strlen(text));
        json_end(&j);
    }
    json_end(&j);
    json_key(&j, "connections");
    json_array(&j);
    for (int i = 0; i < CONNECTIONS; i++) {
        snprintf(text, sizeof text, "{\"fromIndex\":%d,\"toIndex\":%d,\"type\":\"%s\"}",
                 LINK[i].from, LINK[i].to, LINK[i].type);
        json_put_raw(&j, text, strlen(text));
    }
    json_end(&j);
    json_key(&j, "ruleChainConnections");
    json_put_null(&j);
    json_end(&j);
    if (!json_writer_done(&j, NULL)) {
        free(out);
        return NULL;
    }
    return out;
}

/* The chain itself, empty. */
static bool make_empty(setup_work_t *w, err_t *err)
{
    char body[8 * TBREST_NAME_SIZE];
    tbrest_answer_t answer;
    char *name = setup_quote(w->s->chain);
    if (name == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a rule chain");
    }
    snprintf(body, sizeof body,
             "{\"name\":%s,\"type\":\"CORE\",\"root\":false,\"debugMode\":false}", name);
    free(name);
    if (!tbrest_expect(w->rest, "POST", "/api/ruleChain", body, &answer, err)) {
        return false;
    }
    bool ok = cloud_text(answer.body, answer.len, "id.id", w->chain, sizeof w->chain) &&
              w->chain[0] != '\0';
    tbrest_answer_free(&answer);
    return ok || err_set(err, ERR_INPUT, "the server's description of a chain is not as expected");
}

static bool save(setup_work_t *w, const wanted_t *wanted, int64_t version, err_t *err)
{
    tbrest_answer_t answer;
    char *body = metadata_of(w, wanted, version);
    if (body == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a rule chain");
    }
    bool ok = tbrest_expect(w->rest, "POST", "/api/ruleChain/metadata", body, &answer, err);
    bytes_wipe(body, strlen(body));
    free(body);
    if (!ok) {
        return err_add(err, "rule chain \"%s\"", w->s->chain);
    }
    bytes_wipe(answer.body, answer.len);
    tbrest_answer_free(&answer);
    if (!get_metadata(w, &answer, err)) {
        return false;
    }
    ok = is_right(&answer, wanted);
    bytes_wipe(answer.body, answer.len);
    tbrest_answer_free(&answer);
    return ok || err_set(err, ERR_PEER,
                         "rule chain \"%s\": the server keeps something else than it was sent",
                         w->s->chain);
}

static bool make_as(setup_work_t *w, const wanted_t *wanted, err_t *err)
{
    bool there = w->chain[0] != '\0';
    bool dry = w->s->dry_run;
    bool right = false;
    int64_t version = -1;
    tbrest_answer_t answer;
    json_token_t token;
    if (there) {
        if (!get_metadata(w, &answer, err)) {
            return false;
        }
        right = is_right(&answer, wanted);
        if (json_find(answer.body, answer.len, "version", &token)) {
            json_i64(&token, &version);
        }
        bytes_wipe(answer.body, answer.len);
        tbrest_answer_free(&answer);
    }
    if (!right && !dry && ((!there && !make_empty(w, err)) || !save(w, wanted, version, err))) {
        return false;
    }
    setup_state_t state = right   ? SETUP_RIGHT
                          : there ? (dry ? SETUP_WOULD_CHANGE : SETUP_CHANGED)
                                  : (dry ? SETUP_WOULD_MAKE : SETUP_MADE);
    setup_say(w, "rule chain", w->s->chain, state, "takes devices' questions to the steward");
    return true;
}

bool setup_chain_make(setup_work_t *w, err_t *err)
{
    wanted_t wanted = {{NULL}};
    setup_say(w, "root chain", w->root_name, SETUP_RIGHT, "gets everything else");
    w->chain_named = true;
    bool ok = wanted_of(w, &wanted, err) && make_as(w, &wanted, err);
    wanted_free(&wanted);
    return ok;
}

/* Whatever the steward's address or key were when it was made. */
bool setup_chain_removable(setup_work_t *w, err_t *err)
{
    tbrest_answer_t answer;
    have_t have = {.good = true};
    if (w->chain[0] == '\0') {
        return true;
    }
    for (int i = 0; i < NODES; i++) {
        have.index[i] = -1;
    }
    if (!get_metadata(w, &answer, err)) {
        return false;
    }
    cloud_elements(&answer, "nodes", note_node, &have);
    bytes_wipe(answer.body, answer.len);
    tbrest_answer_free(&answer);
    /* An empty one is left behind by a setup that was cut. */
    return have.count == 0 || (have.index[FILTER] >= 0 && have.index[ASK] >= 0) ||
           err_set(err, ERR_PRECONDITION, "rule chain \"%s\" was not made by this setup; it stays",
                   w->s->chain);
}

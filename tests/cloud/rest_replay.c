/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays the REST exchanges that a live ThingsBoard 4.2.1 answered (tests/fixtures) to a real
 * cradle-cloud, and compares status, text and the shape of each answer: the same members in the
 * same order, with values of the same JSON type. Every recorded case is either played or in the
 * list of those that are left out, with the reason.
 *
 *     rest_replay FOLDER-OF-THE-PROGRAMS
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "json/json.h"
#include "proc/proc.h"
#include "site/run.h"
#include "site/site.h"
#include "tbrest/tbrest.h"

#define RECORDED  "tests/fixtures/thingsboard-4.2.1/rest.jsonl"
#define UNKNOWN   "11111111-1111-1111-1111-111111111111"
#define TELEMETRY "/api/plugins/telemetry/DEVICE/%D/"

#define OPERATING                                                                                  \
    "{\"name\":\"operating\",\"type\":\"DEFAULT\",\"transportType\":\"DEFAULT\","                  \
    "\"provisionType\":\"DISABLED\",\"profileData\":{\"configuration\":{\"type\":\"DEFAULT\"},"    \
    "\"transportConfiguration\":{\"type\":\"DEFAULT\"},\"alarms\":null,"                           \
    "\"provisionConfiguration\":{\"type\":\"DISABLED\",\"provisionDeviceSecret\":null}}}"
#define CHAIN_PROFILE(name, secret)                                                                \
    "{\"name\":\"" name "\",\"type\":\"DEFAULT\",\"transportType\":\"DEFAULT\","                   \
    "\"provisionType\":\"X509_CERTIFICATE_CHAIN\",\"profileData\":{\"configuration\":"             \
    "{\"type\":\"DEFAULT\"},\"transportConfiguration\":{\"type\":\"DEFAULT\"},\"alarms\":null,"    \
    "\"provisionConfiguration\":{\"type\":\"X509_CERTIFICATE_CHAIN\",\"provisionDeviceSecret\":"   \
    "\"" secret "\",\"certificateRegExPattern\":\"(.*)\","                                         \
    "\"allowCreateNewDevicesByX509Certificate\":true}}}"
#define DEVICE(profile, label, version)                                                            \
    "{\"id\":{\"entityType\":\"DEVICE\",\"id\":\"%D\"},\"name\":\"%N\",\"label\":" label           \
    ",\"deviceProfileId\":{\"entityType\":\"DEVICE_PROFILE\",\"id\":\"" profile                    \
    "\"},\"version\":" version "}"
#define CREDENTIALS(type, id, value, version)                                                      \
    "{\"id\":{\"id\":\"%I\"},\"deviceId\":{\"entityType\":\"DEVICE\",\"id\":\"%D\"},"              \
    "\"credentialsType\":\"" type "\",\"credentialsId\":" id ",\"credentialsValue\":" value        \
    ",\"version\":" version "}"

/* How a case is asked. %D the device's id, %N its name, %V its version, %P its profile's id, %O the
   operating profile's, %K the customer's, %C the product CA, %I the credentials' id, %W their
   version. */
typedef struct {
    const char *name;
    const char *method;
    const char *path;
    const char *body;
    bool no_token;
    bool junk_token;
} played_t;

static const played_t PLAYED[] = {
    {"login, wrong password", "POST", "/api/auth/login",
     "{\"username\":\"tenant@cradle.test\",\"password\":\"nope\"}", true, false},
    {"no token", "GET", "/api/tenant/devices?pageSize=1&page=0", NULL, true, false},
    {"junk token", "GET", "/api/tenant/devices?pageSize=1&page=0", NULL, false, true},
    {"who am I", "GET", "/api/auth/user", NULL, false, false},
    {"create profile whose CA another profile has", "POST", "/api/deviceProfile",
     CHAIN_PROFILE("lobby-2", "%C"), false, false},
    {"create chain profile, junk PEM", "POST", "/api/deviceProfile",
     CHAIN_PROFILE("lobby-junk", "junk"), false, false},
    {"create operating profile", "POST", "/api/deviceProfile", OPERATING, false, false},
    {"create profile, name taken", "POST", "/api/deviceProfile", OPERATING, false, false},
    {"profile by id", "GET", "/api/deviceProfile/%O", NULL, false, false},
    {"profiles page", "GET", "/api/deviceProfileInfos?pageSize=2&page=0", NULL, false, false},
    {"device by name, absent", "GET", "/api/tenant/devices?deviceName=nobody", NULL, false, false},
    {"device by name, just provisioned", "GET", "/api/tenant/devices?deviceName=%N", NULL, false,
     false},
    {"device info", "GET", "/api/device/info/%D", NULL, false, false},
    {"move to operating profile", "POST", "/api/device", DEVICE("%O", "null", "%V"), false, false},
    {"save with a stale version", "POST", "/api/device", DEVICE("%P", "\"late\"", "1"), false,
     false},
    {"device by id, unknown", "GET", "/api/device/" UNKNOWN, NULL, false, false},
    {"device by id, not a UUID", "GET", "/api/device/xyz", NULL, false, false},
    {"credentials", "GET", "/api/device/%D/credentials", NULL, false, false},
    {"devices page by profile", "GET",
     "/api/tenant/deviceInfos?pageSize=2&page=0&deviceProfileId=%P", NULL, false, false},
    {"devices page, text search", "GET",
     "/api/tenant/devices?pageSize=2&page=0&textSearch=%N&sortProperty=createdTime&sortOrder=DESC",
     NULL, false, false},
    {"devices page, pageSize too big", "GET", "/api/tenant/devices?pageSize=100000&page=0", NULL,
     false, false},
    {"create customer", "POST", "/api/customer", "{\"title\":\"cust\"}", false, false},
    {"create customer, title taken", "POST", "/api/customer", "{\"title\":\"cust\"}", false, false},
    {"customer by title", "GET", "/api/tenant/customers?customerTitle=cust", NULL, false, false},
    {"customer by title, absent", "GET", "/api/tenant/customers?customerTitle=nobody", NULL, false,
     false},
    {"assign", "POST", "/api/customer/%K/device/%D", NULL, false, false},
    {"assign again", "POST", "/api/customer/%K/device/%D", NULL, false, false},
    {"devices of customer", "GET", "/api/customer/%K/devices?pageSize=10&page=0", NULL, false,
     false},
    {"unassign", "DELETE", "/api/customer/device/%D", NULL, false, false},
    {"unassign again", "DELETE", "/api/customer/device/%D", NULL, false, false},
    {"assign to unknown customer", "POST", "/api/customer/" UNKNOWN "/device/%D", NULL, false,
     false},
    {"series keys", "GET", TELEMETRY "keys/timeseries", NULL, false, false},
    {"latest", "GET", TELEMETRY "values/timeseries?keys=t,s,b,j,n,f,big,e", NULL, false, false},
    {"latest, strict types", "GET",
     TELEMETRY "values/timeseries?keys=t,s,b,j,n,f,big,e&useStrictDataTypes=true", NULL, false,
     false},
    {"latest, absent key", "GET", TELEMETRY "values/timeseries?keys=nokey", NULL, false, false},
    {"history", "GET",
     TELEMETRY "values/timeseries?keys=t&startTs=0&endTs=1795351365471&limit=3&orderBy=ASC", NULL,
     false, false},
    {"history, averaged", "GET",
     TELEMETRY
     "values/timeseries?keys=t&startTs=1795351355470&endTs=1795351365471&interval=5000&agg=AVG",
     NULL, false, false},
    {"attributes client", "GET", TELEMETRY "values/attributes/CLIENT_SCOPE", NULL, false, false},
    {"save shared", "POST", TELEMETRY "attributes/SHARED_SCOPE", "{\"period\":5,\"name\":\"x\"}",
     false, false},
    {"attributes server", "GET", TELEMETRY "values/attributes/SERVER_SCOPE", NULL, false, false},
    {"delete shared", "DELETE", TELEMETRY "SHARED_SCOPE?keys=name", NULL, false, false},
    {"delete series", "DELETE", TELEMETRY "timeseries/delete?keys=t,s&deleteAllDataForKeys=true",
     NULL, false, false},
    {"series keys after", "GET", TELEMETRY "keys/timeseries", NULL, false, false},
    {"no such path", "GET", "/api/nothing/here", NULL, false, false},
    {"method not allowed", "PUT", "/api/device/%D", NULL, false, false},
    {"credentials: new leaf", "POST", "/api/device/credentials",
     CREDENTIALS("X509_CERTIFICATE", "null", "\"one\"", "%W"), false, false},
    {"credentials: stale version", "POST", "/api/device/credentials",
     CREDENTIALS("X509_CERTIFICATE", "null", "\"two\"", "1"), false, false},
    {"credentials: junk PEM", "POST", "/api/device/credentials",
     CREDENTIALS("X509_CERTIFICATE", "null", "\"junk\"", "%W"), false, false},
    {"credentials: quarantine with an access token", "POST", "/api/device/credentials",
     CREDENTIALS("ACCESS_TOKEN", "\"quarantine\"", "null", "%W"), false, false},
    {"credentials: back", "POST", "/api/device/credentials",
     CREDENTIALS("X509_CERTIFICATE", "null", "\"junk\"", "%W"), false, false},
    {"delete device", "DELETE", "/api/device/%D", NULL, false, false},
    {"delete device again", "DELETE", "/api/device/%D", NULL, false, false},
    {"delete customer", "DELETE", "/api/customer/%K", NULL, false, false},
    {"delete profile", "DELETE", "/api/deviceProfile/%O", NULL, false, false},
};

/* What is not played. A trailing '*' stands for all that begin so. */
static const struct {
    const char *name;
    const char *why;
} LEFT_OUT[] = {
    {"login", "played by every test that logs in"},
    {"create alarm", "not there yet: alarms"},
    {"entity *", "not there yet: entity queries"},
    {"a customer user *", "tests/cloud/customers.sh"},
    {"credentials: leaf that another device has", "tests/unit/test_cloud_store.c; one device here"},
    {"push of *", "an MQTT message; tests/unit/test_tb_recorded.c and tests/cloud"},
    {"delete series, no keys", "deliberate: 400 and a reason instead of 500 and a null pointer"},
    {"alarms of device", "not there yet: alarms"},
    {"acknowledge alarm", "not there yet: alarms"},
    {"clear alarm", "not there yet: alarms"},
    {"delete alarm*", "not there yet: alarms"},
    {"rpc *", "not there yet: RPC over REST"},
    {"two-way rpc*", "not there yet: RPC over REST"},
    {"one-way rpc", "not there yet: RPC over REST"},
    {"persistent rpc*", "not there yet: RPC over REST"},
    {"delete persistent rpc", "not there yet: RPC over REST"},
    {"ota*", "not there yet: firmware"},
    {"audit *", "not there: no audit log"},
    {"POST that is not JSON", "recorded as text; ours says 500 and errorCode 2 in its own words"},
    {"ws: *", "not there yet: WebSocket"},
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

typedef struct {
    char site[FILE_PATH_MAX];
    char log[FILE_PATH_MAX];
    const char *bin;
    proc_t cloud;
    tbrest_t *rest;
    tbrest_device_t device;
    char operating[TBREST_ID_SIZE];
    char customer[TBREST_ID_SIZE];
    char credentials[TBREST_ID_SIZE];
    char credentials_version[16];
    char product[4096];
    int failures;
} world_t;

/* ---- the world: one device that has come and gone, with the recorded values ---- */

static bool cradle(world_t *w, const char *a, const char *b, const char *c, const char *d)
{
    char program[FILE_PATH_MAX];
    char *out = NULL;
    int code = -1;
    err_t err = ERR_INIT;
    snprintf(program, sizeof program, "%s/cradle", w->bin);
    const char *const argv[] = {program, "-C", w->site, a, b, c, d, NULL};
    bool ok = proc_run(argv, NULL, w->log, 30000, &out, &code, &err) && code == 0;
    free(out);
    return ok;
}

static bool start_cloud(world_t *w, err_t *err)
{
    char program[FILE_PATH_MAX];
    char ready[SITE_RUN_MAX + 1];
    char https[SITE_HOST_SIZE];
    char url[SITE_HOST_SIZE + 16];
    char path[FILE_PATH_MAX];
    char *login = NULL;
    size_t len;
    json_token_t token;
    char user[64];
    char password[64];
    site_t site;
    snprintf(program, sizeof program, "%s/cradle-cloud", w->bin);
    const char *const argv[] = {program,         "-C",          w->site, "--listen", "127.0.0.1:0",
                                "--http-listen", "127.0.0.1:0", NULL};
    if (!site_open(&site, w->site, err) || !proc_start(&w->cloud, argv, w->log, false, err) ||
        !site_run_wait(&site, "cloud", w->cloud.pid, 10000, ready, err) ||
        !site_run_address(&site, "cloud", "https", https, err) ||
        !site_path(&site, "cloud/admin.json", path, err) ||
        !file_read(path, 4096, &login, &len, err)) {
        return false;
    }
    bool ok = json_find(login, len, "username", &token) &&
              json_string(&token, user, sizeof user, NULL) &&
              json_find(login, len, "password", &token) &&
              json_string(&token, password, sizeof password, NULL) &&
              site_ca_path(&site, "server-root", path, err);
    free(login);
    snprintf(url, sizeof url, "https://%s", https);
    return ok && tbrest_open(&w->rest, &(tbrest_settings_t){.url = url, .ca_file = path}, err) &&
           tbrest_login(w->rest, user, password, err);
}

/* The mission's way in: the unit's own certificate, and a peer's client. */
static bool be_the_device(world_t *w, err_t *err)
{
    char port[SITE_HOST_SIZE];
    char image[FILE_PATH_MAX];
    char folder[FILE_PATH_MAX];
    char cert[FILE_PATH_MAX + 16];
    char key[FILE_PATH_MAX + 16];
    char ca[FILE_PATH_MAX];
    char *out = NULL;
    int code = -1;
    site_t site;
    snprintf(folder, sizeof folder, "%.900s/identity", w->site);
    if (!site_open(&site, w->site, err) || !site_run_address(&site, "cloud", "mqtts", port, err) ||
        !site_unit_path(&site, "SN-000001", "identity.bin", image, err) ||
        !site_ca_path(&site, "server-root", ca, err)) {
        return false;
    }
    char program[FILE_PATH_MAX];
    snprintf(program, sizeof program, "%s/cradle", w->bin);
    const char *const extract[] = {program, "image", "spiffs", "extract",
                                   image,   "-o",    folder,   NULL};
    if (!proc_run(extract, NULL, w->log, 10000, &out, &code, err) || code != 0) {
        free(out);
        return err_set(err, ERR_PEER, "the identity cannot be extracted");
    }
    free(out);
    snprintf(cert, sizeof cert, "%s/device.crt", folder);
    snprintf(key, sizeof key, "%s/device.key", folder);
    const char *const publish[] = {"mosquitto_pub",
                                   "-h",
                                   "localhost",
                                   "-p",
                                   strrchr(port, ':') + 1,
                                   "--cafile",
                                   ca,
                                   "--cert",
                                   cert,
                                   "--key",
                                   key,
                                   "-t",
                                   "v1/devices/me/attributes",
                                   "-q",
                                   "1",
                                   "-m",
                                   "{\"fw\":\"1.0\",\"model\":\"A1\"}",
                                   NULL};
    bool ok = proc_run(publish, NULL, w->log, 10000, &out, &code, err) && code == 0;
    free(out);
    return ok || err_set(err, ERR_PEER, "mosquitto_pub ended with %d", code);
}

/* The series that were there when the recording was made, with the very same times. */
static bool fill_series(world_t *w, err_t *err)
{
    char path[128];
    char body[4096];
    size_t at = 0;
    tbrest_answer_t answer;
    static const char last[] =
        "{\"ts\":1795351365470,\"values\":{\"t\":20,\"s\":\"a0\",\"b\":true,\"j\":{\"x\":[1,2]},"
        "\"n\":\"7\",\"f\":1.5,\"big\":12345678901234567890,\"e\":1e3,\"cert_days_left\":90}}";
    at += (size_t)snprintf(body + at, sizeof body - at, "[");
    for (int i = 4; i >= 1; i--) {
        at += (size_t)snprintf(body + at, sizeof body - at, "{\"ts\":%lld,\"values\":{\"t\":%d}},",
                               1795351365470LL - 1000 * i, 20 + i);
    }
    snprintf(body + at, sizeof body - at, "%s]", last);
    snprintf(path, sizeof path, "/api/plugins/telemetry/DEVICE/%s/timeseries/ANY", w->device.id);
    if (!tbrest_expect(w->rest, "POST", path, body, &answer, err)) {
        return false;
    }
    tbrest_answer_free(&answer);
    return true;
}

/* The product CA as a JSON text: its line ends as \n. */
static bool load_product(world_t *w, err_t *err)
{
    char path[FILE_PATH_MAX];
    char *pem;
    size_t len;
    size_t o = 0;
    site_t site;
    if (!site_open(&site, w->site, err) || !site_ca_path(&site, "product", path, err) ||
        !file_read(path, 3000, &pem, &len, err)) {
        return false;
    }
    for (size_t i = 0; i < len && o + 3 < sizeof w->product; i++) {
        if (pem[i] == '\n') {
            w->product[o++] = '\\';
            w->product[o++] = 'n';
        } else {
            w->product[o++] = pem[i];
        }
    }
    w->product[o] = '\0';
    free(pem);
    return true;
}

static bool build_world(world_t *w, err_t *err)
{
    return (cradle(w, "init", NULL, NULL, NULL) || err_set(err, ERR_PEER, "cradle init failed")) &&
           (cradle(w, "factory", "run", NULL, NULL) ||
            err_set(err, ERR_PEER, "cradle factory run failed")) &&
           load_product(w, err) && start_cloud(w, err) && be_the_device(w, err) &&
           tbrest_device_by_name(w->rest, "SN-000001", &w->device, err) && fill_series(w, err);
}

/* ---- comparing ---- */

static void complain(world_t *w, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void complain(world_t *w, const char *name, const char *format, ...)
{
    va_list args;
    printf("FAIL %s: ", name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    w->failures++;
}

/* Numbers, texts and booleans may differ in value, not in type. A null may stand for anything, both
   ways: whether a label is set is no matter of shape. */
static bool same_type(json_type_t a, json_type_t b)
{
    bool bools = (a == JSON_TRUE || a == JSON_FALSE) && (b == JSON_TRUE || b == JSON_FALSE);
    return a == b || bools || a == JSON_NULL || b == JSON_NULL;
}

/* Members that depend on what was measured or stored, not on the API. */
static bool free_shape(const char *path)
{
    return strstr(path, ".additionalInfo") != NULL || strcmp(path, ".value") == 0;
}

static bool compare(world_t *w, const char *name, const char *path, const json_token_t *ours,
                    const json_token_t *theirs);

static bool compare_object(world_t *w, const char *name, const char *path, const json_token_t *ours,
                           const json_token_t *theirs)
{
    json_reader_t a;
    json_reader_t b;
    json_token_t ka;
    json_token_t kb;
    json_reader_init(&a, ours->text, ours->len);
    json_reader_init(&b, theirs->text, theirs->len);
    json_next(&a, &ka);
    json_next(&b, &kb);
    for (;;) {
        json_type_t ta = json_next(&a, &ka);
        json_type_t tb = json_next(&b, &kb);
        char key_a[128] = "the end";
        char key_b[128] = "the end";
        if (ta == JSON_KEY) {
            json_string(&ka, key_a, sizeof key_a, NULL);
        }
        if (tb == JSON_KEY) {
            json_string(&kb, key_b, sizeof key_b, NULL);
        }
        if (ta != tb || strcmp(key_a, key_b) != 0) {
            complain(w, name, "member %s, recorded %s", key_a, key_b);
            return false;
        }
        if (ta != JSON_KEY) {
            return true;
        }
        char inner[512];
        json_token_t va;
        json_token_t vb;
        json_next(&a, &ka);
        json_next(&b, &kb);
        json_skip(&a, &ka, &va);
        json_skip(&b, &kb, &vb);
        va.type = ka.type;
        vb.type = kb.type;
        snprintf(inner, sizeof inner, "%.380s.%.100s", path, key_a);
        if (!compare(w, name, inner, &va, &vb)) {
            return false;
        }
    }
}

/* The first elements stand for all; two empty ones, or one, have no shape to compare. */
static bool compare_array(world_t *w, const char *name, const char *path, const json_token_t *ours,
                          const json_token_t *theirs)
{
    json_token_t a;
    json_token_t b;
    return !json_find(ours->text, ours->len, "0", &a) ||
           !json_find(theirs->text, theirs->len, "0", &b) || compare(w, name, path, &a, &b);
}

static bool compare(world_t *w, const char *name, const char *path, const json_token_t *ours,
                    const json_token_t *theirs)
{
    if (!same_type(ours->type, theirs->type) && !free_shape(path)) {
        complain(w, name, "%s is of another type than recorded", path);
        return false;
    }
    if (ours->type != theirs->type || free_shape(path)) {
        return true;
    }
    return ours->type == JSON_OBJECT  ? compare_object(w, name, path, ours, theirs)
           : ours->type == JSON_ARRAY ? compare_array(w, name, path, ours, theirs)
                                      : true;
}

/* Values that must be equal: those of the recorded series, and texts of errors. */
static bool is_exact(const char *name)
{
    static const char *const exact[] = {"latest", "latest, strict types", "history",
                                        "history, averaged"};
    for (size_t i = 0; i < COUNT(exact); i++) {
        if (strcmp(exact[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void strip(char *text)
{
    char *to = text;
    bool in_string = false;
    for (const char *c = text; *c != '\0'; c++) {
        in_string = *c == '"' && (c == text || c[-1] != '\\') ? !in_string : in_string;
        if (in_string || *c != ' ') {
            *to++ = *c;
        }
    }
    *to = '\0';
}

static void forget_brackets(char *text)
{
    char *open = strchr(text, '[');
    char *close = open != NULL ? strchr(open, ']') : NULL;
    if (close != NULL) {
        memmove(open + 1, close, strlen(close) + 1);
    }
}

static void compare_text(world_t *w, const char *name, const tbrest_answer_t *answer,
                         const json_token_t *recorded)
{
    char ours[256];
    char theirs[256] = "";
    json_token_t message;
    tbrest_message(answer, ours, sizeof ours);
    if (recorded->type == JSON_OBJECT &&
        json_find(recorded->text, recorded->len, "message", &message)) {
        json_string(&message, theirs, sizeof theirs, NULL);
        /* what stands in brackets is what was asked for */
        forget_brackets(ours);
        forget_brackets(theirs);
        if (strcmp(ours, theirs) != 0) {
            complain(w, name, "says \"%s\", recorded \"%s\"", ours, theirs);
        }
    }
}

static void compare_answer(world_t *w, const char *name, const tbrest_answer_t *answer,
                           const char *line, size_t len)
{
    json_token_t status;
    json_token_t recorded;
    int64_t code;
    if (!json_find(line, len, "response.status", &status) || !json_i64(&status, &code) ||
        !json_find(line, len, "response.body", &recorded)) {
        complain(w, name, "the recording has no answer");
        return;
    }
    if (answer->status != code) {
        complain(w, name, "status %d, recorded %d", answer->status, (int)code);
        return;
    }
    if (code >= 400) {
        compare_text(w, name, answer, &recorded);
    }
    if (recorded.type == JSON_STRING && recorded.len == 0) {
        if (answer->len != 0) {
            complain(w, name, "a body (%s) where none was recorded", answer->body);
        }
        return;
    }
    json_token_t ours = {.text = answer->body, .len = answer->len};
    json_reader_t reader;
    json_token_t first;
    json_reader_init(&reader, answer->body, answer->len);
    ours.type = json_next(&reader, &first);
    if (is_exact(name)) {
        char *text = strndup(recorded.text, recorded.len);
        strip(text);
        if (strcmp(text, answer->body) != 0) {
            complain(w, name, "%s, recorded %s", answer->body, text);
        }
        free(text);
    } else {
        compare(w, name, "", &ours, &recorded);
    }
}

/* ---- playing ---- */

static void expand(const world_t *w, const char *text, char *out, size_t cap)
{
    size_t o = 0;
    for (; *text != '\0' && o + 1 < cap; text++) {
        const char *with = NULL;
        if (text[0] == '%') {
            with = text[1] == 'D'   ? w->device.id
                   : text[1] == 'O' ? w->operating
                   : text[1] == 'K' ? w->customer
                   : text[1] == 'C' ? w->product
                   : text[1] == 'I' ? w->credentials
                   : text[1] == 'W' ? w->credentials_version
                   : text[1] == 'V' ? "1"
                   : text[1] == 'N' ? w->device.name
                   : text[1] == 'P' ? w->device.profile_id
                                    : NULL;
        }
        if (with != NULL) {
            o += (size_t)snprintf(out + o, cap - o, "%s", with);
            text++;
        } else {
            out[o++] = *text;
        }
    }
    out[o] = '\0';
}

/* Later cases ask for what earlier ones have made. */
static void learn(world_t *w, const char *name, const tbrest_answer_t *answer)
{
    json_token_t id;
    json_token_t version;
    if (answer->status != 200 || !json_find(answer->body, answer->len, "id.id", &id)) {
        return;
    }
    if (strcmp(name, "create operating profile") == 0) {
        json_string(&id, w->operating, sizeof w->operating, NULL);
    } else if (strcmp(name, "create customer") == 0) {
        json_string(&id, w->customer, sizeof w->customer, NULL);
    } else if (strncmp(name, "credentials", 11) == 0 &&
               json_find(answer->body, answer->len, "version", &version)) {
        json_string(&id, w->credentials, sizeof w->credentials, NULL);
        snprintf(w->credentials_version, sizeof w->credentials_version, "%.*s", (int)version.len,
                 version.text);
    }
}

static void play(world_t *w, const played_t *p, const char *line, size_t len)
{
    char path[512];
    char body[8192];
    char *token = strdup(tbrest_token(w->rest));
    char *refresh = strdup(tbrest_refresh_token(w->rest));
    tbrest_answer_t answer;
    err_t err = ERR_INIT;
    expand(w, p->path, path, sizeof path);
    expand(w, p->body != NULL ? p->body : "", body, sizeof body);
    if (p->no_token || p->junk_token) {
        tbrest_use_tokens(w->rest, p->junk_token ? "junk" : NULL, NULL, NULL);
    }
    int before = w->failures;
    if (tbrest_call(w->rest, p->method, path, p->body != NULL ? body : NULL, &answer, &err)) {
        compare_answer(w, p->name, &answer, line, len);
        learn(w, p->name, &answer);
        tbrest_answer_free(&answer);
    } else {
        complain(w, p->name, "%s", err.text);
    }
    if (w->failures == before) {
        printf("ok   %s\n", p->name);
    }
    tbrest_use_tokens(w->rest, token, refresh, NULL);
    free(token);
    free(refresh);
}

static bool is_left_out(const char *name)
{
    for (size_t i = 0; i < COUNT(LEFT_OUT); i++) {
        size_t n = strlen(LEFT_OUT[i].name);
        bool prefix = LEFT_OUT[i].name[n - 1] == '*';
        if (prefix ? strncmp(LEFT_OUT[i].name, name, n - 1) == 0
                   : strcmp(LEFT_OUT[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void play_all(world_t *w)
{
    FILE *file = fopen(RECORDED, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    size_t played = 0;
    while (file != NULL && (n = getline(&line, &cap, file)) > 0) {
        char name[128] = "";
        json_token_t token;
        size_t i = 0;
        if (json_find(line, (size_t)n, "name", &token)) {
            json_string(&token, name, sizeof name, NULL);
        }
        while (i < COUNT(PLAYED) && strcmp(PLAYED[i].name, name) != 0) {
            i++;
        }
        if (i < COUNT(PLAYED)) {
            play(w, &PLAYED[i], line, (size_t)n);
            played++;
        } else if (!is_left_out(name)) {
            complain(w, name, "neither played nor left out with a reason");
        }
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    if (played != COUNT(PLAYED)) {
        complain(w, "all", "some cases are not in the recording");
    }
}

int main(int argc, char **argv)
{
    world_t w = {.bin = argc > 1 ? argv[1] : "."};
    char dir[] = "/tmp/cradle-replay-XXXXXX";
    err_t err = ERR_INIT;
    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    snprintf(w.site, sizeof w.site, "%s/site", dir);
    snprintf(w.log, sizeof w.log, "%s/log", dir);
    if (build_world(&w, &err)) {
        play_all(&w);
    } else {
        printf("FAIL the world: %s\n", err.text);
        w.failures++;
    }
    tbrest_close(w.rest);
    proc_stop(&w.cloud, 5000);
    file_remove_tree(dir, NULL);
    return w.failures == 0 ? 0 : 1;
}

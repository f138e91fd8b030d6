/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "json/json.h"
#include "pki/cert.h"
#include "pki/issue.h"
#include "pki/key.h"
#include "pki/signer.h"
#include "site/run.h"
#include "tests/unit/cloud_lab.h"

#define CHECK(call)                                                                                \
    do {                                                                                           \
        if (!(call)) {                                                                             \
            fail_msg("%s: %s", #call, err.text);                                                   \
        }                                                                                          \
    } while (0)

char *cloud_lab_call(cloud_lab_t *lab, const char *method, const char *path, const char *body)
{
    err_t err = ERR_INIT;
    tbrest_answer_t answer;
    CHECK(tbrest_expect(lab->rest, method, path, body, &answer, &err));
    return answer.body;
}

char *cloud_lab_on(cloud_lab_t *lab, const char *method, const char *format, const char *id,
                   const char *body)
{
    char path[512];
    size_t at = (size_t)(strstr(format, "%s") - format);
    snprintf(path, sizeof path, "%.*s%s%s", (int)at, format, id, format + at + 2);
    return cloud_lab_call(lab, method, path, body);
}

/* ---- a cradle-cloud ---- */

static void start_own(cloud_lab_t *lab)
{
    err_t err = ERR_INIT;
    char ready[SITE_RUN_MAX + 1];
    char https[SITE_HOST_SIZE];
    char listen[SITE_HOST_SIZE] = "127.0.0.1:0";
    if (lab->url[0] != '\0') {
        snprintf(listen, sizeof listen, "%s", lab->url + strlen("https://"));
    }
    const char *const argv[] = {CRADLE_BIN "/cradle-cloud",
                                "-C",
                                lab->site.dir,
                                "--listen",
                                "127.0.0.1:0",
                                "--http-listen",
                                listen,
                                NULL};
    CHECK(proc_start(&lab->cloud, argv, lab->log, false, &err));
    CHECK(site_run_wait(&lab->site, "cloud", lab->cloud.pid, 20000, ready, &err));
    CHECK(site_run_address(&lab->site, "cloud", "https", https, &err));
    snprintf(lab->url, sizeof lab->url, "https://%s", https);
    CHECK(site_path(&lab->site, "cloud/admin.json", lab->login, &err));
    CHECK(site_ca_path(&lab->site, "server-root", lab->ca, &err));
}

static void read_login(cloud_lab_t *lab)
{
    err_t err = ERR_INIT;
    char *text;
    size_t len;
    json_token_t token;
    CHECK(file_read(lab->login, 4096, &text, &len, &err));
    assert_true(json_find(text, len, "username", &token) &&
                json_string(&token, lab->username, sizeof lab->username, NULL));
    assert_true(json_find(text, len, "password", &token) &&
                json_string(&token, lab->password, sizeof lab->password, NULL));
    free(text);
}

void cloud_lab_restart(cloud_lab_t *lab)
{
    assert_false(lab->live);
    proc_kill(&lab->cloud);
    start_own(lab);
}

/* ---- somebody's ThingsBoard ---- */

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value != NULL ? value : "";
}

static void use_live(cloud_lab_t *lab)
{
    err_t err = ERR_INIT;
    char text[512];
    snprintf(lab->url, sizeof lab->url, "%s", setting("TB_URL"));
    snprintf(lab->ca, sizeof lab->ca, "%s", setting("TB_CA"));
    snprintf(text, sizeof text, "{\"username\":\"%s\",\"password\":\"%s\"}", setting("TB_USERNAME"),
             setting("TB_PASSWORD"));
    CHECK(site_path(&lab->site, "login.json", lab->login, &err));
    CHECK(file_write(lab->login, text, strlen(text), 0600, &err));
}

/* ---- both ---- */

static void make_profile(cloud_lab_t *lab, const char *name)
{
    char body[1024];
    snprintf(body, sizeof body,
             "{\"name\":\"%s\",\"type\":\"DEFAULT\",\"transportType\":\"DEFAULT\","
             "\"provisionType\":\"DISABLED\",\"profileData\":{\"configuration\":{\"type\":"
             "\"DEFAULT\"},\"transportConfiguration\":{\"type\":\"DEFAULT\"},\"alarms\":null,"
             "\"provisionConfiguration\":{\"type\":\"DISABLED\",\"provisionDeviceSecret\":null}}}",
             name);
    free(cloud_lab_call(lab, "POST", "/api/deviceProfile", body));
}

void cloud_lab_again(cloud_lab_t *lab)
{
    err_t err = ERR_INIT;
    const cloud_settings_t settings = {.url = lab->url,
                                       .ca_file = lab->ca[0] != '\0' ? lab->ca : NULL,
                                       .login_file = lab->login,
                                       .lobby = lab->lobby,
                                       .operating = lab->operating};
    cloud_close(lab->cloud_handle);
    CHECK(cloud_open(&lab->cloud_handle, &settings, &err));
}

void cloud_lab_open(cloud_lab_t *lab)
{
    err_t err = ERR_INIT;
    char dir[] = "/tmp/cradle-lab-XXXXXX";
    memset(lab, 0, sizeof *lab);
    assert_non_null(mkdtemp(dir));
    const site_create_t request = {.dir = dir, .now = (int64_t)time(NULL) - 3600};
    CHECK(site_create(&request, &lab->site, &err));
    CHECK(site_path(&lab->site, "lab.log", lab->log, &err));
    lab->live = setting("TB_URL")[0] != '\0';
    snprintf(lab->tag, sizeof lab->tag, "LAB%d", (int)getpid());
    snprintf(lab->lobby, sizeof lab->lobby, lab->live ? "lobby %s" : "lobby", lab->tag);
    snprintf(lab->operating, sizeof lab->operating, "operating %s", lab->tag);
    if (lab->live) {
        use_live(lab);
    } else {
        start_own(lab);
    }
    read_login(lab);
    const tbrest_settings_t rest = {.url = lab->url,
                                    .ca_file = lab->ca[0] != '\0' ? lab->ca : NULL};
    CHECK(tbrest_open(&lab->rest, &rest, &err));
    CHECK(tbrest_login(lab->rest, lab->username, lab->password, &err));
    make_profile(lab, lab->operating);
    if (lab->live) {
        make_profile(lab, lab->lobby);
    }
    cloud_lab_again(lab);
}

/* Everything in a page whose `name` or `title` holds the tag. */
static void take_away(cloud_lab_t *lab, const char *list, const char *one)
{
    for (int i = 0;; i++) {
        char path[32];
        char id[TBREST_ID_SIZE];
        json_token_t token;
        char *page = cloud_lab_on(lab, "GET", list, lab->tag, NULL);
        snprintf(path, sizeof path, "data.0.id.id");
        bool more = json_find(page, strlen(page), path, &token) &&
                    json_string(&token, id, sizeof id, NULL) && i < 1000;
        free(page);
        if (!more) {
            return;
        }
        free(cloud_lab_on(lab, "DELETE", one, id, NULL));
    }
}

void cloud_lab_close(cloud_lab_t *lab)
{
    err_t err = ERR_INIT;
    take_away(lab, "/api/tenant/devices?pageSize=1&page=0&textSearch=%s", "/api/device/%s");
    take_away(lab, "/api/customers?pageSize=1&page=0&textSearch=%s", "/api/customer/%s");
    take_away(lab, "/api/deviceProfileInfos?pageSize=1&page=0&textSearch=%s",
              "/api/deviceProfile/%s");
    cloud_close(lab->cloud_handle);
    tbrest_close(lab->rest);
    if (!lab->live) {
        proc_stop(&lab->cloud, 5000);
    }
    CHECK(file_remove_tree(lab->site.dir, &err));
}

void cloud_lab_leaf(const cloud_lab_t *lab, const char *sn, uint8_t leaf[CLOUD_LEAF_MAX],
                    size_t *len)
{
    err_t err = ERR_INIT;
    char path[FILE_PATH_MAX];
    X509 *ca;
    pki_signer_t *signer;
    EVP_PKEY *key;
    CHECK(site_ca_path(&lab->site, "line", path, &err));
    CHECK(pki_cert_load(path, &ca, &err));
    CHECK(site_key_path(&lab->site, "line", path, &err));
    CHECK(pki_signer_open(path, &signer, &err));
    CHECK(pki_key_generate(PKI_KEY_P256, &key, &err));
    const pki_issuer_t issuer = {ca, signer};
    const pki_device_request_t request = {
        .sn = sn, .key = key, .not_before = (int64_t)time(NULL) - 600, .days = 30};
    CHECK(pki_issue_device_der(&request, &issuer, leaf, CLOUD_LEAF_MAX, len, &err));
    pki_key_free(key);
    pki_cert_free(ca);
    pki_signer_close(signer);
}

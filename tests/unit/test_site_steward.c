/* SPDX-License-Identifier: Apache-2.0 */
/* lib/site: what a site with a steward has, and what one without has not; its bundle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "base/file.h"
#include "pki/cert.h"
#include "pki/chain.h"
#include "pki/key.h"
#include "pki/signer.h"
#include "site/bundle.h"
#include "site/site.h"

#define STEWARD "steward.acme.test:8443"
#define NOW     1767225600

static char base[] = "/tmp/cradle-steward-XXXXXX";
static site_t shared; /* one good site that tests only look at */

static char *in_base(const char *name)
{
    static char path[4][FILE_PATH_MAX];
    static int at;
    at = (at + 1) % 4;
    assert_true(file_join(path[at], base, name, NULL));
    return path[at];
}

static bool make(const char *dir, const char *steward, pki_key_type_t type, site_t *site,
                 err_t *err)
{
    site_create_t request = {.dir = dir, .steward = steward, .key_type = type, .now = NOW};
    return site_create(&request, site, err);
}

static int setup(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    if (mkdtemp(base) == NULL || !make(in_base("shared"), STEWARD, PKI_KEY_P256, &shared, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(base, NULL) ? 0 : -1;
}

static char *read_text(const site_t *site, const char *file, size_t *len)
{
    char path[FILE_PATH_MAX];
    char *text = NULL;
    err_t err = ERR_INIT;
    if (!site_path(site, file, path, &err) || !file_read(path, 8192, &text, len, &err)) {
        fail_msg("%s", err.text);
    }
    return text;
}

static mode_t mode_of(const char *relative)
{
    char path[FILE_PATH_MAX];
    struct stat st;
    assert_true(site_path(&shared, relative, path, NULL));
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_secrets(void **state)
{
    (void)state;
    const char *files[] = {SITE_FORWARD_KEY, SITE_TICKET_KEY};
    uint8_t secret[2][32];
    for (size_t i = 0; i < 2; i++) {
        size_t len;
        char *text = read_text(&shared, files[i], &len);
        assert_int_equal(len, 65);
        assert_int_equal(text[64], '\n');
        assert_true(bytes_from_hex(text, 64, secret[i], 32));
        assert_int_equal(mode_of(files[i]), 0600);
        free(text);
    }
    assert_memory_not_equal(secret[0], secret[1], 32);
    assert_int_equal(mode_of("steward"), 0700);
    assert_int_equal(mode_of("steward/server.key"), 0600);
    assert_int_equal(mode_of("steward/bundle.jws"), 0644);
    site_t again;
    assert_true(site_open(&again, shared.dir, NULL));
    assert_string_equal(again.steward, STEWARD);
}

static void test_certificate(void **state)
{
    (void)state;
    char path[FILE_PATH_MAX];
    pki_chain_t server;
    X509 *issuing = NULL;
    EVP_PKEY *key = NULL;
    assert_true(site_path(&shared, "steward/server.crt", path, NULL));
    assert_true(pki_chain_load(path, &server, NULL));
    assert_int_equal(server.count, 2);
    assert_true(site_ca_path(&shared, "server-issuing", path, NULL));
    assert_true(pki_cert_load(path, &issuing, NULL));
    assert_true(pki_cert_issued_by(server.cert[0], issuing));
    assert_true(pki_cert_equal(server.cert[1], issuing));
    assert_true(site_path(&shared, "steward/server.key", path, NULL));
    assert_true(pki_key_load(path, &key, NULL) && pki_key_matches(key, server.cert[0]));
    assert_int_equal(X509_check_host(server.cert[0], "steward.acme.test", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(server.cert[0], "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(server.cert[0], "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(server.cert[0], "::1", 0), 1);
    assert_int_equal(X509_check_host(server.cert[0], "cloud.cradle.test", 0, 0, NULL), 0);
    pki_key_free(key);
    pki_cert_free(issuing);
    pki_chain_free(&server);
}

static void expect_key(const site_t *site, const char *name, jws_bytes_t spki, const char *kid)
{
    char path[FILE_PATH_MAX];
    char id[PKI_KEY_ID_SIZE];
    uint8_t der[PKI_SPKI_MAX];
    size_t len;
    EVP_PKEY *key = NULL;
    assert_true(site_key_path(site, name, path, NULL) && pki_key_load(path, &key, NULL));
    assert_true(pki_key_public_der(key, der, sizeof der, &len, NULL));
    assert_true(pki_key_id(key, id, NULL));
    assert_int_equal(spki.len, len);
    assert_memory_equal(spki.data, der, len);
    assert_string_equal(kid, id);
    pki_key_free(key);
}

/* As a device does it: with the anchor's public key and lib/statement, not with site_bundle_load.
 */
static void expect_bundle(const site_t *site, const char *text, size_t len, int64_t version,
                          const char *const *roots, size_t root_count)
{
    jws_t jws;
    bundle_t bundle;
    uint8_t scratch[JWS_BUNDLE_MAX];
    uint8_t raw[JWS_ES256_SIZE];
    uint8_t der[PKI_CERT_DER_MAX];
    char path[FILE_PATH_MAX];
    size_t n;
    EVP_PKEY *anchor = NULL;
    assert_int_equal(jws_open(JWS_BUNDLE, text, len, &jws), JWS_OK);
    assert_true(site_pub_path(site, "anchor", path, NULL));
    assert_true(pki_key_public_load(path, &anchor, NULL));
    assert_int_equal(jws_signature(&jws, raw, sizeof raw, &n), JWS_OK);
    n = jws_es256_to_der(raw, der);
    assert_true(pki_verify(anchor, jws.text, jws.signing_len, der, n));
    raw[40] ^= 1;
    n = jws_es256_to_der(raw, der);
    assert_false(pki_verify(anchor, jws.text, jws.signing_len, der, n));
    pki_key_free(anchor);
    assert_int_equal(bundle_read(&jws, scratch, sizeof scratch, &bundle), JWS_OK);
    assert_true(jws_text_equal(bundle.site, jws_text(site->id)));
    assert_int_equal(bundle.version, version);
    expect_key(site, "steward", bundle.steward, bundle.steward_kid);
    expect_key(site, "bench", bundle.bench, bundle.bench_kid);
    assert_int_equal(bundle.anchor_count, root_count);
    for (size_t i = 0; i < root_count; i++) {
        X509 *root = NULL;
        assert_true(site_ca_path(site, roots[i], path, NULL) && pki_cert_load(path, &root, NULL));
        assert_true(pki_cert_to_der(root, der, sizeof der, &n, NULL));
        assert_int_equal(bundle.anchors[i].len, n);
        assert_memory_equal(bundle.anchors[i].data, der, n);
        pki_cert_free(root);
    }
}

static void test_bundle(void **state)
{
    (void)state;
    const char *root = "server-root";
    char loaded[JWS_BUNDLE_MAX + 1];
    size_t len;
    size_t n;
    int64_t version = 0;
    char *text = read_text(&shared, SITE_BUNDLE, &len);
    expect_bundle(&shared, text, len, 1, &root, 1);
    assert_true(site_bundle_load(&shared, loaded, &n, &version, NULL));
    assert_int_equal(n, len);
    assert_string_equal(loaded, text);
    assert_int_equal(version, 1);
    free(text);
}

/* A cloud of somebody else's: its root is trusted beside ours, in flash and bundle. */
static void test_foreign_cloud(void **state)
{
    (void)state;
    char dir[] = "/tmp/cradle-foreign-XXXXXX";
    char from[FILE_PATH_MAX];
    char text[JWS_BUNDLE_MAX + 1];
    const char *roots[] = {"server-root", "cloud-root"};
    char *pem;
    size_t len;
    int64_t version;
    pki_chain_t chain;
    site_t site;
    err_t err = ERR_INIT;
    assert_non_null(mkdtemp(dir));
    assert_true(site_ca_path(&shared, "root", from, NULL)); /* any certificate will do */
    site_create_t request = {.dir = dir,
                             .cloud = "tb.example.org:8883",
                             .steward = SITE_STEWARD_HOST,
                             .cloud_ca = "/nowhere/at/all.pem",
                             .now = NOW};
    assert_false(site_create(&request, &site, &err));
    assert_non_null(strstr(err.text, "the roots of the cloud's certificate"));
    request.cloud_ca = from;
    assert_true(site_create(&request, &site, NULL));
    assert_true(site_server_chain(&site, &pem, &len, NULL));
    assert_true(pki_chain_parse(pem, len, &chain, NULL));
    assert_int_equal(chain.count, 3);
    pki_chain_free(&chain);
    free(pem);
    assert_true(site_bundle_load(&site, text, &len, &version, NULL));
    expect_bundle(&site, text, len, 1, roots, 2);
    assert_true(file_remove_tree(dir, NULL));
}

/* Two roots while one takes over from the other. */
static void test_later_version(void **state)
{
    (void)state;
    const char *roots[] = {"server-root", "server-issuing"};
    char text[JWS_BUNDLE_MAX + 1];
    char path[FILE_PATH_MAX];
    size_t len;
    err_t err = ERR_INIT;
    pki_chain_t anchors = PKI_CHAIN_INIT;
    site_bundle_t wanted = {.version = 7, .issued = NOW + 5, .anchors = &anchors};
    assert_false(site_bundle_make(&shared, &wanted, text, &len, &err)); /* no root at all */
    assert_int_equal(err.kind, ERR_USAGE);
    for (size_t i = 0; i < 2; i++) {
        assert_true(site_ca_path(&shared, roots[i], path, NULL));
        assert_true(pki_cert_load(path, &anchors.cert[i], NULL));
        anchors.count++;
    }
    assert_true(site_bundle_make(&shared, &wanted, text, &len, NULL));
    expect_bundle(&shared, text, len, 7, roots, 2);
    wanted.version = 0;
    err_clear(&err);
    assert_false(site_bundle_make(&shared, &wanted, text, &len, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    pki_chain_free(&anchors);
}

static void expect_refused(const site_t *site, const char *text, size_t len, const char *word)
{
    char path[FILE_PATH_MAX];
    char loaded[JWS_BUNDLE_MAX + 1];
    size_t n;
    err_t err = ERR_INIT;
    assert_true(site_path(site, SITE_BUNDLE, path, NULL));
    assert_true(file_write(path, text, len, 0644, NULL));
    if (site_bundle_load(site, loaded, &n, NULL, &err) || strstr(err.text, word) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", err.text, word);
    }
    assert_int_equal(err.kind, ERR_INPUT);
}

static void test_bad_bundles(void **state)
{
    (void)state;
    site_t site;
    char loaded[JWS_BUNDLE_MAX + 1];
    char path[FILE_PATH_MAX];
    size_t len;
    size_t n;
    err_t err = ERR_INIT;
    assert_true(make(in_base("bad"), STEWARD, PKI_KEY_P256, &site, NULL));
    char *text = read_text(&site, SITE_BUNDLE, &len);
    char *foreign = read_text(&shared, SITE_BUNDLE, &n);
    expect_refused(&site, foreign, n, "not signed by");
    expect_refused(&site, text, len - 20, "no bundle");
    expect_refused(&site, "", 0, "no bundle");
    text[len - 10] = text[len - 10] == 'A' ? 'B' : 'A';
    expect_refused(&site, text, len, "not signed by");
    memset(loaded, 'A', sizeof loaded);
    expect_refused(&site, loaded, sizeof loaded, "at most");
    /* signed by the right key, for another site */
    site_t other = site;
    memset(other.id, '0', 32);
    site_bundle_t wanted = {.version = 1, .issued = NOW};
    assert_true(site_bundle_make(&other, &wanted, loaded, &n, NULL));
    expect_refused(&site, loaded, n, "another site");
    assert_true(site_path(&site, SITE_BUNDLE, path, NULL));
    unlink(path);
    assert_false(site_bundle_load(&site, loaded, &n, NULL, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    free(text);
    free(foreign);
}

/* RSA certificates are thrice as large; the steward's and the bench's keys are P-256 all the same.
 */
static void test_rsa_site(void **state)
{
    (void)state;
    const char *root = "server-root";
    site_t site;
    size_t len;
    err_t err = ERR_INIT;
    if (!make(in_base("rsa"), STEWARD, PKI_KEY_RSA2048, &site, &err)) {
        fail_msg("%s", err.text);
    }
    char *text = read_text(&site, SITE_BUNDLE, &len);
    expect_bundle(&site, text, len, 1, &root, 1);
    free(text);
}

static void test_without_steward(void **state)
{
    (void)state;
    site_t site;
    assert_true(make(in_base("plain"), NULL, PKI_KEY_P256, &site, NULL));
    assert_false(file_exists(in_base("plain/steward")));
    err_t err = ERR_INIT;
    assert_false(make(in_base("wrong"), "steward", PKI_KEY_P256, &site, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(err.text, "host:port"));
    assert_false(file_exists(in_base("wrong/steward")));
    /* somebody's own directory of that name is not touched */
    assert_true(file_make_dirs(in_base("own/steward"), 0755, NULL));
    err_clear(&err);
    assert_false(make(in_base("own"), STEWARD, PKI_KEY_P256, &site, &err));
    assert_non_null(strstr(err.text, "steward exists already"));
}

/* SIGKILL after 0, 1, 2, ... ms: the next try, with a steward or without one, makes exactly what
   was asked for. */
static void test_killed(void **state)
{
    (void)state;
    int died = 0;
    for (int round = 0; round < 16; round++) {
        char dir[64];
        char file[96];
        site_t site;
        err_t err = ERR_INIT;
        snprintf(dir, sizeof dir, "killed-%d", round);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            _exit(make(in_base(dir), STEWARD, PKI_KEY_P256, &site, NULL) ? 0 : 1);
        }
        struct timespec wait = {0, round * 1000000L};
        nanosleep(&wait, NULL);
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        died += WIFSIGNALED(status);
        bool complete = site_open(&site, in_base(dir), NULL);
        const char *steward = complete || round % 2 == 0 ? STEWARD : NULL;
        if (!complete && !make(in_base(dir), steward, PKI_KEY_P256, &site, &err)) {
            fail_msg("round %d: %s", round, err.text);
        }
        char text[JWS_BUNDLE_MAX + 1];
        size_t len;
        snprintf(file, sizeof file, "%s/steward", dir);
        assert_int_equal(file_exists(in_base(file)), steward != NULL);
        assert_int_equal(site_bundle_load(&site, text, &len, NULL, NULL), steward != NULL);
    }
    assert_true(died > 0); /* else this test tested nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrets),         cmocka_unit_test(test_certificate),
        cmocka_unit_test(test_bundle),          cmocka_unit_test(test_foreign_cloud),
        cmocka_unit_test(test_later_version),   cmocka_unit_test(test_bad_bundles),
        cmocka_unit_test(test_rsa_site),        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_without_steward),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

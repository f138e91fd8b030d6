/* SPDX-License-Identifier: Apache-2.0 */
/* lib/site: making a site (killed half-way too), opening it, its locks and run files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/file.h"
#include "pki/cert.h"
#include "pki/chain.h"
#include "pki/key.h"
#include "site/run.h"
#include "site/site.h"

static char base[] = "/tmp/cradle-site-XXXXXX";
static site_t shared; /* one good site that tests only look at */

static char *in_base(const char *name)
{
    static char path[4][FILE_PATH_MAX];
    static int at;
    at = (at + 1) % 4;
    assert_true(file_join(path[at], base, name, NULL));
    return path[at];
}

static bool make(const char *dir, site_t *site, err_t *err)
{
    const char *names[] = {"alpha.test", "192.0.2.7"};
    site_create_t request = {.dir = dir,
                             .name = "Acme",
                             .server_names = names,
                             .server_name_count = 2,
                             .now = 1767225600};
    return site_create(&request, site, err);
}

static int setup(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    if (mkdtemp(base) == NULL || !make(in_base("shared"), &shared, &err)) {
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

static mode_t mode_of(const char *relative)
{
    char path[FILE_PATH_MAX];
    struct stat st;
    assert_true(site_path(&shared, relative, path, NULL));
    if (stat(path, &st) != 0) {
        fail_msg("%s is missing", path);
    }
    return st.st_mode & 07777;
}

static void test_what_is_there(void **state)
{
    (void)state;
    const char *cas[] = {"root", "product", "line", "renewal", "server-root", "server-issuing"};
    const char *bare[] = {"firmware", "anchor", "steward", "bench", "pack"};
    char path[FILE_PATH_MAX];
    site_t site;
    err_t err = ERR_INIT;
    if (!site_open(&site, in_base("shared"), &err)) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(site.id, shared.id);
    assert_int_equal(strlen(site.id), 32);
    assert_string_equal(site.name, "Acme");
    assert_string_equal(site.sn_pattern, "SN-%06d");
    assert_string_equal(site.cloud, SITE_CLOUD_HOST);
    for (size_t i = 0; i < 6; i++) {
        X509 *cert = NULL;
        EVP_PKEY *key = NULL;
        assert_true(site_ca_path(&site, cas[i], path, NULL) && pki_cert_load(path, &cert, NULL));
        assert_true(site_key_path(&site, cas[i], path, NULL) && pki_key_load(path, &key, NULL));
        assert_true(pki_key_matches(key, cert));
        pki_key_free(key);
        pki_cert_free(cert);
    }
    for (size_t i = 0; i < 4; i++) {
        EVP_PKEY *key = NULL;
        EVP_PKEY *pub = NULL;
        assert_true(site_key_path(&site, bare[i], path, NULL) && pki_key_load(path, &key, NULL));
        assert_true(site_pub_path(&site, bare[i], path, NULL) &&
                    pki_key_public_load(path, &pub, NULL));
        char a[PKI_KEY_ID_SIZE];
        char b[PKI_KEY_ID_SIZE];
        assert_true(pki_key_id(key, a, NULL) && pki_key_id(pub, b, NULL));
        assert_string_equal(a, b);
        pki_key_free(key);
        pki_key_free(pub);
    }
    assert_int_equal(mode_of("keys"), 0700);
    assert_int_equal(mode_of("keys/root.key"), 0600);
    assert_int_equal(mode_of("cloud/server.key"), 0600);
    assert_int_equal(mode_of("factory/units"), 0700);
    assert_int_equal(mode_of("ca/root.crt"), 0644);
    assert_false(file_exists(in_base("shared/.cradle-init")));
}

static void test_server_certificate(void **state)
{
    (void)state;
    char path[FILE_PATH_MAX];
    pki_chain_t server;
    pki_chain_t anchors;
    char *pem;
    size_t len;
    assert_true(site_path(&shared, "cloud/server.crt", path, NULL));
    assert_true(pki_chain_load(path, &server, NULL));
    assert_int_equal(server.count, 2);
    assert_true(site_server_chain(&shared, &pem, &len, NULL));
    assert_true(pki_chain_parse(pem, len, &anchors, NULL));
    assert_int_equal(anchors.count, 2); /* root, issuing */
    assert_true(pki_cert_issued_by(server.cert[0], anchors.cert[1]));
    assert_true(pki_cert_issued_by(anchors.cert[1], anchors.cert[0]));
    assert_true(pki_cert_equal(server.cert[1], anchors.cert[1]));
    const char *hosts[] = {"localhost", "cloud.cradle.test", "alpha.test"};
    const char *ips[] = {"127.0.0.1", "::1", "192.0.2.7"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(X509_check_host(server.cert[0], hosts[i], 0, 0, NULL), 1);
        assert_int_equal(X509_check_ip_asc(server.cert[0], ips[i], 0), 1);
    }
    free(pem);
    pki_chain_free(&server);
    pki_chain_free(&anchors);
}

/* A device's v1 leaf must not pass as a server: the server's root is another one. */
static void test_roots_are_apart(void **state)
{
    (void)state;
    char path[FILE_PATH_MAX];
    X509 *root = NULL;
    X509 *server_root = NULL;
    X509 *product = NULL;
    assert_true(site_ca_path(&shared, "root", path, NULL) && pki_cert_load(path, &root, NULL));
    assert_true(site_ca_path(&shared, "server-root", path, NULL) &&
                pki_cert_load(path, &server_root, NULL));
    assert_true(site_ca_path(&shared, "product", path, NULL) &&
                pki_cert_load(path, &product, NULL));
    assert_true(pki_cert_issued_by(product, root));
    assert_false(pki_cert_issued_by(product, server_root));
    assert_int_equal(X509_get_pathlen(product), 1);
    pki_cert_free(root);
    pki_cert_free(server_root);
    pki_cert_free(product);
}

static void test_refusals(void **state)
{
    (void)state;
    site_t site;
    err_t err = ERR_INIT;
    assert_false(make(in_base("shared"), &site, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_non_null(strstr(err.text, "\"Acme\" already"));
    err_clear(&err);
    assert_false(site_open(&site, in_base("nowhere"), &err));
    assert_non_null(strstr(err.text, "init"));
    /* somebody's own directory of one of our names is not touched */
    assert_true(file_make_dirs(in_base("home/keys"), 0755, NULL));
    assert_true(file_write(in_base("home/keys/mine"), "x", 1, 0644, NULL));
    err_clear(&err);
    assert_false(make(in_base("home"), &site, &err));
    assert_non_null(strstr(err.text, "keys exists already"));
    assert_true(file_exists(in_base("home/keys/mine")));
    assert_false(file_exists(in_base("home/.cradle-init")));
    assert_false(file_exists(in_base("home/ca")));
    /* other things are allowed beside it */
    assert_true(file_make_dirs(in_base("other/docs"), 0755, NULL));
    assert_true(make(in_base("other"), &site, NULL));
    assert_true(file_exists(in_base("other/docs")));
    /* a damaged cradle.json is not overwritten either */
    assert_true(file_make_dirs(in_base("damaged"), 0755, NULL));
    assert_true(file_write(in_base("damaged/cradle.json"), "{", 1, 0644, NULL));
    err_clear(&err);
    assert_false(make(in_base("damaged"), &site, &err));
    err_clear(&err);
    assert_false(site_open(&site, in_base("damaged"), &err));
    assert_int_equal(err.kind, ERR_INPUT);
}

static void test_bad_requests(void **state)
{
    (void)state;
    char dir[FILE_PATH_MAX];
    snprintf(dir, sizeof dir, "%s", in_base("bad"));
    const char *name = "no such name!";
    const struct {
        site_create_t request;
        const char *word;
    } cases[] = {
        {{.dir = dir, .sn_pattern = "%06d"}, "ThingsBoard"},
        {{.dir = dir, .name = ""}, "\"name\" must"},
        {{.dir = dir, .name = "a\nb"}, "\"name\" must"},
        {{.dir = dir, .name = "12345678901234567890123456789012345678901"}, "\"name\" must"},
        {{.dir = dir, .cloud = "cloud"}, "host:port"},
        {{.dir = dir, .days = 100000}, "\"days\" must"},
        {{.dir = dir, .model = ""}, "\"model\" must"},
        {{.dir = dir, .server_names = &name, .server_name_count = 1}, "neither a host name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        site_t site;
        err_t err = ERR_INIT;
        site_create_t request = cases[i].request;
        request.now = 1767225600;
        if (site_create(&request, &site, &err) || strstr(err.text, cases[i].word) == NULL) {
            fail_msg("case %zu: %s", i, err.text);
        }
        assert_int_equal(err.kind, ERR_USAGE);
        assert_false(file_exists(in_base("bad/keys"))); /* nothing is left of a refused one */
        assert_false(file_exists(in_base("bad/.cradle-init")));
    }
}

/* SIGKILL after 0, 1, 2, ... ms: never a site that is half there, and the next try succeeds. */
static void test_killed(void **state)
{
    (void)state;
    int died = 0;
    for (int round = 0; round < 25; round++) {
        char dir[64];
        site_t site;
        err_t err = ERR_INIT;
        snprintf(dir, sizeof dir, "killed-%d", round);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            _exit(make(in_base(dir), &site, NULL) ? 0 : 1);
        }
        struct timespec wait = {0, round * 700000L};
        nanosleep(&wait, NULL);
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        died += WIFSIGNALED(status);
        bool complete = site_open(&site, in_base(dir), NULL);
        if (!complete && !make(in_base(dir), &site, &err)) {
            fail_msg("round %d: %s", round, err.text);
        }
        assert_true(site_open(&site, in_base(dir), NULL));
        char path[FILE_PATH_MAX];
        EVP_PKEY *key = NULL;
        assert_true(site_key_path(&site, "bench", path, NULL) && pki_key_load(path, &key, NULL));
        pki_key_free(key);
        assert_true(site_path(&site, "cloud/server.crt", path, NULL) && file_exists(path));
    }
    assert_true(died > 0); /* else this test tested nothing */
}

/* Two at once: one makes it, the other is told; nobody breaks anything. */
static void test_two_at_once(void **state)
{
    (void)state;
    pid_t children[4];
    int made = 0;
    for (int i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            site_t site;
            _exit(make(in_base("race"), &site, NULL) ? 0 : 1);
        }
    }
    for (int i = 0; i < 4; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        made += WEXITSTATUS(status) == 0;
    }
    assert_int_equal(made, 1);
    site_t site;
    assert_true(site_open(&site, in_base("race"), NULL));
    assert_true(file_exists(in_base("race/cloud/server.crt")));
}

static void test_paths(void **state)
{
    (void)state;
    char path[FILE_PATH_MAX];
    char want[FILE_PATH_MAX];
    assert_true(site_unit_path(&shared, "SN-000001", "identity.bin", path, NULL));
    snprintf(want, sizeof want, "%s/factory/units/SN-000001/identity.bin", shared.dir);
    assert_string_equal(path, want);
    assert_true(site_device_path(&shared, "SN-000001", NULL, path, NULL));
    snprintf(want, sizeof want, "%s/devices/SN-000001", shared.dir);
    assert_string_equal(path, want);
    const char *bad[] = {"", "..", "../../etc", "a/b", "000001"};
    for (size_t i = 0; i < 5; i++) {
        assert_false(site_unit_path(&shared, bad[i], "x", path, NULL));
        assert_false(site_device_path(&shared, bad[i], NULL, path, NULL));
    }
    site_t deep = shared;
    memset(deep.dir, 'x', sizeof deep.dir - 1);
    deep.dir[sizeof deep.dir - 1] = '\0';
    err_t err = ERR_INIT;
    assert_false(site_path(&deep, "ca/root.crt", path, &err));
    assert_int_equal(err.kind, ERR_USAGE);
}

static void test_locks(void **state)
{
    (void)state;
    int first;
    int second;
    err_t err = ERR_INIT;
    assert_true(site_lock(&shared, "job", false, &first, NULL));
    assert_false(site_lock(&shared, "job", false, &second, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_int_equal(second, -1);
    assert_true(site_lock(&shared, "other", false, &second, NULL));
    site_unlock(second);
    site_unlock(first);
    assert_true(site_lock(&shared, "job", false, &first, NULL));
    site_unlock(first);
    /* the kernel drops the lock of a process that is killed */
    pid_t child = fork();
    if (child == 0) {
        _exit(site_lock(&shared, "job", false, &first, NULL) && kill(getpid(), SIGKILL) == 0);
    }
    waitpid(child, NULL, 0);
    assert_true(site_lock(&shared, "job", true, &first, NULL));
    site_unlock(first);
}

static void announce(const char *name)
{
    site_run_listener_t listener = {"mqtts", "127.0.0.1:8883"};
    assert_true(site_run_write(&shared, name, &listener, 1, NULL));
}

static void test_run_files(void **state)
{
    (void)state;
    char text[SITE_RUN_MAX + 1];
    char address[SITE_HOST_SIZE];
    pid_t pid;
    err_t err = ERR_INIT;
    assert_false(site_run_read(&shared, "cloud", text, &pid, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    announce("cloud");
    announce("cloud"); /* its own may be replaced */
    assert_true(site_run_read(&shared, "cloud", text, &pid, NULL));
    assert_int_equal(pid, getpid());
    assert_true(site_run_address(&shared, "cloud", "mqtts", address, NULL));
    assert_string_equal(address, "127.0.0.1:8883");
    assert_false(site_run_address(&shared, "cloud", "https", address, NULL));
    assert_true(site_run_wait(&shared, "cloud", 0, 0, text, NULL));
    /* another process may neither replace nor remove it */
    pid_t child = fork();
    if (child == 0) {
        bool wrote = site_run_write(&shared, "cloud", NULL, 0, NULL);
        site_run_remove(&shared, "cloud");
        _exit(wrote);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_true(site_run_read(&shared, "cloud", text, &pid, NULL));
    site_run_remove(&shared, "cloud");
    assert_false(site_run_read(&shared, "cloud", text, &pid, NULL));
    site_run_remove(&shared, "cloud");
}

static void test_run_refusals(void **state)
{
    (void)state;
    char text[SITE_RUN_MAX + 1];
    char path[FILE_PATH_MAX];
    const char *names[] = {"", "../cloud", "a/b", "a b", ".\n"};
    const char *bodies[] = {"", "{}", "[1]", "{\"pid\":\"x\"}", "{\"pid\":-1}", "{\"pid\":"};
    char address[SITE_RUN_MAX + 1];
    err_t err = ERR_INIT;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_false(site_run_write(&shared, names[i], NULL, 0, NULL));
        assert_false(site_run_wait(&shared, names[i], 0, 1000, text, NULL)); /* at once */
    }
    memset(address, 'a', sizeof address - 1);
    address[sizeof address - 1] = '\0';
    assert_false(site_run_write(&shared, "x", &(site_run_listener_t){"mqtts", address}, 1, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_true(site_path(&shared, "run/broken.json", path, NULL));
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        err = (err_t)ERR_INIT;
        assert_true(file_write(path, bodies[i], strlen(bodies[i]), 0644, NULL));
        assert_false(site_run_read(&shared, "broken", text, NULL, &err));
        assert_int_equal(err.kind, ERR_INPUT);
    }
}

/* A file whose process is gone, or whose pid went to another process, counts for nothing. */
static void test_stale_run_files(void **state)
{
    (void)state;
    char text[SITE_RUN_MAX + 1];
    char path[FILE_PATH_MAX];
    pid_t child = fork();
    if (child == 0) {
        announce("stale");
        _exit(0);
    }
    waitpid(child, NULL, 0);
    assert_false(site_run_read(&shared, "stale", text, NULL, NULL));
    announce("stale"); /* may be replaced */
    assert_true(site_run_read(&shared, "stale", text, NULL, NULL));
    assert_true(site_path(&shared, "run/reused.json", path, NULL));
    int n = snprintf(text, sizeof text, "{\"start\":1,\"pid\":%ld}", (long)getpid());
    assert_true(file_write(path, text, (size_t)n, 0644, NULL)); /* our pid, another start */
    assert_false(site_run_read(&shared, "reused", text, NULL, NULL));
}

static void test_waiting(void **state)
{
    (void)state;
    char text[SITE_RUN_MAX + 1];
    err_t err = ERR_INIT;
    uint64_t begun = clock_monotonic_ms();
    assert_false(site_run_wait(&shared, "late", 0, 50, text, &err));
    assert_true(clock_monotonic_ms() - begun >= 50);
    assert_int_equal(err.kind, ERR_PRECONDITION);
    pid_t child = fork();
    if (child == 0) {
        struct timespec wait = {0, 30000000L};
        nanosleep(&wait, NULL);
        announce("late");
        pause();
    }
    assert_true(site_run_wait(&shared, "late", child, 5000, text, NULL));
    assert_non_null(strstr(text, "127.0.0.1:8883"));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    /* a child that dies before it is ready ends the wait */
    child = fork();
    if (child == 0) {
        _exit(3);
    }
    err_clear(&err);
    assert_false(site_run_wait(&shared, "never", child, 60000, text, &err));
    assert_int_equal(err.kind, ERR_PEER);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child); /* it was left to us */
    assert_int_equal(WEXITSTATUS(status), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_there),   cmocka_unit_test(test_server_certificate),
        cmocka_unit_test(test_roots_are_apart), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bad_requests),    cmocka_unit_test(test_killed),
        cmocka_unit_test(test_two_at_once),     cmocka_unit_test(test_paths),
        cmocka_unit_test(test_locks),           cmocka_unit_test(test_run_files),
        cmocka_unit_test(test_run_refusals),    cmocka_unit_test(test_stale_run_files),
        cmocka_unit_test(test_waiting),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

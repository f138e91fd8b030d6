/* SPDX-License-Identifier: Apache-2.0 */
/* factory/ca: certificates outside a run, denials, and a roll that is cut off at every step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "custody/custody.h"
#include "factory/ca.h"
#include "factory/factory.h"
#include "factory_fixture.h"
#include "pki/batch.h"
#include "site/deny.h"

static const char *at(const char *relative)
{
    static char path[8][FILE_PATH_MAX];
    static int next;
    next = (next + 1) % 8;
    assert_true(site_path(&site, relative, path[next], NULL));
    return path[next];
}

static size_t files_like(const char *dir, const char *part)
{
    size_t count = 0;
    DIR *d = opendir(at(dir));
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        count += strstr(e->d_name, part) != NULL;
    }
    closedir(d);
    return count;
}

/* ---- roll ---- */

static bool roll(const char *name, factory_rolled_t *rolled, err_t *err)
{
    const factory_ca_t ca = {&site, NULL};
    const factory_roll_t how = {.name = name, .now = now};
    return factory_ca_roll(&ca, &how, rolled, err);
}

/* Key and certificate of the line fit, nothing is left lying about, everything is trusted. */
static void check_whole(size_t rolled)
{
    err_t err = ERR_INIT;
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    pki_trust_t *trust = NULL;
    pki_chain_t issuing = PKI_CHAIN_INIT;
    if (!pki_key_load(at("keys/line.key"), &key, &err) ||
        !pki_cert_load(at("ca/line.crt"), &cert, &err)) {
        fail_msg("%s", err.text);
    }
    assert_true(pki_key_matches(key, cert));
    assert_int_equal(files_like("keys", ".key."), 0);
    assert_int_equal(files_like("ca", ".next"), 0);
    assert_true(site_device_trust(&site, NULL, &issuing, &trust, &err));
    assert_int_equal(issuing.count, 2 + rolled);
    pki_chain_free(&issuing);
    pki_trust_free(trust);
    pki_cert_free(cert);
    pki_key_free(key);
}

static void must_rename(const char *from, const char *to)
{
    assert_int_equal(rename(at(from), at(to)), 0);
}

static void must_copy(const char *from, const char *to, mode_t mode)
{
    char *text;
    size_t len;
    assert_true(file_read(at(from), PKI_PEM_MAX, &text, &len, NULL));
    assert_true(file_write(at(to), text, len, mode, NULL));
    free(text);
}

/* A site in the middle of a roll, as if it had died after `step` of them:
   1 new key, 2 new certificate, 3 old certificate kept, 4 old key aside, 5 new key in place,
   6 new certificate in place, 7 old key gone. */
static void stop_after(int step)
{
    factory_rolled_t rolled;
    must_copy("keys/line.key", "keys/was.key", 0600);
    must_copy("ca/line.crt", "ca/was", 0644);
    assert_true(roll("line", &rolled, NULL));
    assert_string_equal(rolled.former, "line.1");
    assert_false(rolled.resumed);
    /* Back, from the end. */
    if (step < 7) {
        must_copy("keys/was.key", "keys/line.key.old", 0600);
    }
    if (step < 6) {
        must_rename("ca/line.crt", "ca/line.crt.next");
        must_copy("ca/was", "ca/line.crt", 0644);
    }
    if (step < 5) {
        must_rename("keys/line.key", "keys/line.key.next");
    }
    if (step < 4) {
        must_rename("keys/line.key.old", "keys/line.key");
    }
    if (step < 3) {
        assert_int_equal(unlink(at("ca/line.1.crt")), 0);
    }
    if (step < 2) {
        assert_int_equal(unlink(at("ca/line.crt.next")), 0);
    }
    assert_int_equal(unlink(at("keys/was.key")), 0);
    assert_int_equal(unlink(at("ca/was")), 0);
}

static void test_roll_cut_off(void **state)
{
    (void)state;
    for (int step = 1; step <= 7; step++) {
        factory_rolled_t rolled;
        err_t err = ERR_INIT;
        factory_site("SN-%06d", false);
        stop_after(step);
        if (!roll("line", &rolled, &err)) {
            fail_msg("after step %d: %s", step, err.text);
        }
        assert_int_equal(rolled.resumed, step >= 2 && step < 7);
        check_whole(step == 7 ? 2 : 1);
        assert_true(file_exists(at("ca/line.1.crt")));
        /* And from there on as ever. */
        assert_true(roll("line", &rolled, &err));
        assert_false(rolled.resumed);
        check_whole(step == 7 ? 3 : 2);
    }
}

static void test_roll_killed(void **state)
{
    (void)state;
    unsigned seed = (unsigned)getpid();
    printf("seed %u\n", seed);
    factory_site("SN-%06d", false);
    uint64_t began = clock_monotonic_ms();
    factory_rolled_t rolled;
    assert_true(roll("line", &rolled, NULL));
    unsigned whole = (unsigned)(clock_monotonic_ms() - began) * 1000 + 1000;
    for (int i = 0; i < 25; i++) {
        pid_t child = fork();
        if (child == 0) {
            roll("line", &rolled, NULL);
            _exit(0);
        }
        usleep((unsigned)rand_r(&seed) % whole);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        err_t err = ERR_INIT;
        if (!roll("line", &rolled, &err)) {
            fail_msg("kill %d: %s", i, err.text);
        }
        size_t kept = files_like("ca", "line.") - 1;
        check_whole(kept);
        /* Old enough to be over: the oldest goes, as the line engineer would do. */
        for (unsigned n = 1; n < 100 && kept > 1; n++) {
            char name[32];
            snprintf(name, sizeof name, "ca/line.%u.crt", n);
            kept -= unlink(at(name)) == 0;
        }
    }
}

static void test_roll_refused(void **state)
{
    (void)state;
    factory_rolled_t rolled;
    err_t err = ERR_INIT;
    assert_false(roll("product", &rolled, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    for (size_t i = 2; i < SITE_ISSUING_MAX; i++) {
        assert_true(roll(i % 2 == 0 ? "line" : "renewal", &rolled, NULL));
    }
    err_clear(&err);
    assert_false(roll("line", &rolled, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_non_null(strstr(err.text, "move the oldest"));
    check_whole(SITE_ISSUING_MAX - 2);
    /* Near the product CA's end no CA is long enough. */
    const factory_ca_t ca = {&site, NULL};
    const factory_roll_t late = {.name = "line", .now = now + INT64_C(86400) * 8500};
    assert_int_equal(unlink(at("ca/line.1.crt")), 0);
    err_clear(&err);
    assert_false(factory_ca_roll(&ca, &late, &rolled, &err));
    assert_non_null(strstr(err.text, "near its end"));
    check_whole(SITE_ISSUING_MAX - 3);
}

/* ---- issue, and what a run makes of it ---- */

static bool issue(const char *sn, bool of_a_run, bool again, err_t *err)
{
    static int number;
    char out[32];
    pki_csr_t csr;
    memset(&csr, 0, sizeof csr);
    snprintf(csr.cn, sizeof csr.cn, "%s", sn);
    snprintf(out, sizeof out, "out-%d.pem", ++number);
    assert_true(pki_key_generate(PKI_KEY_P256, &csr.key, NULL));
    const factory_ca_t ca = {&site, NULL};
    const factory_issue_t how = {
        .by = "line", .of_a_run = of_a_run, .again = again, .now = now, .out = at(out)};
    bool ok = factory_ca_issue(&ca, &how, &csr, 1, err);
    assert_int_equal(file_exists(how.out), ok);
    pki_key_free(csr.key);
    return ok;
}

static bool count_units(void *context, const factory_unit_t *unit)
{
    assert_string_not_equal(unit->sn, "SN-000002");
    (*(size_t *)context)++;
    return true;
}

static void test_issue_and_run(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    size_t made = 0;
    const factory_run_t run = {.count = 2};
    factory_result_t result;
    assert_true(issue("SN-000002", false, false, &err));
    assert_true(factory_run(&site, &run, &result, &err));
    assert_true(factory_each(&site, count_units, &made, &err));
    assert_int_equal(made, result.made);
    assert_false(issue("SN-000002", false, false, &err));
    assert_non_null(strstr(err.text, "--again"));
    assert_true(issue("SN-000002", false, true, NULL));
    err_clear(&err);
    assert_false(issue("SN-000001", false, false, &err)); /* a unit's */
    assert_true(issue("SN-000001", false, true, NULL));
}

/* A number that a run has taken and that is no unit yet is that run's own. */
static void test_issue_for_a_run(void **state)
{
    (void)state;
    custody_t *custody;
    custody_reservation_t reservation = {.pattern = "SN-%06d", .run = "factory-0"};
    err_t err = ERR_INIT;
    assert_true(custody_open(at("factory/custody.db"), FACTORY_WRITER, &custody, &err));
    assert_true(custody_reserve(custody, &reservation, 5, 0, 999999, now * 1000, &err));
    custody_close(custody);
    assert_false(issue("SN-000003", false, false, &err));
    assert_non_null(strstr(err.text, "belongs to a factory run"));
    assert_true(issue("SN-000003", true, false, NULL));
    assert_true(issue("SN-000009", false, false, NULL));
}

/* ---- deny ---- */

static void test_deny_a_unit(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    const factory_run_t run = {.count = 1};
    factory_result_t result;
    size_t added;
    pki_deny_t *list;
    assert_true(factory_run(&site, &run, &result, &err));
    assert_true(issue("SN-000001", false, true, &err));
    const factory_ca_t ca = {&site, NULL};
    const factory_deny_t how = {.sn = "SN-000001", .reason = PKI_REASON_SUPERSEDED, .now = now};
    assert_true(factory_ca_deny(&ca, &how, &added, &err));
    assert_int_equal(added, 2);
    assert_true(site_deny_load(&site, &list, &err));
    assert_int_equal(pki_deny_count(list), 2);
    /* Both with what a revocation list wants to know. */
    assert_true(strlen(pki_deny_at(list, 0)->serial) > 0);
    assert_true(strlen(pki_deny_at(list, 1)->serial) > 0);
    pki_deny_free(list);
    assert_true(factory_ca_deny(&ca, &how, &added, &err));
    assert_int_equal(added, 0);
    factory_crl_t lists[SITE_ISSUING_MAX];
    size_t count;
    assert_true(factory_ca_crl(&ca, NULL, 30, now, at("crl.pem"), lists, &count, &err));
    assert_int_equal(count, 2);
    assert_int_equal(lists[SITE_LINE].entries, 2);
    assert_int_equal(lists[SITE_RENEWAL].entries, 0);
    /* Without the image custody's fingerprint is enough for the deny-list. */
    factory_site("SN-%06d", false);
    assert_true(factory_run(&site, &run, &result, &err));
    assert_true(file_remove_tree(at("factory/units/SN-000001"), NULL));
    assert_true(factory_ca_deny(&ca, &how, &added, &err));
    assert_int_equal(added, 1);
    const factory_deny_t nobody = {.sn = "SN-000044", .now = now};
    assert_false(factory_ca_deny(&ca, &nobody, &added, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_roll_cut_off, factory_fresh),
        cmocka_unit_test_setup(test_roll_killed, factory_fresh),
        cmocka_unit_test_setup(test_roll_refused, factory_fresh),
        cmocka_unit_test_setup(test_issue_and_run, factory_fresh),
        cmocka_unit_test_setup(test_issue_for_a_run, factory_fresh),
        cmocka_unit_test_setup(test_deny_a_unit, factory_fresh),
    };
    return cmocka_run_group_tests(tests, factory_setup, factory_teardown);
}

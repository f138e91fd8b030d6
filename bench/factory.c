/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The factory rows of DESIGN section 9:
 *
 *     bench_factory [--json] [--units N] [--rsa N] [--dir DIR]
 *
 * P-256: the CPU time of a unit (stations 3 and 5, files synced) against that of one key
 * generation, one signature and one verification, measured before and after it in the same process;
 * and units a second of two lines at once on one site, which is what two cores do. RSA-2048: units
 * a second beside key generations a second, both at the same time on a core each, then changed
 * about.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "bench/report.h"
#include "factory/factory.h"
#include "factory/station_label.h"
#include "pki/key.h"
#include "pki/signer.h"
#include "term/options.h"
#include "term/term.h"

typedef struct {
    uint64_t units, rsa;
    char dir[FILE_PATH_MAX];
    report_t *report;
} bench_t;

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const err_t *err)
{
    term_error("%s", err->text);
    exit(1);
}

/* CPU seconds of one key generation, one signature and one verification. */
static double primitive(double for_seconds)
{
    static const char data[] =
        "what a certificate has to be: some bytes that are hashed and signed";
    uint8_t sig[PKI_SIGNATURE_MAX];
    uint64_t rounds = 0;
    size_t len;
    err_t err = ERR_INIT;
    double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    double now;
    do {
        EVP_PKEY *key = NULL;
        pki_signer_t *signer = NULL;
        if (!pki_key_generate(PKI_KEY_P256, &key, &err) ||
            !pki_signer_from_key(key, &signer, &err) ||
            !pki_signer_sign(signer, data, sizeof data, sig, sizeof sig, &len, &err) ||
            !pki_verify(key, data, sizeof data, sig, len)) {
            die(&err);
        }
        pki_signer_close(signer);
        pki_key_free(key);
        rounds++;
        now = seconds(CLOCK_PROCESS_CPUTIME_ID);
    } while (now - start < for_seconds);
    return (now - start) / (double)rounds;
}

static site_t make_site(const bench_t *bench, const char *name, pki_key_type_t type)
{
    char dir[FILE_PATH_MAX];
    site_t site = {0};
    err_t err = ERR_INIT;
    const site_create_t request = {.dir = dir, .key_type = type, .now = time(NULL)};
    if (!file_join(dir, bench->dir, name, &err) || !site_create(&request, &site, &err)) {
        die(&err);
    }
    return site;
}

typedef struct {
    char (*sn)[SITE_SN_SIZE];
    size_t count;
} sns_t;

static bool remember(void *context, const factory_unit_t *unit)
{
    sns_t *sns = context;
    snprintf(sns->sn[sns->count++], sizeof *sns->sn, "%s", unit->sn);
    return true;
}

static void no_word(void *context, const char *sn, bool ok, const char *text)
{
    (void)context;
    if (!ok) {
        term_error("%s: %s", sn, text);
        exit(1);
    }
}

/* Station 5 without drawing: the printer draws a ZPL label. */
static void label(const site_t *site, const sns_t *sns, const char *file)
{
    factory_labelling_t how = factory_labelling_default();
    factory_labelled_t result;
    err_t err = ERR_INIT;
    const char **list = calloc(sns->count, sizeof *list);
    if (list == NULL) {
        exit(1);
    }
    for (size_t i = 0; i < sns->count; i++) {
        list[i] = sns->sn[i];
    }
    how.format = FACTORY_LABEL_ZPL;
    how.out = file;
    how.said = no_word;
    if (!factory_label(site, &how, list, sns->count, &result, &err)) {
        die(&err);
    }
    if (result.labelled != sns->count) {
        term_error("%" PRIu64 " labels of %zu", result.labelled, sns->count);
        exit(1);
    }
    free(list);
}

/* Makes and labels units as `writer`. */
static void line(const site_t *site, const char *writer, uint64_t count, bool labels)
{
    sns_t sns = {calloc((size_t)count, sizeof *sns.sn), 0};
    char file[FILE_PATH_MAX + 40];
    factory_result_t result;
    err_t err = ERR_INIT;
    const factory_run_t run = {.count = count, .made = remember, .context = &sns, .writer = writer};
    if (sns.sn == NULL) {
        exit(1);
    }
    if (!factory_run(site, &run, &result, &err)) {
        die(&err);
    }
    snprintf(file, sizeof file, "%s/%s.zpl", site->dir, writer);
    if (labels) {
        label(site, &sns, file);
    }
    free(sns.sn);
}

static double of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* CPU seconds of this process; or only those that the kernel spent for it. */
static double cpu(bool kernel)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return of(usage.ru_stime) + (kernel ? 0 : of(usage.ru_utime));
}

/* CPU seconds of laying out one label with its QR code, which the goal does not count; it is done
   twice, to see whether all fits and to draw. */
static double drawing(const site_t *site)
{
    enum { ROUNDS = 500 };
    label_t label = {.sn = "SN-000001", .service = "ESP-PROV-A1B2"};
    label_layout_t layout;
    err_t err = ERR_INIT;
    factory_labelling_t how = factory_labelling_default();
    double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    snprintf(label.model, sizeof label.model, "%s", site->model);
    for (int i = 0; i < ROUNDS; i++) {
        if (!label_code_draw(label.code, &err) ||
            !label_layout(&label, how.sheet.width, how.sheet.height, &layout, &err)) {
            die(&err);
        }
    }
    return (seconds(CLOCK_PROCESS_CPUTIME_ID) - start) / ROUNDS;
}

static void wait_for(pid_t child)
{
    int status;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        term_error("a line of the benchmark failed");
        exit(1);
    }
}

static void bench_p256(const bench_t *bench)
{
    char text[100];
    site_t site = make_site(bench, "p256", PKI_KEY_P256);
    line(&site, "warm-up", 64, false);
    double limit = primitive(0.7);
    double before = cpu(false);
    double kernel = cpu(true);
    line(&site, "line", bench->units, true);
    kernel = (cpu(true) - kernel) / (double)bench->units;
    double unit = (cpu(false) - before) / (double)bench->units - 2 * drawing(&site);
    limit = (limit + primitive(0.7)) / 2;
    snprintf(text, sizeof text, "%.0f us, %.0f of it the kernel's for files; limit %.0f us",
             unit * 1e6, kernel * 1e6, limit * 1e6);
    report_add(bench->report, "CPU of a P-256 unit / (1 keygen + 1 sign + 1 verify)", text,
               unit / limit, false, 3);

    double start = seconds(CLOCK_MONOTONIC);
    pid_t child[2];
    for (int i = 0; i < 2; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            line(&site, i == 0 ? "line-a" : "line-b", bench->units, true);
            _exit(0);
        }
    }
    wait_for(child[0]);
    wait_for(child[1]);
    double rate = 2 * (double)bench->units / (seconds(CLOCK_MONOTONIC) - start);
    snprintf(text, sizeof text, "%" PRIu64 " units by 2 lines at once", 2 * bench->units);
    report_add(bench->report, "P-256 units a second, stations 3 and 5, 2 cores", text, rate, true,
               300);
}

/* CPU seconds of `count` RSA key generations, in a child, with all of its own time. */
static double rsa_keys(uint64_t count)
{
    err_t err = ERR_INIT;
    double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (uint64_t i = 0; i < count; i++) {
        EVP_PKEY *key = NULL;
        if (!pki_key_generate(PKI_KEY_RSA2048, &key, &err)) {
            die(&err);
        }
        pki_key_free(key);
    }
    return seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
}

/* Half of it on each core, at the same time: what else the machine does hits both alike. */
static void bench_rsa(const bench_t *bench)
{
    site_t site = make_site(bench, "rsa", PKI_KEY_RSA2048);
    int ends[2];
    char text[100];
    double keys = 0;
    if (pipe(ends) != 0) {
        exit(1);
    }
    pid_t child = fork();
    if (child == 0) {
        keys = rsa_keys(bench->rsa);
        _exit(write(ends[1], &keys, sizeof keys) == (ssize_t)sizeof keys ? 0 : 1);
    }
    double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    line(&site, "line", bench->rsa, false);
    double units = seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    wait_for(child);
    if (read(ends[0], &keys, sizeof keys) != (ssize_t)sizeof keys) {
        exit(1);
    }
    snprintf(text, sizeof text, "%.1f units, %.1f keys a CPU second", (double)bench->rsa / units,
             (double)bench->rsa / keys);
    report_add(bench->report, "RSA-2048 units / rate of RSA key generation", text, keys / units,
               true, 0.9);
}

int main(int argc, char **argv)
{
    bench_t bench = {.units = 1500, .rsa = 200, .dir = "/tmp"};
    const char *dir = NULL;
    bool json = false;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"json", 0, OPTION_FLAG, &json, NULL, "one JSON object a line"},
        {"units", 'n', OPTION_UINT, &bench.units, "N", "P-256 units of a line (1500)"},
        {"rsa", 'r', OPTION_UINT, &bench.rsa, "N", "RSA units, and keys (200); 0: none"},
        {"dir", 'd', OPTION_TEXT, &dir, "DIR", "where the sites are made (/tmp)"},
        {0},
    };
    argc--;
    argv++;
    if (!options_parse(options, &argc, argv, 0, 0, &err)) {
        die(&err);
    }
    snprintf(bench.dir, sizeof bench.dir, "%s/cradle-bench-XXXXXX", dir == NULL ? "/tmp" : dir);
    if (bench.units == 0 || mkdtemp(bench.dir) == NULL) {
        term_error("cannot make a directory for the benchmark");
        return 1;
    }
    bench.report = report_new(json);
    bench_p256(&bench);
    if (bench.rsa > 0) {
        bench_rsa(&bench);
    }
    file_remove_tree(bench.dir, NULL);
    return report_end(bench.report) ? 0 : 1;
}

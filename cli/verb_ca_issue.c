/* SPDX-License-Identifier: Apache-2.0 */
/* `cradle ca issue` and `cradle ca sign`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/verb_ca.h"
#include "pki/batch.h"
#include "term/term.h"

#define COMMON_HELP                                                                                \
    "  -o FILE             the chain (leaf, issuing CA, product CA), PEM; must not exist\n"        \
    "  --by line|renewal   which CA signs (default line)\n"                                        \
    "  --days N            how long it is good (default: as the site says)\n"                      \
    "  --again             a further certificate for an SN that has one already\n"                 \
    "  --key FILE          the signing CA's key, where it is not in the site\n\n"

const char ca_issue_help[] =
    "  --sn SN             the serial number; it becomes the CN\n"
    "  --csr FILE          a request whose CN is SN (PEM or DER); only its key is taken\n"
    "  --key-out FILE      makes the key here: a new file, mode 0600\n" COMMON_HELP
    "The SN must not look like a number (ThingsBoard turns such names into numbers), and must be\n"
    "one that the site has given to nobody. A later factory run leaves it out.\n\n"
    "examples:\n"
    "  cradle ca issue --sn LAB-1 --key-out device.key -o device.crt\n"
    "  cradle ca issue --sn SN-000007 --csr device.csr -o device.crt --by renewal --again\n";

const char ca_sign_help[] =
    "  CSR...              requests (PEM or DER), one a file\n"
    "  --batch FILE        many requests in one PEM file\n" COMMON_HELP
    "Accepted are PKCS#10 requests with exactly one CN, which is the SN, a P-256 key or RSA of\n"
    "2048 bits and more, and a good signature. Nothing else is taken from them. All or none: one\n"
    "bad request and nothing is signed. The chains stand in the order of the requests.\n\n"
    "examples:\n"
    "  cradle ca sign device.csr -o device.crt\n"
    "  cradle ca sign --batch requests.pem -o chains.pem\n";

/* What both verbs are told. */
typedef struct {
    ca_session_t session;
    uint64_t days;
    factory_issue_t how;
} job_t;

#define JOB_INIT                                                                                   \
    {                                                                                              \
        .how = {.by = "line" }                                                                     \
    }

#define JOB_OPTIONS(job)                                                                           \
    {"out", 'o', OPTION_TEXT, &(job).how.out, "FILE", "the chains"},                               \
        {"by", 0, OPTION_TEXT, &(job).how.by, "NAME", "which CA signs"},                           \
        {"days", 0, OPTION_UINT, &(job).days, "N", "validity"},                                    \
        {"again", 0, OPTION_FLAG, &(job).how.again, NULL, "a further certificate"},                \
        CA_KEY_OPTION((job).session)

static bool open_job(const cli_t *cli, job_t *job, err_t *err)
{
    job->how.now = clock_wall_ms() / 1000;
    if (job->how.out == NULL) {
        return err_set(err, ERR_USAGE, "where to? name the file of the certificate with -o");
    }
    return ca_days(job->days, &job->how.days, err) && ca_open(cli, &job->session, err);
}

static int report(const cli_t *cli, const job_t *job, size_t count)
{
    if (cli->json) {
        printf("{\"certificates\":%zu,\"file\":", count);
        /* File names are the caller's own; only what would break the text is left to him. */
        printf("\"%s\"}\n", strpbrk(job->how.out, "\"\\") == NULL ? job->how.out : "");
    } else {
        printf("%zu certificate%s by the %s CA in %s\n", count, count == 1 ? "" : "s", job->how.by,
               job->how.out);
    }
    return CLI_DONE;
}

static bool read_request(const char *path, pki_csr_t *csr, err_t *err)
{
    char *data;
    size_t len;
    memset(csr, 0, sizeof *csr);
    if (!file_read(path, PKI_CSR_MAX, &data, &len, err)) {
        return false;
    }
    bool ok = pki_csr_read(data, len, csr, err) && pki_key_check_device(csr->key, err);
    free(data);
    if (!ok) {
        pki_key_free(csr->key);
        csr->key = NULL;
    }
    return ok || err_add(err, "%s", path);
}

/* ---- issue ---- */

static bool issue_csr(const job_t *job, const char *sn, const char *file, err_t *err)
{
    pki_csr_t csr;
    if (!read_request(file, &csr, err)) {
        return false;
    }
    bool ok =
        strcmp(csr.cn, sn) == 0 ||
        err_set(err, ERR_INPUT, "the request in %s is for \"%s\", not for %s", file, csr.cn, sn);
    ok = ok && factory_ca_issue(&job->session.ca, &job->how, &csr, 1, err);
    pki_key_free(csr.key);
    return ok;
}

static bool issue_key(const job_t *job, const char *sn, const char *file, err_t *err)
{
    pki_csr_t csr = {.key = NULL};
    if (strlen(sn) >= sizeof csr.cn) {
        return site_sn_check(sn, err);
    }
    snprintf(csr.cn, sizeof csr.cn, "%s", sn);
    if (!pki_key_generate(job->session.site.key_type, &csr.key, err)) {
        return false;
    }
    bool saved = pki_key_save(csr.key, file, err);
    bool ok = saved && factory_ca_issue(&job->session.ca, &job->how, &csr, 1, err);
    if (saved && !ok) {
        unlink(file); /* nobody certified it */
    }
    pki_key_free(csr.key);
    return ok;
}

int ca_issue(const cli_t *cli, int argc, char **argv)
{
    job_t job = JOB_INIT;
    const char *sn = NULL;
    const char *csr = NULL;
    const char *key_out = NULL;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"sn", 0, OPTION_TEXT, &sn, "SN", "the serial number"},
        {"csr", 0, OPTION_TEXT, &csr, "FILE", "a request"},
        {"key-out", 0, OPTION_TEXT, &key_out, "FILE", "makes the key here"},
        JOB_OPTIONS(job),
        {0},
    };
    bool ok = options_parse(options, &argc, argv, 0, 0, &err);
    if (ok && (sn == NULL || (csr == NULL) == (key_out == NULL))) {
        ok = err_set(&err, ERR_USAGE,
                     "`cradle ca issue` wants --sn SN, and either --csr FILE or "
                     "--key-out FILE");
    }
    ok = ok && open_job(cli, &job, &err) &&
         (csr != NULL ? issue_csr(&job, sn, csr, &err) : issue_key(&job, sn, key_out, &err));
    return ok ? report(cli, &job, 1) : cli_fail(&err);
}

/* ---- sign ---- */

static bool read_batch(const char *path, pki_batch_t *batch, err_t *err)
{
    char *pem;
    size_t len;
    if (!file_read(path, PKI_BATCH_BYTES_MAX, &pem, &len, err)) {
        return false;
    }
    bool ok = pki_batch_read(pem, len, batch, err) || err_add(err, "%s", path);
    free(pem);
    return ok;
}

static bool read_files(char **files, int count, pki_batch_t *batch, err_t *err)
{
    batch->csr = calloc((size_t)count, sizeof *batch->csr);
    if (batch->csr == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for requests");
    }
    for (int i = 0; i < count; i++) {
        if (!read_request(files[i], &batch->csr[i], err)) {
            return false;
        }
        batch->count++;
        for (int j = 0; j < i; j++) {
            if (strcmp(batch->csr[j].cn, batch->csr[i].cn) == 0) {
                return err_set(err, ERR_INPUT, "%s and %s are both for %s; leave one out", files[j],
                               files[i], batch->csr[i].cn);
            }
        }
    }
    return true;
}

int ca_sign(const cli_t *cli, int argc, char **argv)
{
    job_t job = JOB_INIT;
    const char *file = NULL;
    pki_batch_t batch = {NULL, 0};
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"batch", 0, OPTION_TEXT, &file, "FILE", "many requests"}, JOB_OPTIONS(job), {0}};
    bool ok = options_parse(options, &argc, argv, 0, PKI_BATCH_MAX, &err);
    if (ok && (file == NULL) == (argc == 0)) {
        ok = err_set(&err, ERR_USAGE, "`cradle ca sign` wants files of requests, or --batch FILE");
    }
    job.how.of_a_run = true;
    ok = ok && open_job(cli, &job, &err) &&
         (file != NULL ? read_batch(file, &batch, &err) : read_files(argv, argc, &batch, &err)) &&
         factory_ca_issue(&job.session.ca, &job.how, batch.csr, batch.count, &err);
    int code = ok ? report(cli, &job, batch.count) : cli_fail(&err);
    pki_batch_free(&batch);
    return code;
}

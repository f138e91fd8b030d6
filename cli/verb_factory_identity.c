/* SPDX-License-Identifier: Apache-2.0 */
/* Station 3: serial number, key, certificate. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/factory_verbs.h"
#include "factory/checkpoint.h"
#include "factory/identity.h"
#include "factory/people.h"
#include "term/options.h"
#include "term/term.h"

typedef struct {
    const cli_t *cli;
    factory_station_t *station;
    factory_identity_t how;
    const char *csr_out;
    const char *import;
    char *pem;
    size_t pem_len;
    size_t requests;
} identity_t;

static void answer(scan_line_t *line, const factory_job_t *job, const char *what)
{
    line->ok = job->ok;
    line->err = job->err;
    snprintf(line->state, sizeof line->state, "%s %s%s", job->unit.sn, what,
             job->already ? " (was already)" : "");
}

static void identity_lines(void *context, scan_line_t *lines, size_t count)
{
    identity_t *id = context;
    factory_job_t *jobs = calloc(SCAN_BATCH, sizeof *jobs);
    size_t at[SCAN_BATCH];
    size_t n = 0;
    err_t err = ERR_INIT;
    if (jobs == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (factory_mac_parse(lines[i].word, jobs[n].mac, &lines[i].err)) {
            snprintf(lines[i].key, sizeof lines[i].key, "%s", jobs[n].mac);
            at[n++] = i;
        }
    }
    if (n > 0 && id->csr_out != NULL) {
        factory_identity_request(id->station, &id->how, jobs, n, &id->pem, &id->pem_len, &err);
    } else if (n > 0) {
        factory_identity(id->station, &id->how, jobs, n, &err);
    }
    for (size_t i = 0; i < n; i++) {
        if (!jobs[i].ok && jobs[i].err.kind == ERR_NONE) {
            jobs[i].err = err;
        }
        answer(&lines[at[i]], &jobs[i],
               id->csr_out == NULL || jobs[i].unit.leaf_sha256[0] != '\0' ? "identified"
                                                                          : "requested");
        id->requests += jobs[i].ok && jobs[i].unit.leaf_sha256[0] == '\0';
    }
    free(jobs);
}

static void imported(void *context, const factory_job_t *job)
{
    const identity_t *id = context;
    if (id->cli->json) {
        printf("{\"sn\":\"%s\",\"mac\":\"%s\",\"ok\":%s}\n", job->unit.sn, job->mac,
               job->ok ? "true" : "false");
    } else if (job->ok) {
        printf("OK %s %s identified%s\n", job->mac, job->unit.sn,
               job->already ? " (was already)" : "");
    } else {
        printf("FAIL %s %s\n", job->mac[0] != '\0' ? job->mac : job->unit.sn, job->err.text);
    }
}

static int write_requests(const identity_t *id, int code)
{
    err_t err = ERR_INIT;
    if (id->pem_len == 0) {
        return code;
    }
    if (!file_write(id->csr_out, id->pem, id->pem_len, 0644, &err)) {
        return cli_fail(&err);
    }
    if (!id->cli->json) {
        fprintf(stderr,
                "%s holds %zu request%s. Sign it: cradle ca sign --batch; then: cradle "
                "factory identity --import FILE\n",
                id->csr_out, id->requests, id->requests == 1 ? "" : "s");
    }
    return code;
}

static int work(identity_t *id, int argc, char **argv)
{
    err_t err = ERR_INIT;
    if (id->import != NULL) {
        return factory_identity_import(id->station, &id->how, id->import, imported, id, &err)
                   ? CLI_DONE
                   : cli_fail(&err);
    }
    bool lines = argc == 1 && strcmp(argv[0], "-") == 0;
    int code = factory_scan(id->cli, "mac", lines ? 0 : argc, argv, identity_lines, id);
    return id->csr_out != NULL ? write_requests(id, code) : code;
}

static int identity(const cli_t *cli, int argc, char **argv)
{
    site_t site;
    identity_t id = {.cli = cli};
    factory_flash_t chip = {.rollback_confirmed = true};
    err_t err = ERR_INIT;
    const char *product = NULL, *person = NULL;
    const option_t options[] = {
        {"product", 0, OPTION_TEXT, &product, "NAME", "one that cradle.json names"},
        {"port", 'p', OPTION_TEXT, &chip.port, "PORT", "the serial port of the chip"},
        {"esptool", 0, OPTION_TEXT, &chip.esptool, "PROGRAM", "esptool, version 4 or 5"},
        {"table", 0, OPTION_TEXT, &chip.table, "FILE", "partition table (default: Cradle's)"},
        {"baud", 'b', OPTION_UINT, &chip.baud, "N", "baud rate (default 460800)"},
        {"keep-key", 0, OPTION_FLAG, &id.how.keep_key, NULL, "a copy of the key stays here"},
        {"csr-out", 0, OPTION_TEXT, &id.csr_out, "FILE", "requests, for a signer elsewhere"},
        {"import", 0, OPTION_TEXT, &id.import, "FILE", "the chains that came back"},
        {"operator", 0, OPTION_TEXT, &person, "NAME", "who works here"},
        {"writer", 0, OPTION_TEXT, &id.how.writer, "NAME", "who writes in custody"},
        {0},
    };
    if (!options_parse(options, &argc, argv, 0, -1, &err)) {
        return cli_fail(&err);
    }
    if (id.import != NULL && (id.csr_out != NULL || argc > 0)) {
        err_set(&err, ERR_USAGE, "--import takes its boards from the file");
        return cli_fail(&err);
    }
    char notice[ERR_TEXT_MAX] = "";
    int code;
    if (!site_open(&site, cli->site, &err) || !site_product_choose(&site, product, &err) ||
        !factory_operator(&site, id.how.writer, person, &err) ||
        !factory_floor_notice(&site, notice, &err) ||
        !factory_station_open(&site, id.how.writer, &id.station, &err) ||
        (chip.port != NULL && !factory_flasher_open(&site, &chip, &id.how.flasher, &err))) {
        code = cli_fail(&err);
    } else {
        if (notice[0] != '\0') {
            term_error("%s", notice);
        }
        code = work(&id, argc, argv);
    }
    factory_flasher_close(id.how.flasher);
    factory_station_close(id.station);
    free(id.pem);
    return code;
}

const cli_verb_t factory_verb_identity = {
    .name = "identity",
    .summary = "station 3: serial number, key and certificate of flashed boards",
    .usage = "cradle factory identity [MAC ... | -] [options]",
    .run = identity,
    .help =
        "Without a MAC, lines are read from standard input. A board that has its identity keeps\n"
        "it. OK MAC SN identified, or FAIL MAC and why.\n\n"
        "  -p, --port PORT   write the identity onto the chip there, and read it back\n"
        "  --esptool, --table, -b, --baud   as in `cradle factory flash`\n"
        "  --keep-key        a copy of the key stays, in factory/units/SN/device.key\n"
        "  --csr-out FILE    the signer is elsewhere: allot serial numbers, make keys, and write\n"
        "                    their requests to FILE (PEM); the keys wait in factory/pending\n"
        "  --import FILE     the chains that came back for them (PEM)\n"
        "  --product NAME    with the serial numbers and model of this one of cradle.json's\n"
        "  --operator NAME   who works here; custody gets a pseudonym\n"
        "  --writer NAME     who writes in custody (default line)\n\n"
        "examples:\n"
        "  cradle factory identity A0:B1:C2:D3:E4:F5\n"
        "  cradle factory identity --csr-out requests.pem < macs\n"
        "  cradle factory identity --import chains.pem\n"};

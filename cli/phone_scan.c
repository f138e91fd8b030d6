/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/phone_verbs.h"
#include "json/json.h"
#include "phone/phone.h"
#include "site/site.h"
#include "term/options.h"
#include "term/term.h"

#define JSON_SIZE (256 * 1024)

bool phone_scan_air(const cli_t *cli, char path[FILE_PATH_MAX], err_t *err)
{
    site_t site;

    return site_open(&site, cli->site, err) && site_path(&site, "air", path, err);
}

static bool scan_json(const phone_device_t *devices, size_t count, err_t *err)
{
    json_writer_t writer;
    char *text = malloc(JSON_SIZE);

    if (!text)
        return err_set(err, ERR_SYSTEM, "out of memory");
    json_writer_init(&writer, text, JSON_SIZE);
    json_object(&writer);
    for (int stale = 0; stale <= 1; stale++) {
        json_key(&writer, stale ? "stale" : "devices");
        json_array(&writer);
        for (size_t i = 0; i < count; i++) {
            if (devices[i].stale != (stale == 1))
                continue;
            json_object(&writer);
            json_key(&writer, "name");
            json_put_string(&writer, devices[i].name);
            json_key(&writer, "transport");
            json_put_string(&writer, devices[i].transport);
            json_key(&writer, "address");
            json_put_string(&writer, devices[i].address);
            json_end(&writer);
        }
        json_end(&writer);
    }
    json_end(&writer);
    if (json_writer_done(&writer, NULL))
        puts(text);
    free(text);
    return true;
}

static void scan_table(const phone_device_t *devices, size_t count)
{
    size_t live = 0;
    term_table_t *table = term_table_new("NAME|TRANSPORT|ADDRESS");

    for (size_t i = 0; i < count; i++) {
        if (devices[i].stale)
            continue;
        term_table_row(table, devices[i].name, devices[i].transport, devices[i].address);
        live++;
    }
    if (live)
        term_table_print(table, stdout);
    else
        puts("No device is waiting for Wi-Fi.");
    term_table_free(table);
    if (live < count)
        fprintf(stderr, "%zu stale announcement(s) of devices that are gone were ignored.\n",
                count - live);
}

int phone_scan_run(const cli_t *cli, int argc, char **argv)
{
    const option_t options[] = {{0}};
    char path[FILE_PATH_MAX];
    phone_device_t *devices;
    size_t count, damaged;
    err_t err = ERR_INIT;

    if (!options_parse(options, &argc, argv, 0, 0, &err) || !phone_scan_air(cli, path, &err) ||
        !phone_scan(path, &devices, &count, &damaged, &err))
        return cli_fail(&err);
    bool ok = true;
    if (cli->json)
        ok = scan_json(devices, count, &err);
    else
        scan_table(devices, count);
    if (damaged)
        fprintf(stderr, "%zu file(s) in %s make no sense and were ignored.\n", damaged, path);
    free(devices);
    return ok ? CLI_DONE : cli_fail(&err);
}

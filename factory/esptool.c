/* SPDX-License-Identifier: Apache-2.0 */
#include "factory/esptool.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/proc.h"

#define ASK_MS   60000
#define WORK_MS  (20 * 60 * 1000)
#define ARGS_MAX 32

bool esptool_version_parse(const char *text, char version[24], unsigned *major)
{
    const char *at = strstr(text, "esptool");
    while (at != NULL) {
        at += strcspn(at, "v\n");
        if (*at != 'v') {
            return false;
        }
        at++;
        size_t len = strspn(at, "0123456789.");
        if (len > 0 && len < 24 && isdigit((unsigned char)*at)) {
            memcpy(version, at, len);
            version[len] = '\0';
            *major = (unsigned)strtoul(version, NULL, 10);
            return true;
        }
    }
    return false;
}

/* "(12 %)" of generation 4, " 50.0% " of generation 5. */
bool esptool_percent_parse(const char *text, unsigned *percent)
{
    bool found = false;
    for (const char *sign = strchr(text, '%'); sign != NULL; sign = strchr(sign + 1, '%')) {
        const char *begin = sign;
        while (begin > text && begin[-1] == ' ') {
            begin--;
        }
        while (begin > text && (isdigit((unsigned char)begin[-1]) || begin[-1] == '.')) {
            begin--;
        }
        if (isdigit((unsigned char)*begin)) {
            unsigned long value = strtoul(begin, NULL, 10);
            *percent = value > 100 ? 100 : (unsigned)value;
            found = true;
        }
    }
    return found;
}

/* ---- finding it ---- */

static bool ask_version(esptool_t *tool, const char *program, err_t *err)
{
    const char *const argv[] = {program, "version", NULL};
    char *out = NULL;
    int code = -1;
    bool ok = proc_run(argv, NULL, tool->log, ASK_MS, &out, &code, err) && code == 0 &&
              esptool_version_parse(out, tool->version, &tool->major);
    free(out);
    if (ok) {
        snprintf(tool->program, sizeof tool->program, "%s", program);
    }
    return ok;
}

bool esptool_find(esptool_t *tool, const char *program, const char *log, err_t *err)
{
    err_t why = ERR_INIT;
    snprintf(tool->log, sizeof tool->log, "%s", log);
    bool ok = program != NULL
                  ? strlen(program) < sizeof tool->program && ask_version(tool, program, &why)
                  : ask_version(tool, "esptool", &why) || ask_version(tool, "esptool.py", &why);
    if (!ok) {
        return err_set(err, ERR_PRECONDITION,
                       "%s is not esptool, or is not there; install it (pip install esptool) or "
                       "name it with --esptool",
                       program != NULL ? program : "esptool");
    }
    return tool->major >= 4 ||
           err_set(err, ERR_PRECONDITION, "%s is version %s; 4 or later is needed", tool->program,
                   tool->version);
}

/* ---- running it ---- */

typedef struct {
    const char *argv[ARGS_MAX];
    size_t count;
} args_t;

/* The name of a command in this generation: written here with dashes. */
static const char *command_name(const esptool_t *tool, const char *dashed, char out[24])
{
    snprintf(out, 24, "%s", dashed);
    for (char *p = out; tool->major < 5 && *p != '\0'; p++) {
        *p = *p == '-' ? '_' : *p;
    }
    return out;
}

static void add(args_t *args, const char *arg)
{
    if (args->count < ARGS_MAX - 1) {
        args->argv[args->count++] = arg;
        args->argv[args->count] = NULL;
    }
}

static void begin(const esptool_t *tool, args_t *args)
{
    memset(args, 0, sizeof *args);
    add(args, tool->program);
    add(args, "--port");
    add(args, tool->port);
    add(args, "--baud");
    add(args, tool->baud);
}

/* The last line of its output that speaks of an error, else the last that says something. */
static const char *last_words(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1])) {
        text[--len] = '\0';
    }
    for (char *p = text; *p != '\0'; p++) {
        *p = (unsigned char)*p < ' ' && *p != '\n' ? '\n' : *p;
    }
    char *error = NULL;
    for (char *at = text; (at = strstr(at, "rror")) != NULL; at++) {
        error = at;
    }
    if (error != NULL) {
        error[strcspn(error, "\n")] = '\0';
    }
    char *line = strrchr(text, '\n');
    return line == NULL ? text : line + 1;
}

/* The end of what it said so far. */
static void read_tail(const char *path, char *out, size_t cap)
{
    FILE *file = fopen(path, "re");
    size_t n = 0;
    if (file != NULL) {
        if (fseek(file, 0, SEEK_END) == 0) {
            long size = ftell(file);
            long from = size > (long)cap - 1 ? size - ((long)cap - 1) : 0;
            n = fseek(file, from, SEEK_SET) == 0 ? fread(out, 1, cap - 1, file) : 0;
        }
        fclose(file);
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = out[i] == '\0' ? ' ' : out[i];
    }
    out[n] = '\0';
}

/* Until it ends; tells how far it is from what it writes. */
static bool watch(const esptool_t *tool, proc_t *proc, int *status, err_t *err)
{
    const struct timespec pause = {0, 50 * 1000000L};
    uint64_t until = clock_monotonic_ms() + WORK_MS;
    while (!proc_ended(proc, status)) {
        char tail[512];
        unsigned percent;
        if (clock_monotonic_ms() >= until) {
            proc_kill(proc);
            return err_set(err, ERR_PEER, "esptool did not end within %d minutes and was stopped",
                           WORK_MS / 60000);
        }
        if (tool->progress != NULL) {
            read_tail(tool->log, tail, sizeof tail);
            if (esptool_percent_parse(tail, &percent)) {
                tool->progress(tool->context, percent);
            }
        }
        nanosleep(&pause, NULL);
    }
    return true;
}

static bool run(const esptool_t *tool, const args_t *args, err_t *err)
{
    proc_t proc = {0};
    int status = 0;
    int fd = open(tool->log, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_errno(err, "cannot make %s", tool->log);
    }
    close(fd);
    if (!proc_start(&proc, args->argv, tool->log, false, err) ||
        !watch(tool, &proc, &status, err)) {
        return false;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return true;
    }
    char tail[1024];
    read_tail(tool->log, tail, sizeof tail);
    return err_set(err, ERR_PEER, "esptool failed: %.160s; check cable and port %s, and scan again",
                   last_words(tail), tool->port);
}

/* "MAC: 7c:df:a1:00:11:22"; where there is an EUI-64 too, "BASE MAC:" is the one. */
static bool find_mac(const char *text, char mac[FACTORY_MAC_SIZE])
{
    const char *at = strstr(text, "BASE MAC:");
    at = at != NULL ? at + 5 : strstr(text, "MAC:");
    if (at == NULL) {
        return false;
    }
    at += 4;
    at += strspn(at, " \t");
    size_t len = strspn(at, "0123456789abcdefABCDEF:");
    if (len != FACTORY_MAC_SIZE - 1) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        mac[i] = (char)tolower((unsigned char)at[i]);
    }
    mac[len] = '\0';
    return true;
}

bool esptool_read_mac(const esptool_t *tool, char mac[FACTORY_MAC_SIZE], err_t *err)
{
    args_t args;
    char name[24];
    char text[4096];
    begin(tool, &args);
    add(&args, command_name(tool, "read-mac", name));
    if (!run(tool, &args, err)) {
        return false;
    }
    read_tail(tool->log, text, sizeof text);
    return find_mac(text, mac) ||
           err_set(err, ERR_PEER, "esptool did not say the chip's MAC; see %s", tool->log);
}

bool esptool_write(const esptool_t *tool, const esptool_part_t *parts, size_t count, err_t *err)
{
    args_t args;
    char name[24];
    char at[ESPTOOL_PARTS_MAX][12];
    if (count > ESPTOOL_PARTS_MAX) {
        return err_set(err, ERR_USAGE, "too many parts to write at once");
    }
    begin(tool, &args);
    add(&args, command_name(tool, "write-flash", name));
    for (size_t i = 0; i < count; i++) {
        snprintf(at[i], sizeof at[i], "0x%x", (unsigned)parts[i].at);
        add(&args, at[i]);
        add(&args, parts[i].path);
    }
    return run(tool, &args, err);
}

bool esptool_read(const esptool_t *tool, uint32_t at, uint32_t size, const char *path, err_t *err)
{
    args_t args;
    char name[24];
    char from[12];
    char len[12];
    snprintf(from, sizeof from, "0x%x", (unsigned)at);
    snprintf(len, sizeof len, "0x%x", (unsigned)size);
    begin(tool, &args);
    add(&args, command_name(tool, "read-flash", name));
    add(&args, from);
    add(&args, len);
    add(&args, path);
    return run(tool, &args, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One line in, one line out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/factory_verbs.h"
#include "json/json.h"
#include "term/term.h"

typedef struct {
    char buf[SCAN_BATCH * SCAN_LINE];
    size_t len;
    bool ended;
} input_t;

typedef struct {
    const cli_t *cli;
    const char *key;
    scan_work_t work;
    void *context;
    scan_line_t lines[SCAN_BATCH];
    size_t count;
    bool failed;
    input_t input;
} scan_t;

static void put_json(const scan_t *scan, const scan_line_t *line, const char *key)
{
    char text[2048];
    json_writer_t w;
    json_writer_init(&w, text, sizeof text);
    json_object(&w);
    json_key(&w, scan->key);
    json_put_string(&w, key);
    json_key(&w, "ok");
    json_put_bool(&w, line->ok);
    json_key(&w, line->ok ? "state" : "error");
    json_put_string(&w, line->ok ? line->state : line->err.text);
    json_end(&w);
    if (json_writer_done(&w, NULL)) {
        puts(text);
    }
}

static void answer(scan_t *scan, const scan_line_t *line)
{
    const char *key = line->key[0] != '\0' ? line->key : line->word;
    if (scan->cli->json) {
        put_json(scan, line, key);
    } else if (line->ok) {
        term_print(stdout, TERM_GREEN, "OK");
        printf(" %s %s\n", key, line->state);
    } else {
        term_print(stdout, TERM_RED, "FAIL");
        printf(" %s %s\n", key, line->err.text);
    }
    scan->failed = scan->failed || !line->ok;
}

static void flush_lines(scan_t *scan)
{
    if (scan->count == 0) {
        return;
    }
    scan->work(scan->context, scan->lines, scan->count);
    for (size_t i = 0; i < scan->count; i++) {
        answer(scan, &scan->lines[i]);
    }
    fflush(stdout);
    scan->count = 0;
}

/* Words become separated by single spaces; control characters, as foreign scanners send them,
   count as spaces. */
static void add_line(scan_t *scan, const char *text, size_t len)
{
    scan_line_t *line = &scan->lines[scan->count];
    size_t used = 0;
    memset(line, 0, sizeof *line);
    for (size_t i = 0; i < len && used < sizeof line->text - 1; i++) {
        bool space = (unsigned char)text[i] <= ' ' || text[i] == 0x7f;
        if (!space || (used > 0 && line->text[used - 1] != ' ')) {
            line->text[used++] = space ? ' ' : text[i];
        }
    }
    while (used > 0 && line->text[used - 1] == ' ') {
        used--;
    }
    line->text[used] = '\0';
    if (used == 0) {
        return;
    }
    char *space = strchr(line->text, ' ');
    line->word = line->text;
    line->rest = space == NULL ? line->text + used : space + 1;
    if (space != NULL) {
        *space = '\0';
    }
    if (++scan->count == SCAN_BATCH) {
        flush_lines(scan);
    }
}

/* All whole lines of the buffer; the begun one moves to its front. */
static void take_lines(scan_t *scan)
{
    input_t *in = &scan->input;
    size_t at = 0;
    for (;;) {
        char *end = memchr(in->buf + at, '\n', in->len - at);
        if (end == NULL) {
            break;
        }
        add_line(scan, in->buf + at, (size_t)(end - in->buf) - at);
        at = (size_t)(end - in->buf) + 1;
    }
    if (at == 0 && in->len == sizeof in->buf) {
        at = in->len; /* no line is that long */
        add_line(scan, in->buf, in->len);
    } else if (in->ended) {
        add_line(scan, in->buf + at, in->len - at);
        at = in->len;
    }
    memmove(in->buf, in->buf + at, in->len - at);
    in->len -= at;
}

static bool read_input(scan_t *scan, err_t *err)
{
    input_t *in = &scan->input;
    if (isatty(STDIN_FILENO) && !scan->cli->json) {
        fprintf(stderr, "Scan one after the other; Ctrl-D ends.\n");
    }
    while (!in->ended) {
        ssize_t n = read(STDIN_FILENO, in->buf + in->len, sizeof in->buf - in->len);
        if (n < 0 && errno != EINTR) {
            return err_errno(err, "cannot read standard input");
        }
        in->ended = n == 0;
        in->len += n > 0 ? (size_t)n : 0;
        take_lines(scan);
        flush_lines(scan);
    }
    return true;
}

int factory_scan(const cli_t *cli, const char *key, int argc, char **argv, scan_work_t work,
                 void *context)
{
    scan_t *scan = calloc(1, sizeof *scan);
    err_t err = ERR_INIT;
    if (scan == NULL) {
        err_set(&err, ERR_SYSTEM, "out of memory");
        return cli_fail(&err);
    }
    scan->cli = cli;
    scan->key = key;
    scan->work = work;
    scan->context = context;
    for (int i = 0; i < argc; i++) {
        add_line(scan, argv[i], strlen(argv[i]));
    }
    flush_lines(scan);
    bool ok = argc > 0 || read_input(scan, &err);
    bool failed = scan->failed;
    free(scan);
    return !ok ? cli_fail(&err) : failed ? CLI_FAILED : CLI_DONE;
}

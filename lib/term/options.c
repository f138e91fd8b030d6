/* SPDX-License-Identifier: Apache-2.0 */
#include "term/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 64

static const option_t *find_long(const option_t *options, const char *name, size_t len)
{
    for (; options->name != NULL; options++) {
        if (strlen(options->name) == len && memcmp(options->name, name, len) == 0) {
            return options;
        }
    }
    return NULL;
}

static const option_t *find_letter(const option_t *options, char letter)
{
    for (; options->name != NULL; options++) {
        if (options->letter == letter) {
            return options;
        }
    }
    return NULL;
}

static bool set_uint(const option_t *option, const char *value, err_t *err)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || errno != 0) {
        return err_set(err, ERR_USAGE, "--%s takes a whole number, not \"%s\"", option->name,
                       value);
    }
    *(uint64_t *)option->to = number;
    return true;
}

static bool set_value(const option_t *option, const char *value, err_t *err)
{
    switch (option->kind) {
    case OPTION_UINT:
        return set_uint(option, value, err);
    case OPTION_LIST: {
        option_list_t *list = option->to;
        if (list->count == OPTIONS_LIST_MAX) {
            return err_set(err, ERR_USAGE, "--%s is given more than %d times", option->name,
                           OPTIONS_LIST_MAX);
        }
        list->items[list->count++] = value;
        return true;
    }
    case OPTION_FLAG:
    case OPTION_TEXT:
    default:
        *(const char **)option->to = value;
        return true;
    }
}

/* What the parser carries from argument to argument. */
typedef struct {
    const option_t *options;
    int argc;
    char **argv;
    int at;
    bool seen[OPTIONS_MAX];
    err_t *err;
} parser_t;

/* `inline_value` is what follows '=' or a short letter, or NULL. */
static bool apply(parser_t *p, const option_t *option, const char *inline_value)
{
    size_t index = (size_t)(option - p->options);
    if (index < OPTIONS_MAX && p->seen[index] && option->kind != OPTION_LIST) {
        return err_set(p->err, ERR_USAGE, "--%s is given twice", option->name);
    }
    if (index < OPTIONS_MAX) {
        p->seen[index] = true;
    }
    if (option->kind == OPTION_FLAG) {
        if (inline_value != NULL) {
            return err_set(p->err, ERR_USAGE, "--%s takes no value", option->name);
        }
        *(bool *)option->to = true;
        return true;
    }
    if (inline_value == NULL) {
        if (p->at + 1 >= p->argc) {
            return err_set(p->err, ERR_USAGE, "--%s needs a value: %s", option->name,
                           option->value != NULL ? option->value : "VALUE");
        }
        inline_value = p->argv[++p->at];
    }
    return set_value(option, inline_value, p->err);
}

static bool parse_argument(parser_t *p, const char *arg)
{
    const option_t *option;
    const char *value = NULL;
    if (arg[1] == '-') {
        size_t len = strcspn(arg + 2, "=");
        value = arg[2 + len] == '=' ? arg + 2 + len + 1 : NULL;
        option = find_long(p->options, arg + 2, len);
    } else {
        option = find_letter(p->options, arg[1]);
        value = arg[2] != '\0' ? arg + 2 : NULL;
    }
    if (option == NULL) {
        return err_set(p->err, ERR_USAGE, "unknown option %s; --help lists the options", arg);
    }
    return apply(p, option, value);
}

bool options_parse(const option_t *options, int *argc, char **argv, int min, int max, err_t *err)
{
    parser_t p = {.options = options, .argc = *argc, .argv = argv, .err = err};
    int kept = 0;
    bool only_positional = false;
    for (p.at = 0; p.at < p.argc; p.at++) {
        char *arg = argv[p.at];
        if (only_positional || arg[0] != '-' || arg[1] == '\0') {
            argv[kept++] = arg;
        } else if (strcmp(arg, "--") == 0) {
            only_positional = true;
        } else if (!parse_argument(&p, arg)) {
            return false;
        }
    }
    *argc = kept;
    if (kept < min) {
        return err_set(err, ERR_USAGE, "%s; --help shows the usage",
                       min == 1 ? "an argument is missing" : "arguments are missing");
    }
    if (max >= 0 && kept > max) {
        return err_set(err, ERR_USAGE, "\"%s\" is one argument too many; --help shows the usage",
                       argv[max]);
    }
    return true;
}

void options_print_help(const option_t *options, FILE *out)
{
    int widest = 0;
    char left[64];
    for (const option_t *o = options; o->name != NULL; o++) {
        int n = snprintf(left, sizeof left, "--%s %s", o->name, o->value != NULL ? o->value : "");
        widest = n > widest ? n : widest;
    }
    for (const option_t *o = options; o->name != NULL; o++) {
        snprintf(left, sizeof left, "--%s %s", o->name, o->value != NULL ? o->value : "");
        char letter[8] = "    ";
        if (o->letter != 0) {
            snprintf(letter, sizeof letter, "-%c, ", o->letter);
        }
        fprintf(out, "  %s%-*s  %s\n", letter, widest, left, o->help);
    }
}

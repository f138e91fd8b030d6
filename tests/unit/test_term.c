/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "term/options.h"
#include "term/term.h"

struct values {
    bool json;
    uint64_t count;
    const char *out;
    option_list_t names;
};

static bool parse(struct values *v, err_t *err, int *argc, char **argv, int min, int max)
{
    const option_t options[] = {
        {"json", 'j', OPTION_FLAG, &v->json, NULL, "print JSON"},
        {"count", 'n', OPTION_UINT, &v->count, "N", "how many"},
        {"out", 'o', OPTION_TEXT, &v->out, "FILE", "where to"},
        {"name", 0, OPTION_LIST, &v->names, "HOST", "a name"},
        {0},
    };
    return options_parse(options, argc, argv, min, max, err);
}

static void all_forms_are_accepted(void **state)
{
    (void)state;
    struct values v = {0};
    err_t err = ERR_INIT;
    char *argv[] = {(char[]){"one"},      (char[]){"--count=12"}, (char[]){"-ofile"},
                    (char[]){"-j"},       (char[]){"--name"},     (char[]){"a"},
                    (char[]){"--name=b"}, (char[]){"--"},         (char[]){"--json"}};
    int argc = 9;
    assert_true(parse(&v, &err, &argc, argv, 2, 2));
    assert_true(v.json);
    assert_int_equal(v.count, 12);
    assert_string_equal(v.out, "file");
    assert_int_equal(v.names.count, 2);
    assert_string_equal(v.names.items[1], "b");
    assert_int_equal(argc, 2);
    assert_string_equal(argv[1], "--json");
}

static void bad_arguments_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *args[3];
        const char *says;
    } cases[] = {
        {{"--nope"}, "--nope"},       {{"-x"}, "-x"},
        {{"--count", "ten"}, "ten"},  {{"--count", "-1"}, "-1"},
        {{"--count", ""}, "--count"}, {{"--count", "99999999999999999999"}, "9999"},
        {{"--count"}, "--count"},     {{"--json=yes"}, "no value"},
        {{"-j", "-j"}, "twice"},      {{"a", "b"}, "too many"},
        {{NULL}, "missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct values v = {0};
        err_t err = ERR_INIT;
        char copy[3][32];
        char *argv[3];
        int argc = 0;
        for (; argc < 3 && cases[i].args[argc] != NULL; argc++) {
            snprintf(copy[argc], sizeof copy[argc], "%s", cases[i].args[argc]);
            argv[argc] = copy[argc];
        }
        assert_false(parse(&v, &err, &argc, argv, 1, 1));
        assert_int_equal(err.kind, ERR_USAGE);
        assert_non_null(strstr(err.text, cases[i].says));
    }
}

static void table_is_aligned_and_masks_controls(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    term_table_t *table = term_table_new("SN|>DAYS|STATE");
    term_table_row(table, "SN-1", "7", "on\033[2Jline");
    term_table_row(table, "Gr\xc3\xbc\xc3\x9f", "1095", "x");
    term_table_print(table, out);
    term_table_free(table);
    fclose(out);
    assert_string_equal(text, "SN    DAYS  STATE\n"
                              "SN-1     7  on?[2Jline\n"
                              "Gr\xc3\xbc\xc3\x9f  1095  x\n");
    free(text);
}

static void secret_is_one_bounded_line(void **state)
{
    (void)state;
    int fds[2];
    char out[8];
    err_t err = ERR_INIT;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "pass\r\ntoolong!\n", 15), 15);
    assert_true(term_secret("x", fds[0], out, sizeof out, &err));
    assert_string_equal(out, "pass");
    assert_false(term_secret("x", fds[0], out, sizeof out, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_are_accepted),
        cmocka_unit_test(bad_arguments_are_named),
        cmocka_unit_test(table_is_aligned_and_masks_controls),
        cmocka_unit_test(secret_is_one_bounded_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

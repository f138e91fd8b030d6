/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/proc.h"

static void output_and_code_come_back(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "cat; echo end; exit 3", NULL};
    char *out = NULL;
    int code = -1;
    err_t err = ERR_INIT;
    assert_true(proc_run(argv, "hello ", NULL, 5000, &out, &code, &err));
    assert_string_equal(out, "hello end\n");
    assert_int_equal(code, 3);
    free(out);
}

static void a_child_that_hangs_is_stopped(void **state)
{
    (void)state;
    const char *const argv[] = {"sleep", "30", NULL};
    char *out = NULL;
    int code = -1;
    err_t err = ERR_INIT;
    uint64_t before = clock_monotonic_ms();
    assert_false(proc_run(argv, NULL, NULL, 200, &out, &code, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_true(clock_monotonic_ms() - before < 5000);
    free(out);
}

static volatile sig_atomic_t flag;

static void on_alarm(int number)
{
    (void)number;
    flag = 1;
}

static void a_flag_ends_what_runs(void **state)
{
    (void)state;
    const char *const argv[] = {"sleep", "30", NULL};
    char *out = NULL;
    int code = -1;
    err_t err = ERR_INIT;
    uint64_t before = clock_monotonic_ms();
    signal(SIGALRM, on_alarm);
    proc_stop_when(&flag);
    alarm(1);
    assert_false(proc_run(argv, NULL, NULL, 20000, &out, &code, &err));
    assert_true(clock_monotonic_ms() - before < 5000);
    assert_non_null(strstr(err.text, "was stopped"));
    free(out);
    proc_stop_when(NULL);
    const char *const quick[] = {"true", NULL};
    assert_true(proc_run(quick, NULL, NULL, 5000, &out, &code, NULL));
    assert_int_equal(code, 0);
    free(out);
}

static void a_missing_program_is_code_127(void **state)
{
    (void)state;
    const char *const argv[] = {"/nonexistent/program", NULL};
    char *out = NULL;
    int code = -1;
    err_t err = ERR_INIT;
    assert_true(proc_run(argv, NULL, "/dev/null", 5000, &out, &code, &err));
    assert_int_equal(code, 127);
    free(out);
}

static void stop_asks_first_and_kills_then(void **state)
{
    (void)state;
    proc_t polite = {0};
    proc_t deaf = {0};
    err_t err = ERR_INIT;
    const char *const nice[] = {"sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.02; done",
                                NULL};
    const char *const stubborn[] = {"sh", "-c", "trap '' TERM; while :; do sleep 0.02; done", NULL};
    assert_true(proc_start(&polite, nice, "/dev/null", false, &err));
    assert_true(proc_start(&deaf, stubborn, "/dev/null", false, &err));
    usleep(100000); /* lets the shells set their traps */
    assert_true(proc_stop(&polite, 3000));
    pid_t pid = deaf.pid;
    assert_false(proc_stop(&deaf, 200));
    assert_int_not_equal(kill(pid, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_code_come_back),
        cmocka_unit_test(a_child_that_hangs_is_stopped),
        cmocka_unit_test(a_flag_ends_what_runs),
        cmocka_unit_test(a_missing_program_is_code_127),
        cmocka_unit_test(stop_asks_first_and_kills_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

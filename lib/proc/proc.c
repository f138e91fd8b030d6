/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define OUTPUT_MAX (1024 * 1024)
#define LOOK_MS    200 /* how often proc_run looks at the flag */
#define STOP_MS    2000

static const volatile sig_atomic_t *stop_flag;

void proc_stop_when(const volatile sig_atomic_t *flag)
{
    stop_flag = flag;
}

static bool stopped(void)
{
    return stop_flag != NULL && *stop_flag != 0;
}

static void sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

/* What a child does between fork and exec; only async-signal-safe calls. */
static void become(const char *const argv[], int in, int out, int error, bool outlive, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (outlive) {
        setsid();
    } else {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(127); /* the starter died in between */
        }
    }
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(error, STDERR_FILENO);
    /* execvp promises not to change the strings; its type is older than const. */
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    static const char text[] = "cannot be executed\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(127);
}

static bool spawn(proc_t *proc, const char *const argv[], int in, int out, int error, bool outlive,
                  err_t *err)
{
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        return err_errno(err, "cannot start %s", argv[0]);
    }
    if (pid == 0) {
        become(argv, in, out, error, outlive, parent);
    }
    proc->pid = pid;
    return true;
}

bool proc_start(proc_t *proc, const char *const argv[], const char *log_path, bool outlive,
                err_t *err)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    bool ok;
    if (null < 0 || log < 0) {
        ok = err_errno(err, "cannot open %s", log_path);
    } else {
        ok = spawn(proc, argv, null, log, log, outlive, err);
    }
    if (null >= 0) {
        close(null);
    }
    if (log >= 0) {
        close(log);
    }
    return ok;
}

bool proc_ended(proc_t *proc, int *status)
{
    if (proc->pid == 0) {
        return true;
    }
    pid_t got = waitpid(proc->pid, status, WNOHANG);
    if (got == proc->pid || (got < 0 && errno == ECHILD)) {
        proc->pid = 0;
        return true;
    }
    return false;
}

bool proc_stop(proc_t *proc, int timeout_ms)
{
    int status = 0;
    if (proc->pid == 0) {
        return false;
    }
    kill(proc->pid, SIGTERM);
    uint64_t until = clock_monotonic_ms() + (uint64_t)timeout_ms;
    while (!proc_ended(proc, &status)) {
        if (clock_monotonic_ms() >= until) {
            proc_kill(proc);
            return false;
        }
        sleep_ms(5);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void proc_kill(proc_t *proc)
{
    if (proc->pid != 0) {
        kill(proc->pid, SIGKILL);
        while (waitpid(proc->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        proc->pid = 0;
    }
}

/* Feeds `input`, collects the output, until the output ends or the time is over. */
static bool converse(int to, int from, const char *input, int timeout_ms, char *out, size_t *len)
{
    size_t left = input != NULL ? strlen(input) : 0;
    uint64_t until = clock_monotonic_ms() + (uint64_t)timeout_ms;
    if (left == 0) {
        close(to);
        to = -1;
    }
    for (;;) {
        uint64_t now = clock_monotonic_ms();
        struct pollfd fds[2] = {{from, POLLIN, 0}, {to, POLLOUT, 0}};
        if (now >= until || stopped()) {
            break;
        }
        poll(fds, 2, until - now < LOOK_MS ? (int)(until - now) : LOOK_MS);
        if (to >= 0 && fds[1].revents != 0) {
            ssize_t n = write(to, input, left);
            input += n > 0 ? n : 0;
            left -= n > 0 ? (size_t)n : 0;
            if (n < 0 || left == 0) {
                close(to);
                to = -1;
            }
        }
        if (fds[0].revents != 0) {
            char spill[4096];
            bool room = *len < OUTPUT_MAX;
            ssize_t n =
                read(from, room ? out + *len : spill, room ? OUTPUT_MAX - *len : sizeof spill);
            if (n == 0) {
                return true;
            }
            *len += room && n > 0 ? (size_t)n : 0;
        }
    }
    if (to >= 0) {
        close(to);
    }
    return false;
}

static int wait_code(proc_t *proc)
{
    int status = 0;
    while (waitpid(proc->pid, &status, 0) < 0 && errno == EINTR) {
    }
    proc->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool end_early(proc_t *proc, const char *name, int timeout_ms, err_t *err)
{
    if (stopped()) {
        proc_stop(proc, STOP_MS);
        return err_set(err, ERR_PRECONDITION, "%s was stopped", name);
    }
    proc_kill(proc);
    return err_set(err, ERR_PRECONDITION, "%s did not end within %d s and was stopped", name,
                   timeout_ms / 1000);
}

bool proc_run(const char *const argv[], const char *input, const char *log_path, int timeout_ms,
              char **out, int *code, err_t *err)
{
    int to[2];
    int from[2];
    proc_t proc = {0};
    size_t len = 0;
    *out = malloc(OUTPUT_MAX + 1);
    if (*out == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory starting %s", argv[0]);
    }
    if (pipe2(to, O_CLOEXEC) != 0) {
        return err_errno(err, "cannot make a pipe to %s", argv[0]);
    }
    if (pipe2(from, O_CLOEXEC) != 0) {
        close(to[0]);
        close(to[1]);
        return err_errno(err, "cannot make a pipe to %s", argv[0]);
    }
    int log = log_path != NULL ? open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
                               : dup(STDERR_FILENO);
    bool ok = spawn(&proc, argv, to[0], from[1], log, false, err);
    close(to[0]);
    close(from[1]);
    if (log >= 0) {
        close(log);
    }
    if (!ok) {
        close(to[1]);
    } else if (!converse(to[1], from[0], input, timeout_ms, *out, &len)) {
        ok = end_early(&proc, argv[0], timeout_ms, err);
    } else {
        *code = wait_code(&proc);
    }
    close(from[0]);
    (*out)[len] = '\0';
    return ok;
}

bool proc_beside(const char *name, char *out, size_t cap, err_t *err)
{
    char self[1024];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) {
        return err_errno(err, "cannot find our own executable");
    }
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    int len = snprintf(out, cap, "%s/%s", self, name);
    if (len < 0 || (size_t)len >= cap) {
        return err_set(err, ERR_SYSTEM, "the path of %s is too long", name);
    }
    if (access(out, X_OK) != 0) {
        return err_set(err, ERR_PRECONDITION, "%s is not there; build it with `make build`", out);
    }
    return true;
}

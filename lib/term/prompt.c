/* SPDX-License-Identifier: Apache-2.0 */
#include "term/term.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/bytes.h"

/* One line without its end. Reads byte by byte: what follows the line belongs to somebody else. */
static bool read_line(int fd, char *out, size_t cap, err_t *err)
{
    size_t len = 0;
    for (;;) {
        char c;
        ssize_t n = read(fd, &c, 1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_errno(err, "cannot read the secret");
        }
        if (n == 0 || c == '\n') {
            break;
        }
        if (c == '\0' || len + 1 >= cap) {
            bytes_wipe(out, cap);
            return err_set(err, ERR_INPUT, "the secret is longer than %zu characters or has a NUL",
                           cap - 1);
        }
        out[len++] = c;
    }
    if (len > 0 && out[len - 1] == '\r') {
        len--;
    }
    out[len] = '\0';
    return true;
}

bool term_secret(const char *prompt, int fd, char *out, size_t cap, err_t *err)
{
    if (fd >= 0) {
        return read_line(fd, out, cap, err);
    }
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0) {
        return err_set(err, ERR_USAGE,
                       "no terminal to ask on for \"%s\"; give the secret in a file instead",
                       prompt);
    }
    struct termios before;
    bool echo_off = tcgetattr(tty, &before) == 0;
    if (echo_off) {
        struct termios silent = before;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(tty, TCSAFLUSH, &silent);
    }
    dprintf(tty, "%s: ", prompt);
    bool ok = read_line(tty, out, cap, err);
    if (echo_off) {
        tcsetattr(tty, TCSAFLUSH, &before);
    }
    dprintf(tty, "\n");
    close(tty);
    return ok;
}

bool term_confirm(const char *question, bool otherwise)
{
    if (!isatty(STDIN_FILENO)) {
        return otherwise;
    }
    char answer[16];
    fprintf(stderr, "%s [%s] ", question, otherwise ? "Y/n" : "y/N");
    if (fgets(answer, sizeof answer, stdin) == NULL || answer[0] == '\n') {
        return otherwise;
    }
    return answer[0] == 'y' || answer[0] == 'Y';
}

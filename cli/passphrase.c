/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/passphrase.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "term/term.h"

static int source = -1;

static bool on_terminal(void)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty >= 0) {
        close(tty);
    }
    return tty >= 0;
}

/* One line from the descriptor, or from the person. */
static bool get(const char *what, char *out, size_t cap, err_t *err)
{
    char prompt[FILENAME_MAX];
    if (source < 0 && !on_terminal()) {
        return err_set(err, ERR_USAGE,
                       "%s needs a passphrase and there is no terminal to ask on; give it with "
                       "--passphrase-fd N, as in: cradle ... --passphrase-fd 3 3<FILE",
                       what);
    }
    snprintf(prompt, sizeof prompt, "Passphrase of %s", what);
    if (!term_secret(prompt, source, out, cap, err)) {
        return false;
    }
    return out[0] != '\0' || err_set(err, ERR_USAGE, "there is no passphrase for %s%s", what,
                                     source < 0 ? "; repeat and type it"
                                                : ": --passphrase-fd wants a line for each key");
}

static bool ask(void *context, const char *path, char *out, size_t cap, err_t *err)
{
    (void)context;
    return get(path, out, cap, err);
}

void passphrase_default(int fd)
{
    const pki_passphrase_t here = {ask, NULL};
    source = fd;
    pki_passphrase_default(&here);
}

bool passphrase_new(const char *what, char out[PKI_PASSPHRASE_SIZE], err_t *err)
{
    char again[PKI_PASSPHRASE_SIZE] = "";
    if (!get(what, out, PKI_PASSPHRASE_SIZE, err)) {
        return false;
    }
    bool ok =
        strlen(out) >= PKI_PASSPHRASE_MIN ||
        err_set(err, ERR_USAGE, "a passphrase has at least %d characters; choose a longer one",
                PKI_PASSPHRASE_MIN);
    if (ok && source < 0) {
        ok = term_secret("The same again", -1, again, sizeof again, err) &&
             (bytes_equal_secret(out, again, sizeof again) ||
              err_set(err, ERR_USAGE, "the two passphrases differ; repeat"));
    }
    bytes_wipe(again, sizeof again);
    return ok;
}

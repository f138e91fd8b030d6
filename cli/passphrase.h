/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passphrase: where the passphrase of a key file comes from: a file descriptor (--passphrase-fd N,
 * one line for each key that is opened, in that order), or the person at the terminal. Never an
 * argument, never the environment: both can be read by others.
 */
#ifndef CRADLE_CLI_PASSPHRASE_H
#define CRADLE_CLI_PASSPHRASE_H

#include "pki/key.h"

/* From now on every encrypted key file of this program is asked for there; fd -1: the terminal. */
void passphrase_default(int fd);

/* A new one, for `what` ("the line CA's new key"): asked for twice at a terminal, and not shorter
   than PKI_PASSPHRASE_MIN. The caller wipes `out`. */
bool passphrase_new(const char *what, char out[PKI_PASSPHRASE_SIZE], err_t *err);

#endif

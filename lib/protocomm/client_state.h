/* SPDX-License-Identifier: Apache-2.0 */
/* client_state: private to lib/protocomm. What the client's two files share. */
#ifndef CRADLE_PROTOCOMM_CLIENT_STATE_H
#define CRADLE_PROTOCOMM_CLIENT_STATE_H

#include "protocomm/client.h"
#include "protocomm/message.h"

/* Records the text and returns the outcome. */
protocomm_outcome_t client_fail(protocomm_outcome_t outcome, err_t *err, const char *text);

/* Encrypts and sends one protobuf command; the answer's plain text goes to `back`. */
protocomm_outcome_t client_command(protocomm_client_t *client, const char *endpoint,
                                   const ProtobufCMessage *message,
                                   uint8_t back[PROTOCOMM_MESSAGE_MAX], size_t *back_len,
                                   err_t *err);

/* OK for Success, else REFUSED: "the device refused <what> (status n)". */
protocomm_outcome_t client_status(Wire__Status status, const char *what, err_t *err);

#endif

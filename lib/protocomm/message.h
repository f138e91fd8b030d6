/* SPDX-License-Identifier: Apache-2.0 */
/* message: private to lib/protocomm. Packing with a bound; the generated codecs in one place. */
#ifndef CRADLE_PROTOCOMM_MESSAGE_H
#define CRADLE_PROTOCOMM_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "network.pb-c.h"
#include "session.pb-c.h"

/* Packs a message into `out`; false when it needs more than `cap` bytes. */
bool message_pack(const ProtobufCMessage *message, uint8_t *out, size_t cap, size_t *out_len);

/* Borrowed bytes as a protobuf field; the codec never writes through it when packing. */
ProtobufCBinaryData message_bytes(const void *data, size_t len);

/* Unpacks; NULL for malformed or oversized input. Free with the matching free function. */
Wire__Session *message_session(const uint8_t *in, size_t in_len);
void message_session_free(Wire__Session *session);
Wire__Config *message_config(const uint8_t *in, size_t in_len);
void message_config_free(Wire__Config *config); /* wipes a passphrase in it */
Wire__Scan *message_scan(const uint8_t *in, size_t in_len);
void message_scan_free(Wire__Scan *scan);
Wire__Ctrl *message_ctrl(const uint8_t *in, size_t in_len);
void message_ctrl_free(Wire__Ctrl *ctrl);

#endif

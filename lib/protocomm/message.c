/* SPDX-License-Identifier: Apache-2.0 */
#include "protocomm/message.h"

#include "base/bytes.h"
#include "protocomm/security.h"

bool message_pack(const ProtobufCMessage *message, uint8_t *out, size_t cap, size_t *out_len)
{
    size_t need = protobuf_c_message_get_packed_size(message);

    *out_len = 0;
    if (need > cap)
        return false;
    *out_len = protobuf_c_message_pack(message, out);
    return true;
}

ProtobufCBinaryData message_bytes(const void *data, size_t len)
{
    /* protobuf-c has one type for both directions; the way through uintptr_t says that the const
       is dropped on purpose. */
    return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)data};
}

Wire__Session *message_session(const uint8_t *in, size_t in_len)
{
    return in_len <= PROTOCOMM_MESSAGE_MAX ? wire__session__unpack(NULL, in_len, in) : NULL;
}

void message_session_free(Wire__Session *session)
{
    wire__session__free_unpacked(session, NULL);
}

Wire__Config *message_config(const uint8_t *in, size_t in_len)
{
    return in_len <= PROTOCOMM_MESSAGE_MAX ? wire__config__unpack(NULL, in_len, in) : NULL;
}

void message_config_free(Wire__Config *config)
{
    if (config && config->body_case == WIRE__CONFIG__BODY_CMD_SET && config->cmd_set)
        bytes_wipe(config->cmd_set->passphrase.data, config->cmd_set->passphrase.len);
    wire__config__free_unpacked(config, NULL);
}

Wire__Scan *message_scan(const uint8_t *in, size_t in_len)
{
    return in_len <= PROTOCOMM_MESSAGE_MAX ? wire__scan__unpack(NULL, in_len, in) : NULL;
}

void message_scan_free(Wire__Scan *scan)
{
    wire__scan__free_unpacked(scan, NULL);
}

Wire__Ctrl *message_ctrl(const uint8_t *in, size_t in_len)
{
    return in_len <= PROTOCOMM_MESSAGE_MAX ? wire__ctrl__unpack(NULL, in_len, in) : NULL;
}

void message_ctrl_free(Wire__Ctrl *ctrl)
{
    wire__ctrl__free_unpacked(ctrl, NULL);
}

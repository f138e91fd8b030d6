/* SPDX-License-Identifier: Apache-2.0 */
/*
 * security: the session layer of Espressif's provisioning protocol, for the device's end and for
 * the client's. Sans-I/O: a message goes in, a message or a failure comes out; nothing blocks.
 *
 * Source of the rules: ESP-IDF v5.5.5 / v6.0.2, components/protocomm (security0.c, security1.c,
 * security2.c) and tools/esp_prov/security.
 *
 *   0  plain text; one message each way
 *   1  X25519, AES-256-CTR, optional proof of possession (PoP). One key stream is shared by both
 *      directions: a lost or repeated message ends the session
 *   2  SRP-6a (RFC 5054 3072-bit group, SHA-512), AES-256-GCM
 *
 * A device's failure is never answered with a message: the transport turns it into a failure of
 * its own (HTTP closes the socket). So a client must read "no answer" to its second message as a
 * wrong PoP or password.
 *
 * A session is single-threaded and owns copies of everything it was given; secrets are wiped by
 * protocomm_session_free. Not checked here: which transport session a message came from (device.h).
 */
#ifndef CRADLE_PROTOCOMM_SECURITY_H
#define CRADLE_PROTOCOMM_SECURITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PROTOCOMM_POP_MAX      64   /* bytes of a PoP, of a username, of a password */
#define PROTOCOMM_SALT_MAX     64   /* bytes of an SRP salt                          */
#define PROTOCOMM_VERIFIER_LEN 384  /* bytes of an SRP verifier: exactly             */
#define PROTOCOMM_MESSAGE_MAX  4096 /* bytes of any request or answer, tag included */
#define PROTOCOMM_OVERHEAD     16   /* bytes that encryption may add (security 2)    */

/* Where random bytes come from. `fill` NULL means the operating system's generator; tests inject
   their own to reproduce worked examples. Must fill all of `out` or return false. */
typedef struct {
    bool (*fill)(void *ctx, uint8_t *out, size_t len);
    void *ctx;
} protocomm_random_t;

typedef struct {
    int version; /* 0, 1 or 2 */
    /* Security 2 only: 1 counts the IV (ESP-IDF 5.4.1 and later), 0 keeps it (older firmware). */
    int patch_version;
    /* Security 1, both ends. Length 0: no PoP. */
    const uint8_t *pop;
    size_t pop_len;
    /* Security 2, client. NUL terminated. */
    const char *username;
    const char *password;
    /* Security 2, device. The password itself is never on the device. */
    const uint8_t *salt;
    size_t salt_len;
    const uint8_t *verifier; /* PROTOCOMM_VERIFIER_LEN bytes */
    protocomm_random_t random;
} protocomm_security_t;

typedef struct protocomm_session protocomm_session_t;

/* A fresh session of either role; everything in `security` is copied. NULL with ERR_USAGE when the
   parameters cannot be (unknown version, verifier missing, PoP too long). */
protocomm_session_t *protocomm_session_device(const protocomm_security_t *security, err_t *err);
protocomm_session_t *protocomm_session_client(const protocomm_security_t *security, err_t *err);

/* NULL is allowed. Wipes all keys. */
void protocomm_session_free(protocomm_session_t *session);

/* Forgets all keys and waits for (device) or begins with (client) the first message again. */
void protocomm_session_reset(protocomm_session_t *session);

/*
 * Device: answers one `prov-session` message. False means handler failure: nothing may be sent.
 * ERR_INPUT: malformed, wrong version, wrong length; ERR_PRECONDITION: second message without a
 * first; ERR_PEER: the proof is wrong (wrong PoP or password). After a failed second message the
 * client has to begin again. A first message at any time begins anew.
 */
bool protocomm_session_answer(protocomm_session_t *session, const uint8_t *in, size_t in_len,
                              uint8_t *out, size_t cap, size_t *out_len, err_t *err);

/*
 * Client: call with in == NULL for the first message, then with each answer for the next one.
 * *out_len becomes 0 when the session is up and nothing is left to send. ERR_PEER: the device's
 * proof is wrong, so this is not the device that knows the secret; ERR_INPUT: malformed answer.
 */
bool protocomm_session_advance(protocomm_session_t *session, const uint8_t *in, size_t in_len,
                               uint8_t *out, size_t cap, size_t *out_len, err_t *err);

/* True when requests can be encrypted and decrypted. Always true on the device's end of
   Security 0, which answers requests without any session. */
bool protocomm_session_up(const protocomm_session_t *session);

/*
 * Both ends: one payload. `out` needs in_len + PROTOCOMM_OVERHEAD bytes and may not overlap `in`.
 * Traffic must alternate strictly. ERR_PRECONDITION: the session is not up; ERR_INPUT: decrypt
 * only, the tag does not match (Security 2; Security 1 cannot notice).
 */
bool protocomm_session_encrypt(protocomm_session_t *session, const uint8_t *in, size_t in_len,
                               uint8_t *out, size_t cap, size_t *out_len, err_t *err);
bool protocomm_session_decrypt(protocomm_session_t *session, const uint8_t *in, size_t in_len,
                               uint8_t *out, size_t cap, size_t *out_len, err_t *err);

/*
 * The factory's side of Security 2: salt and verifier for a user name and password. Draws the salt
 * again until none of the values has a leading zero byte that esp_prov.py, the Android or the iOS
 * library would strip. False with ERR_INPUT when user name and password themselves cannot work
 * (SHA-512 of "user:password" begins with 00): choose another password.
 */
bool protocomm_srp_make_verifier(const char *username, const char *password,
                                 const protocomm_random_t *random, uint8_t *salt, size_t salt_len,
                                 uint8_t verifier[PROTOCOMM_VERIFIER_LEN], err_t *err);

#endif

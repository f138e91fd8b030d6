/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of the provisioning protocol: worked examples (checked with mbedTLS, protobuf-c and
   esp_prov.py's own srp6a.py), both ends against each other, and everything that must be refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/bytes.h"
#include "protocomm/security.h"

#define CAP PROTOCOMM_MESSAGE_MAX

typedef struct {
    uint8_t data[CAP];
    size_t len;
} message_t;

/* -- injected randomness: a script of bytes, then failure ------------------------------------- */

typedef struct {
    uint8_t bytes[256];
    size_t len, used;
} script_t;

static bool script_fill(void *ctx, uint8_t *out, size_t len)
{
    script_t *script = ctx;

    if (script->len - script->used < len)
        return false;
    memcpy(out, script->bytes + script->used, len);
    script->used += len;
    return true;
}

/* Appends first..last as consecutive byte values. */
static void script_range(script_t *script, int first, int last)
{
    for (int i = first; i <= last; i++)
        script->bytes[script->len++] = (uint8_t)i;
}

static void assert_hex(const message_t *m, const char *hex)
{
    char text[2 * CAP + 1];

    assert_true(bytes_to_hex(m->data, m->len, text, sizeof text));
    assert_string_equal(text, hex);
}

static bool answer(protocomm_session_t *s, const message_t *in, message_t *out, err_t *err)
{
    return protocomm_session_answer(s, in->data, in->len, out->data, CAP, &out->len, err);
}

static bool advance(protocomm_session_t *s, const message_t *in, message_t *out, err_t *err)
{
    return protocomm_session_advance(s, in ? in->data : NULL, in ? in->len : 0, out->data, CAP,
                                     &out->len, err);
}

static bool encrypt(protocomm_session_t *s, const message_t *in, message_t *out)
{
    return protocomm_session_encrypt(s, in->data, in->len, out->data, CAP, &out->len, NULL);
}

static bool decrypt(protocomm_session_t *s, const message_t *in, message_t *out)
{
    return protocomm_session_decrypt(s, in->data, in->len, out->data, CAP, &out->len, NULL);
}

static message_t from_hex(const char *hex)
{
    message_t m = {.len = strlen(hex) / 2};

    assert_true(bytes_from_hex(hex, strlen(hex), m.data, m.len));
    return m;
}

/* -- parameters ------------------------------------------------------------------------------ */

static const uint8_t pop[] = "abcd1234";
static uint8_t verifier[PROTOCOMM_VERIFIER_LEN];
static uint8_t salt[16];

static protocomm_security_t parameters(int version, bool device)
{
    protocomm_security_t p = {.version = version, .patch_version = version == 2};

    if (version == 1) {
        p.pop = pop;
        p.pop_len = 8;
    }
    if (version == 2 && device) {
        p.salt = salt;
        p.salt_len = sizeof salt;
        p.verifier = verifier;
    }
    if (version == 2 && !device) {
        p.username = "wifiprov";
        p.password = "abcd1234";
    }
    return p;
}

typedef struct {
    protocomm_session_t *client, *device;
} pair_t;

static pair_t pair_new(int version)
{
    protocomm_security_t c = parameters(version, false), d = parameters(version, true);
    pair_t pair = {protocomm_session_client(&c, NULL), protocomm_session_device(&d, NULL)};

    assert_non_null(pair.client);
    assert_non_null(pair.device);
    return pair;
}

static void pair_free(pair_t *pair)
{
    protocomm_session_free(pair->client);
    protocomm_session_free(pair->device);
}

/* Runs the whole handshake; true when both are up. */
static bool shake(pair_t *pair)
{
    message_t to, back, *in = NULL;

    for (int i = 0; i < 3; i++) {
        if (!advance(pair->client, in, &to, NULL))
            return false;
        if (to.len == 0)
            return protocomm_session_up(pair->client) && protocomm_session_up(pair->device);
        if (!answer(pair->device, &to, &back, NULL))
            return false;
        in = &back;
    }
    return false;
}

/* One request and its response through both ends. */
static bool exchange(pair_t *pair)
{
    message_t plain = from_hex("5200"), cipher, got;

    if (!encrypt(pair->client, &plain, &cipher) || !decrypt(pair->device, &cipher, &got) ||
        got.len != plain.len || memcmp(got.data, plain.data, got.len) != 0)
        return false;
    plain = from_hex("08015a021001");
    return encrypt(pair->device, &plain, &cipher) && decrypt(pair->client, &cipher, &got) &&
           got.len == plain.len && memcmp(got.data, plain.data, got.len) == 0;
}

/* -- worked examples ------------------------------------------------------------------------- */

#define CLIENT_PUBLIC "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c"
#define DEVICE_PUBLIC "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466"
#define CLIENT_VERIFY "c06eeb980dfe7718087e1bac9a245b1101a12268f6751a2286e79b854bc6fa1c"
#define DEVICE_VERIFY "9c4e3c17958240c1bf170b1f123069c3555016ce5115413871a61dbc32e3cf50"

static void security0_example(void **state)
{
    pair_t pair = pair_new(0);
    message_t to, back;

    (void)state;
    assert_true(protocomm_session_up(pair.device)); /* answers requests without a session */
    assert_false(protocomm_session_up(pair.client));
    assert_true(advance(pair.client, NULL, &to, NULL));
    assert_hex(&to, "5203a20100"); /* what esp_prov.py sends, too */
    assert_true(answer(pair.device, &to, &back, NULL));
    assert_hex(&back, "52050801aa0100");
    assert_true(advance(pair.client, &back, &to, NULL));
    assert_int_equal(to.len, 0);
    assert_true(exchange(&pair));
    pair_free(&pair);
}

static void security1_example(void **state)
{
    script_t client_script = {0}, device_script = {0};
    protocomm_security_t c = parameters(1, false), d = parameters(1, true);
    message_t to, back, plain, cipher;

    (void)state;
    script_range(&client_script, 0x01, 0x20);
    script_range(&device_script, 0x41, 0x60);
    script_range(&device_script, 0xf0, 0xff);
    c.random = (protocomm_random_t){script_fill, &client_script};
    d.random = (protocomm_random_t){script_fill, &device_script};
    pair_t pair = {protocomm_session_client(&c, NULL), protocomm_session_device(&d, NULL)};
    assert_true(advance(pair.client, NULL, &to, NULL));
    assert_hex(&to, "10015a25a201220a20" CLIENT_PUBLIC);
    assert_true(answer(pair.device, &to, &back, NULL));
    assert_hex(&back, "10015a390801aa01341220" DEVICE_PUBLIC "1a10"
                      "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    assert_int_equal(back.len, 61);
    assert_true(advance(pair.client, &back, &to, NULL));
    assert_hex(&to, "10015a270802b201221220" CLIENT_VERIFY);
    assert_true(answer(pair.device, &to, &back, NULL));
    assert_hex(&back, "10015a270803ba01221a20" DEVICE_VERIFY);
    assert_true(advance(pair.client, &back, &to, NULL));
    assert_int_equal(to.len, 0);
    plain = from_hex("5200");
    assert_true(encrypt(pair.client, &plain, &cipher));
    assert_hex(&cipher, "0a93");
    assert_true(decrypt(pair.device, &cipher, &plain));
    assert_hex(&plain, "5200");
    plain = from_hex("08015a021001");
    assert_true(encrypt(pair.device, &plain, &cipher));
    assert_hex(&cipher, "83b5b58c0f7e");
    assert_true(decrypt(pair.client, &cipher, &plain));
    assert_hex(&plain, "08015a021001");
    pair_free(&pair);
}

static void verifier_example(void **state)
{
    script_t script = {0};
    const protocomm_random_t random = {script_fill, &script};
    char text[2 * PROTOCOMM_VERIFIER_LEN + 1];

    (void)state;
    assert_true(bytes_from_hex("036ee0c7bcb9eda84c9eac97d93decf4", 32, script.bytes, 16));
    script.len = 16;
    assert_true(protocomm_srp_make_verifier("wifiprov", "abcd1234", &random, salt, sizeof salt,
                                            verifier, NULL));
    assert_true(bytes_to_hex(verifier, sizeof verifier, text, sizeof text));
    assert_memory_equal(text, "7c7c85476508946d", 16);
    assert_string_equal(text + 2 * PROTOCOMM_VERIFIER_LEN - 16, "5040f762de36b2ba");
}

/* The bytes around `at` of a message, as the reference abbreviates long numbers. */
static void assert_part(const message_t *m, size_t at, const char *hex)
{
    uint8_t part[64];

    assert_true(bytes_from_hex(hex, strlen(hex), part, strlen(hex) / 2));
    assert_true(at + strlen(hex) / 2 <= m->len);
    assert_memory_equal(m->data + at, part, strlen(hex) / 2);
}

static void security2_example(void **state)
{
    script_t client_script = {0}, device_script = {0};
    protocomm_security_t c = parameters(2, false), d = parameters(2, true);
    message_t to, back, plain, cipher;

    (void)state;
    script_range(&client_script, 0x81, 0xa0);
    script_range(&device_script, 0xa1, 0xc0);
    script_range(&device_script, 0xd1, 0xd8);
    c.random = (protocomm_random_t){script_fill, &client_script};
    d.random = (protocomm_random_t){script_fill, &device_script};
    pair_t pair = {protocomm_session_client(&c, NULL), protocomm_session_device(&d, NULL)};
    assert_true(advance(pair.client, NULL, &to, NULL));
    assert_part(&to, to.len - 384, "91466ddd8f7b66fa34b70899e7b24321");
    assert_part(&to, to.len - 8, "0cf4d905a0d5f89f");
    assert_true(answer(pair.device, &to, &back, NULL));
    assert_part(&back, back.len - 18 - 384, "deef68a45525b2f28f2da4ee8f727785");
    assert_part(&back, back.len - 18 - 8, "c9f052ebf39a16e8");
    assert_part(&back, back.len - 16, "036ee0c7bcb9eda84c9eac97d93decf4");
    assert_true(advance(pair.client, &back, &to, NULL));
    assert_part(&to, to.len - 64,
                "8a871ba530dd6fd5c16eb87b2800780f67aeb7f4cffc431859eb36551137a8a7"
                "0b6caf89fba24b953bee56df8c3ff69c6830490692118d2e350887cb45a7555e");
    assert_true(answer(pair.device, &to, &back, NULL));
    assert_part(&back, back.len - 14 - 64,
                "ba582b950fce722c1fdebd6b7fc87c239df368b34fcaf751ea4cd05130cd3521"
                "1a6394bf457b03a963716626330f1ad0531f974bb4118e19d8e4757a9fe3cbfc");
    assert_part(&back, back.len - 12, "d1d2d3d4d5d6d7d800000001");
    assert_true(advance(pair.client, &back, &to, NULL));
    assert_int_equal(to.len, 0);
    plain = from_hex("5200");
    assert_true(encrypt(pair.client, &plain, &cipher));
    assert_hex(&cipher, "633b845f3b7112744b3f90b186861a0586db");
    assert_true(decrypt(pair.device, &cipher, &plain));
    assert_hex(&plain, "5200");
    plain = from_hex("08015a021001");
    assert_true(encrypt(pair.device, &plain, &cipher));
    assert_hex(&cipher, "5d325ece3bd8e40d7bc6a4e9088fa503859cc480a641");
    assert_true(decrypt(pair.client, &cipher, &plain));
    assert_hex(&plain, "08015a021001");
    pair_free(&pair);
}

/* -- both ends ------------------------------------------------------------------------------- */

static void all_versions_meet(void **state)
{
    (void)state;
    for (int version = 0; version <= 2; version++) {
        pair_t pair = pair_new(version);
        assert_true(shake(&pair));
        for (int i = 0; i < 5; i++)
            assert_true(exchange(&pair));
        assert_true(shake(&pair)); /* a first message at any time begins anew */
        assert_true(exchange(&pair));
        pair_free(&pair);
    }
}

static void versions_do_not_mix(void **state)
{
    (void)state;
    for (int c = 0; c <= 2; c++) {
        for (int d = 0; d <= 2; d++) {
            protocomm_security_t cp = parameters(c, false), dp = parameters(d, true);
            pair_t pair = {protocomm_session_client(&cp, NULL),
                           protocomm_session_device(&dp, NULL)};
            assert_int_equal(shake(&pair), c == d);
            pair_free(&pair);
        }
    }
}

static void wrong_pop(void **state)
{
    static const uint8_t others[][9] = {"abcd1235", "Abcd1234", ""};
    message_t to, back;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        protocomm_security_t c = parameters(1, false), d = parameters(1, true);
        err_t err = ERR_INIT;
        c.pop = others[i];
        c.pop_len = strlen((const char *)others[i]);
        pair_t pair = {protocomm_session_client(&c, NULL), protocomm_session_device(&d, NULL)};
        assert_true(advance(pair.client, NULL, &to, NULL));
        assert_true(answer(pair.device, &to, &back, NULL));
        assert_true(advance(pair.client, &back, &to, NULL));
        assert_false(answer(pair.device, &to, &back, &err));
        assert_int_equal(err.kind, ERR_PEER);
        assert_int_equal(back.len, 0);
        assert_false(protocomm_session_up(pair.device));
        /* Guessing on in the same session does not work either. */
        err_clear(&err);
        assert_false(answer(pair.device, &to, &back, &err));
        assert_int_equal(err.kind, ERR_PRECONDITION);
        pair_free(&pair);
    }
}

static void no_pop_at_all(void **state)
{
    protocomm_security_t p = {.version = 1};
    pair_t pair = {protocomm_session_client(&p, NULL), protocomm_session_device(&p, NULL)};

    (void)state;
    assert_true(shake(&pair));
    assert_true(exchange(&pair));
    pair_free(&pair);
}

static void wrong_password(void **state)
{
    protocomm_security_t c = parameters(2, false), d = parameters(2, true);
    static const char *const names[][2] = {{"wifiprov", "abcd1235"}, {"wifiproV", "abcd1234"}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        c.username = names[i][0];
        c.password = names[i][1];
        pair_t pair = {protocomm_session_client(&c, NULL), protocomm_session_device(&d, NULL)};
        assert_false(shake(&pair));
        assert_false(protocomm_session_up(pair.device));
        assert_false(protocomm_session_up(pair.client));
        pair_free(&pair);
    }
}

/* A device that does not know the secret cannot pass for one that does. */
static void device_proof_is_checked(void **state)
{
    message_t to, back;

    (void)state;
    for (int version = 1; version <= 2; version++) {
        pair_t pair = pair_new(version);
        err_t err = ERR_INIT;
        assert_true(advance(pair.client, NULL, &to, NULL));
        assert_true(answer(pair.device, &to, &back, NULL));
        assert_true(advance(pair.client, &back, &to, NULL));
        assert_true(answer(pair.device, &to, &back, NULL));
        back.data[version == 1 ? back.len - 1 : back.len - 20] ^= 1;
        assert_false(advance(pair.client, &back, &to, &err));
        assert_int_equal(err.kind, ERR_PEER);
        assert_false(protocomm_session_up(pair.client));
        pair_free(&pair);
    }
}

static void requests_need_a_session(void **state)
{
    message_t plain = from_hex("5200"), out;

    (void)state;
    for (int version = 1; version <= 2; version++) {
        pair_t pair = pair_new(version);
        assert_false(encrypt(pair.client, &plain, &out));
        assert_false(decrypt(pair.device, &plain, &out));
        assert_true(shake(&pair));
        protocomm_session_reset(pair.device);
        assert_false(decrypt(pair.device, &plain, &out));
        assert_int_equal(out.len, 0);
        pair_free(&pair);
    }
}

/* Security 1: one key stream. A lost or repeated message turns everything after it into noise. */
static void lost_message_desynchronises(void **state)
{
    message_t plain = from_hex("080262140a066d7973736964120a6d7970617373776f7264"), cipher, got;
    pair_t pair = pair_new(1);

    (void)state;
    assert_true(shake(&pair));
    assert_true(encrypt(pair.client, &plain, &cipher)); /* lost */
    assert_true(encrypt(pair.client, &plain, &cipher));
    assert_true(decrypt(pair.device, &cipher, &got));
    assert_memory_not_equal(got.data, plain.data, plain.len);
    assert_true(shake(&pair));
    assert_true(encrypt(pair.client, &plain, &cipher));
    assert_true(decrypt(pair.device, &cipher, &got));
    assert_memory_equal(got.data, plain.data, plain.len);
    assert_true(decrypt(pair.device, &cipher, &got)); /* repeated */
    assert_memory_not_equal(got.data, plain.data, plain.len);
    pair_free(&pair);
}

/* Security 2: a replayed or changed payload is refused and moves nothing. */
static void replay_is_refused(void **state)
{
    message_t plain = from_hex("5200"), cipher, got;
    pair_t pair = pair_new(2);

    (void)state;
    assert_true(shake(&pair));
    assert_true(encrypt(pair.client, &plain, &cipher));
    for (size_t i = 0; i < cipher.len; i++) {
        cipher.data[i] ^= 0x40;
        assert_false(decrypt(pair.device, &cipher, &got));
        cipher.data[i] ^= 0x40;
    }
    for (size_t len = 0; len < cipher.len; len++) {
        message_t cut = cipher;
        cut.len = len;
        assert_false(decrypt(pair.device, &cut, &got));
    }
    assert_true(decrypt(pair.device, &cipher, &got));
    assert_false(decrypt(pair.device, &cipher, &got));
    assert_true(encrypt(pair.device, &plain, &cipher));
    assert_true(decrypt(pair.client, &cipher, &got));
    assert_true(exchange(&pair));
    pair_free(&pair);
}

/* Firmware before ESP-IDF 5.4.1 never moves the nonce. */
static void patch_version_0(void **state)
{
    protocomm_security_t c = parameters(2, false), d = parameters(2, true);
    message_t plain = from_hex("5200"), first, second;

    (void)state;
    c.patch_version = d.patch_version = 0;
    pair_t pair = {protocomm_session_client(&c, NULL), protocomm_session_device(&d, NULL)};
    assert_true(shake(&pair));
    assert_true(exchange(&pair));
    assert_true(exchange(&pair));
    assert_true(encrypt(pair.client, &plain, &first));
    assert_true(encrypt(pair.client, &plain, &second));
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    pair_free(&pair);
}

/* -- damage ---------------------------------------------------------------------------------- */

/* Runs the handshake with the n-th message (0..3) replaced by one that `mutate` made. */
typedef bool (*mutate_t)(message_t *m, size_t k); /* false: k is past the last mutation */

static bool cut(message_t *m, size_t k)
{
    if (k >= m->len)
        return false;
    m->len = k;
    return true;
}

static bool flip(message_t *m, size_t k)
{
    if (k >= 8 * m->len)
        return false;
    m->data[k / 8] ^= (uint8_t)(1u << (k % 8));
    return true;
}

/* True while there was a k-th mutation of message n. Neither end may come up with a key that the
   other does not have. (Security 2's last answer carries the nonce, which its proof does not cover:
   then the first request is refused.) */
static bool shake_damaged(int version, int n, mutate_t mutate, size_t k)
{
    pair_t pair = pair_new(version);
    message_t m[2], *in = NULL;
    bool more = true, ok = true;

    for (int i = 0; ok && i < 4; i++) {
        message_t *out = &m[i % 2];
        ok = i % 2 == 0 ? advance(pair.client, in, out, NULL) : answer(pair.device, in, out, NULL);
        if (ok && i == n)
            more = mutate(out, k);
        in = out;
    }
    message_t last;
    ok = ok && advance(pair.client, in, &last, NULL);
    if (more && ok && protocomm_session_up(pair.client) && protocomm_session_up(pair.device))
        assert_true(exchange(&pair) || (version == 2 && n == 3));
    pair_free(&pair);
    return more;
}

static void damaged_handshakes(void **state)
{
    (void)state;
    for (int version = 0; version <= 1; version++)
        for (int n = 0; n < (version ? 4 : 2); n++) {
            for (size_t k = 0; shake_damaged(version, n, cut, k); k++)
                ;
            for (size_t k = 0; shake_damaged(version, n, flip, k); k++)
                ;
        }
}

/* SRP is slow: every cut, and the bits at a stride that visits each field. */
static void damaged_srp_handshakes(void **state)
{
    (void)state;
    for (int n = 0; n < 4; n++) {
        for (size_t k = 0; shake_damaged(2, n, cut, k); k += 13)
            ;
        for (size_t k = 0; shake_damaged(2, n, flip, k); k += 101)
            ;
    }
}

/* Every truncation of the device's two inputs is refused (they are one field each). */
static void truncated_commands_are_refused(void **state)
{
    message_t to, back, unused;
    pair_t pair = pair_new(1);

    (void)state;
    assert_true(advance(pair.client, NULL, &to, NULL));
    for (size_t len = 0; len < to.len; len++)
        assert_false(protocomm_session_answer(pair.device, to.data, len, unused.data, CAP,
                                              &unused.len, NULL));
    assert_true(answer(pair.device, &to, &back, NULL));
    assert_true(advance(pair.client, &back, &to, NULL));
    for (size_t len = 0; len + 1 < to.len; len++) {
        assert_false(protocomm_session_answer(pair.device, to.data, len, unused.data, CAP,
                                              &unused.len, NULL));
        assert_false(protocomm_session_up(pair.device));
    }
    pair_free(&pair);
}

static void hostile_keys(void **state)
{
    message_t out;
    /* X25519 points of low order make the shared secret zero for everyone. */
    message_t zero = from_hex("10015a25a201220a20"
                              "0000000000000000000000000000000000000000000000000000000000000000");
    message_t one = from_hex("10015a25a201220a20"
                             "0100000000000000000000000000000000000000000000000000000000000000");
    pair_t pair = pair_new(1);

    (void)state;
    assert_false(answer(pair.device, &zero, &out, NULL));
    assert_false(answer(pair.device, &one, &out, NULL));
    pair_free(&pair);

    /* SRP: A = 0 would make the key independent of the password. */
    pair = pair_new(2);
    assert_true(advance(pair.client, NULL, &out, NULL));
    memset(out.data + out.len - 384, 0, 384);
    err_t err = ERR_INIT;
    message_t back;
    assert_false(answer(pair.device, &out, &back, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    pair_free(&pair);
}

static void unusable_parameters(void **state)
{
    static const uint8_t long_pop[PROTOCOMM_POP_MAX + 1];
    err_t err = ERR_INIT;

    (void)state;
    assert_null(protocomm_session_device(&(protocomm_security_t){.version = 3}, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_null(protocomm_session_device(&(protocomm_security_t){.version = -1}, NULL));
    assert_null(protocomm_session_device(&(protocomm_security_t){.version = 2}, NULL));
    assert_null(protocomm_session_client(&(protocomm_security_t){.version = 2}, NULL));
    assert_null(protocomm_session_device(
        &(protocomm_security_t){.version = 1, .pop = long_pop, .pop_len = sizeof long_pop}, NULL));
    protocomm_session_free(NULL);
}

/* Without random bytes there is no session, never one with a known key. */
static void no_random_no_session(void **state)
{
    script_t empty = {0};
    message_t out;

    (void)state;
    for (int version = 1; version <= 2; version++) {
        protocomm_security_t c = parameters(version, false);
        c.random = (protocomm_random_t){script_fill, &empty};
        protocomm_session_t *client = protocomm_session_client(&c, NULL);
        assert_false(advance(client, NULL, &out, NULL));
        protocomm_session_free(client);
        protocomm_security_t d = parameters(version, true);
        d.random = c.random;
        c.random = (protocomm_random_t){0};
        pair_t pair = {protocomm_session_client(&c, NULL), protocomm_session_device(&d, NULL)};
        assert_false(shake(&pair));
        pair_free(&pair);
    }
}

static void small_buffers(void **state)
{
    message_t out;
    pair_t pair = pair_new(1);

    (void)state;
    for (size_t cap = 0; cap < 41; cap++)
        assert_false(
            protocomm_session_advance(pair.client, NULL, 0, out.data, cap, &out.len, NULL));
    assert_true(shake(&pair));
    assert_false(protocomm_session_encrypt(pair.client, (const uint8_t *)"12345", 5, out.data, 4,
                                           &out.len, NULL));
    pair_free(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verifier_example), /* first: it makes the verifier that others use */
        cmocka_unit_test(security0_example),
        cmocka_unit_test(security1_example),
        cmocka_unit_test(security2_example),
        cmocka_unit_test(all_versions_meet),
        cmocka_unit_test(versions_do_not_mix),
        cmocka_unit_test(wrong_pop),
        cmocka_unit_test(no_pop_at_all),
        cmocka_unit_test(wrong_password),
        cmocka_unit_test(device_proof_is_checked),
        cmocka_unit_test(requests_need_a_session),
        cmocka_unit_test(lost_message_desynchronises),
        cmocka_unit_test(replay_is_refused),
        cmocka_unit_test(patch_version_0),
        cmocka_unit_test(damaged_handshakes),
        cmocka_unit_test(damaged_srp_handshakes),
        cmocka_unit_test(truncated_commands_are_refused),
        cmocka_unit_test(hostile_keys),
        cmocka_unit_test(unusable_parameters),
        cmocka_unit_test(no_random_no_session),
        cmocka_unit_test(small_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

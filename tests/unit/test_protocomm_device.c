/* SPDX-License-Identifier: Apache-2.0 */
/* The device's endpoints and states, message by message. Bytes are those that protobuf-c makes for
   ESP-IDF's own .proto files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "fake_provisioning.h"

#define CAP PROTOCOMM_MESSAGE_MAX

static const protocomm_security_t plain = {.version = 0};

static protocomm_result_t send_hex(fake_t *fake, const char *endpoint, const char *hex,
                                   uint8_t out[CAP], size_t *len)
{
    uint8_t in[CAP];
    size_t in_len = strlen(hex) / 2;

    assert_true(bytes_from_hex(hex, strlen(hex), in, in_len));
    return protocomm_device_request(fake->device, 1, endpoint, in, in_len, out, CAP, len);
}

static void expect(fake_t *fake, const char *endpoint, const char *hex, const char *answer)
{
    uint8_t out[CAP];
    char text[2 * CAP + 1];
    size_t len;

    assert_int_equal(send_hex(fake, endpoint, hex, out, &len), PROTOCOMM_ANSWER);
    assert_true(bytes_to_hex(out, len, text, sizeof text));
    assert_string_equal(text, answer);
}

static void expect_failure(fake_t *fake, const char *endpoint, const char *hex)
{
    uint8_t out[CAP];
    size_t len;
    int before = fake->refused;

    assert_int_equal(send_hex(fake, endpoint, hex, out, &len), PROTOCOMM_FAILED);
    assert_int_equal(len, 0);
    assert_int_equal(fake->refused, before + 1);
    assert_true(fake->why.text[0] != '\0');
}

static void begin(fake_t *fake)
{
    fake_init(fake, &plain);
    protocomm_device_open(fake->device, 1);
}

#define SET_RIGHT   "080262180a0a416c6963652d486f6d65120a776f6e6465726c616e64"
#define SET_WRONG   "080262180a0a416c6963652d486f6d65120a776f6e6465726c616e65"
#define SET_NOWHERE "080262060a044e6f7065"

/* -- proto-ver ------------------------------------------------------------------------------- */

static void version_text(int version, size_t pop_len, const char *expected)
{
    fake_t fake;
    uint8_t out[CAP], verifier[PROTOCOMM_VERIFIER_LEN] = {1};
    size_t len;
    const protocomm_security_t security = {.version = version,
                                           .patch_version = version == 2,
                                           .pop = (const uint8_t *)"abcd",
                                           .pop_len = pop_len,
                                           .salt = verifier,
                                           .salt_len = 16,
                                           .verifier = verifier};

    fake_init(&fake, &security);
    assert_int_equal(protocomm_device_request(fake.device, 9, "proto-ver", (const uint8_t *)"---",
                                              3, out, CAP, &len),
                     PROTOCOMM_ANSWER);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(out, expected, len);
    fake_free(&fake);
}

static void proto_ver(void **state)
{
    const char *sec2 =
        "{\n\t\"prov\":\t{\n\t\t\"ver\":\t\"netprov-v1.2\",\n\t\t\"sec_ver\":\t2,\n\t\t"
        "\"sec_patch_ver\":\t1,\n\t\t\"cap\":\t[\"wifi_prov\", \"wifi_scan\"]\n\t}\n}";

    (void)state;
    assert_int_equal(strlen(sec2), 116);
    version_text(2, 0, sec2);
    version_text(1, 4,
                 "{\n\t\"prov\":\t{\n\t\t\"ver\":\t\"netprov-v1.2\",\n\t\t\"sec_ver\":\t1,\n\t\t"
                 "\"sec_patch_ver\":\t0,\n\t\t\"cap\":\t[\"wifi_prov\", \"wifi_scan\"]\n\t}\n}");
    version_text(1, 0,
                 "{\n\t\"prov\":\t{\n\t\t\"ver\":\t\"netprov-v1.2\",\n\t\t\"sec_ver\":\t1,\n\t\t"
                 "\"sec_patch_ver\":\t0,\n\t\t\"cap\":\t[\"no_pop\", \"wifi_prov\", "
                 "\"wifi_scan\"]\n\t}\n}");
    version_text(0, 0,
                 "{\n\t\"prov\":\t{\n\t\t\"ver\":\t\"netprov-v1.2\",\n\t\t\"sec_ver\":\t0,\n\t\t"
                 "\"sec_patch_ver\":\t0,\n\t\t\"cap\":\t[\"no_sec\", \"wifi_prov\", "
                 "\"wifi_scan\"]\n\t}\n}");
}

/* -- prov-config ----------------------------------------------------------------------------- */

static void connected(void **state)
{
    fake_t fake;

    (void)state;
    begin(&fake);
    expect(&fake, "prov-config", "5200", "08015a021001"); /* before anything: Connecting */
    expect(&fake, "prov-config", SET_RIGHT, "08036a00");
    expect(&fake, "prov-config", "0804", "08057a00");
    assert_string_equal(fake.credentials.ssid, "Alice-Home");
    assert_string_equal(fake.credentials.passphrase, "wonderland");
    assert_int_equal(fake.credentials.session, 1);
    assert_int_equal(fake.finished, 0);
    expect(&fake, "prov-config", "5200",
           "08015a275a250a0b3139322e3136382e312e3710031a0a416c6963652d486f6d65"
           "22060200000000012806");
    assert_int_equal(fake.finished, 1);
    expect(&fake, "prov-config", "",
           "08015a275a250a0b3139322e3136382e312e3710031a0a416c6963652d486f6d65"
           "22060200000000012806"); /* an empty message is GetStatus, too */
    assert_int_equal(fake.finished, 1);
    fake_free(&fake);
}

/* The worked example of the reference, byte for byte. */
static void connected_example(void **state)
{
    fake_t fake;
    protocomm_connected_t facts = {.ip4 = "192.168.1.7",
                                   .network = {.ssid = "home",
                                               .ssid_len = 4,
                                               .bssid = {0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff},
                                               .channel = 6,
                                               .auth = 3}};

    (void)state;
    begin(&fake);
    fake.apply_later = true;
    protocomm_device_wifi_connected(fake.device, &facts); /* nobody applied: not shown */
    expect(&fake, "prov-config", "5200", "08015a021001");
    expect(&fake, "prov-config", SET_RIGHT, "08036a00");
    expect(&fake, "prov-config", "08047200", "08057a00"); /* with the empty member */
    protocomm_device_wifi_retrying(fake.device, 2);
    expect(&fake, "prov-config", "5200", "08015a06100162020802");
    protocomm_device_wifi_retrying(fake.device, 0);
    expect(&fake, "prov-config", "5200", "08015a0410016200");
    protocomm_device_wifi_connected(fake.device, &facts);
    expect(&fake, "prov-config", "5200",
           "08015a215a1f0a0b3139322e3136382e312e3710031a04686f6d652206aabbccddeeff2806");
    fake_free(&fake);
}

static void failures_may_be_tried_again(void **state)
{
    fake_t fake;

    (void)state;
    begin(&fake);
    expect(&fake, "prov-config", SET_WRONG, "08036a00");
    expect(&fake, "prov-config", "0804", "08057a00");
    expect(&fake, "prov-config", "5200", "08015a0410035000");
    expect(&fake, "prov-config", "5200", "08015a0410035000"); /* stays readable */
    /* again in the same session */
    expect(&fake, "prov-config", SET_NOWHERE, "08036a00");
    expect(&fake, "prov-config", "5200", "08015a0410035000"); /* Set alone changes nothing */
    expect(&fake, "prov-config", "0804", "08057a00");
    expect(&fake, "prov-config", "5200", "08015a0410035001");
    /* and in a new one */
    protocomm_device_open(fake.device, 1);
    expect(&fake, "prov-scan", "52020801", "08015a00");
    expect(&fake, "prov-config", SET_RIGHT, "08036a00");
    expect(&fake, "prov-config", "0804", "08057a00");
    expect(&fake, "prov-ctrl", "08015a00", "080210056200"); /* joined: nothing to reset */
    assert_int_equal(fake.applies, 3);
    fake_free(&fake);
}

static void apply_rules(void **state)
{
    fake_t fake;

    (void)state;
    begin(&fake);
    fake.apply_later = true;
    expect(&fake, "prov-config", "0804", "08057a020805"); /* nothing was Set */
    expect(&fake, "prov-config", SET_WRONG, "08036a00");
    expect(&fake, "prov-config", SET_RIGHT, "08036a00"); /* overwrites */
    expect(&fake, "prov-config", "0804", "08057a00");
    assert_string_equal(fake.credentials.passphrase, "wonderland");
    expect(&fake, "prov-config", SET_RIGHT, "08036a00");
    expect(&fake, "prov-config", "0804", "08057a020805"); /* credentials were received already */
    expect(&fake, "prov-ctrl", "0801", "080210056200");
    fake_outcome(&fake);
    expect(&fake, "prov-config", SET_RIGHT, "08036a00");
    expect(&fake, "prov-config", "0804", "08057a020805"); /* joined */
    assert_int_equal(fake.applies, 1);
    fake_free(&fake);

    begin(&fake);
    fake.apply_fails = true;
    expect(&fake, "prov-config", SET_RIGHT, "08036a00");
    expect(&fake, "prov-config", "0804", "08057a020805");
    fake.apply_fails = false;
    expect(&fake, "prov-config", "0804", "08057a020805"); /* Apply forgets what was Set */
    expect(&fake, "prov-config", SET_RIGHT, "08036a00");
    expect(&fake, "prov-config", "0804", "08057a00");
    fake_free(&fake);
}

/* The device goes on trying: the client reads Connecting, and may begin anew. */
static void endless_attempt(void **state)
{
    fake_t fake;

    (void)state;
    begin(&fake);
    fake.apply_later = true;
    expect(&fake, "prov-config", SET_RIGHT, "08036a00");
    expect(&fake, "prov-config", "0804", "08057a00");
    protocomm_device_wifi_failed(fake.device, PROTOCOMM_FAIL_OTHER);
    expect(&fake, "prov-config", "5200", "08015a021001");
    expect(&fake, "prov-ctrl", "08015a00", "08026200");
    assert_int_equal(fake.resets, 1);
    fake_outcome(&fake); /* too late: it was reset */
    expect(&fake, "prov-config", "5200", "08015a021001");
    expect(&fake, "prov-config", SET_RIGHT, "08036a00");
    expect(&fake, "prov-config", "0804", "08057a00");
    protocomm_device_wifi_failed(fake.device, PROTOCOMM_FAIL_OTHER);
    fake_outcome(&fake); /* it got in after all */
    expect(&fake, "prov-ctrl", "0801", "080210056200");
    fake_free(&fake);
}

/* ssid, passphrase and bssid of the given lengths. */
static void set_lengths(fake_t *fake, size_t ssid, size_t pass, size_t bssid, const char *answer)
{
    char hex[1024];
    size_t inner = 2 + ssid + 2 + pass + 2 + bssid;
    int at = inner < 128
                 ? snprintf(hex, sizeof hex, "080262%02zx", inner)
                 : snprintf(hex, sizeof hex, "080262%02zx%02zx", (inner & 127) | 128, inner >> 7);
    const struct {
        int tag;
        size_t len;
    } fields[] = {{0x0a, ssid}, {0x12, pass}, {0x1a, bssid}};

    for (int f = 0; f < 3; f++) {
        at +=
            snprintf(hex + at, sizeof hex - (size_t)at, "%02x%02zx", fields[f].tag, fields[f].len);
        for (size_t i = 0; i < fields[f].len; i++)
            at += snprintf(hex + at, sizeof hex - (size_t)at, "61");
    }
    expect(fake, "prov-config", hex, answer);
}

static void set_rules(void **state)
{
    fake_t fake;

    (void)state;
    begin(&fake);
    set_lengths(&fake, 32, 63, 6, "08036a00");
    set_lengths(&fake, 33, 8, 0, "08036a020804");
    set_lengths(&fake, 8, 64, 0, "08036a020804");
    set_lengths(&fake, 8, 8, 5, "08036a020804");
    set_lengths(&fake, 8, 8, 7, "08036a020804");
    set_lengths(&fake, 8, 0, 0, "08036a00");
    /* texts end at their first NUL, as in ESP-IDF */
    expect(&fake, "prov-config", "0802620b0a0461620063120361620a", "08036a00");
    expect(&fake, "prov-config", "0804", "08057a00");
    assert_string_equal(fake.credentials.ssid, "ab");
    expect_failure(&fake, "prov-config", "0802");     /* Set without content */
    expect_failure(&fake, "prov-config", "08025200"); /* with another one's */
    expect_failure(&fake, "prov-config", "0801");     /* a response */
    expect_failure(&fake, "prov-config", "080c");     /* unknown */
    expect_failure(&fake, "prov-config", "08ffffffffffffffffff01");
    expect_failure(&fake, "prov-config", "0802621a0a"); /* cut off */
    fake_free(&fake);
}

/* A Wi-Fi device knows the Thread commands and says that they make no sense here. */
static void thread_commands(void **state)
{
    fake_t fake;

    (void)state;
    begin(&fake);
    expect(&fake, "prov-config", "0806", "08078a01020804");
    expect(&fake, "prov-config", "0808920100", "08099a01020804");
    expect_failure(&fake, "prov-config", "0808");
    expect(&fake, "prov-config", "080a", "080baa01020804");
    expect(&fake, "prov-scan", "0806820100", "080710048a0100");
    expect_failure(&fake, "prov-scan", "0806");
    expect(&fake, "prov-scan", "0808", "080910049a0100");
    expect(&fake, "prov-scan", "080aa201021004", "080b1004aa0100");
    expect_failure(&fake, "prov-scan", "080a");
    expect_failure(&fake, "prov-scan", "080aa201021011");
    expect(&fake, "prov-ctrl", "0805", "08061004820100");
    expect(&fake, "prov-ctrl", "0807", "08081004920100");
    fake_free(&fake);
}

/* -- prov-scan ------------------------------------------------------------------------------- */

static void scan(void **state)
{
    fake_t fake;

    (void)state;
    begin(&fake);
    expect(&fake, "prov-scan", "0802", "08036a020801"); /* nothing scanned yet: finished, 0 */
    expect_failure(&fake, "prov-scan", "080472021001"); /* a page would be empty */
    expect(&fake, "prov-scan", "520408012078", "08015a00");
    assert_int_equal(fake.how.period_ms, 120);
    assert_int_equal(fake.how.group_channels, 0);
    expect(&fake, "prov-scan", "0802", "08036a0408011002");
    expect(&fake, "prov-scan", "080472021001",
           "08057a250a230a0a416c6963652d486f6d65100618d3ffffffffffffffff012206020000000001"
           "2803");
    /* more than there are: what there is, and InternalError */
    expect(&fake, "prov-scan", "0804720408011004",
           "080510057a230a210a0a4f70656e2d4775657374100118baffffffffffffffff012206020000000002");
    expect_failure(&fake, "prov-scan", "0804720408021001"); /* beyond the last */
    expect_failure(&fake, "prov-scan", "080472021000");     /* none asked for */
    expect_failure(&fake, "prov-scan", "080472021011");     /* 17 */
    expect_failure(&fake, "prov-scan", "0804720408101001"); /* index 16 */
    expect_failure(&fake, "prov-scan", "0804720808ffffffff0f1001");
    expect_failure(&fake, "prov-scan",
                   "08047206"
                   "10ffffffff0f");
    expect_failure(&fake, "prov-scan", "0804"); /* without content */
    expect_failure(&fake, "prov-scan", "");     /* ScanStart without content */
    expect_failure(&fake, "prov-scan", "0801");
    expect_failure(&fake, "prov-scan", "080c");
    fake_free(&fake);
}

static void scan_keeps_the_strongest(void **state)
{
    fake_t fake;
    uint8_t out[CAP];
    size_t len;

    (void)state;
    begin(&fake);
    fake.network_count = 24;
    for (int i = 0; i < 24; i++) {
        protocomm_network_t n = {
            .ssid_len = 2, .channel = 1, .rssi = (int8_t)(-90 + i * 7 % 24), .auth = (uint8_t)i};
        n.ssid[0] = 'n';
        n.ssid[1] = (uint8_t)('a' + i * 7 % 24);
        fake.networks[i] = n;
    }
    expect(&fake, "prov-scan", "52020801", "08015a00");
    expect(&fake, "prov-scan", "0802", "08036a0408011010"); /* 16 */
    assert_int_equal(send_hex(&fake, "prov-scan", "080472021010", out, &len), PROTOCOMM_ANSWER);
    int seen = 0;
    for (size_t i = 0; i + 3 < len; i++)
        if (out[i] == 0x0a && out[i + 1] == 2 && out[i + 2] == 'n') {
            assert_int_equal(out[i + 3], 'a' + 23 - seen); /* strongest first */
            seen++;
        }
    assert_int_equal(seen, 16);
    for (size_t i = 0; i + 1 < len; i++) /* auth, after a bssid of zeros */
        if (out[i] == 0x28 && i > 6 && out[i - 1] == 0 && out[i - 6] == 0)
            assert_true(out[i + 1] <= 7);
    fake_free(&fake);
}

static int later_calls;
static size_t later_len;
static bool later_ok;

static void on_later(void *ctx, const uint8_t *data, size_t len)
{
    (void)ctx;
    later_calls++;
    later_ok = data != NULL;
    later_len = len;
}

static void blocking_scan_answers_later(void **state)
{
    fake_t fake;
    uint8_t out[CAP];
    size_t len;

    (void)state;
    begin(&fake);
    later_calls = 0;
    protocomm_device_on_later(fake.device, on_later, NULL);
    fake.scan_later = true;
    assert_int_equal(send_hex(&fake, "prov-scan", "52020801", out, &len), PROTOCOMM_LATER);
    expect_failure(&fake, "prov-config", "5200"); /* one thing at a time */
    assert_int_equal(later_calls, 0);
    fake_scan_done(&fake);
    assert_int_equal(later_calls, 1);
    assert_true(later_ok);
    assert_int_equal(later_len, 4);
    fake_scan_done(&fake); /* unasked: ignored */
    assert_int_equal(later_calls, 1);
    /* not blocking: not finished, then finished; a second start is answered at once */
    expect(&fake, "prov-scan", "5200", "08015a00");
    expect(&fake, "prov-scan", "0802", "08036a00");
    expect(&fake, "prov-scan", "52020801", "08015a00");
    assert_int_equal(fake.scans, 2);
    fake_scan_done(&fake);
    expect(&fake, "prov-scan", "0802", "08036a0408011002");
    /* a new session ends the wait */
    assert_int_equal(send_hex(&fake, "prov-scan", "52020801", out, &len), PROTOCOMM_LATER);
    protocomm_device_open(fake.device, 2);
    assert_int_equal(later_calls, 2);
    assert_false(later_ok);
    fake_free(&fake);
}

static void scan_after_apply(void **state)
{
    fake_t fake;

    (void)state;
    begin(&fake);
    fake.apply_later = true;
    expect(&fake, "prov-config", SET_RIGHT, "08036a00");
    expect(&fake, "prov-config", "0804", "08057a00");
    expect(&fake, "prov-scan", "52020801", "080110055a00");
    fake.scan_fails = true;
    protocomm_device_wifi_failed(fake.device, PROTOCOMM_FAIL_AUTH);
    expect(&fake, "prov-scan", "52020801", "080110055a00"); /* the radio says no */
    expect(&fake, "prov-scan", "0802", "08036a020801");
    fake_free(&fake);
}

/* -- prov-ctrl, custom endpoints, sessions --------------------------------------------------- */

static void ctrl(void **state)
{
    fake_t fake;

    (void)state;
    begin(&fake);
    expect(&fake, "prov-ctrl", "08015a00", "08026200"); /* fresh: OK */
    expect(&fake, "prov-ctrl", "08036a00", "080410057200");
    expect_failure(&fake, "prov-ctrl", "");
    expect_failure(&fake, "prov-ctrl", "0802");
    expect_failure(&fake, "prov-ctrl", "0809");
    expect_failure(&fake, "prov-ctrl", "ff");
    assert_int_equal(fake.resets, 1);
    fake_free(&fake);
}

static void custom_endpoints(void **state)
{
    fake_t fake;

    (void)state;
    begin(&fake);
    expect(&fake, "cradle-info", "7b7d", "7b2276223a312c22736e223a22534e2d303030303031227d");
    expect_failure(&fake, "cradle-claim", "74"); /* refused without encryption */
    assert_int_equal(fake.claims, 0);
    expect_failure(&fake, "custom-data", "74");
    assert_true(protocomm_device_has(fake.device, "cradle-info"));
    assert_false(protocomm_device_has(fake.device, "cradle-inf"));
    assert_false(protocomm_device_endpoint(fake.device, "prov-scan", false, NULL, NULL, NULL));
    assert_false(protocomm_device_endpoint(fake.device, "cradle-info", false, NULL, NULL, NULL));
    assert_false(protocomm_device_endpoint(fake.device, "", false, NULL, NULL, NULL));
    fake_free(&fake);
}

static void sessions(void **state)
{
    fake_t fake;
    uint8_t out[CAP];
    size_t len;
    const protocomm_security_t secure = {.version = 1};

    (void)state;
    fake_init(&fake, &plain);
    assert_int_equal(send_hex(&fake, "prov-config", "5200", out, &len), PROTOCOMM_FAILED);
    protocomm_device_open(fake.device, 2);
    assert_int_equal(send_hex(&fake, "prov-config", "5200", out, &len), PROTOCOMM_FAILED);
    protocomm_device_open(fake.device, 1);
    expect(&fake, "prov-config", "5200", "08015a021001");
    protocomm_device_close(fake.device, 2); /* not the open one */
    expect(&fake, "prov-session", "5203a20100", "52050801aa0100");
    expect_failure(&fake, "prov-session", "10015a00"); /* security 1 */
    protocomm_device_close(fake.device, 1);
    assert_int_equal(send_hex(&fake, "prov-config", "5200", out, &len), PROTOCOMM_FAILED);
    fake_free(&fake);

    fake_init(&fake, &secure);
    protocomm_device_open(fake.device, 1);
    assert_int_equal(send_hex(&fake, "prov-config", "5200", out, &len), PROTOCOMM_FAILED);
    assert_int_equal(fake.sessions, 0);
    fake_free(&fake);
}

/* Every cut and every flipped bit of the commands: an answer or a failure, never a crash; and what
   is not a Set never changes the credentials. */
static void damaged_commands(void **state)
{
    static const char *const commands[][2] = {
        {"prov-config", SET_RIGHT},    {"prov-config", "0804"},       {"prov-config", "5200"},
        {"prov-scan", "520408012078"}, {"prov-scan", "080472021004"}, {"prov-ctrl", "08015a00"}};
    fake_t fake;
    uint8_t in[64], out[CAP];
    size_t len;

    (void)state;
    begin(&fake);
    for (size_t c = 0; c < sizeof commands / sizeof commands[0]; c++) {
        size_t in_len = strlen(commands[c][1]) / 2;
        for (size_t k = 0; k < 9 * in_len; k++) {
            bytes_from_hex(commands[c][1], 2 * in_len, in, in_len);
            size_t cut = k < in_len ? k : in_len;
            if (k >= in_len)
                in[(k - in_len) / 8] ^= (uint8_t)(1u << ((k - in_len) % 8));
            (void)protocomm_device_request(fake.device, 1, commands[c][0], in, cut, out, CAP, &len);
            assert_true(len <= CAP);
        }
    }
    fake_free(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proto_ver),
        cmocka_unit_test(connected),
        cmocka_unit_test(connected_example),
        cmocka_unit_test(failures_may_be_tried_again),
        cmocka_unit_test(apply_rules),
        cmocka_unit_test(endless_attempt),
        cmocka_unit_test(set_rules),
        cmocka_unit_test(thread_commands),
        cmocka_unit_test(scan),
        cmocka_unit_test(scan_keeps_the_strongest),
        cmocka_unit_test(blocking_scan_answers_later),
        cmocka_unit_test(scan_after_apply),
        cmocka_unit_test(ctrl),
        cmocka_unit_test(custom_endpoints),
        cmocka_unit_test(sessions),
        cmocka_unit_test(damaged_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

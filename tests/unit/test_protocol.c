/* SPDX-License-Identifier: Apache-2.0 */
/* The vectors of docs/protocol.md, read from that page: what it shows is what the code takes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "pki/cert.h"
#include "pki/csr.h"
#include "pki/key.h"
#include "pki/signer.h"
#include "statement/receipt.h"
#include "statement/statement.h"
#include "statement/ticket.h"

#define SITE "0123456789abcdef0123456789abcdef"

static char *page;

/* What stands in ```vector NAME; the caller frees it. */
static char *vector(const char *name)
{
    char fence[64];
    snprintf(fence, sizeof fence, "```vector %s\n", name);
    const char *at = strstr(page, fence);
    assert_non_null(at);
    at += strlen(fence);
    const char *end = strchr(at, '\n');
    assert_non_null(end);
    return strndup(at, (size_t)(end - at));
}

static size_t decode(const char *name, void *out, size_t cap)
{
    size_t len;
    char *text = vector(name);
    assert_true(bytes_from_base64url(text, strlen(text), out, cap, &len));
    free(text);
    return len;
}

static EVP_PKEY *key(const char *name)
{
    uint8_t spki[PKI_SPKI_MAX];
    EVP_PKEY *key;
    size_t len = decode(name, spki, sizeof spki);
    assert_true(pki_key_public_from_der(spki, len, &key, NULL));
    return key;
}

/* Opens it and verifies it with that key; with any other key it must fail. */
static void open_verified(jws_kind_t kind, const char *text, const char *by, jws_t *jws)
{
    uint8_t raw[JWS_RS256_MAX];
    uint8_t der[JWS_ES256_DER_MAX];
    size_t len;
    EVP_PKEY *right = key(by);
    EVP_PKEY *wrong = key("key-bench");
    assert_int_equal(jws_open(kind, text, strlen(text), jws), JWS_OK);
    assert_int_equal(jws_signature(jws, raw, sizeof raw, &len), JWS_OK);
    assert_int_equal(len, JWS_ES256_SIZE);
    len = jws_es256_to_der(raw, der);
    assert_true(pki_verify(right, jws->text, jws->signing_len, der, len));
    assert_false(pki_verify(wrong, jws->text, jws->signing_len, der, len));
    if (kind != JWS_STATEMENT) {
        char kid[PKI_KEY_ID_SIZE];
        assert_true(pki_key_id(right, kid, NULL));
        assert_string_equal(jws->kid, kid);
    }
    pki_key_free(right);
    pki_key_free(wrong);
}

static void counts_from(const uint8_t *bytes, uint8_t first, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(bytes[i], first + i);
    }
}

static void statement(const char *name, const char *by, const char *leaf, statement_method_t method,
                      statement_t *out, void *scratch)
{
    uint8_t hash[JWS_HASH_SIZE];
    jws_t jws;
    char *text = vector(name);
    open_verified(JWS_STATEMENT, text, by, &jws);
    assert_int_equal(statement_read(&jws, scratch, JWS_STATEMENT_MAX, out), JWS_OK);
    assert_int_equal(decode(leaf, hash, sizeof hash), sizeof hash);
    assert_memory_equal(out->signer, hash, sizeof hash);
    assert_int_equal(out->method, method);
    assert_true(jws_text_equal(out->site, jws_text(SITE)));
    assert_true(jws_text_equal(out->sn, jws_text("SN-000001")));
    counts_from(out->epoch, 0, JWS_EPOCH_SIZE);
    counts_from(out->nonce, 0x10, JWS_NONCE_SIZE);
    free(text);
}

static void test_statements(void **state)
{
    (void)state;
    char scratch[JWS_STATEMENT_MAX];
    statement_t s;
    pki_csr_t csr;
    statement("hello", "key-device", "leaf", STATEMENT_HELLO, &s, scratch);
    assert_int_equal(s.days, 1095);
    assert_true(jws_text_equal(s.firmware, jws_text("cradle-linux 1.0.0")));
    statement("claim", "key-device", "leaf", STATEMENT_CLAIM, &s, scratch);
    char *ticket = vector("ticket");
    assert_true(jws_text_equal(s.ticket, jws_text(ticket)));
    free(ticket);
    assert_true(pki_csr_read(s.csr.data, s.csr.len, &csr, NULL));
    assert_string_equal(csr.cn, "SN-000001");
    EVP_PKEY *pending = key("key-pending");
    assert_int_equal(EVP_PKEY_eq(csr.key, pending), 1);
    pki_key_free(pending);
    pki_key_free(csr.key);
    statement("commit", "key-pending", "leaf-pending", STATEMENT_COMMIT, &s, scratch);
}

static void test_ticket(void **state)
{
    (void)state;
    uint8_t secret[32];
    uint8_t mac[32];
    uint8_t shown[32];
    uint8_t input[TICKET_BINDING_INPUT_MAX];
    uint8_t hash[32];
    uint8_t epoch[JWS_EPOCH_SIZE];
    char scratch[JWS_TICKET_MAX];
    unsigned mac_len;
    size_t len;
    jws_t jws;
    ticket_t ticket;
    char *text = vector("ticket");
    for (size_t i = 0; i < sizeof secret; i++) {
        secret[i] = (uint8_t)(0xa0 + i);
    }
    for (size_t i = 0; i < sizeof epoch; i++) {
        epoch[i] = (uint8_t)i;
    }
    assert_int_equal(jws_open(JWS_TICKET, text, strlen(text), &jws), JWS_OK);
    HMAC(EVP_sha256(), secret, sizeof secret, (const unsigned char *)text, jws.signing_len, mac,
         &mac_len);
    assert_int_equal(jws_signature(&jws, shown, sizeof shown, &len), JWS_OK);
    assert_memory_equal(mac, shown, sizeof mac);
    assert_int_equal(ticket_read(&jws, scratch, sizeof scratch, &ticket), JWS_OK);
    assert_true(jws_text_equal(ticket.owner, jws_text("alice")));
    assert_int_equal(ticket.expires, 1767312000);
    counts_from(ticket.id, 0x20, JWS_NONCE_SIZE);
    assert_int_equal(
        ticket_binding_input(jws_text(SITE), jws_text("SN-000001"), epoch, input, &len), JWS_OK);
    assert_true(pki_sha256(input, len, hash, NULL));
    assert_memory_equal(ticket.binding, hash, TICKET_BINDING_SIZE);
    free(text);
}

static void test_answers(void **state)
{
    (void)state;
    char scratch[JWS_ANSWER_MAX_RSA];
    char says[JWS_STATEMENT_MAX];
    uint8_t hash[JWS_HASH_SIZE];
    uint8_t leaf[JWS_HASH_SIZE];
    jws_t jws;
    answer_t answer;
    statement_t asked;
    char *text = vector("stream");
    open_verified(JWS_ANSWER, text, "key-steward", &jws);
    assert_int_equal(answer_read(&jws, scratch, sizeof scratch, &answer), JWS_OK);
    assert_int_equal(answer.result, ANSWER_STREAM);
    decode("leaf", leaf, sizeof leaf);
    assert_memory_equal(answer.leaf, leaf, sizeof leaf);
    statement("hello", "key-device", "leaf", STATEMENT_HELLO, &asked, says);
    assert_int_equal(answer_check(&answer, &asked), ANSWER_OURS);
    free(text);

    text = vector("granted");
    open_verified(JWS_ANSWER, text, "key-steward", &jws);
    assert_int_equal(answer_read(&jws, scratch, sizeof scratch, &answer), JWS_OK);
    assert_int_equal(answer.result, ANSWER_GRANTED);
    assert_int_equal(answer_check(&answer, &asked), ANSWER_WRONG_METHOD);
    assert_true(pki_sha256(answer.chain[0].data, answer.chain[0].len, hash, NULL));
    decode("leaf-pending", leaf, sizeof leaf);
    assert_memory_equal(hash, leaf, sizeof leaf);
    free(text);
}

static void test_bundle(void **state)
{
    (void)state;
    char scratch[JWS_BUNDLE_MAX];
    uint8_t spki[BUNDLE_SPKI_SIZE];
    jws_t jws;
    bundle_t bundle;
    char *text = vector("bundle");
    open_verified(JWS_BUNDLE, text, "key-anchor", &jws);
    assert_int_equal(bundle_read(&jws, scratch, sizeof scratch, &bundle), JWS_OK);
    assert_int_equal(bundle.version, 1);
    assert_int_equal(decode("key-steward", spki, sizeof spki), sizeof spki);
    assert_memory_equal(bundle.steward.data, spki, sizeof spki);
    decode("key-bench", spki, sizeof spki);
    assert_memory_equal(bundle.bench.data, spki, sizeof spki);
    assert_true(bundle_replaces(&bundle, jws_text(SITE), 0));
    assert_false(bundle_replaces(&bundle, jws_text(SITE), 1));
    free(text);
}

static void test_receipt(void **state)
{
    (void)state;
    char scratch[JWS_RECEIPT_MAX];
    jws_t jws;
    receipt_t receipt;
    char *text = vector("receipt");
    open_verified(JWS_RECEIPT, text, "key-steward", &jws);
    assert_int_equal(receipt_read(&jws, scratch, sizeof scratch, &receipt), JWS_OK);
    assert_int_equal(receipt.line_count, 3);
    assert_int_equal(receipt.lines[0].count, 12);
    assert_int_equal(receipt.lines[2].state, RECEIPT_RETAINED);
    counts_from(receipt.id, 0x20, JWS_NONCE_SIZE);
    free(text);
}

int main(void)
{
    size_t len;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements), cmocka_unit_test(test_ticket),
        cmocka_unit_test(test_answers),    cmocka_unit_test(test_bundle),
        cmocka_unit_test(test_receipt),
    };
    if (!file_read("docs/protocol.md", 1 << 20, &page, &len, NULL)) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(page);
    return failed;
}

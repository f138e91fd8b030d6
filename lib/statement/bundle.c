/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "statement/bundle.h"
#include "statement/member.h"
#include "statement/writer.h"

/* SubjectPublicKeyInfo of an uncompressed P-256 point (RFC 5480), up to and with the 0x04. */
static const uint8_t SPKI[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                               0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                               0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};

typedef struct {
    bundle_t say;
    int64_t format;
    jws_text_t steward_kid;
    jws_text_t bench_kid;
} raw_t;

enum { BID = 1 << 7, BK = 1 << 8, NEEDED = 0x7f };

#define SAY(member) offsetof(raw_t, say.member)

static const member_t ROWS[] = {
    {"v", MEMBER_INT, 0, 0, offsetof(raw_t, format), 0, UINT32_MAX},
    {"aud", MEMBER_TEXT, ALPHABET_HEX, 0, SAY(site), JWS_SITE_LEN, JWS_SITE_LEN},
    {"bv", MEMBER_INT, 0, 0, SAY(version), 1, UINT32_MAX},
    {"iat", MEMBER_INT, 0, 0, SAY(issued), 1, UINT32_MAX},
    {"anchors", MEMBER_BLOBS, 0, BUNDLE_ANCHORS_MAX, SAY(anchors), 1, ANSWER_CERT_MAX},
    {"sid", MEMBER_TEXT, ALPHABET_HEX, 0, offsetof(raw_t, steward_kid), JWS_KID_LEN, JWS_KID_LEN},
    {"sk", MEMBER_BLOB, 0, 0, SAY(steward), BUNDLE_SPKI_SIZE, BUNDLE_SPKI_SIZE},
    {"bid", MEMBER_TEXT, ALPHABET_HEX, 0, offsetof(raw_t, bench_kid), JWS_KID_LEN, JWS_KID_LEN},
    {"bk", MEMBER_BLOB, 0, 0, SAY(bench), BUNDLE_SPKI_SIZE, BUNDLE_SPKI_SIZE},
};
static const member_table_t TABLE = {ROWS, sizeof(ROWS) / sizeof(ROWS[0]), false};

static bool key_good(jws_bytes_t key)
{
    return key.len == BUNDLE_SPKI_SIZE && memcmp(key.data, SPKI, sizeof(SPKI)) == 0;
}

/* One key must not be both: the bench's could then do what the steward's may. */
static const char *find_fault(const bundle_t *bundle)
{
    if (!key_good(bundle->steward)) {
        return "sk";
    }
    if (bundle->bench.len == 0) {
        return NULL;
    }
    if (!key_good(bundle->bench) ||
        memcmp(bundle->bench.data, bundle->steward.data, BUNDLE_SPKI_SIZE) == 0) {
        return "bk";
    }
    return strcmp(bundle->bench_kid, bundle->steward_kid) == 0 ? "bid" : NULL;
}

jws_result_t bundle_write(const bundle_t *bundle, char *out, size_t cap, size_t *len)
{
    writer_t writer;
    writer_begin(&writer, JWS_BUNDLE, JWS_ES256, NULL, bundle->kid, out, cap);
    writer_int(&writer, "v", 1, 1, 1);
    writer_text(&writer, "aud", bundle->site, ALPHABET_HEX, JWS_SITE_LEN, JWS_SITE_LEN);
    writer_int(&writer, "bv", bundle->version, 1, BUNDLE_VERSION_MAX);
    writer_int(&writer, "iat", bundle->issued, 1, UINT32_MAX);
    if (bundle->anchor_count < 1 || bundle->anchor_count > BUNDLE_ANCHORS_MAX) {
        writer_unsuitable(&writer);
    } else {
        writer_blobs(&writer, "anchors", bundle->anchors, bundle->anchor_count, 1, ANSWER_CERT_MAX);
    }
    writer_text(&writer, "sid", jws_text(bundle->steward_kid), ALPHABET_HEX, JWS_KID_LEN,
                JWS_KID_LEN);
    writer_blob(&writer, "sk", bundle->steward, BUNDLE_SPKI_SIZE, BUNDLE_SPKI_SIZE);
    if (bundle->bench.len > 0) {
        writer_text(&writer, "bid", jws_text(bundle->bench_kid), ALPHABET_HEX, JWS_KID_LEN,
                    JWS_KID_LEN);
        writer_blob(&writer, "bk", bundle->bench, BUNDLE_SPKI_SIZE, BUNDLE_SPKI_SIZE);
    }
    if (find_fault(bundle) != NULL) {
        writer_unsuitable(&writer);
    }
    return writer_end(&writer, len);
}

jws_result_t bundle_read(jws_t *jws, void *scratch, size_t cap, bundle_t *bundle)
{
    raw_t raw;
    uint32_t seen;
    memset(&raw, 0, sizeof(raw));
    jws_result_t result = member_read_payload(jws, &TABLE, scratch, cap, &raw, &seen);
    if (result != JWS_OK) {
        return result;
    }
    if ((seen & 1) != 0 && raw.format != 1) {
        return JWS_VERSION;
    }
    uint32_t need = NEEDED | ((seen & (BID | BK)) != 0 ? BID | BK : 0); /* both or none */
    result = member_expect(&TABLE, seen, need, 0, &jws->fault);
    if (result != JWS_OK) {
        return result;
    }
    memcpy(raw.say.steward_kid, raw.steward_kid.text, JWS_KID_LEN);
    if ((seen & BID) != 0) {
        memcpy(raw.say.bench_kid, raw.bench_kid.text, JWS_KID_LEN);
    }
    while (raw.say.anchor_count < BUNDLE_ANCHORS_MAX &&
           raw.say.anchors[raw.say.anchor_count].len > 0) {
        raw.say.anchor_count++;
    }
    jws->fault = find_fault(&raw.say);
    if (jws->fault != NULL) {
        return JWS_MEMBER;
    }
    memcpy(raw.say.kid, jws->kid, sizeof(raw.say.kid));
    *bundle = raw.say;
    return JWS_OK;
}

bundle_signer_t bundle_find_key(const bundle_t *bundle, const char *kid, jws_bytes_t *spki)
{
    if (strcmp(kid, bundle->steward_kid) == 0) {
        if (spki != NULL) {
            *spki = bundle->steward;
        }
        return BUNDLE_STEWARD;
    }
    if (bundle->bench.len > 0 && strcmp(kid, bundle->bench_kid) == 0) {
        if (spki != NULL) {
            *spki = bundle->bench;
        }
        return BUNDLE_BENCH;
    }
    return BUNDLE_NOBODY;
}

bool bundle_may_answer(bundle_signer_t signer, const answer_t *answer, bool shipped)
{
    return signer == BUNDLE_STEWARD ||
           (signer == BUNDLE_BENCH && answer->result == ANSWER_STREAM && !shipped);
}

bool bundle_replaces(const bundle_t *bundle, jws_text_t site, int64_t highest)
{
    return jws_text_equal(bundle->site, site) && bundle->version > highest;
}

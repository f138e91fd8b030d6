/* SPDX-License-Identifier: Apache-2.0 */
/* What a label says: claim code and QR code. */
#include "factory/label.h"

#include <ctype.h>
#include <errno.h>
#include <qrencode.h>
#include <stdio.h>
#include <string.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "json/json.h"
#include "pki/cert.h"

#define ALPHABET_LEN (sizeof LABEL_CODE_ALPHABET - 1)
/* Random bytes at or above this are thrown away, so that no character is likelier. */
#define FAIR (256 - 256 % ALPHABET_LEN)

bool label_code_draw(char code[LABEL_CODE_LEN + 1], err_t *err)
{
    size_t len = 0;
    while (len < LABEL_CODE_LEN) {
        uint8_t byte;
        if (RAND_bytes(&byte, 1) != 1) {
            return err_set(err, ERR_SYSTEM, "no random numbers for a claim code");
        }
        if (byte < FAIR) {
            code[len++] = LABEL_CODE_ALPHABET[byte % ALPHABET_LEN];
        }
    }
    code[len] = '\0';
    return true;
}

bool label_code_hash(const char *code, char hex[65], err_t *err)
{
    uint8_t hash[32];
    return pki_sha256(code, strlen(code), hash, err) && bytes_to_hex(hash, sizeof hash, hex, 65);
}

bool label_qr_text(const label_t *label, char out[LABEL_QR_TEXT_MAX], err_t *err)
{
    json_writer_t w;
    if (label->pop[0] == '\0') {
        snprintf(out, LABEL_QR_TEXT_MAX, "%s", label->sn);
        return true;
    }
    json_writer_init(&w, out, LABEL_QR_TEXT_MAX);
    json_object(&w);
    json_key(&w, "ver");
    json_put_string(&w, "v1");
    json_key(&w, "name");
    json_put_string(&w, label->service);
    if (label->security == 2) {
        json_key(&w, "username");
        json_put_string(&w, "wifiprov");
    }
    json_key(&w, "pop");
    json_put_string(&w, label->pop);
    json_key(&w, "transport");
    json_put_string(&w, "ble");
    json_end(&w);
    return json_writer_done(&w, NULL) ||
           err_set(err, ERR_USAGE, "the proof of possession of %s is too long for a QR code",
                   label->sn);
}

bool label_qr_make(const char *text, label_qr_t *qr, err_t *err)
{
    /* It takes the denser modes by itself where the text allows them. */
    QRcode *code = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
    if (code == NULL) {
        return err_errno(err, "no QR code can be made of %zu characters", strlen(text));
    }
    bool ok = code->width <= LABEL_QR_SIDE_MAX;
    qr->side = code->width;
    for (int i = 0; ok && i < qr->side * qr->side; i++) {
        qr->dark[i] = code->data[i] & 1; /* the other bits say what a module is for */
    }
    bytes_wipe(code->data, (size_t)code->width * (size_t)code->width);
    QRcode_free(code);
    return ok || err_set(err, ERR_USAGE, "a QR code of %zu characters is too large for a label",
                         strlen(text));
}

bool label_pair_parse(const char *text, bool fraction, double *x, double *y)
{
    double *value[2] = {x, y};
    for (int i = 0; i < 2; i++) {
        double unit = 1;
        int digits = 0;
        *value[i] = 0;
        for (; isdigit((unsigned char)*text) && digits < 4; text++, digits++) {
            *value[i] = *value[i] * 10 + (*text - '0');
        }
        if (fraction && digits > 0 && *text == '.' && isdigit((unsigned char)text[1])) {
            for (text++; isdigit((unsigned char)*text) && unit > 0.005; text++) {
                unit /= 10;
                *value[i] += unit * (*text - '0');
            }
        }
        if (digits == 0 || *text != (i == 0 ? 'x' : '\0')) {
            return false;
        }
        text += i == 0;
    }
    return true;
}

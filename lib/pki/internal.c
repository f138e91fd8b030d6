/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "pki/cert.h"

bool pki_fail(err_t *err, err_kind_t kind, const char *format, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* The first entry is the cause; what follows is how it went up the stack. */
    unsigned long code = ERR_get_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
    ERR_clear_error();
    if (reason == NULL) {
        return err_set(err, kind, "%s", text);
    }
    return err_set(err, kind, "%s (%s)", text, reason);
}

bool pki_cn_valid(const char *cn)
{
    size_t len = strlen(cn);
    if (len == 0 || len > PKI_CN_MAX || cn[0] == ' ' || cn[len - 1] == ' ') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (cn[i] < 0x20 || cn[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

/* Days from 1970-01-01 to the first of March of that year and on: the calendar without timegm,
   which some C libraries bound by a 32-bit time_t. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static bool time_to_seconds(const ASN1_TIME *time, int64_t *seconds)
{
    struct tm tm;
    if (time == NULL || ASN1_TIME_to_tm(time, &tm) != 1) {
        return false;
    }
    *seconds = days_from_civil((int64_t)tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) * 86400 +
               tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec;
    return true;
}

bool pki_cert_dates(const X509 *cert, int64_t *not_before, int64_t *not_after)
{
    return time_to_seconds(X509_get0_notBefore(cert), not_before) &&
           time_to_seconds(X509_get0_notAfter(cert), not_after);
}

bool pki_cert_is_ca(X509 *cert)
{
    uint32_t flags = X509_get_extension_flags(cert);
    if (X509_get_version(cert) != 2 || (flags & EXFLAG_INVALID) != 0) {
        return false;
    }
    /* X509_check_ca would also say yes to a self-signed v1 certificate: not here. */
    bool usage = (flags & EXFLAG_KUSAGE) == 0 || (X509_get_key_usage(cert) & KU_KEY_CERT_SIGN) != 0;
    return (flags & EXFLAG_BCONS) != 0 && (flags & EXFLAG_CA) != 0 && usage;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP request parser. What is complete must stay so, with the same meaning, whatever follows.
 */
#include <stdlib.h>
#include <string.h>

#include "protocomm/http_request.h"
#include "protocomm/httpd_session.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    http_request_t whole, cut;

    if (http_request_parse((const char *)data, size, &whole) != HTTP_COMPLETE)
        return 0;
    if (whole.head_len > size || whole.target[0] != '/' || strlen(whole.cookie) > HTTP_COOKIE_MAX)
        abort();
    if (http_request_parse((const char *)data, whole.head_len, &cut) != HTTP_COMPLETE ||
        memcmp(&cut, &whole, sizeof cut) != 0)
        abort();
    if (http_request_parse((const char *)data, whole.head_len - 1, &cut) != HTTP_MORE)
        abort();
    return 0;
}

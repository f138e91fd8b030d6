/* SPDX-License-Identifier: Apache-2.0 */
/* read_codes: prints what the QR codes in PNG files say, one a line, as zbar reads them. For test
   scripts; a file without a code is an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "../unit/label_fixture.h"

static int read_file(const char *path)
{
    static char text[1 << 16];
    err_t err = ERR_INIT;
    char *data;
    size_t len;
    if (!file_read(path, 64u << 20, &data, &len, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    size_t count = label_read_codes((const uint8_t *)data, len, text, sizeof text);
    free(data);
    fputs(text, stdout);
    if (count == 0) {
        fprintf(stderr, "%s: no QR code\n", path);
    }
    return count == 0;
}

int main(int argc, char **argv)
{
    int code = argc < 2;
    for (int i = 1; i < argc; i++) {
        code |= read_file(argv[i]);
    }
    return code;
}

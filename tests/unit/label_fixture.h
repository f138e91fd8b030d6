/* SPDX-License-Identifier: Apache-2.0 */
/* label_fixture: reads QR codes with zbar, somebody else's reader. A picture that cannot be read
   fails the running test. */
#ifndef CRADLE_TESTS_LABEL_FIXTURE_H
#define CRADLE_TESTS_LABEL_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

/* How many codes are in a PNG; the texts go into `out`, each with a line end. */
size_t label_read_codes(const uint8_t *png, size_t len, char *out, size_t cap);

#endif

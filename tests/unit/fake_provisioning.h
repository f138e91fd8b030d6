/* SPDX-License-Identifier: Apache-2.0 */
/* A device for the provisioning tests: some networks in the air, an outcome for each Apply, and
   counters of what the protocol asked it to do. Everything happens when the test says so. */
#ifndef TESTS_FAKE_PROVISIONING_H
#define TESTS_FAKE_PROVISIONING_H

#include "protocomm/device.h"

typedef struct {
    protocomm_device_t *device;
    /* what the test sets */
    bool scan_later;  /* scan_start does not report by itself: call fake_scan_done */
    bool scan_fails;  /* scan_start says no                                        */
    bool apply_later; /* apply does not report by itself: call fake_outcome        */
    bool apply_fails; /* apply says no                                             */
    size_t network_count;
    protocomm_network_t networks[24];
    const char *password; /* of every network that is not open */
    /* what the device was asked */
    protocomm_scan_t how;
    protocomm_credentials_t credentials;
    int scans, applies, resets, finished, sessions, refused;
    err_t why;              /* of the last refusal */
    char info[512];         /* what the endpoint cradle-info answers; "": its handler fails */
    char claim_answer[128]; /* what cradle-claim answers                                    */
    char ticket[229];       /* what it was handed last                                      */
    int claims;
    int claim_applies; /* `applies` when that was */
} fake_t;

/* Two networks: "Alice-Home" (WPA2, channel 6, -45 dBm) and "Open-Guest" (open, 1, -70); endpoints
   cradle-info and (secured) cradle-claim. */
void fake_init(fake_t *fake, const protocomm_security_t *security);
/* The same without the two: a board of another make. */
void fake_init_plain(fake_t *fake, const protocomm_security_t *security);
void fake_free(fake_t *fake);

void fake_scan_done(fake_t *fake);
void fake_outcome(fake_t *fake); /* of the credentials applied last */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device that can be provisioned and does nothing else, for peers that speak security versions
 * which a factory unit is not made with.
 *
 *     provisioning_board SECURITY SECRET [PATCH [INFO]]
 *
 * SECRET is a fixed text of the test ("" for none), user name wifiprov. Prints its address, then a
 * line for each refused request, for each ticket and for the credentials that were proven. INFO is
 * what it says of itself (cradle-info). Ends after five minutes, whatever becomes of who started it.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/fake_provisioning.h"
#include "base/clock.h"
#include "protocomm/httpd.h"

#define LIFE_MS  300000
#define SCAN_MS  300 /* how long the radio takes */
#define APPLY_MS 700

typedef struct {
    fake_t fake;
    int scans, applies, refused, finished, claims; /* as seen last */
    uint64_t scan_at, apply_at;                    /* 0: nothing is due */
} board_t;

/* Lets the radio's work take its time, and says what happened. */
static void follow(board_t *b, uint64_t now)
{
    if (b->fake.scans != b->scans)
        b->scan_at = now + SCAN_MS;
    if (b->fake.applies != b->applies)
        b->apply_at = now + APPLY_MS;
    if (b->fake.refused != b->refused)
        printf("refused: %s\n", b->fake.why.text);
    if (b->fake.claims != b->claims)
        printf("ticket: %s\n", b->fake.ticket);
    if (b->fake.finished != b->finished)
        printf("proven: %s %s\n", b->fake.credentials.ssid, b->fake.credentials.passphrase);
    fflush(stdout);
    b->scans = b->fake.scans;
    b->applies = b->fake.applies;
    b->refused = b->fake.refused;
    b->finished = b->fake.finished;
    b->claims = b->fake.claims;
    if (b->scan_at && now >= b->scan_at) {
        b->scan_at = 0;
        fake_scan_done(&b->fake);
    }
    if (b->apply_at && now >= b->apply_at) {
        b->apply_at = 0;
        fake_outcome(&b->fake);
    }
}

static void serve(board_t *b, protocomm_httpd_t *httpd)
{
    const uint64_t end = clock_monotonic_ms() + LIFE_MS;

    while (clock_monotonic_ms() < end) {
        struct pollfd p = {protocomm_httpd_fd(httpd), POLLIN, 0};
        (void)poll(&p, 1, 50);
        protocomm_httpd_handle(httpd, clock_monotonic_ms());
        follow(b, clock_monotonic_ms());
    }
}

int main(int argc, char **argv)
{
    static board_t board;
    static uint8_t salt[16], verifier[PROTOCOMM_VERIFIER_LEN];
    const protocomm_random_t system_random = {0};
    err_t err = ERR_INIT;

    if (argc < 3) {
        fprintf(stderr, "usage: %s SECURITY SECRET [PATCH [INFO]]\n", argv[0]);
        return 2;
    }
    const protocomm_security_t security = {
        .version = atoi(argv[1]),
        .patch_version = argc > 3 ? atoi(argv[3]) : 1,
        .pop = (const uint8_t *)argv[2],
        .pop_len = strlen(argv[2]),
        .salt = salt,
        .salt_len = sizeof salt,
        .verifier = verifier,
    };
    if (security.version == 2 && !protocomm_srp_make_verifier("wifiprov", argv[2], &system_random,
                                                              salt, sizeof salt, verifier, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    fake_init(&board.fake, &security);
    if (argc > 4)
        snprintf(board.fake.info, sizeof board.fake.info, "%s", argv[4]);
    board.fake.scan_later = board.fake.apply_later = true;
    protocomm_httpd_t *httpd = protocomm_httpd_new(board.fake.device, "127.0.0.1", 0, NULL, &err);
    if (!httpd) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("%s\n", protocomm_httpd_address(httpd));
    fflush(stdout);
    serve(&board, httpd);
    protocomm_httpd_free(httpd);
    fake_free(&board.fake);
    return 0;
}

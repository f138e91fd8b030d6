/* SPDX-License-Identifier: Apache-2.0 */
/* The steward's owner API in a thread, over HTTPS, with answers that the test sets. One account:
   alice, "open sesame". Set and read its fields only while nobody calls it. */
#ifndef TESTS_FAKE_STEWARD_H
#define TESTS_FAKE_STEWARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define FAKE_STEWARD_TOKEN  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define FAKE_STEWARD_TICKET "aaaa.bbbb-_.cccc"
#define FAKE_STEWARD_LOOKS  8

typedef struct {
    /* what the test sets */
    const char *login_answer;  /* instead of the right one; NULL: the right one      */
    const char *ticket_answer; /* the same                                           */
    int ticket_status;         /* 200                                                */
    const char
        *looks[FAKE_STEWARD_LOOKS]; /* GET /api/device, one after the other; the last stays */
    const char *list_answer;        /* GET /api/devices, GET /api/receipts                */
    int list_status;                /* 200                                                */
    /* what was asked */
    int logins, tickets, looked, others;
    char asked[512];     /* the last request: method, path, query                */
    char body[1024];     /* its body                                             */
    char at_ticket[256]; /* the body of the last request for a ticket            */
    /* private */
    const char *cert, *key;
    char url[80];
    pthread_t thread;
    atomic_bool ready, stop;
} fake_steward_t;

/* Certificate and key files. fake->url is "https://127.0.0.1:PORT" afterwards. */
void fake_steward_start(fake_steward_t *fake, const char *cert, const char *key);
void fake_steward_stop(fake_steward_t *fake);

#endif

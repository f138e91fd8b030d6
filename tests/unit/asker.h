/* SPDX-License-Identifier: Apache-2.0 */
/*
 * asker: a client of an HTTP server that runs in the test's own thread. It dials, says one request
 * and runs the server's handler until the answer is whole; a failure of any of it fails the test.
 */
#ifndef CRADLE_TESTS_ASKER_H
#define CRADLE_TESTS_ASKER_H

#include "http/http.h"

#define ASKER_BODY_MAX (256 * 1024)

typedef struct {
    int status;
    char head[4096];           /* the status line and the fields, cut to fit */
    char body[ASKER_BODY_MAX]; /* NUL terminated */
} asker_answer_t;

typedef struct {
    const char *method;
    const char *path;
    const char *field;  /* "Authorization", before "Bearer " and */
    const char *bearer; /* NULL: the field is left out           */
    const char *body;   /* JSON; NULL: none                      */
} asker_request_t;

void asker_ask(http_server_t *server, const asker_request_t *request, asker_answer_t *answer);

#endif

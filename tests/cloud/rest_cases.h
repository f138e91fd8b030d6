/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest_cases: which of the recorded exchanges (tests/fixtures) are played, how each is asked here,
 * and why the others are not.
 *
 * In paths and bodies: %D the device's id, %N its name, %V its version, %P the profile that it was
 * made under, %O the operating profile, %K the customer, %C the product CA, %I the credentials' id,
 * %W their version, %L the login, %F a certificate that no device has, %X what the
 * credentials of another device hold, %A the alarm, %R the persistent call, %T a time in the future
 * (ms). Certificates are PEM with its line ends as \\n.
 */
#ifndef CRADLE_TESTS_REST_CASES_H
#define CRADLE_TESTS_REST_CASES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *name; /* as recorded */
    const char *method;
    const char *path;
    const char *body;  /* NULL: none */
    const char *first; /* POSTed to before, without a body; NULL: nothing */
    bool no_token;
    bool junk_token;
    bool lax;   /* only with --as-thingsboard; else it is answered 400 */
    bool exact; /* the values, too, are as recorded */
} rest_case_t;

extern const rest_case_t REST_CASES[];
extern const size_t REST_CASE_COUNT;

/* A trailing '*' stands for all that begin so. */
typedef struct {
    const char *name;
    const char *why;
} rest_left_out_t;

extern const rest_left_out_t REST_LEFT_OUT[];
extern const size_t REST_LEFT_OUT_COUNT;

#endif

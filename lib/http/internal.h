/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two halves of lib/http share: server.c (the caller's thread) and wire.c (the
 * libwebsockets thread). A job is a request on its way: made and filled by the wire, handed to the
 * caller through `waiting`, handed back through `replied`. Under the lock: the lists, the counts,
 * job->conn and conn->job. A job is owned by whoever's turn it is; who finds the other end gone
 * frees it.
 */
#ifndef CRADLE_HTTP_INTERNAL_H
#define CRADLE_HTTP_INTERNAL_H

#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"

typedef struct http_conn http_conn_t;
typedef struct http_job http_job_t;

typedef enum {
    JOB_FILLING, /* the wire collects the body            */
    JOB_WAITING, /* in the `waiting` list                 */
    JOB_HANDLED, /* the caller has it                     */
    JOB_REPLIED, /* in the `replied` list                 */
    JOB_SENDING, /* the wire sends the reply              */
} job_state_t;

struct http_job {
    http_request_t view; /* first: http_request_t * is http_job_t * */
    http_server_t *server;
    http_conn_t *conn; /* NULL: the client is gone */
    http_job_t *next;  /* in `waiting` or `replied` */
    http_job_t *all_next, *all_prev;
    job_state_t state;
    char *text; /* heap: path, query, headers, peer */
    char *body; /* heap */
    size_t body_cap;
    size_t counted; /* bytes of it counted in server->bodies */
    bool keep_alive;
    unsigned char *reply; /* heap: LWS_PRE bytes, head, body */
    size_t reply_len;     /* without LWS_PRE */
    size_t reply_sent;
};

/* One connection; belongs to the wire's thread. */
struct http_conn {
    struct lws *wsi;
    http_job_t *job;
    size_t expect;    /* body bytes still to come                                          */
    bool collecting;  /* the job waits for its body                                        */
    bool refused;     /* answered from here, perhaps before the body is complete           */
    bool sending;     /* answered by the caller                                            */
    bool body_coming; /* bytes of a body may still come                                   */
    bool unframed;    /* where the next request would begin is not known: close afterwards */
};

typedef struct {
    http_job_t *first, *last;
} job_list_t;

struct http_server {
    http_settings_t settings; /* its texts are copies below */
    char *cert_file, *key_file;
    char interface[64]; /* the address without the port; "" = all */
    bool v6;
    int port;
    char address[96];
    http_handler_t handler;
    void *ctx;

    struct lws_context *lws;
    struct lws_vhost *vhost;
    pthread_t thread;
    bool started;
    atomic_bool stop;
    unsigned connections; /* wire's thread only */
    atomic_size_t bodies; /* bytes of bodies in memory */

    int event_fd;
    pthread_mutex_t lock;
    job_list_t waiting, replied;
    http_job_t *all;
    unsigned live; /* jobs in `all` */
};

/* server.c */
http_job_t *http_job_new(http_server_t *server, http_conn_t *conn);
void http_job_free(http_job_t *job); /* takes the lock */
void http_job_deliver(http_job_t *job);
void http_job_orphan(http_job_t *job);                /* its connection is gone */
http_job_t *http_take_replied(http_server_t *server); /* NULL: no more; its conn is not NULL */
unsigned http_live(http_server_t *server);
/* Builds job->reply; does not hand it over. False when out of memory. */
bool http_job_answer(http_job_t *job, int status, const char *content_type, const void *body,
                     size_t len, const char *headers);

/* wire.c */
bool http_wire_open(http_server_t *server, err_t *err);
void *http_wire_run(void *server);
void http_wire_close(http_server_t *server);

#endif

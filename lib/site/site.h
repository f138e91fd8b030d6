/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site: a directory that holds one company's CAs, keys, custody, stores and settings. This library
 * knows where everything is, and nothing of what is in it, except cradle.json and the PKI files.
 *
 *     cradle.json                     settings; its presence makes the directory a site
 *     ca/NAME.crt                     root, product, line, renewal, server-root, server-issuing;
 *                                     rolled ones (site/ca.h); cloud-root, if the cloud's own
 *                                     certificate comes from elsewhere
 *     ca/deny.jws                     the deny-list, once there is one (site/deny.h)
 *     keys/NAME.key (0600), NAME.pub  the same; firmware, anchor, steward, bench, pack (with .pub)
 *     cloud/                          server.crt (leaf + server-issuing), server.key, cloud.db
 *     factory/                        custody.db, base.bin, units/SN/{identity.bin,chip.json}
 *     factory/people.json (0600)      who the pseudonyms in custody are
 *     devices/SN/                     what a simulated unit wrote
 *     air/                            the simulated radio
 *     run/                            who runs, where it listens; locks
 *     phone/                          log-ins made by `cradle phone login`, when there are any
 *     steward/                        only of a site with a steward (cradle.json has "steward"):
 *         server.crt, server.key      as the cloud's
 *         forward.key                 what the rule chain or the cloud's forwarder shows; 0600
 *         ticket.key                  HS256 key of tickets; 0600
 *         bundle.jws                  which keys devices believe (site/bundle.h)
 *         steward.db                  the steward's record, which it makes itself
 *
 * forward.key and ticket.key are 64 lower-case hex digits and a line end.
 *
 * All functions may block on the disk. A site_t is plain data, owns nothing and needs no closing.
 */
#ifndef CRADLE_SITE_SITE_H
#define CRADLE_SITE_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/file.h"
#include "pki/key.h"
#include "site/sn.h"

#define SITE_ID_SIZE    33 /* 32 hex digits and a NUL */
#define SITE_NAME_SIZE  49
#define SITE_MODEL_SIZE 33
#define SITE_HW_SIZE    17
#define SITE_HOST_SIZE  262 /* host (253) ':' port */
#define SITE_DIR_SIZE   256 /* of a directory elsewhere */
#define SITE_JSON_MAX   16384
#define SITE_RUN_MAX    4096
#define SITE_CLOUD_HOST "cloud.cradle.test:8883"
/* Nobody has it unless asked for: `cradle init --steward steward.cradle.test:8443`. */
#define SITE_STEWARD_HOST "steward.cradle.test:8443"
#define SITE_FORWARD_KEY  "steward/forward.key"
#define SITE_TICKET_KEY   "steward/ticket.key"

/* A product beside the first one, whose units have a pattern (a prefix) of their own. Numbers are
   the site's: no two products have one twice. */
#define SITE_PRODUCTS_MAX 16
typedef struct {
    char name[SITE_MODEL_SIZE]; /* the model, too */
    char hw[SITE_HW_SIZE];
    char sn_pattern[SITE_PATTERN_SIZE];
} site_product_t;

/* What cradle.json says. Every text is NUL terminated. */
typedef struct {
    char dir[FILE_PATH_MAX];
    char id[SITE_ID_SIZE];
    char name[SITE_NAME_SIZE];
    char sn_pattern[SITE_PATTERN_SIZE];
    char model[SITE_MODEL_SIZE];
    char hw[SITE_HW_SIZE];
    char cloud[SITE_HOST_SIZE];         /* host:port that devices are told */
    char steward[SITE_HOST_SIZE];       /* "" when the site has none       */
    char checkpoint_dir[SITE_DIR_SIZE]; /* absolute; "" when the site has none */
    pki_key_type_t key_type;            /* of device keys                  */
    uint32_t days;                      /* validity of device certificates */
    int security;                       /* of provisioning: 1, or 0 for plain text */
    bool pop;                           /* units get a proof of possession         */
    site_product_t product[SITE_PRODUCTS_MAX];
    size_t product_count;
} site_t;

/* Reads and checks DIR/cradle.json. ERR_PRECONDITION with "run `cradle init`" when DIR holds no
   site; ERR_INPUT for a damaged file. Strict: an unknown setting is refused by name (a typing error
   would be silently without effect otherwise), and so are a missing one and one given twice. */
bool site_open(site_t *site, const char *dir, err_t *err);

/* The settings from text, without `dir`: what site_open does after reading (and the fuzzer). */
bool site_parse(site_t *site, const char *json, size_t len, err_t *err);

typedef struct {
    const char *dir;
    const char *name;       /* of the company; NULL: "Cradle"   */
    const char *sn_pattern; /* NULL: "SN-%06d"                  */
    const char *model;      /* NULL: "cradle-linux"             */
    const char *hw;         /* NULL: "A1"                       */
    const char *cloud;      /* NULL: SITE_CLOUD_HOST            */
    const char *steward;    /* NULL: none                       */
    const char *cloud_ca;   /* PEM file: roots of the cloud's own certificate, where the site's
                               server-root did not sign it (a ThingsBoard of one's own); devices
                               trust them beside server-root. NULL: none */
    /* Beside the first one: "NAME=PATTERN"; `hw` as the first. */
    const char *const *products;
    size_t product_count;
    /* A directory outside the site, made if it is missing: another disk, where an old back-up of
       the site would not be. NULL: none. */
    const char *checkpoint_dir;
    pki_key_type_t key_type; /* of CAs and devices               */
    uint32_t days;           /* 0: 1095                          */
    bool pop;
    bool plain_provisioning;         /* security 0: no encryption between phone and device */
    const char *const *server_names; /* beside localhost, 127.0.0.1, ::1 and the host of `cloud` */
    size_t server_name_count;
    int64_t now; /* seconds since 1970; all certificates begin here */
    /* Files of the CAs above the line. NULL: made here, with the key in keys/. A *_key alone: made
       here, and the key goes into that new file, which must not be in the site. A *_cert: imported;
       *_key then is where its key is, which is used now and never copied. root_cert alone: our
       product CA is made below it. product_cert: it signs the line's and the renewal CA;
       root_cert beside it is only kept, to show, and must have issued it. */
    const char *root_cert;
    const char *root_key;
    const char *product_cert;
    const char *product_key;
    const char *passphrase; /* encrypts the keys of root, product and server-root that are made
                               here, wherever they go; NULL: plain */
} site_create_t;

/* Makes a site. The directory may be missing, empty or hold other things, but no name of the list
   above (ERR_PRECONDITION names it; nothing is changed then). cradle.json is written last: killed
   at any moment there is no site, and running it again cleans up what is left and succeeds (but a
   key that was placed outside the site stays, and is to be removed first). Two at once: one is
   refused. */
bool site_create(const site_create_t *request, site_t *site, err_t *err);

/* From here on `site` makes units of that product: sn_pattern, model and hw become its own. NULL
   and the site's own model change nothing. ERR_USAGE names those that there are. */
bool site_product_choose(site_t *site, const char *name, err_t *err);

/* An SN that somebody typed or scanned. ERR_USAGE: it cannot be one, or it is like those of one of
   the site's patterns but for the check character. */
bool site_sn_typed(const site_t *site, const char *sn, err_t *err);

/* The number of an SN by the pattern of whichever product makes such ones; false: of none. */
bool site_sn_number(const site_t *site, const char *sn, uint64_t *number);

/* The directory for checkpoints is there, and not in the site, where a back-up of the site would
   bring back old ones. ERR_PRECONDITION says what to do. */
bool site_checkpoint_dir_check(const site_t *site, err_t *err);

/* "DIR/relative". */
bool site_path(const site_t *site, const char *relative, char out[FILE_PATH_MAX], err_t *err);

/* "DIR/ca/NAME.crt", "DIR/keys/NAME.key", "DIR/keys/NAME.pub". */
bool site_ca_path(const site_t *site, const char *name, char out[FILE_PATH_MAX], err_t *err);
bool site_key_path(const site_t *site, const char *name, char out[FILE_PATH_MAX], err_t *err);
bool site_pub_path(const site_t *site, const char *name, char out[FILE_PATH_MAX], err_t *err);

/* "DIR/factory/units/SN/file" and "DIR/devices/SN/file"; file NULL gives the directory. An SN that
   site_sn_check refuses never becomes a path. */
bool site_unit_path(const site_t *site, const char *sn, const char *file, char out[FILE_PATH_MAX],
                    err_t *err);
bool site_device_path(const site_t *site, const char *sn, const char *file, char out[FILE_PATH_MAX],
                      err_t *err);

/* server_chain.pem: server-root, server-issuing and the certificates of cloud-root, if there are
   any; heap, the caller frees. */
bool site_server_chain(const site_t *site, char **pem, size_t *len, err_t *err);

/* An exclusive job: a lock on DIR/run/NAME.lock that the kernel drops when the process ends.
   ERR_PRECONDITION when another holds it and wait is false. Released with site_unlock. */
bool site_lock(const site_t *site, const char *name, bool wait, int *fd, err_t *err);
void site_unlock(int fd);

#endif

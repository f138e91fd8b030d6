/* SPDX-License-Identifier: Apache-2.0 */
/* internal: what the files of the factory share with one another and with nobody else. */
#ifndef CRADLE_FACTORY_INTERNAL_H
#define CRADLE_FACTORY_INTERNAL_H

#include "custody/custody.h"
#include "factory/factory.h"
#include "pki/cert.h"
#include "pki/chain.h"
#include "pki/signer.h"
#include "site/bundle.h"

/* A lock that is held while numbers are taken, by whoever takes them. */
#define FACTORY_ALLOT "factory-allot"

/* The files of an identity; the texts are heap memory. */
typedef struct {
    char *key; /* PKCS#8 PEM */
    size_t key_len;
    char *cert;
    size_t cert_len;
    char *chain;
    size_t chain_len;
    char *json; /* NULL: none */
    size_t json_len;
    char *bundle; /* NULL: none */
    size_t bundle_len;
} factory_files_t;

void factory_files_free(factory_files_t *files); /* wipes */

/* Texts that stand in every unit of a run, with what they say, so that reading a unit back need not
   parse them again: OpenSSL takes longer for one certificate than for making and using a key. What
   is on the disk is still compared with them byte by byte. */
typedef struct {
    char *ca; /* line and product, as they follow the leaf in device.crt */
    size_t ca_len;
    pki_chain_t ca_chain;
    char *server; /* server_chain.pem; it was parsed once */
    size_t server_len;
    char bundle[JWS_BUNDLE_MAX + 1]; /* it was verified once; "" for a site without a steward */
    size_t bundle_len;
    int64_t bundle_version;
    /* What this line issues is what pki/own.h reads, and the cloud would let it in: tried with a
       certificate that is thrown away. Units are then read back the short way. */
    bool own_form;
} factory_known_t;

/* What is in an image that was read: freed by factory_content_free, which wipes too. */
typedef struct {
    pki_chain_t chain;
    site_identity_t identity; /* site_identity_default without has_json */
    bool has_json;
    int64_t bundle_version; /* 0: it has none */
} factory_content_t;

void factory_content_free(factory_content_t *content);

/* The CAs that may have signed a device (site/ca.h): the line's, the renewal CA, rolled ones, and
   at the end the product CA. */
bool factory_trust(const site_t *site, pki_chain_t *issuing, pki_trust_t **trust, err_t *err);

/* Builds the image, writes it and chip.json, reads the image back from its file and checks it
   against `trust` (NULL: the chain is not checked) at `now`. `known` may be NULL. Fills everything
   of *unit but sn, mac and adopted, which it takes. Nothing is synced: factory_units_sync, before
   custody is told. */
bool factory_unit_write(const site_t *site, const factory_files_t *files,
                        const factory_known_t *known, const pki_trust_t *trust, int64_t now,
                        factory_unit_t *unit, err_t *err);

bool factory_units_sync(const site_t *site, err_t *err);

/* Not synced: factory_sync does that for many files at once, with all of the file system that the
   directory is on. */
bool factory_file_write(const char *path, const void *data, size_t len, mode_t mode, err_t *err);
bool factory_sync(const char *path, err_t *err);

/* What the stations after the identity wrote of a unit; of each kind the last entry counts. */
typedef struct {
    bool scrapped;
    bool test_failed;
    bool labelled;
    bool relabel; /* it was reworked since: the label is of a former identity */
    bool has_code;
    char code_hash[65]; /* of the label; hex */
    bool shipped;       /* and not reworked since */
} factory_marks_t;

/* An SN that custody does not know has none. */
bool factory_marks(custody_t *custody, const char *sn, factory_marks_t *marks, err_t *err);

/* Held while labels are drawn and while a shipment is marked. */
#define FACTORY_LABEL_LOCK "factory-label"

/* What identity.bin holds, parsed: key and certificate belong together and are about unit->sn; a
   bundle is signed by the anchor key of device.json. Sets the hashes and not_after of *unit.
   `content` is freed by the caller when it succeeded. */
bool factory_unit_read(const site_t *site, const factory_known_t *known, factory_unit_t *unit,
                       factory_content_t *content, err_t *err);

/* The same, and the image is the one that custody recorded as *unit. */
bool factory_unit_verify(const site_t *site, const factory_unit_t *unit, factory_content_t *content,
                         err_t *err);

/* Writes device.crt and device.json (0600: it may hold the proof of possession) of a unit whose
   image is there, for after the image went onto a chip. factory_unit_verify then reads these. */
bool factory_unit_summary(const site_t *site, const factory_unit_t *unit, err_t *err);

/* "DIR/factory/pending/SN/file": a key whose certificate is under way; file NULL: the directory. */
bool factory_pending_path(const site_t *site, const char *sn, const char *file,
                          char out[FILE_PATH_MAX], err_t *err);

/* The image is, byte for byte, the one that was parsed and checked before custody recorded its hash
   as *unit; only device.json is read from it (*has_json: it has one). Costs no certificate. */
bool factory_unit_peek(const site_t *site, const factory_unit_t *unit, site_identity_t *identity,
                       bool *has_json, err_t *err);

/* Removes what a run left of an SN that is void. */
bool factory_unit_remove(const site_t *site, const char *sn, err_t *err);

/* factory/base.bin, if it is not there yet. It is never changed: overlays are bound to it. */
bool factory_base_make(const site_t *site, err_t *err);

bool factory_custody_open(const site_t *site, const char *writer, custody_t **custody, err_t *err);

/* The detail of an identity entry. */
bool factory_record_write(const factory_unit_t *unit, char *out, size_t cap, err_t *err);
bool factory_record_read(const custody_entry_t *entry, factory_unit_t *unit);
/* The same two ways to a unit: custody is open already, or not. */
bool factory_record_get(const site_t *site, custody_t *custody, const char *sn,
                        factory_unit_t *unit, err_t *err);
bool factory_record_find(const site_t *site, const char *sn, factory_unit_t *unit, err_t *err);

/* Settles the reservations of runs that have died. */
bool factory_recover(const site_t *site, custody_t *custody, uint64_t *voided, err_t *err);

/* Makes every number of a reservation that is no unit void, and closes it. The caller holds the
   lock of its run. */
bool factory_settle(const site_t *site, custody_t *custody,
                    const custody_reservation_t *reservation, uint64_t *voided, err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The pack list: what a shipment is, for the steward. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "factory/answer.h"
#include "factory/internal.h"
#include "json/json.h"
#include "site/pack.h"

#define SHIP_BLOCK 256 /* units of one transaction */

/* A file that takes its name only when it is whole. */
typedef struct {
    char path[FILE_PATH_MAX];
    char temporary[FILE_PATH_MAX + 16];
    FILE *out;
} draft_t;

typedef char sn_t[SITE_SN_SIZE];

typedef struct {
    const site_t *site;
    const factory_pack_t *wanted;
    factory_packed_t *result;
    custody_t *custody;
    draft_t list;
    draft_t csv;
    sn_t *ship; /* units to be marked */
    size_t ship_count;
    size_t ship_cap;
    err_t *err;
    bool ok;
} pack_t;

/* ---- files ---- */

static bool draft_open(draft_t *draft, const char *path, err_t *err)
{
    if (strlen(path) >= sizeof draft->path) {
        return err_set(err, ERR_USAGE, "the path of the pack list is too long");
    }
    strcpy(draft->path, path);
    snprintf(draft->temporary, sizeof draft->temporary, "%s.XXXXXX", path);
    int fd = mkstemp(draft->temporary);
    draft->out = fd < 0 ? NULL : fdopen(fd, "w");
    if (draft->out == NULL) {
        err_errno(err, "cannot make %s", draft->temporary);
        if (fd >= 0) {
            close(fd);
            unlink(draft->temporary);
        }
        return false;
    }
    return true;
}

/* All of it is on the disk, under the temporary name still. */
static bool draft_finish(draft_t *draft, err_t *err)
{
    if (draft->out == NULL) {
        return true;
    }
    bool ok = fflush(draft->out) == 0 && ferror(draft->out) == 0 &&
              fchmod(fileno(draft->out), 0644) == 0 && fsync(fileno(draft->out)) == 0;
    return ok || err_errno(err, "cannot write %s", draft->path);
}

static bool draft_keep(draft_t *draft, err_t *err)
{
    if (draft->out == NULL) {
        return true;
    }
    bool closed = fclose(draft->out) == 0;
    draft->out = NULL;
    if (closed && rename(draft->temporary, draft->path) == 0) {
        return true;
    }
    err_errno(err, "cannot write %s", draft->path);
    unlink(draft->temporary);
    return false;
}

static void draft_drop(draft_t *draft)
{
    if (draft->out != NULL) {
        fclose(draft->out);
        unlink(draft->temporary);
    }
}

/* ---- a unit ---- */

static bool put_unit(pack_t *pack, const factory_unit_t *unit, const factory_marks_t *marks,
                     X509 *leaf)
{
    uint8_t der[PKI_CERT_DER_MAX];
    char base64[4 * ((PKI_CERT_DER_MAX + 2) / 3) + 1];
    char text[sizeof base64 + 256];
    size_t len;
    json_writer_t w;
    if (!pki_cert_to_der(leaf, der, sizeof der, &len, pack->err) ||
        !bytes_to_base64(der, len, base64, sizeof base64)) {
        return false;
    }
    json_writer_init(&w, text, sizeof text);
    json_object(&w);
    json_key(&w, "sn");
    json_put_string(&w, unit->sn);
    json_key(&w, "leaf");
    json_put_string(&w, base64);
    json_key(&w, "service");
    json_put_string(&w, unit->service);
    json_key(&w, "code_hash");
    json_put_string(&w, marks->has_code ? marks->code_hash : NULL);
    json_end(&w);
    return (json_writer_done(&w, NULL) &&
            fprintf(pack->list.out, "%s\n%s", pack->result->units == 0 ? "" : ",", text) > 0) ||
           err_errno(pack->err, "cannot write %s", pack->list.path);
}

/* An SN holds nothing that CSV would want quoted. */
static bool put_row(pack_t *pack, const factory_unit_t *unit, const factory_marks_t *marks)
{
    char until[32];
    time_t t = (time_t)unit->not_after;
    struct tm utc;
    if (pack->csv.out == NULL) {
        return true;
    }
    gmtime_r(&t, &utc);
    strftime(until, sizeof until, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return fprintf(pack->csv.out, "%s,%s,%s,%s,%s\n", unit->sn, unit->service, unit->leaf_sha256,
                   marks->has_code ? marks->code_hash : "", until) > 0 ||
           err_errno(pack->err, "cannot write %s", pack->csv.path);
}

static bool note_ship(pack_t *pack, const char *sn)
{
    if (pack->ship_count == pack->ship_cap) {
        size_t cap = 2 * pack->ship_cap + 1024;
        sn_t *larger = realloc(pack->ship, cap * sizeof *larger);
        if (larger == NULL) {
            return err_set(pack->err, ERR_SYSTEM, "out of memory for the pack list");
        }
        pack->ship = larger;
        pack->ship_cap = cap;
    }
    snprintf(pack->ship[pack->ship_count++], sizeof(sn_t), "%s", sn);
    return true;
}

static bool put(pack_t *pack, const factory_unit_t *unit, const factory_marks_t *marks)
{
    factory_content_t content;
    if (!factory_unit_verify(pack->site, unit, &content, pack->err)) {
        return false;
    }
    bool ok = put_unit(pack, unit, marks, content.chain.cert[0]) && put_row(pack, unit, marks);
    factory_content_free(&content);
    pack->result->units++;
    pack->result->unlabelled += !marks->labelled;
    return ok &&
           (!pack->wanted->ship || !marks->labelled || marks->shipped || note_ship(pack, unit->sn));
}

static bool add(void *context, const factory_unit_t *unit)
{
    pack_t *pack = context;
    factory_marks_t marks;
    pack->ok = factory_marks(pack->custody, unit->sn, &marks, pack->err) &&
               (marks.scrapped || put(pack, unit, &marks));
    return pack->ok;
}

static bool add_named(pack_t *pack, const char *sn)
{
    factory_unit_t unit;
    factory_marks_t marks;
    if (!factory_record_find(pack->site, sn, &unit, pack->err) ||
        !factory_marks(pack->custody, sn, &marks, pack->err)) {
        return false;
    }
    if (marks.scrapped) {
        return err_set(pack->err, ERR_PRECONDITION, "%s was scrapped: it cannot be packed", sn);
    }
    if (pack->wanted->ship && (!marks.labelled || marks.relabel)) {
        return err_set(pack->err, ERR_PRECONDITION,
                       "%s has no label%s: run `cradle factory label %s` first", sn,
                       marks.relabel ? " since it was reworked" : "", sn);
    }
    return put(pack, &unit, &marks);
}

/* ---- the list ---- */

static bool put_end(pack_t *pack)
{
    custody_checkpoint_t at;
    char hash[65];
    char text[200] = "null";
    if (pack->custody != NULL && custody_checkpoint(pack->custody, FACTORY_WRITER, &at, NULL)) {
        bytes_to_hex(at.hash, sizeof at.hash, hash, sizeof hash);
        snprintf(text, sizeof text,
                 "{\"writer\":\"%s\",\"seq\":%" PRIu64 ",\"hash\":\"%s\",\"number\":%" PRIu64 "}",
                 at.writer, at.seq, hash, at.number);
    }
    return fprintf(pack->list.out, "\n],\n\"custody\":%s}\n", text) > 0 ||
           err_errno(pack->err, "cannot write %s", pack->list.path);
}

/* Unit by unit, so that a million of them need no memory. */
static bool write_list(pack_t *pack)
{
    const factory_pack_t *wanted = pack->wanted;
    fprintf(pack->list.out, "{\"v\":1,\"site\":\"%s\",\"units\":[", pack->site->id);
    if (pack->csv.out != NULL) {
        fputs("sn,service,leaf_sha256,code_hash,not_after\n", pack->csv.out);
    }
    if (wanted->sns == NULL && !factory_each(pack->site, add, pack, pack->err)) {
        return false;
    }
    for (size_t i = 0; pack->ok && wanted->sns != NULL && i < wanted->count; i++) {
        pack->ok = add_named(pack, wanted->sns[i]);
    }
    return pack->ok && put_end(pack) && draft_finish(&pack->list, pack->err) &&
           draft_finish(&pack->csv, pack->err);
}

static bool sign_and_keep(pack_t *pack)
{
    uint8_t hash[32];
    char jws[SITE_PACK_JWS_MAX];
    char path[FILE_PATH_MAX];
    if (!site_pack_hash(pack->list.temporary, hash, pack->err) ||
        !site_pack_sign(pack->site, hash, jws, pack->err) ||
        !site_pack_jws_path(pack->list.path, path, pack->err)) {
        return false;
    }
    bytes_to_hex(hash, sizeof hash, pack->result->sha256, sizeof pack->result->sha256);
    if (file_exists(path) && unlink(path) != 0) {
        return err_errno(pack->err, "cannot remove the old %s", path);
    }
    return draft_keep(&pack->list, pack->err) &&
           file_write(path, jws, strlen(jws), 0644, pack->err) && draft_keep(&pack->csv, pack->err);
}

/* The list is there already; killed in between, those that are not marked are in the next one. */
static bool mark_shipped(pack_t *pack)
{
    custody_event_t events[SHIP_BLOCK];
    char detail[96];
    custody_t *custody = NULL;
    bool ok = pack->ship_count == 0 ||
              factory_custody_open(pack->site, FACTORY_WRITER, &custody, pack->err);
    snprintf(detail, sizeof detail, "{\"pack\":\"%s\"}", pack->result->sha256);
    for (size_t from = 0; ok && from < pack->ship_count; from += SHIP_BLOCK) {
        size_t n = pack->ship_count - from < SHIP_BLOCK ? pack->ship_count - from : SHIP_BLOCK;
        for (size_t i = 0; ok && i < n; i++) {
            ok = factory_answer_end(pack->site, pack->ship[from + i], pack->err);
            events[i] = (custody_event_t){pack->ship[from + i], "ship", detail, 0};
        }
        ok = ok && custody_append(custody, events, n, clock_wall_ms(), pack->err);
        pack->result->shipped += ok ? n : 0;
    }
    custody_close(custody);
    return ok;
}

static bool open_custody(pack_t *pack)
{
    char path[FILE_PATH_MAX];
    return site_path(pack->site, "factory/custody.db", path, pack->err) &&
           (!file_exists(path) || custody_open(path, NULL, &pack->custody, pack->err));
}

bool factory_pack(const site_t *site, const factory_pack_t *wanted, factory_packed_t *result,
                  err_t *err)
{
    pack_t pack = {.site = site, .wanted = wanted, .result = result, .err = err, .ok = true};
    char own[FILE_PATH_MAX];
    int lock = -1;
    memset(result, 0, sizeof *result);
    /* a shipment's labels are not printed again while it is marked */
    bool ok = site_path(site, FACTORY_PACK, own, err) &&
              (!wanted->ship || site_lock(site, FACTORY_LABEL_LOCK, true, &lock, err)) &&
              open_custody(&pack) &&
              draft_open(&pack.list, wanted->path == NULL ? own : wanted->path, err) &&
              (wanted->csv == NULL || draft_open(&pack.csv, wanted->csv, err)) &&
              write_list(&pack) && sign_and_keep(&pack) && mark_shipped(&pack);
    draft_drop(&pack.list);
    draft_drop(&pack.csv);
    custody_close(pack.custody);
    if (wanted->ship) {
        site_unlock(lock);
    }
    free(pack.ship);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* ThingsBoard's fields are a projection of the record: here they are compared and set right. */
#include <stdio.h>
#include <string.h>

#include "site/sn.h"
#include "steward/journal_internal.h"

static bool outcome_ok(cloud_outcome_t outcome, const char *sn, const char *what, err_t *err)
{
    switch (outcome) {
    case CLOUD_OK:
    case CLOUD_NOT_FOUND: /* the next look sees that it is gone */
        return true;
    case CLOUD_EXISTS:
        return err_set(err, ERR_PEER, "%s: %s: another record holds its name or certificate", sn,
                       what);
    default:
        return err_add(err, "%s: %s", sn, what);
    }
}

/* Leaf and profile, name, gateway flag: who may speak as this device, and as what. */
static bool set_identity(journal_t *j, const record_unit_t *unit, const record_key_t *leaf,
                         const cloud_device_t *device, err_t *err)
{
    cloud_t *cloud = j->s.cloud;
    if (device->gateway) {
        journal_log(j, "ALERT %s was made a gateway; set right", unit->sn);
        if (!outcome_ok(cloud_secure(cloud, device->id, leaf->cert, leaf->cert_len, err), unit->sn,
                        "securing it", err)) {
            return false;
        }
    } else if (device->profile != CLOUD_OPERATING || !device->has_leaf ||
               memcmp(device->leaf_hash, leaf->hash, JWS_HASH_SIZE) != 0) {
        journal_log(j, "%s: %s", unit->sn,
                    device->profile == CLOUD_LOBBY ? "moved from the lobby to operating"
                                                   : "its certificate is put in place");
        if (!outcome_ok(cloud_leaf(cloud, device->id, leaf->cert, leaf->cert_len, err), unit->sn,
                        "putting its certificate in place", err)) {
            return false;
        }
    }
    if (strcmp(device->name, unit->sn) != 0) {
        journal_log(j, "ALERT %s was renamed to \"%.64s\"; set right", unit->sn, device->name);
        return outcome_ok(cloud_fields(cloud, device->id, unit->sn, err), unit->sn, "renaming it",
                          err);
    }
    return true;
}

/* Where nothing can be claimed, whose it is there is the operator's own business. */
static bool set_owner(journal_t *j, const record_unit_t *unit, const cloud_device_t *device,
                      err_t *err)
{
    char customer[RECORD_ID_SIZE];
    if (!unit->claims_on) {
        return true;
    }
    if (!journal_customer(j, unit->owner, customer, err)) {
        return false;
    }
    bool nobodys = strcmp(device->customer, TBREST_NULL_ID) == 0;
    if (customer[0] == '\0') {
        return nobodys || outcome_ok(cloud_unassign(j->s.cloud, device->id, err), unit->sn,
                                     "unassigning it", err);
    }
    if (!device->gateway && strcmp(device->customer, customer) == 0) {
        return true;
    }
    if (!nobodys && !device->gateway) {
        journal_log(j, "ALERT %s was given to another customer; set right", unit->sn);
    }
    cloud_outcome_t outcome = cloud_assign(j->s.cloud, device->id, customer, err);
    if (outcome != CLOUD_OK && !journal_customer_forget(j, unit->owner, NULL)) {
        return false;
    }
    return outcome_ok(outcome, unit->sn, "assigning it", err);
}

bool journal_project(journal_t *j, const char *sn, err_t *err)
{
    record_t *record = j->s.record;
    record_unit_t unit;
    record_key_t leaf;
    cloud_device_t device;
    record_transfer_t transfer;
    bool has_unit;
    bool has_leaf;
    bool open;
    if (!record_unit_get(record, sn, &unit, &has_unit, err) ||
        !record_key_newest(record, sn, &leaf, &has_leaf, err) ||
        !record_transfer_open(record, sn, &transfer, &open, err)) {
        return false;
    }
    if (!has_unit || !has_leaf || open || unit.device[0] == '\0') {
        return true; /* a transfer does it itself; a record that is not there yet comes to the
                        lobby */
    }
    if (!cloud_device_read(j->s.cloud, unit.device, &device, err)) {
        return false;
    }
    if (!device.found) {
        journal_log(j, "%s: its record at the cloud is gone", sn);
        unit.device[0] = '\0';
        return record_unit_put(record, &unit, err);
    }
    return set_identity(j, &unit, &leaf, &device, err) && set_owner(j, &unit, &device, err);
}

/* ---- the lobby ---- */

static bool seen_by_transfer(journal_t *j, const char *sn, int64_t now, bool *open, err_t *err)
{
    record_transfer_t transfer;
    if (!record_transfer_open(j->s.record, sn, &transfer, open, err)) {
        return false;
    }
    if (!*open) {
        return true;
    }
    transfer_record_seen(&transfer.transfer, now);
    return record_transfer_put(j->s.record, &transfer, err);
}

/* A record in the name of a unit that has keys: ours from now on, or too much. */
static bool take_known(journal_t *j, record_unit_t *unit, const lobby_entry_t *entry, int64_t now,
                       err_t *err)
{
    cloud_device_t known = {.found = false};
    bool open;
    if (!seen_by_transfer(j, unit->sn, now, &open, err)) {
        return false;
    }
    if (open) {
        return true;
    }
    if (unit->device[0] != '\0' && !cloud_device_read(j->s.cloud, unit->device, &known, err)) {
        return false;
    }
    if (known.found) {
        journal_log(j, "ALERT %s: a second record of it was in the lobby; deleted", unit->sn);
        return outcome_ok(cloud_delete(j->s.cloud, entry->id, err), unit->sn, "deleting a stray",
                          err);
    }
    journal_log(j, "%s: its record in the lobby is taken", unit->sn);
    snprintf(unit->device, sizeof unit->device, "%s", entry->id);
    journal_dirty(j, unit->sn);
    return record_unit_put(j->s.record, unit, err);
}

/* Nobody has heard of it: a device of ours that does not speak to the steward, or not a good one.
 */
static bool take_unknown(journal_t *j, record_unit_t *unit, const lobby_entry_t *entry, int64_t now,
                         err_t *err)
{
    cloud_device_t device;
    record_key_t row;
    err_t why = ERR_INIT;
    if (!cloud_device_read(j->s.cloud, entry->id, &device, err) || !device.found) {
        return err == NULL || err->kind == ERR_NONE;
    }
    bool good = site_sn_check(device.name, &why) &&
                (device.has_leaf || err_set(&why, ERR_INPUT, "it has no certificate")) &&
                authority_leaf_good(j->s.authority, device.leaf, device.leaf_len, device.name,
                                    now / 1000, &why) &&
                authority_key_row(device.leaf, device.leaf_len, device.name, &row, &why) &&
                (!authority_denied(j->s.authority, row.hash) ||
                 err_set(&why, ERR_INPUT, "its certificate is on the site's deny-list"));
    if (!good) {
        journal_log(j, "ALERT %.64s in the lobby is not ours (%s); %s", device.name, why.text,
                    j->s.keep_lobby ? "left alone" : "deleted");
        return j->s.keep_lobby || outcome_ok(cloud_delete(j->s.cloud, entry->id, err), device.name,
                                             "deleting it", err);
    }
    if (unit->sn[0] == '\0') {
        unit->claims_on = j->s.claims_on;
        unit->policy = j->s.policy;
        snprintf(unit->sn, sizeof unit->sn, "%s", device.name);
    }
    snprintf(unit->device, sizeof unit->device, "%s", device.id);
    row.birth = true;
    journal_dirty(j, unit->sn);
    journal_log(j, "%s is met in the lobby", unit->sn);
    if (!record_begin(j->s.record, err)) {
        return false;
    }
    bool ok = record_unit_put(j->s.record, unit, err) && record_key_put(j->s.record, &row, err) &&
              record_key_event(j->s.record, row.hash, OWNERSHIP_KEY_REGISTER, err);
    return record_end(j->s.record, ok, err) && ok;
}

bool journal_lobby(journal_t *j, const lobby_entry_t *entry, int64_t now, err_t *err)
{
    record_unit_t unit;
    record_key_t newest;
    bool found;
    bool keys = false;
    bool open;
    if (!record_unit_by_device(j->s.record, entry->id, &unit, &found, err)) {
        return false;
    }
    if (found) { /* ours, and back in the lobby or not yet out of it */
        journal_dirty(j, unit.sn);
        return seen_by_transfer(j, unit.sn, now, &open, err);
    }
    memset(&unit, 0, sizeof unit);
    if (strlen(entry->name) < RECORD_SN_SIZE &&
        (!record_unit_get(j->s.record, entry->name, &unit, &found, err) ||
         (found && !record_key_newest(j->s.record, entry->name, &newest, &keys, err)))) {
        return false;
    }
    if (!found) {
        memset(&unit, 0, sizeof unit);
    }
    return keys ? take_known(j, &unit, entry, now, err) : take_unknown(j, &unit, entry, now, err);
}

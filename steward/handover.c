/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/handover.h"

#include <stdio.h>
#include <string.h>

bool handover_does(transfer_do_t what)
{
    switch (what) {
    case TRANSFER_DO_NOTHING:
    case TRANSFER_DO_RECEIPT:
    case TRANSFER_DO_DENY:
    case TRANSFER_DO_END:
        return false;
    default:
        return true;
    }
}

static transfer_outcome_t outcome_of(cloud_outcome_t outcome)
{
    switch (outcome) {
    case CLOUD_OK:
        return TRANSFER_OK;
    case CLOUD_NOT_FOUND:
        return TRANSFER_NOT_FOUND;
    case CLOUD_EXISTS:
        return TRANSFER_EXISTS;
    default:
        return TRANSFER_FAILED;
    }
}

static transfer_owner_t owner_of(const handover_t *handover, const char *customer)
{
    if (strcmp(customer, TBREST_NULL_ID) == 0) {
        return handover->customer[0] == '\0' ? TRANSFER_NEW_OWNERS : TRANSFER_NOBODYS;
    }
    return strcmp(customer, handover->customer) == 0 ? TRANSFER_NEW_OWNERS : TRANSFER_SOMEBODYS;
}

/* One tenant: every record that is found is at home. */
static void describe(const handover_t *handover, const cloud_device_t *device,
                     transfer_place_t *place)
{
    memset(place, 0, sizeof *place);
    if (!device->found) {
        return;
    }
    place->found = true;
    snprintf(place->id, sizeof place->id, "%s", device->id);
    place->home = true;
    place->right = strcmp(device->name, handover->sn) == 0 && device->profile == CLOUD_OPERATING &&
                   !device->gateway && !device->dressed;
    place->leaf = device->has_leaf && device->leaf_len == handover->leaf_len &&
                  memcmp(device->leaf, handover->leaf, handover->leaf_len) == 0;
    place->owner = owner_of(handover, device->customer);
}

static void look(cloud_t *cloud, const handover_t *handover, const transfer_action_t *action,
                 transfer_result_t *result, err_t *err)
{
    cloud_device_t device;
    bool ok = action->what == TRANSFER_DO_READ
                  ? cloud_device_read(cloud, action->id, &device, err)
                  : cloud_device_find(cloud, handover->sn, &device, err);
    result->outcome = ok ? TRANSFER_OK : TRANSFER_FAILED;
    if (ok) {
        describe(handover, &device, &result->place);
    }
}

/* What somebody hung on the record before it was ours would keep it from being right for ever. */
static cloud_outcome_t secure(cloud_t *cloud, const handover_t *h, const char *id, err_t *err)
{
    cloud_outcome_t outcome = cloud_secure(cloud, id, h->leaf, h->leaf_len, err);
    return outcome == CLOUD_OK ? cloud_fields(cloud, id, h->sn, err) : outcome;
}

static cloud_outcome_t act(cloud_t *cloud, const handover_t *h, const transfer_action_t *action,
                           transfer_result_t *result, err_t *err)
{
    switch (action->what) {
    case TRANSFER_DO_UNASSIGN:
        return cloud_unassign(cloud, action->id, err);
    case TRANSFER_DO_QUARANTINE:
        return cloud_quarantine(cloud, action->id, err);
    case TRANSFER_DO_COUNT:
        return cloud_count(cloud, action->id, result->count, err);
    case TRANSFER_DO_ERASE:
        return cloud_erase(cloud, action->id, action->item, err);
    case TRANSFER_DO_DELETE:
        return cloud_delete(cloud, action->id, err);
    case TRANSFER_DO_CREATE:
        return cloud_create(cloud, h->sn, h->leaf, h->leaf_len, h->customer, result->id, err);
    case TRANSFER_DO_SECURE:
        return secure(cloud, h, action->id, err);
    case TRANSFER_DO_FIELDS:
        return cloud_fields(cloud, action->id, h->sn, err);
    case TRANSFER_DO_ASSIGN:
        return h->customer[0] != '\0' ? cloud_assign(cloud, action->id, h->customer, err)
                                      : cloud_unassign(cloud, action->id, err);
    case TRANSFER_DO_LEAF:
        return cloud_leaf(cloud, action->id, h->leaf, h->leaf_len, err);
    default:
        err_set(err, ERR_USAGE, "nothing for the cloud: %s", transfer_do_name(action->what));
        return CLOUD_FAILED;
    }
}

void handover_act(cloud_t *cloud, const handover_t *handover, const transfer_action_t *action,
                  transfer_result_t *result, err_t *err)
{
    memset(result, 0, sizeof *result);
    if (action->what == TRANSFER_DO_READ || action->what == TRANSFER_DO_FIND) {
        look(cloud, handover, action, result, err);
        return;
    }
    result->outcome = outcome_of(act(cloud, handover, action, result, err));
}

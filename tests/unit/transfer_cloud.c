/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/transfer_cloud.h"

#define FIRST 1

const char *cloud_first_id(void)
{
    return "r1";
}

void cloud_init(cloud_t *cloud, int home, bool same_leaf)
{
    memset(cloud, 0, sizeof(*cloud));
    cloud->home = home;
    cloud->same_leaf = same_leaf;
    cloud->committed = true;
    cloud->now = 1000;
    cloud_record_t *r = &cloud->record[0];
    r->used = true;
    r->number = FIRST;
    r->owner = OWNER_A;
    r->leaf = LEAF_OLD;
    r->operating = true;
    r->label = true;
    for (int i = 0; i < TRANSFER_ITEMS; i++) {
        r->count[i][BY_A] = 3 + i;
    }
    cloud->next_number = FIRST + 1;
}

static cloud_record_t *by_id(cloud_t *cloud, const char *id)
{
    for (int i = 0; i < CLOUD_RECORDS; i++) {
        char text[16];
        snprintf(text, sizeof(text), "r%d", cloud->record[i].number);
        if (cloud->record[i].used && strcmp(text, id) == 0) {
            return &cloud->record[i];
        }
    }
    return NULL;
}

static cloud_record_t *by_tenant(cloud_t *cloud, int tenant)
{
    for (int i = 0; i < CLOUD_RECORDS; i++) {
        if (cloud->record[i].used && cloud->record[i].tenant == tenant) {
            return &cloud->record[i];
        }
    }
    return NULL;
}

static cloud_record_t *by_leaf(cloud_t *cloud, cloud_leaf_t leaf)
{
    for (int i = 0; i < CLOUD_RECORDS; i++) {
        if (cloud->record[i].used && cloud->record[i].leaf == leaf) {
            return &cloud->record[i];
        }
    }
    return NULL;
}

static cloud_record_t *make(cloud_t *cloud, int tenant, cloud_leaf_t leaf)
{
    for (int i = 0; i < CLOUD_RECORDS; i++) {
        cloud_record_t *r = &cloud->record[i];
        if (!r->used) {
            memset(r, 0, sizeof(*r));
            r->used = true;
            r->number = cloud->next_number++;
            r->tenant = tenant;
            r->leaf = leaf;
            return r;
        }
    }
    fail_msg("too many records");
    return NULL;
}

static cloud_leaf_t newest(const cloud_t *cloud)
{
    return cloud->same_leaf ? LEAF_OLD : LEAF_NEW;
}

/* -- REST ------------------------------------------------------------------------------------ */

static void describe(const cloud_t *cloud, const cloud_record_t *r, transfer_place_t *place)
{
    memset(place, 0, sizeof(*place));
    if (r == NULL) {
        return;
    }
    place->found = true;
    snprintf(place->id, sizeof(place->id), "r%d", r->number);
    place->home = r->tenant == cloud->home;
    place->right = r->operating && !r->label;
    place->leaf = r->leaf == newest(cloud);
    place->owner = r->owner == OWNER_NONE ? TRANSFER_NOBODYS
                   : r->owner == OWNER_B  ? TRANSFER_NEW_OWNERS
                                          : TRANSFER_SOMEBODYS;
}

static transfer_outcome_t do_create(cloud_t *cloud, char id[TRANSFER_ID_SIZE])
{
    if (by_tenant(cloud, cloud->home) != NULL || by_leaf(cloud, newest(cloud)) != NULL) {
        return TRANSFER_EXISTS;
    }
    cloud_record_t *r = make(cloud, cloud->home, newest(cloud));
    r->operating = true;
    r->owner = OWNER_B;
    snprintf(id, TRANSFER_ID_SIZE, "r%d", r->number);
    return TRANSFER_OK;
}

/* Newest leaf and operating profile, unless another record has that leaf. */
static transfer_outcome_t do_secure(cloud_t *cloud, cloud_record_t *r)
{
    cloud_record_t *other = by_leaf(cloud, newest(cloud));
    if (other != NULL && other != r) {
        return TRANSFER_EXISTS;
    }
    r->leaf = newest(cloud);
    r->operating = true;
    return TRANSFER_OK;
}

static void do_receipt(cloud_t *cloud, const transfer_t *transfer)
{
    if (cloud->receipts == 0) {
        transfer_receipt(transfer, &cloud->receipt);
        cloud->receipts = 1;
    }
    /* What it calls erased must be so. */
    cloud_record_t *old = by_id(cloud, cloud_first_id());
    for (size_t i = 0; i < cloud->receipt.line_count; i++) {
        const receipt_line_t *line = &cloud->receipt.lines[i];
        if (line->state != RECEIPT_ERASED || old == NULL) {
            continue;
        }
        assert_int_not_equal(line->item, RECEIPT_RECORD);
        if ((int)line->item < TRANSFER_ITEMS) {
            assert_int_equal(old->count[line->item][BY_A], 0);
            assert_int_equal(old->count[line->item][BY_COPY], 0);
        }
        assert_true(line->item != RECEIPT_LABEL || !old->label);
    }
}

static int calls_of(transfer_do_t what)
{
    static const int calls[TRANSFER_ACTIONS] = {
        [TRANSFER_DO_COUNT] = 6,  /* series, three scopes, alarms, RPCs                     */
        [TRANSFER_DO_SECURE] = 3, /* device, credentials, unassign                          */
        [TRANSFER_DO_QUARANTINE] = 2, [TRANSFER_DO_READ] = 2, /* device, credentials */
        [TRANSFER_DO_FIND] = 1,       [TRANSFER_DO_ERASE] = 1,    [TRANSFER_DO_DELETE] = 1,
        [TRANSFER_DO_CREATE] = 1,     [TRANSFER_DO_FIELDS] = 1,   [TRANSFER_DO_ASSIGN] = 1,
        [TRANSFER_DO_LEAF] = 2,       [TRANSFER_DO_UNASSIGN] = 1,
    };
    return calls[what];
}

/* Actions on one record, which is there. */
static transfer_outcome_t do_on(cloud_t *cloud, cloud_record_t *r, const transfer_action_t *action,
                                transfer_result_t *result)
{
    switch (action->what) {
    case TRANSFER_DO_UNASSIGN:
        r->owner = OWNER_NONE;
        break;
    case TRANSFER_DO_QUARANTINE:
        r->leaf = LEAF_TOKEN;
        r->operating = true;
        break;
    case TRANSFER_DO_COUNT:
        for (int i = 0; i < TRANSFER_ITEMS; i++) {
            result->count[i] = r->count[i][BY_A] + r->count[i][BY_COPY] + r->count[i][BY_B];
        }
        break;
    case TRANSFER_DO_ERASE:
        memset(r->count[action->item], 0, sizeof(r->count[0]));
        break;
    case TRANSFER_DO_DELETE:
        r->used = false;
        break;
    case TRANSFER_DO_READ:
        describe(cloud, r, &result->place);
        break;
    case TRANSFER_DO_SECURE:
        r->owner = OWNER_NONE;
        return do_secure(cloud, r);
    case TRANSFER_DO_LEAF:
        return do_secure(cloud, r);
    case TRANSFER_DO_FIELDS:
        r->label = false;
        break;
    case TRANSFER_DO_ASSIGN:
        r->owner = OWNER_B;
        break;
    default:
        fail_msg("unexpected %s", transfer_do_name(action->what));
    }
    return TRANSFER_OK;
}

transfer_result_t cloud_do(cloud_t *cloud, const transfer_t *transfer,
                           const transfer_action_t *action)
{
    transfer_result_t result;
    memset(&result, 0, sizeof(result));
    cloud->calls += calls_of(action->what);
    switch (action->what) {
    case TRANSFER_DO_NOTHING:
    case TRANSFER_DO_END:
        break;
    case TRANSFER_DO_FIND: {
        cloud_record_t *r = by_tenant(cloud, 1 - cloud->home);
        describe(cloud, r != NULL ? r : by_tenant(cloud, cloud->home), &result.place);
        break;
    }
    case TRANSFER_DO_CREATE:
        result.outcome = do_create(cloud, result.id);
        break;
    case TRANSFER_DO_RECEIPT:
        do_receipt(cloud, transfer);
        break;
    case TRANSFER_DO_DENY:
        cloud->denied = true;
        break;
    default: {
        cloud_record_t *r = by_id(cloud, action->id);
        result.outcome = r == NULL ? TRANSFER_NOT_FOUND : do_on(cloud, r, action, &result);
    }
    }
    return result;
}

/* -- the world ------------------------------------------------------------------------------- */

/* A leaf with its chain at the front door: the record it gets into, or NULL. */
static cloud_record_t *connect_with(cloud_t *cloud, cloud_leaf_t leaf, bool *appeared)
{
    cloud_record_t *r = by_leaf(cloud, leaf);
    if (r != NULL) {
        return r;
    }
    r = by_tenant(cloud, 0);
    if (r == NULL) {
        *appeared = true;
        return make(cloud, 0, leaf);
    }
    if (r->operating || r->leaf == LEAF_TOKEN) {
        return NULL;
    }
    r->leaf = leaf; /* the last certificate wins */
    return r;
}

bool cloud_new_device(cloud_t *cloud, bool *appeared)
{
    return connect_with(cloud, newest(cloud), appeared) != NULL;
}

/* Somebody with the old key, or a late message of the device itself. */
static bool old_key_writes(cloud_t *cloud, uint32_t what)
{
    bool appeared = false;
    cloud_record_t *r = connect_with(cloud, LEAF_OLD, &appeared);
    if (r != NULL) {
        /* A unit that keeps its key writes for whoever has the record: A, or later B. */
        bool former = r->number == FIRST && r->owner != OWNER_B;
        cloud_writer_t by = former ? BY_A : cloud->same_leaf ? BY_B : BY_COPY;
        r->count[what % 3][by] += 1; /* series or attributes */
    }
    return appeared;
}

bool cloud_event(cloud_t *cloud, uint32_t what)
{
    bool appeared = false;
    cloud_record_t *r;
    switch (what % 8) {
    case 0:
    case 1:
        return old_key_writes(cloud, what / 8);
    case 2: /* the new key: says nothing but statements until it is told to stream */
        if (!cloud->same_leaf) {
            r = connect_with(cloud, LEAF_NEW, &appeared);
            if (r != NULL && cloud->streaming) {
                r->count[RECEIPT_SERIES][BY_B] += 1;
            }
        }
        return appeared;
    case 3: /* A queues a command, or an alarm is raised, as long as the record is A's */
        r = by_id(cloud, cloud_first_id());
        if (r != NULL && r->owner == OWNER_A) {
            r->count[what / 8 % 2 != 0 ? RECEIPT_RPCS : RECEIPT_ALARMS][BY_A] += 1;
        }
        return false;
    case 4: /* a tenant admin gives a record in the lobby to somebody */
        r = by_tenant(cloud, what / 8 % 2);
        if (r != NULL && !r->operating && r->owner == OWNER_NONE) {
            r->owner = OWNER_SOMEBODY;
        }
        return false;
    case 5: /* somebody deletes a record that is nobody's */
        r = by_tenant(cloud, what / 8 % 2);
        if (r != NULL && r->owner == OWNER_NONE && what / 16 % 4 == 0) {
            r->used = false;
        }
        return false;
    default:
        return false;
    }
}

void cloud_check(const cloud_t *cloud)
{
    int of_a = 0, of_b = 0;
    for (int i = 0; i < CLOUD_RECORDS; i++) {
        const cloud_record_t *r = &cloud->record[i];
        if (!r->used) {
            continue;
        }
        of_a += r->owner == OWNER_A;
        of_b += r->owner == OWNER_B;
        for (int k = 0; k < TRANSFER_ITEMS; k++) {
            if (r->owner == OWNER_B) { /* B never sees A's data, nor what a copied key wrote */
                assert_int_equal(r->count[k][BY_A], 0);
                assert_int_equal(r->count[k][BY_COPY], 0);
            }
            if (r->owner == OWNER_A || r->owner == OWNER_SOMEBODY) {
                assert_int_equal(cloud->streaming ? r->count[k][BY_B] : 0, 0);
            }
        }
        if (r->owner == OWNER_B) { /* nobody else can get in */
            assert_true(r->operating && !r->label);
            assert_true(cloud->same_leaf || r->leaf != LEAF_OLD);
            assert_int_equal(r->tenant, cloud->home);
        }
    }
    assert_in_range(of_a + of_b, 0, 1); /* never two owners */
}

void cloud_end(const cloud_t *cloud, char out[256])
{
    const cloud_record_t *at_home = NULL;
    int records = 0;
    for (int i = 0; i < CLOUD_RECORDS; i++) {
        const cloud_record_t *r = &cloud->record[i];
        /* What a copied key leaves in another tenant's lobby is for the sweep of the lobby. */
        if (r->used && (r->tenant == cloud->home || r->owner == OWNER_A || r->owner == OWNER_B)) {
            records++;
            at_home = r;
        }
    }
    assert_int_equal(records, 1);
    int64_t foreign = 0;
    for (int k = 0; k < TRANSFER_ITEMS; k++) {
        foreign += at_home->count[k][BY_A] + at_home->count[k][BY_COPY];
    }
    snprintf(out, 256,
             "owner %d tenant %d leaf %d operating %d label %d foreign %d denied %d "
             "receipts %d by %s",
             at_home->owner, at_home->tenant, at_home->leaf, at_home->operating, at_home->label,
             (int)foreign, cloud->denied, cloud->receipts,
             receipt_authority_name(cloud->receipt.authority));
}

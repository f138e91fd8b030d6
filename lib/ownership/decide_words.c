/* SPDX-License-Identifier: Apache-2.0 */
#include "ownership/decide.h"

static const char *const OUTCOMES[OWNERSHIP_OUTCOMES] = {
    [OWNERSHIP_ASSIGN] = "assign", [OWNERSHIP_STREAM] = "stream",     [OWNERSHIP_WITHHOLD] = "hold",
    [OWNERSHIP_STAY] = "keep",     [OWNERSHIP_TRANSFER] = "transfer", [OWNERSHIP_WAIT] = "held",
    [OWNERSHIP_REFUSE] = "refuse",
};

const char *ownership_outcome_name(ownership_outcome_t outcome)
{
    return (unsigned)outcome < OWNERSHIP_OUTCOMES ? OUTCOMES[outcome] : "?";
}

static const struct {
    const char *name;
    const char *text;
} WHYS[OWNERSHIP_WHYS] = {
    [OWNERSHIP_WHY_FIRST_OWNER] = {"first-owner", "It never had an owner."},
    [OWNERSHIP_WHY_UNCLAIMED_KEEP] = {"unclaimed-keep",
                                      "It has no owner; the policy lets it stream without one."},
    [OWNERSHIP_WHY_UNCLAIMED_HOLD] =
        {"unclaimed-hold", "It has no owner; telemetry is withheld until it is claimed."},
    [OWNERSHIP_WHY_SAME_OWNER] = {"same-owner", "The owner on record claimed it again."},
    [OWNERSHIP_WHY_SAME_EPOCH] = {"same-epoch", "It was not reset since it was decided about."},
    [OWNERSHIP_WHY_RESET_KEEP] = {"reset-keep",
                                  "It was reset and nobody claimed it; the policy takes it as the "
                                  "owner's."},
    [OWNERSHIP_WHY_RESET_HOLD] = {"reset-hold",
                                  "It was reset and nobody claimed it; telemetry is withheld until "
                                  "somebody does."},
    [OWNERSHIP_WHY_OPEN] = {"open", "Somebody else claimed it, and the policy is open."},
    [OWNERSHIP_WHY_NO_OWNER_NOW] = {"no-owner-now", "It had an owner and has none now."},
    [OWNERSHIP_WHY_RELEASED] = {"released", "The owner on record released it."},
    [OWNERSHIP_WHY_GRACE] = {"grace",
                             "The owner on record was notified, and the grace time ran out."},
    [OWNERSHIP_WHY_OPERATOR] = {"operator", "An operator ordered it."},
    [OWNERSHIP_WHY_LOCKED] = {"locked", "The owner on record has not released it."},
    [OWNERSHIP_WHY_STOLEN] =
        {"stolen", "It is reported stolen; only its owner or an operator can release it."},
    [OWNERSHIP_WHY_WEAK_KEY] =
        {"weak-key", "It lost its newer keys, and a former owner may hold a copy of this "
                     "one; the owner or an operator has to agree."},
    [OWNERSHIP_WHY_RECOVERED] = {"recovered",
                                 "It lost its newer keys, and the owner on record claimed it."},
    [OWNERSHIP_WHY_NOBODYS_WEAK_KEY] =
        {"nobodys-weak-key", "The key has no rights, and nobody vouches for the device."},
    [OWNERSHIP_WHY_TAKEN] = {"taken", "Somebody else claimed it first since it was reset."},
    [OWNERSHIP_WHY_CLAIMS_OFF] = {"claims-off", "Claims are off for this device."},
};

const char *ownership_why_name(ownership_why_t why)
{
    return (unsigned)why < OWNERSHIP_WHYS ? WHYS[why].name : "?";
}

const char *ownership_why_text(ownership_why_t why)
{
    return (unsigned)why < OWNERSHIP_WHYS ? WHYS[why].text : "?";
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "ownership/transfer.h"

const char *transfer_way_name(transfer_way_t way)
{
    static const char *const names[TRANSFER_WAYS] = {"create", "adopt", "reassign"};
    return (unsigned)way < TRANSFER_WAYS ? names[way] : "?";
}

const char *transfer_step_name(transfer_step_t step)
{
    static const char *const names[TRANSFER_STEPS] = {
        "unassign", "quarantine", "look",    "erase", "delete", "gone",   "find",
        "stray",    "create",     "secure",  "empty", "sweep",  "fields", "assign",
        "leaf",     "confirm",    "receipt", "hello", "deny",   "end"};
    return (unsigned)step < TRANSFER_STEPS ? names[step] : "?";
}

const char *transfer_do_name(transfer_do_t what)
{
    static const char *const names[TRANSFER_ACTIONS] = {
        "nothing", "unassign", "quarantine", "count",  "erase", "delete",  "read", "find",
        "create",  "secure",   "fields",     "assign", "leaf",  "receipt", "deny", "end"};
    return (unsigned)what < TRANSFER_ACTIONS ? names[what] : "?";
}

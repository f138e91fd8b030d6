/* SPDX-License-Identifier: Apache-2.0 */
#include "ownership/check.h"

const char *ownership_check_name(ownership_check_t check)
{
    static const char *const names[OWNERSHIP_CHECKS] = {
        "size",      "rate", "form",  "method", "audience", "key", "algorithm",
        "signature", "id",   "right", "epoch",  "ticket",   "csr"};
    return (unsigned)check < OWNERSHIP_CHECKS ? names[check] : "?";
}

static const struct {
    const char *name;
    const char *text;
} FAULTS[OWNERSHIP_FAULTS] = {
    [OWNERSHIP_FAULT_NONE] = {"none", "Nothing is wrong."},
    [OWNERSHIP_FAULT_SIZE] = {"size", "The statement is too large."},
    [OWNERSHIP_FAULT_RATE] = {"rate", "This device asks too often."},
    [OWNERSHIP_FAULT_TYPE] = {"type", "It is a JWS of another type, not a statement."},
    [OWNERSHIP_FAULT_FORM] = {"form", "It is not a well-formed statement."},
    [OWNERSHIP_FAULT_METHOD] = {"method", "It asks for something unknown."},
    [OWNERSHIP_FAULT_METHOD_DIFFERS] = {"method-differs",
                                        "The RPC has another method than the statement in it."},
    [OWNERSHIP_FAULT_AUDIENCE] = {"audience", "It is for the steward of another site."},
    [OWNERSHIP_FAULT_LEAF] = {"leaf", "First contact, but the certificate that the cloud has "
                                      "stored for it is not a good one of ours."},
    [OWNERSHIP_FAULT_KEY_OTHER_SN] = {"key-other-sn",
                                      "It is signed with the key of another serial number."},
    [OWNERSHIP_FAULT_KEY_UNKNOWN] = {"key-unknown",
                                     "It is signed with a key that was never registered for it."},
    [OWNERSHIP_FAULT_SN] = {"sn", "This serial number is unknown here."},
    [OWNERSHIP_FAULT_ALGORITHM] = {"algorithm",
                                   "It names another algorithm than the registered key has."},
    [OWNERSHIP_FAULT_SIGNATURE] = {"signature", "The signature is wrong."},
    [OWNERSHIP_FAULT_ID_OTHER_SN] = {"id-other-sn",
                                     "It came over the session of another serial number."},
    [OWNERSHIP_FAULT_ID_UNKNOWN] = {"id-unknown",
                                    "It came over the session of a record that is not this "
                                    "device's and does not hold its certificate."},
    [OWNERSHIP_FAULT_RIGHT] = {"right", "The key may not do that."},
    [OWNERSHIP_FAULT_EPOCH] = {"epoch", "The epoch is closed: the device was reset since."},
    [OWNERSHIP_FAULT_TICKET_FORGED] = {"ticket-forged", "The ticket was not made here."},
    [OWNERSHIP_FAULT_TICKET_EXPIRED] = {"ticket-expired", "The ticket has expired."},
    [OWNERSHIP_FAULT_TICKET_DEVICE] = {"ticket-device", "The ticket is for another device."},
    [OWNERSHIP_FAULT_TICKET_EPOCH] = {"ticket-epoch",
                                      "The ticket is for this device before it was reset."},
    [OWNERSHIP_FAULT_TICKET_USED] = {"ticket-used", "The ticket has been used before."},
    [OWNERSHIP_FAULT_TWO_CODES] = {"two-codes", "Two accounts have entered its claim code."},
    [OWNERSHIP_FAULT_NO_TICKET] = {"no-ticket", "There is neither a ticket nor a claim code."},
    [OWNERSHIP_FAULT_CSR] = {"csr", "The certificate request cannot be used."},
    [OWNERSHIP_FAULT_CSR_NAME] = {"csr-name", "The certificate request names another device."},
    [OWNERSHIP_FAULT_CSR_KEY] = {"csr-key",
                                 "The key of the certificate request has been certified before."},
};

const char *ownership_fault_name(ownership_fault_t fault)
{
    return (unsigned)fault < OWNERSHIP_FAULTS ? FAULTS[fault].name : "?";
}

const char *ownership_fault_text(ownership_fault_t fault)
{
    return (unsigned)fault < OWNERSHIP_FAULTS ? FAULTS[fault].text : "?";
}

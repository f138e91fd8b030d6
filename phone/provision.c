/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "phone/internal.h"

#define REQUEST_TIMEOUT_MS 30000 /* one exchange; a blocking scan takes some seconds */
#define JOIN_TIMEOUT_MS    60000
#define POLL_MS            250
#define POLL_RETRIES       3 /* a board's access point hops to the network's channel */
#define DEFAULT_USERNAME   "wifiprov"

const char *phone_result_name(phone_result_t result)
{
    static const char *const names[] = {
        [PHONE_OK] = "ok",
        [PHONE_GONE] = "gone",
        [PHONE_SECRET_NEEDED] = "secret-needed",
        [PHONE_WRONG_SECRET] = "secret",
        [PHONE_WRONG_PASSPHRASE] = "auth",
        [PHONE_NO_NETWORK] = "not-found",
        [PHONE_TIMEOUT] = "timeout",
        [PHONE_REFUSED] = "refused",
        [PHONE_NO_TICKET] = "ticket",
        [PHONE_CLAIM_REFUSED] = "claim",
        [PHONE_FAILED] = "failed",
    };

    return names[result];
}

typedef struct {
    const phone_request_t *request;
    protocomm_client_t *client;
    protocomm_version_t version;
    char secret[PROTOCOMM_POP_MAX + 1];
} job_t;

static phone_result_t fail(phone_result_t result, err_t *err, const char *text)
{
    err_set(err, ERR_PEER, "%s", text);
    return result;
}

/* The protocol's outcome as the app's; the text is there already. */
static phone_result_t from_outcome(protocomm_outcome_t outcome)
{
    switch (outcome) {
    case PROTOCOMM_OK:
        return PHONE_OK;
    case PROTOCOMM_GONE:
        return PHONE_GONE;
    case PROTOCOMM_BAD_SECRET:
        return PHONE_WRONG_SECRET;
    case PROTOCOMM_NO_ANSWER:
    case PROTOCOMM_REFUSED:
        return PHONE_REFUSED;
    default:
        return PHONE_FAILED;
    }
}

static void step(const job_t *job, phone_step_t which, const char *detail)
{
    if (job->request->progress)
        job->request->progress(job->request->ctx, which, detail);
}

/* -- connect --------------------------------------------------------------------------------- */

static phone_result_t open_device(job_t *job, err_t *err)
{
    protocomm_transport_t transport;

    step(job, PHONE_STEP_CONNECT, job->request->address);
    if (!protocomm_http_open(&transport, job->request->address, REQUEST_TIMEOUT_MS, err))
        return PHONE_FAILED;
    job->client = protocomm_client_new(&transport, err);
    if (!job->client)
        return PHONE_FAILED;
    return from_outcome(protocomm_client_version(job->client, &job->version, err));
}

/* -- session --------------------------------------------------------------------------------- */

static phone_result_t check_security(const job_t *job, err_t *err)
{
    const int wanted = job->request->security, speaks = job->version.security;

    if (wanted >= 0 && wanted != speaks) {
        err_set(err, ERR_PEER, "the device speaks security %d, not %d: leave --security away",
                speaks, wanted);
        return PHONE_REFUSED;
    }
    if (speaks > 2) {
        err_set(err, ERR_PEER, "the device speaks security %d, which is not known here", speaks);
        return PHONE_REFUSED;
    }
    return PHONE_OK;
}

/* With the secret that the job has. */
static phone_result_t shake_hands(job_t *job, err_t *err)
{
    const phone_request_t *request = job->request;
    const protocomm_security_t security = {
        .version = job->version.security,
        .patch_version = job->version.patch_version,
        .pop = (const uint8_t *)job->secret,
        .pop_len = strlen(job->secret),
        .username =
            request->username && request->username[0] ? request->username : DEFAULT_USERNAME,
        .password = job->secret,
    };
    err_t why = ERR_INIT;
    phone_result_t result = from_outcome(protocomm_client_session(job->client, &security, &why));
    if (result == PHONE_WRONG_SECRET)
        return fail(result, err,
                    "the proof of possession (or password) is wrong: compare it with the device's "
                    "label and try again");
    if (result != PHONE_OK)
        err_set(err, why.kind, "%s", why.text);
    return result;
}

static phone_result_t open_session(job_t *job, err_t *err)
{
    const phone_request_t *request = job->request;
    char detail[32];

    phone_result_t result = check_security(job, err);
    if (result != PHONE_OK)
        return result;
    snprintf(detail, sizeof detail, "security %d", job->version.security);
    if (job->version.needs_secret &&
        (!request->secret || !request->secret(request->ctx, job->secret, err) || !job->secret[0]))
        return fail(PHONE_SECRET_NEEDED, err,
                    "the device wants the proof of possession (or password) that is on its label: "
                    "give it with --pop-file FILE");
    step(job, PHONE_STEP_SESSION, detail);
    return shake_hands(job, err);
}

/* -- who claims it --------------------------------------------------------------------------- */

/* A board without the endpoint never saw the request, while our key stream has moved on: only a new
   session helps. */
static phone_result_t read_info(job_t *job, phone_info_t *info, err_t *err)
{
    err_t why = ERR_INIT;
    protocomm_outcome_t outcome = phone_info_read(job->client, info, &why);

    if (outcome == PROTOCOMM_NO_ENDPOINT)
        return shake_hands(job, err);
    if (outcome != PROTOCOMM_OK)
        err_set(err, why.kind, "%s", why.text);
    return from_outcome(outcome);
}

static phone_result_t hand_over(job_t *job, phone_joined_t *joined, err_t *err)
{
    const phone_account_t *account = job->request->account;
    char ticket[PHONE_TICKET_SIZE];

    if (!account || !joined->info.steward[0])
        return PHONE_OK;
    if (job->version.security == 0)
        return fail(PHONE_CLAIM_REFUSED, err,
                    "this device speaks security 0, where anybody near could read the ticket: "
                    "provision it without --account, and claim it with its code");
    step(job, PHONE_STEP_CLAIM, account->name);
    if (!phone_ticket(account, joined->info.sn, joined->info.epoch, ticket, err)) {
        err_add(err, "no ticket for %s", joined->info.sn);
        return PHONE_NO_TICKET;
    }
    protocomm_outcome_t outcome = phone_claim_hand_over(job->client, ticket, err);
    bytes_wipe(ticket, sizeof ticket);
    if (outcome == PROTOCOMM_OK)
        joined->claimed = true;
    else if (outcome == PROTOCOMM_GONE)
        return PHONE_GONE;
    return outcome == PROTOCOMM_OK ? PHONE_OK : PHONE_CLAIM_REFUSED;
}

/* -- credentials ----------------------------------------------------------------------------- */

static phone_result_t send_credentials(job_t *job, err_t *err)
{
    step(job, PHONE_STEP_SEND, job->request->ssid);
    protocomm_outcome_t outcome =
        protocomm_client_set(job->client, job->request->ssid, job->request->passphrase, err);
    if (outcome == PROTOCOMM_OK)
        outcome = protocomm_client_apply(job->client, err);
    return from_outcome(outcome);
}

static void wait_ms(int ms)
{
    const struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

    (void)nanosleep(&t, NULL);
}

/* Asks once; *done tells whether the attempt is over. */
static phone_result_t ask_status(job_t *job, phone_joined_t *joined, bool *done, err_t *err)
{
    protocomm_status_t status;
    const char *ssid = job->request->ssid;

    protocomm_outcome_t outcome = protocomm_client_status(job->client, &status, err);
    *done = outcome != PROTOCOMM_OK || status.join != PROTOCOMM_JOINING;
    if (outcome != PROTOCOMM_OK)
        return from_outcome(outcome);
    switch (status.join) {
    case PROTOCOMM_JOINED:
        joined->connected = status.connected;
        return PHONE_OK;
    case PROTOCOMM_WRONG_PASSWORD:
        err_set(err, ERR_PEER, "\"%.32s\" does not accept the passphrase: try again with another",
                ssid);
        return PHONE_WRONG_PASSPHRASE;
    case PROTOCOMM_NO_NETWORK:
        err_set(err, ERR_PEER,
                "the device does not find the network \"%.32s\": check the name with `cradle phone "
                "networks`, or move closer",
                ssid);
        return PHONE_NO_NETWORK;
    case PROTOCOMM_DISCONNECTED:
        err_set(err, ERR_PEER, "the device was in \"%.32s\" and lost it: try again", ssid);
        return PHONE_REFUSED;
    default:
        return PHONE_OK;
    }
}

static phone_result_t wait_joined(job_t *job, phone_joined_t *joined, err_t *err)
{
    const int limit =
        job->request->join_timeout_ms ? job->request->join_timeout_ms : JOIN_TIMEOUT_MS;
    const uint64_t end = clock_monotonic_ms() + (uint64_t)limit;
    int lost = 0;

    step(job, PHONE_STEP_JOIN, job->request->ssid);
    while (clock_monotonic_ms() < end) {
        err_t why = ERR_INIT;
        bool done;
        wait_ms(POLL_MS);
        phone_result_t result = ask_status(job, joined, &done, &why);
        if (result == PHONE_GONE && ++lost <= POLL_RETRIES)
            continue;
        if (result != PHONE_OK) {
            err_set(err, why.kind, "%s", why.text);
            return result;
        }
        if (done)
            return PHONE_OK;
        lost = 0;
    }
    err_set(err, ERR_PEER,
            "the device is still trying to join \"%.32s\" after %d seconds: look whether the "
            "network is up, then try again",
            job->request->ssid, limit / 1000);
    return PHONE_TIMEOUT;
}

/* -- the whole ------------------------------------------------------------------------------- */

phone_result_t phone_provision(const phone_request_t *request, phone_joined_t *joined, err_t *err)
{
    job_t job = {.request = request};

    memset(joined, 0, sizeof *joined);
    phone_result_t result = open_device(&job, err);
    joined->security = job.version.security;
    if (result == PHONE_OK)
        result = open_session(&job, err);
    if (result == PHONE_OK)
        result = read_info(&job, &joined->info, err);
    bytes_wipe(job.secret, sizeof job.secret);
    if (result == PHONE_OK)
        result = hand_over(&job, joined, err);
    if (result == PHONE_OK)
        result = send_credentials(&job, err);
    if (result == PHONE_OK)
        result = wait_joined(&job, joined, err);
    protocomm_client_free(job.client);
    return result;
}

phone_result_t phone_networks(const phone_request_t *request,
                              protocomm_network_t networks[PROTOCOMM_SCAN_MAX], size_t *count,
                              err_t *err)
{
    job_t job = {.request = request};

    *count = 0;
    phone_result_t result = open_device(&job, err);
    if (result == PHONE_OK && !job.version.can_scan)
        result = fail(PHONE_REFUSED, err, "this device cannot scan for networks");
    if (result == PHONE_OK)
        result = open_session(&job, err);
    bytes_wipe(job.secret, sizeof job.secret);
    if (result == PHONE_OK)
        result = from_outcome(protocomm_client_scan(job.client, networks, count, err));
    protocomm_client_free(job.client);
    return result;
}

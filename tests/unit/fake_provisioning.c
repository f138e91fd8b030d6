/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_provisioning.h"

#include <stdlib.h>
#include <string.h>

static bool scan_start(void *ctx, const protocomm_scan_t *how)
{
    fake_t *fake = ctx;

    fake->scans++;
    fake->how = *how;
    if (fake->scan_fails)
        return false;
    if (!fake->scan_later)
        fake_scan_done(fake);
    return true;
}

void fake_scan_done(fake_t *fake)
{
    protocomm_device_scan_done(fake->device, fake->networks, fake->network_count);
}

static bool apply(void *ctx, const protocomm_credentials_t *credentials)
{
    fake_t *fake = ctx;

    fake->applies++;
    fake->credentials = *credentials;
    if (fake->apply_fails)
        return false;
    if (!fake->apply_later)
        fake_outcome(fake);
    return true;
}

void fake_outcome(fake_t *fake)
{
    const char *ssid = fake->credentials.ssid;

    for (size_t i = 0; i < fake->network_count; i++) {
        const protocomm_network_t *network = &fake->networks[i];
        if (network->ssid_len != strlen(ssid) || memcmp(network->ssid, ssid, strlen(ssid)) != 0)
            continue;
        if (network->auth != 0 && strcmp(fake->credentials.passphrase, fake->password) != 0) {
            protocomm_device_wifi_failed(fake->device, PROTOCOMM_FAIL_AUTH);
            return;
        }
        protocomm_connected_t connected = {.ip4 = "192.168.1.7", .network = *network};
        protocomm_device_wifi_connected(fake->device, &connected);
        return;
    }
    protocomm_device_wifi_failed(fake->device, PROTOCOMM_FAIL_NOT_FOUND);
}

static void reset(void *ctx)
{
    ((fake_t *)ctx)->resets++;
}

static void finished(void *ctx)
{
    ((fake_t *)ctx)->finished++;
}

static void session_up(void *ctx, uint32_t session)
{
    (void)session;
    ((fake_t *)ctx)->sessions++;
}

static void refused(void *ctx, const char *endpoint, const err_t *why)
{
    fake_t *fake = ctx;

    (void)endpoint;
    fake->refused++;
    fake->why = *why;
}

static bool answer(const char *text, uint8_t *out, size_t cap, size_t *out_len)
{
    *out_len = strlen(text);
    if (*out_len == 0 || *out_len > cap)
        return false;
    memcpy(out, text, *out_len);
    return true;
}

static bool info(void *ctx, uint32_t session, const uint8_t *in, size_t in_len, uint8_t *out,
                 size_t cap, size_t *out_len)
{
    const fake_t *fake = ctx;

    (void)session, (void)in, (void)in_len;
    return answer(fake->info, out, cap, out_len);
}

static bool claim(void *ctx, uint32_t session, const uint8_t *in, size_t in_len, uint8_t *out,
                  size_t cap, size_t *out_len)
{
    fake_t *fake = ctx;

    (void)session;
    if (in_len == 0 || in_len >= sizeof fake->ticket)
        return false;
    memcpy(fake->ticket, in, in_len);
    fake->ticket[in_len] = '\0';
    fake->claims++;
    fake->claim_applies = fake->applies;
    return answer(fake->claim_answer, out, cap, out_len);
}

static protocomm_network_t network(const char *ssid, uint8_t auth, uint8_t channel, int8_t rssi,
                                   uint8_t last)
{
    protocomm_network_t n = {.ssid_len = (uint8_t)strlen(ssid),
                             .bssid = {2, 0, 0, 0, 0, last},
                             .channel = channel,
                             .rssi = rssi,
                             .auth = auth};

    memcpy(n.ssid, ssid, n.ssid_len);
    return n;
}

void fake_init_plain(fake_t *fake, const protocomm_security_t *security)
{
    const protocomm_port_t port = {fake, scan_start, apply, reset, finished, session_up, refused};

    memset(fake, 0, sizeof *fake);
    fake->networks[0] = network("Open-Guest", 0, 1, -70, 2);
    fake->networks[1] = network("Alice-Home", 3, 6, -45, 1);
    fake->network_count = 2;
    fake->password = "wonderland";
    strcpy(fake->info, "{\"v\":1,\"sn\":\"SN-000001\"}");
    strcpy(fake->claim_answer, "{\"ok\":true}");
    fake->device = protocomm_device_new(security, &port, NULL);
    if (!fake->device)
        abort();
}

void fake_init(fake_t *fake, const protocomm_security_t *security)
{
    fake_init_plain(fake, security);
    if (!protocomm_device_endpoint(fake->device, "cradle-info", false, info, fake, NULL) ||
        !protocomm_device_endpoint(fake->device, "cradle-claim", true, claim, fake, NULL))
        abort();
}

void fake_free(fake_t *fake)
{
    protocomm_device_free(fake->device);
}

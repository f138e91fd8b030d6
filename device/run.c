/* SPDX-License-Identifier: Apache-2.0 */
#include "device/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "device/device.h"
#include "json/json.h"
#include "site/run.h"

/* {"mac":"02:00:00:00:00:04"}: what a chip has in its eFuses. */
static bool read_mac(const site_t *site, const char *sn, uint8_t mac[6], err_t *err)
{
    char path[FILE_PATH_MAX];
    char text[18];
    char *json;
    size_t len;
    json_token_t token;
    if (!site_unit_path(site, sn, "chip.json", path, err) ||
        !file_read(path, 4096, &json, &len, err)) {
        return err_add(err, "unit %s (`cradle factory list` shows the units)", sn);
    }
    bool ok = json_find(json, len, "mac", &token) && json_string(&token, text, sizeof text, &len) &&
              len == 17;
    for (int i = 0; ok && i < 6; i++) {
        ok = bytes_from_hex(text + 3 * i, 2, &mac[i], 1);
    }
    free(json);
    return ok || err_set(err, ERR_INPUT, "%s does not hold a MAC address", path);
}

bool device_unit_open(const site_t *site, const char *sn, bool read_only, flash_t **flash,
                      uint8_t mac[6], err_t *err)
{
    char base[FILE_PATH_MAX];
    char identity[FILE_PATH_MAX];
    char overlay[FILE_PATH_MAX];
    char dir[FILE_PATH_MAX];
    if (!read_mac(site, sn, mac, err) || !site_path(site, "factory/base.bin", base, err) ||
        !site_unit_path(site, sn, "identity.bin", identity, err) ||
        !site_device_path(site, sn, "flash.ovl", overlay, err) ||
        !site_device_path(site, sn, NULL, dir, err) ||
        (!read_only && !file_make_dirs(dir, 0700, err))) {
        return false;
    }
    const flash_unit_t unit = {
        .base = base, .identity = identity, .overlay = overlay, .read_only = read_only};
    *flash = flash_open_unit(&unit, err);
    return *flash != NULL || err_add(err, "unit %s", sn);
}

static void run_name(const char *sn, char name[80])
{
    snprintf(name, 80, "device-%s", sn);
}

bool device_button(const site_t *site, const char *sn, device_button_t button, bool *running,
                   err_t *err)
{
    char text[SITE_RUN_MAX + 1];
    char name[80];
    flash_t *flash;
    uint8_t mac[6];
    pid_t pid;
    err_t none = ERR_INIT;
    run_name(sn, name);
    *running = site_run_read(site, name, text, &pid, &none);
    if (*running) {
        return kill(pid, button == DEVICE_RESET ? SIGUSR1 : SIGUSR2) == 0 ||
               err_errno(err, "unit %s (process %d) cannot be signalled", sn, (int)pid);
    }
    if (button == DEVICE_PRESS) {
        return err_set(err, ERR_PRECONDITION, "unit %s does not run (`cradle device run %s`)", sn,
                       sn);
    }
    return device_unit_open(site, sn, false, &flash, mac, err) &&
           device_reset_flash(flash, mac, err);
}

/* ---- the process ---- */

typedef struct {
    const device_run_t *run;
    loop_t *loop;
    device_t *device;
    bool stopping;
    bool halted;
    bool reboot;
} process_t;

static void log_line(void *ctx, const char *sn, const char *text)
{
    const process_t *process = ctx;
    char when[32];
    int64_t now = clock_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm utc;
    if (process->run->quiet) {
        return;
    }
    gmtime_r(&seconds, &utc);
    strftime(when, sizeof when, "%H:%M:%S", &utc);
    if (process->run->json) {
        char line[1024];
        json_writer_t w;
        json_writer_init(&w, line, sizeof line);
        json_object(&w);
        json_key(&w, "time");
        json_put_i64(&w, now);
        json_key(&w, "sn");
        json_put_string(&w, sn);
        json_key(&w, "text");
        json_put_string(&w, text);
        json_end(&w);
        if (json_writer_done(&w, NULL)) {
            fprintf(stderr, "%s\n", line);
        }
        return;
    }
    fprintf(stderr, "%s.%03d  %s  %s\n", when, (int)(now % 1000), sn, text);
}

static void on_halted(void *ctx, bool reboot)
{
    process_t *process = ctx;
    process->halted = true;
    process->reboot = reboot;
    loop_stop(process->loop);
}

/* Signals only leave a mark: what they mean is done on the loop. */
static volatile sig_atomic_t buttons;
static loop_t *button_loop;

static void on_signal(int number)
{
    buttons |= number == SIGUSR1 ? 1 : 2;
    loop_wake(button_loop);
}

static void on_buttons(void *ctx)
{
    process_t *process = ctx;
    sig_atomic_t pressed = buttons;
    buttons = 0;
    if (process->device != NULL && (pressed & 1) != 0) {
        device_reset(process->device);
    } else if (process->device != NULL && (pressed & 2) != 0) {
        device_press(process->device);
    }
}

static void listen_to_buttons(process_t *process)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    button_loop = process->loop;
    loop_on_wake(process->loop, on_buttons, process);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
}

static bool open_flash(const site_t *site, const device_run_t *run, flash_t **flash, uint8_t mac[6],
                       err_t *err)
{
    if (run->sn != NULL) {
        return device_unit_open(site, run->sn, false, flash, mac, err);
    }
    *flash = flash_open_image(run->flash, true, err);
    return *flash != NULL;
}

static bool announce(const site_t *site, const char *sn, char name[80], err_t *err)
{
    run_name(sn, name);
    return site_run_write(site, name, NULL, 0, err);
}

/* One life of the unit, from power on to power off or reboot. */
static bool live(process_t *process, const site_t *site, const device_settings_t *settings,
                 err_t *err)
{
    flash_t *flash;
    uint8_t mac[6];
    char name[80];
    process->halted = false;
    if (!open_flash(site, process->run, &flash, mac, err) ||
        !device_open(&process->device, process->loop, flash, process->run->sn != NULL ? mac : NULL,
                     settings, err)) {
        return false;
    }
    bool ok =
        announce(site, device_boot(process->device)->sn, name, err) && loop_run(process->loop, err);
    if (ok && !process->halted) { /* a signal: let it say good-bye */
        process->stopping = true;
        device_stop(process->device);
        uint64_t until = clock_monotonic_ms() + 2000;
        while (!process->halted && clock_monotonic_ms() < until &&
               loop_turn(process->loop, 50, err)) {
        }
    }
    site_run_remove(site, name);
    device_close(process->device);
    process->device = NULL;
    return ok;
}

bool device_run(const site_t *site, const device_run_t *run, err_t *err)
{
    process_t process = {.run = run};
    char air[FILE_PATH_MAX];
    char networks[FILE_PATH_MAX];
    if (!site_path(site, "air", air, err) || !site_path(site, "air/networks.json", networks, err) ||
        !loop_open(&process.loop, err)) {
        return false;
    }
    const device_settings_t settings = {.air = air,
                                        .networks =
                                            run->networks != NULL ? run->networks : networks,
                                        .cloud = run->cloud,
                                        .ctx = &process,
                                        .log = log_line,
                                        .halted = on_halted};
    bool ok = loop_stop_on_signals(process.loop, err);
    listen_to_buttons(&process);
    do {
        ok = ok && live(&process, site, &settings, err);
    } while (ok && process.halted && process.reboot && !process.stopping);
    loop_close(process.loop);
    return ok;
}

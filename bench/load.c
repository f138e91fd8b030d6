/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load on an MQTT server with mutual TLS, and what it costs the server:
 *
 *     bench_load --site DIR --server HOST:PORT --pid N [--devices N] [--messages N]
 *
 * Each unit of the site connects with its own key and certificate, a full handshake, one at a time;
 * all stay connected; then each sends three values at QoS 1, round by round, all waiting for their
 * acknowledgement. Prints one JSON object: CPU of the server for a connect and a message, and the
 * memory that it keeps for an idle connection. CPU is /proc/PID/task/N/schedstat, nanoseconds.
 * This side checks the server's certificate as a device does, and that every answer is the right
 * one: a server that refuses is no quick server.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/file.h"
#include "factory/factory.h"
#include "flash/spiffs.h"
#include "site/site.h"
#include "term/options.h"
#include "term/term.h"

typedef struct {
    char sn[SITE_SN_SIZE];
    SSL_CTX *ctx;
    SSL *ssl;
} device_t;

typedef struct {
    const char *site_dir, *server;
    uint64_t pid, devices, messages;
    site_t site;
    device_t *device;
    size_t count;
} load_t;

static _Noreturn void die(const char *what)
{
    term_error("load: %s", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

/* ---- what the server spent ---- */

static double cpu_of(uint64_t pid)
{
    char path[64];
    double sum = 0;
    struct dirent *entry;
    snprintf(path, sizeof path, "/proc/%" PRIu64 "/task", pid);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        die("the server is not there");
    }
    while ((entry = readdir(dir)) != NULL) {
        char file[400];
        uint64_t ns;
        snprintf(file, sizeof file, "%s/%s/schedstat", path, entry->d_name);
        FILE *in = entry->d_name[0] == '.' ? NULL : fopen(file, "re");
        if (in != NULL) {
            sum += fscanf(in, "%" SCNu64, &ns) == 1 ? (double)ns / 1e9 : 0;
            fclose(in);
        }
    }
    closedir(dir);
    return sum;
}

/* KiB that are its own: what it shares with others costs nothing more for a connection. */
static double memory_of(uint64_t pid)
{
    char path[64], line[128];
    unsigned long kib = 0;
    snprintf(path, sizeof path, "/proc/%" PRIu64 "/status", pid);
    FILE *in = fopen(path, "re");
    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        if (sscanf(line, "RssAnon: %lu kB", &kib) == 1) {
            break;
        }
    }
    if (in != NULL) {
        fclose(in);
    }
    return (double)kib;
}

/* ---- devices ---- */

static char *take_file(const spiffs_t *fs, const char *name, size_t *len)
{
    char *data;
    err_t err = ERR_INIT;
    if (!spiffs_read_file(fs, name, 65536, &data, len, &err)) {
        die(err.text);
    }
    return data;
}

static void use_files(device_t *device, const spiffs_t *fs)
{
    size_t len;
    char *text = take_file(fs, SITE_IDENTITY_CERT, &len);
    BIO *bio = BIO_new_mem_buf(text, (int)len);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    bool ok = cert != NULL && SSL_CTX_use_certificate(device->ctx, cert) == 1;
    X509_free(cert);
    while (ok && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        ok = SSL_CTX_add0_chain_cert(device->ctx, cert) == 1;
    }
    ERR_clear_error();
    BIO_free(bio);
    free(text);
    text = take_file(fs, SITE_IDENTITY_KEY, &len);
    bio = BIO_new_mem_buf(text, (int)len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    ok = ok && key != NULL && SSL_CTX_use_PrivateKey(device->ctx, key) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    OPENSSL_cleanse(text, len);
    free(text);
    if (!ok) {
        die("a unit's key or certificate cannot be used");
    }
}

static bool add(void *context, const factory_unit_t *unit)
{
    load_t *load = context;
    device_t *device = &load->device[load->count++];
    const spiffs_config_t config = spiffs_config_default(FACTORY_IDENTITY_SIZE);
    char path[FILE_PATH_MAX], root[FILE_PATH_MAX];
    char *image;
    size_t len;
    spiffs_t fs;
    err_t err = ERR_INIT;
    snprintf(device->sn, sizeof device->sn, "%s", unit->sn);
    if (!site_unit_path(&load->site, unit->sn, "identity.bin", path, &err) ||
        !file_read(path, FACTORY_IDENTITY_SIZE, &image, &len, &err) ||
        !spiffs_open(&fs, &config, image, len, &err) ||
        !site_ca_path(&load->site, "server-root", root, &err)) {
        die(err.text);
    }
    device->ctx = SSL_CTX_new(TLS_client_method());
    if (device->ctx == NULL || SSL_CTX_load_verify_locations(device->ctx, root, NULL) != 1) {
        die("the server's root cannot be used");
    }
    SSL_CTX_set_verify(device->ctx, SSL_VERIFY_PEER, NULL);
    use_files(device, &fs);
    free(image);
    return load->count < load->devices;
}

/* ---- MQTT 3.1.1, as much as is needed ---- */

static void put(device_t *device, const uint8_t *data, size_t len)
{
    if (SSL_write(device->ssl, data, (int)len) != (int)len) {
        die("the server takes nothing more");
    }
}

static void expect(device_t *device, const uint8_t *wanted, size_t len)
{
    uint8_t got[16];
    size_t have = 0;
    while (have < len) {
        int n = SSL_read(device->ssl, got + have, (int)(len - have));
        if (n <= 0) {
            die("the server closed the connection");
        }
        have += (size_t)n;
    }
    if (memcmp(got, wanted, len) != 0) {
        die("the server answers something else");
    }
}

static size_t put_text(uint8_t *out, const char *text)
{
    size_t len = strlen(text);
    out[0] = (uint8_t)(len >> 8);
    out[1] = (uint8_t)len;
    memcpy(out + 2, text, len);
    return len + 2;
}

static void say_hello(device_t *device)
{
    static const uint8_t CONNACK[] = {0x20, 2, 0, 0};
    uint8_t packet[128] = {0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0}; /* clean session */
    size_t len = 12;
    len += put_text(packet + len, device->sn);
    packet[1] = (uint8_t)(len - 2);
    put(device, packet, len);
    expect(device, CONNACK, sizeof CONNACK);
}

static void publish(device_t *device, unsigned round)
{
    uint8_t packet[256] = {0x32, 0};
    char values[120];
    size_t len = 2;
    len += put_text(packet + len, "v1/devices/me/telemetry");
    packet[len++] = 0;
    packet[len++] = 1;
    int n = snprintf(values, sizeof values, "{\"temperature\":%u.%u,\"humidity\":%u,\"rssi\":-%u}",
                     20 + round % 10, round % 10, 40 + round % 20, 50 + round % 9);
    memcpy(packet + len, values, (size_t)n);
    len += (size_t)n;
    packet[1] = (uint8_t)(len - 2);
    put(device, packet, len);
}

static void connect_device(const load_t *load, device_t *device)
{
    BIO *bio = BIO_new_connect(load->server);
    device->ssl = SSL_new(device->ctx);
    if (bio == NULL || device->ssl == NULL || BIO_do_connect(bio) != 1) {
        die("cannot connect");
    }
    SSL_set_bio(device->ssl, bio, bio);
    if (SSL_connect(device->ssl) != 1) {
        die("no TLS session");
    }
    say_hello(device);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pause_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

static void run(load_t *load)
{
    static const uint8_t PUBACK[] = {0x40, 2, 0, 1};
    enum { WARM = 20 };
    for (size_t i = 0; i < WARM; i++) {
        connect_device(load, &load->device[i]);
    }
    pause_ms(300);
    double memory = memory_of(load->pid);
    double cpu = cpu_of(load->pid);
    double start = seconds();
    for (size_t i = WARM; i < load->count; i++) {
        connect_device(load, &load->device[i]);
    }
    pause_ms(300); /* what it does afterwards counts, too */
    double connects = (double)(load->count - WARM);
    double connect_cpu = (cpu_of(load->pid) - cpu) / connects;
    double connect_wall = (seconds() - start) / connects;
    double idle = (memory_of(load->pid) - memory) / connects;
    for (unsigned phase = 0; phase < 2; phase++) {
        cpu = cpu_of(load->pid);
        for (unsigned round = 0; round < (phase == 0 ? 3 : load->messages); round++) {
            for (size_t i = 0; i < load->count; i++) {
                publish(&load->device[i], round);
            }
            for (size_t i = 0; i < load->count; i++) {
                expect(&load->device[i], PUBACK, sizeof PUBACK);
            }
        }
        pause_ms(phase == 0 ? 0 : 300);
    }
    double message_cpu = (cpu_of(load->pid) - cpu) / ((double)load->messages * (double)load->count);
    printf("{\"devices\":%zu,\"connect_us\":%.1f,\"connect_wall_us\":%.1f,\"message_us\":%.2f,"
           "\"idle_kib\":%.2f}\n",
           load->count, connect_cpu * 1e6, connect_wall * 1e6, message_cpu * 1e6, idle);
}

int main(int argc, char **argv)
{
    load_t load = {.site_dir = ".", .devices = 300, .messages = 50};
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"site", 0, OPTION_TEXT, &load.site_dir, "DIR", "whose units connect"},
        {"server", 0, OPTION_TEXT, &load.server, "HOST:PORT", "where"},
        {"pid", 0, OPTION_UINT, &load.pid, "N", "the server's process"},
        {"devices", 0, OPTION_UINT, &load.devices, "N", "how many (300)"},
        {"messages", 0, OPTION_UINT, &load.messages, "N", "of each device (50)"},
        {0},
    };
    argc--;
    argv++;
    if (!options_parse(options, &argc, argv, 0, 0, &err) ||
        !site_open(&load.site, load.site_dir, &err)) {
        die(err.text);
    }
    if (load.server == NULL || load.pid == 0 || load.devices < 50 || load.messages == 0) {
        die("--server, --pid, --devices 50 or more and --messages are needed");
    }
    load.device = calloc((size_t)load.devices, sizeof *load.device);
    if (load.device == NULL || !factory_each(&load.site, add, &load, &err)) {
        die(err.text);
    }
    if (load.count < load.devices) {
        die("the site has not so many units");
    }
    run(&load);
    return 0;
}

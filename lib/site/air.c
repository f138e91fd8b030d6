/* SPDX-License-Identifier: Apache-2.0 */
#include "site/air.h"

#include "base/bytes.h"
#include "base/file.h"
#include "json/json.h"

/* what a phone shows of the network, one for all: WPA2, near enough */
enum { AUTH_WPA2 = 3, CHANNEL = 6, RSSI = -45 };
static const char bssid[] = "02:00:00:00:00:01";

static void put_network(json_writer_t *w, const site_air_t *network)
{
    json_object(w);
    json_key(w, "ssid");
    json_put_string(w, network->ssid);
    json_key(w, "password");
    json_put_string(w, network->password);
    json_key(w, "auth");
    json_put_i64(w, AUTH_WPA2);
    json_key(w, "channel");
    json_put_i64(w, CHANNEL);
    json_key(w, "rssi");
    json_put_i64(w, RSSI);
    json_key(w, "bssid");
    json_put_string(w, bssid);
    json_key(w, "up");
    json_put_bool(w, network->up);
    json_key(w, "hosts");
    json_object(w);
    for (size_t i = 0; i < network->count; i++) {
        json_key(w, network->hosts[i].host);
        json_put_string(w, network->hosts[i].address);
    }
    json_end(w);
    json_end(w);
}

bool site_air_write(const char *dir, const site_air_t *network, bool only_new, err_t *err)
{
    char air[FILE_PATH_MAX];
    char path[FILE_PATH_MAX];
    char text[2048];
    json_writer_t w;
    size_t len;
    json_writer_init(&w, text, sizeof text);
    json_object(&w);
    json_key(&w, "networks");
    json_array(&w);
    put_network(&w, network);
    json_end(&w);
    json_end(&w);
    bool ok = json_writer_done(&w, &len) ||
              err_set(err, ERR_USAGE, "the names of the simulated network are too long");
    ok = ok && file_join(air, dir, "air", err) && file_make_dirs(air, 0700, err) &&
         file_join(path, air, "networks.json", err) &&
         (only_new ? file_write_new(path, text, len, 0600, err)
                   : file_write(path, text, len, 0600, err));
    bytes_wipe(text, sizeof text);
    return ok;
}

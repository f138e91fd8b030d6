/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "device/radio.h"

static char path[] = "/tmp/cradle-radio-XXXXXX";

static void write_air(const char *text)
{
    assert_true(file_write(path, text, strlen(text), 0600, NULL));
}

static void joining_depends_on_name_and_password(void **state)
{
    (void)state;
    radio_joined_t joined;
    write_air("{\"networks\":[{\"ssid\":\"Home\",\"password\":\"right\",\"clock_offset_ms\":-5},"
              "{\"ssid\":\"Open\"},{\"ssid\":\"Gone\",\"up\":false}]}");
    assert_int_equal(radio_join(path, "Home", "right", &joined, NULL), 0);
    assert_int_equal(joined.clock_offset_ms, -5);
    assert_int_equal(joined.network.auth, 3);
    assert_int_equal(radio_join(path, "Home", "wrong", &joined, NULL), RADIO_WRONG_PASSWORD);
    assert_int_equal(radio_join(path, "Open", "anything", &joined, NULL), 0);
    assert_int_equal(joined.network.auth, 0);
    assert_int_equal(radio_join(path, "Gone", "", &joined, NULL), RADIO_NOT_FOUND);
    assert_int_equal(radio_join(path, "Nowhere", "", &joined, NULL), RADIO_NOT_FOUND);
    protocomm_network_t seen[4];
    size_t count;
    assert_true(radio_scan(path, seen, 4, &count, NULL));
    assert_int_equal(count, 2);
}

static void a_network_knows_its_hosts(void **state)
{
    (void)state;
    char out[SITE_HOST_SIZE];
    write_air("{\"networks\":[{\"ssid\":\"Home\",\"hosts\":{\"cloud.cradle.test:8883\":"
              "\"127.0.0.1:4001\",\"bad:1\":\"nonsense\"}}]}");
    assert_true(radio_resolve(path, "Home", "cloud.cradle.test:8883", out, NULL));
    assert_string_equal(out, "127.0.0.1:4001");
    assert_true(radio_resolve(path, "Home", "other:1", out, NULL));
    assert_string_equal(out, "other:1");
    assert_false(radio_resolve(path, "Home", "bad:1", out, NULL));
}

static void a_damaged_air_is_an_empty_one(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"networks\":5}",
        "{\"networks\":[5]}",
        "{\"networks\":[{\"ssid\":7}]}",
        "{\"networks\":[{\"ssid\":\"123456789012345678901234567890123\"}]}",
        "{\"networks\":[{\"ssid\":\"Home\",\"rssi\":\"loud\"}]}",
        "{\"networks\":[{\"ssid\":\"Home\",\"bssid\":\"02:00\"}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        radio_joined_t joined;
        err_t err = ERR_INIT;
        write_air(bad[i]);
        assert_int_equal(radio_join(path, "Home", "", &joined, &err), RADIO_NOT_FOUND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joining_depends_on_name_and_password),
        cmocka_unit_test(a_network_knows_its_hosts),
        cmocka_unit_test(a_damaged_air_is_an_empty_one),
    };
    int fd = mkstemp(path);
    if (fd < 0) {
        return 1;
    }
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "flash_help.h"

#include "flash/partition.h"

static partition_table_t table;
static uint8_t bytes[PARTITION_TABLE_SIZE];

static bool from_csv(const char *text, uint32_t offset, err_t *err)
{
    return partition_table_from_csv(text, strlen(text), offset, &table, err);
}

/* gen_esp32part.py of ESP-IDF v6.0.2 and v5.5.5 made the same bytes of this CSV. */
static void builds_what_gen_esp32part_builds(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    const char *csv = "# Name, Type, SubType, Offset, Size, Flags\n"
                      "nvs, data, nvs, , 0x6000,\n"
                      "otadata, data, ota, , 0x2000,\r\n"
                      "phy_init, data, phy, , 0x1000,\n"
                      "\n"
                      "esp_secure_cert, 0x3F, 0x06, , 0x2000, encrypted\n"
                      "ota_0, app, ota_0, , 0x180000,\n"
                      "ota_1, app, ota_1, , 1536K,\n"
                      "identity, data, spiffs, , 256k";
    assert_done(from_csv(csv, PARTITION_TABLE_DEFAULT, &err), err);
    assert_done(partition_table_check(&table, PARTITION_TABLE_DEFAULT, 0x400000, &err), err);
    static const uint32_t offsets[] = {0x9000,  0xf000,   0x11000, 0x12000,
                                       0x20000, 0x1a0000, 0x320000};
    assert_int_equal(table.count, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(table.entry[i].offset, offsets[i]);
    }
    assert_done(partition_table_build(&table, bytes, &err), err);
    assert_sha256(bytes, sizeof bytes,
                  "f013b262badfbe6ac15ca8c0a0ccdab8327ea2cf76738618e325d77d41888f14");
    partition_table_t again;
    assert_done(partition_table_parse(bytes, sizeof bytes, &again, &err), err);
    assert_memory_equal(&again, &table, sizeof table);
}

static void has_cradles_table(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    partition_table_cradle(&table);
    assert_done(partition_table_check(&table, PARTITION_TABLE_CRADLE, 0x400000, &err), err);
    assert_int_equal(partition_count_ota(&table), 2);
    /* gen_esp32part.py (v6.0.2, v5.5.5) --offset 0xd000 of the same nine rows. */
    assert_done(partition_table_build(&table, bytes, &err), err);
    assert_sha256(bytes, sizeof bytes,
                  "1431ef4c534870029463eedc23a4def0994de0eb82dcf6dde9026529343cb3c8");
    const partition_t *last = partition_find(&table, "outbox");
    assert_non_null(last);
    assert_int_equal(last->offset + last->size, 0x400000);
    assert_int_equal(partition_find(&table, "identity")->size, 0x9000);
    assert_null(partition_find(&table, "ident"));
    assert_string_equal(partition_find_type(&table, PARTITION_DATA, PARTITION_DATA_OTA)->label,
                        "otadata");
    assert_null(partition_find_type(&table, PARTITION_APP, PARTITION_APP_FACTORY));
}

static void prints_what_gen_esp32part_prints(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    char text[512];
    const char *csv = "a,app,factory,0x10000,1M\nb,data,0x55,0x110000,0x401,readonly:encrypted\n"
                      "c,0x40,7,0x112000,2K,readonly\n";
    assert_done(from_csv(csv, 0x8000, &err), err);
    size_t len = partition_table_to_csv(&table, text, sizeof text);
    assert_int_equal(len, strlen(text));
    assert_string_equal(text, "# ESP-IDF Partition Table\n"
                              "# Name, Type, SubType, Offset, Size, Flags\n"
                              "a,app,factory,0x10000,1M,\n"
                              "b,data,85,0x110000,0x401,encrypted:readonly\n"
                              "c,64,7,0x112000,2K,readonly\n");
    char small[20];
    assert_int_equal(partition_table_to_csv(&table, small, sizeof small), len);
    assert_int_equal(strlen(small), sizeof small - 1);
    assert_int_equal(partition_table_to_csv(&table, NULL, 0), len);
}

static void understands_the_csv(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    /* A negative size reaches up to that address; upper case; octal, binary; a byte order mark. */
    const char *csv = "\xef\xbb\xbf  # comment\r\n one , APP , Factory , , -0x200000 ,\n"
                      "two,data,,0b1000000000000000000000,0o10000\nthree,1,2,,+12K,";
    assert_done(from_csv(csv, 0x8000, &err), err);
    assert_int_equal(table.count, 3);
    assert_string_equal(table.entry[0].label, "one");
    assert_int_equal(table.entry[0].offset, 0x10000);
    assert_int_equal(table.entry[0].size, 0x1f0000);
    assert_int_equal(table.entry[1].offset, 0x200000);
    assert_int_equal(table.entry[1].subtype, PARTITION_DATA_UNDEFINED);
    assert_int_equal(table.entry[1].size, 0x1000);
    assert_int_equal(table.entry[2].subtype, PARTITION_DATA_NVS);
    assert_int_equal(table.entry[2].size, 0x3000);
}

static void refuses_bad_csv(void **state)
{
    (void)state;
    static const struct {
        const char *csv, *words;
    } cases[] = {
        {"a,data,nvs,,\n", "not a size"},
        {"a,data,nvs,,0x4000,shiny\n", "\"shiny\" is no flag"},
        {"a,dta,nvs,,0x4000\n", "\"dta\" is no type"},
        {"a,,nvs,,0x4000\n", "is no type"},
        {"a,app,,,0x4000\n", "is no subtype"},
        {"a,data,nsv,,0x4000\n", "\"nsv\" is no subtype"},
        {"a,0x100,1,,0x4000\n", "no type"},
        {"a,-1,1,,0x4000\n", "no type"},
        {"a,data,nvs,9 000,0x4000\n", "not an offset"},
        {"a,data,nvs,-1,0x4000\n", "not an offset"},
        {"a,data,nvs,,010\n", "not a size"},
        {"a,data,nvs,,0x\n", "not a size"},
        {"a,data,nvs,,K\n", "not a size"},
        {"a,data,nvs,,99999999999999999999\n", "not a size"},
        {"a,data,nvs,,5000M\n", "not a size"},
        {"a,data,nvs,0x8000,0x4000\n", "below 0x9000"},
        {"a,data,nvs,,0x4000\nb,data,phy,0xc000,0x1000\n", "line 2: its offset 0xc000"},
        {"a,data,nvs,,-0x4000\n", "end before it begins"},
        {"a,data,nvs,0xfffff000,0x2000\n", "beyond 32 bits"},
        {"a,bootloader,primary,,0x4000\n", "not supported"},
        {"a,data,nvs,,$SIZE\n", "$VARIABLES"},
        {",data,nvs,,0x4000\n", "0 characters"},
        {"12345678901234567,data,nvs,,0x4000\n", "17 characters"},
        {"a b,data,nvs,,0x4000\n", "printable"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        err_t err = ERR_INIT;
        assert_refused(from_csv(cases[i].csv, 0x8000, &err), err, ERR_INPUT, cases[i].words);
    }
    err_t err = ERR_INIT;
    char line[700];
    memset(line, 'x', sizeof line);
    assert_refused(partition_table_from_csv(line, sizeof line, 0x8000, &table, &err), err,
                   ERR_INPUT, "too long");
    assert_refused(partition_table_from_csv("a\0b", 3, 0x8000, &table, &err), err, ERR_INPUT,
                   "not text");
}

static void applies_the_rules(void **state)
{
    (void)state;
    static const struct {
        const char *csv, *words;
    } cases[] = {
        {"a,app,factory,0x11000,0x10000\n", "not a multiple of 0x10000"},
        {"a,data,phy,0x9800,0x1000\n", "not a multiple of 0x1000"},
        {"a,app,factory,0x10000,0x10800\n", "its size 0x10800"},
        {"a,data,nvs,,0x4000\na,data,phy,,0x1000\n", "the label a"},
        {"a,data,ota,,0x2000\nb,data,ota,,0x2000\n", "only one"},
        {"a,data,tee_ota,,0x2000\nb,data,tee_ota,,0x2000\n", "only one"},
        {"a,data,ota,,0x1000\n", "exactly 0x2000"},
        {"a,data,nvs,,0x2000\n", "readonly, or have at least 0x3000"},
        {"a,data,ota,,0x2000,readonly\n", "cannot be read-only"},
        {"a,data,coredump,,0x2000,readonly\n", "cannot be read-only"},
        {"a,app,factory,,4M\n", "beyond a flash of 0x400000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        err_t err = ERR_INIT;
        assert_done(from_csv(cases[i].csv, 0x8000, &err), err);
        assert_refused(partition_table_check(&table, 0x8000, 0x400000, &err), err, ERR_INPUT,
                       cases[i].words);
    }
    err_t err = ERR_INIT;
    assert_done(from_csv("a,data,nvs,,0x2000,readonly\n", 0x8000, &err), err);
    assert_done(partition_table_check(&table, 0x8000, 0x400000, &err), err);
    assert_refused(partition_table_check(&table, 0x9000, 0x400000, &err), err, ERR_INPUT,
                   "below 0xa000");
    partition_table_cradle(&table);
    table.entry[4].offset = 0x10000;
    assert_refused(partition_table_check(&table, 0xd000, 0x400000, &err), err, ERR_INPUT,
                   "overlaps");
}

static void holds_94_with_a_checksum_and_95_without(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    memset(&table, 0, sizeof table);
    for (unsigned i = 0; i < PARTITION_MAX; i++) {
        partition_t *e = &table.entry[i];
        snprintf(e->label, sizeof e->label, "p%u", i);
        e->type = 0x40;
        e->offset = 0x9000 + i * 0x1000;
        e->size = 0x1000;
    }
    table.count = PARTITION_MAX;
    assert_done(partition_table_build(&table, bytes, &err), err);
    partition_table_t again;
    assert_done(partition_table_parse(bytes, sizeof bytes, &again, &err), err);
    assert_memory_equal(&again, &table, sizeof table);
    table.has_md5 = true;
    assert_refused(partition_table_build(&table, bytes, &err), err, ERR_USAGE, "95 partitions");
    err_clear(&err);
    table.count = PARTITION_MAX - 1;
    assert_done(partition_table_build(&table, bytes, &err), err);
    assert_done(partition_table_parse(bytes, sizeof bytes, &again, &err), err);
    /* A table without an end. */
    memcpy(bytes + 95 * 32, bytes, 32);
    assert_refused(partition_table_parse(bytes, sizeof bytes, &again, &err), err, ERR_INPUT,
                   "goes on after");
    memcpy(bytes + 94 * 32, bytes, 32);
    assert_refused(partition_table_parse(bytes, sizeof bytes, &again, &err), err, ERR_INPUT,
                   "no end");
}

static void refuses_damaged_tables(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    partition_table_t parsed;
    partition_table_cradle(&table);
    assert_done(partition_table_build(&table, bytes, &err), err);
    for (uint32_t bit = 0; bit < 10 * 32 * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        bool taken = partition_table_parse(bytes, sizeof bytes, &parsed, &err);
        /* Only the fourteen FF beside the MD5's magic are not looked at, as in the tool. */
        bool unused = bit / 8 >= 9 * 32 + 2 && bit / 8 < 9 * 32 + 16;
        assert_int_equal(taken, unused);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    memset(bytes, 0xff, sizeof bytes);
    assert_refused(partition_table_parse(bytes, sizeof bytes, &parsed, &err), err, ERR_INPUT,
                   "only erased flash");
    assert_refused(partition_table_parse(bytes, 0, &parsed, &err), err, ERR_INPUT, "no end");
    table.has_md5 = false;
    err_clear(&err);
    assert_done(partition_table_build(&table, bytes, &err), err);
    bytes[12] = 0;
    assert_refused(partition_table_parse(bytes, sizeof bytes, &parsed, &err), err, ERR_INPUT,
                   "no label");
    bytes[12] = 0x1b;
    assert_refused(partition_table_parse(bytes, sizeof bytes, &parsed, &err), err, ERR_INPUT,
                   "entry 1 of the partition table: its label has the byte 1b");
    bytes[12] = 'n';
    bytes_put_le32(bytes + 8, 0xffffffff);
    assert_refused(partition_table_parse(bytes, sizeof bytes, &parsed, &err), err, ERR_INPUT,
                   "beyond 32 bits");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_what_gen_esp32part_builds),
        cmocka_unit_test(has_cradles_table),
        cmocka_unit_test(prints_what_gen_esp32part_prints),
        cmocka_unit_test(understands_the_csv),
        cmocka_unit_test(refuses_bad_csv),
        cmocka_unit_test(applies_the_rules),
        cmocka_unit_test(holds_94_with_a_checksum_and_95_without),
        cmocka_unit_test(refuses_damaged_tables),
    };
    return cmocka_run_group_tests_name("partition", tests, NULL, NULL);
}

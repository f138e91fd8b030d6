/* SPDX-License-Identifier: Apache-2.0 */
#include "flash_help.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "flash/spiffs_dir.h"

#define SIZE 0x10000u

static uint8_t image[0x40000];
static uint8_t pattern[200000];

static void build(const spiffs_config_t *config, const spiffs_file_t *files, size_t count)
{
    err_t err = ERR_INIT;
    assert_true(config->image_size <= sizeof image);
    assert_done(spiffs_build(config, files, count, image, &err), err);
}

/* Hashes of what spiffsgen.py (ESP-IDF v6.0.2 and v5.5.5, the same file) made. */
static void builds_what_spiffsgen_builds(void **state)
{
    (void)state;
    const spiffs_config_t config = spiffs_config_default(SIZE);
    const spiffs_file_t files[] = {{"/a.txt", "hello\n", 6}, {"/big.bin", pattern, 30000}};
    build(&config, files, 2);
    assert_sha256(image, SIZE, "8d3103a0d9f5686d4d998a2699936cc58ec1bdd5da1729280f05d7b054bc3f4a");
    build(&config, files, 1);
    assert_sha256(image, SIZE, "38b8e29bfd88e28b03eb9e4197055e4c00d52c23501415c1d393efcbb9156b45");
    build(&config, NULL, 0);
    assert_sha256(image, SIZE, "5b9023fc696cca8f2ae60dc8dda8621ec3f12518fc7a3f36a306d26714841746");
}

/* More of them: spiffsgen.py of ESP-IDF v6.0.2, one row for each option. */
static void builds_what_spiffsgen_builds_with_options(void **state)
{
    (void)state;
    static const struct {
        spiffs_config_t config; /* size, page, block, name, meta, magic, length, big, aligned */
        const char *sha256;
    } rows[] = {
        {{0x20000, 256, 4096, 32, 4, true, true, false, false},
         "bb34f6c36ed6e46de190a1d118cefa7d0af3d102e5a983ca69e07a36603e2973"},
        {{0x20000, 512, 4096, 32, 4, true, true, false, false},
         "6cfd92dd473a3f8cf612ad20f1599f3c36cb914c9e6effcfeb039f73b6c0646f"},
        {{0x20000, 1024, 8192, 64, 0, true, true, false, false},
         "49146683482764020cf91a27079cf5bd53100940f933b2cfdd80e835963ed2d9"},
        {{0x20000, 256, 4096, 32, 4, true, false, false, false},
         "3615d79a86b5472619da4b374ed62e15d1eb9e6d5c750d2be15cac1728bdab1f"},
        {{0x20000, 256, 4096, 32, 4, false, true, false, false},
         "61509226579e79cfbb23ade9cfab022fb9ca5aa105e195fc23e0116a7b3b5ebf"},
        {{0x20000, 256, 4096, 32, 4, true, true, true, false},
         "d511960974ae1645a5fad5765dac3547b9f6d6c28012ad6b31b33320c786f7b7"},
        {{0x20000, 256, 65536, 33, 4, true, true, false, true},
         "6552348e2a94792a020d940ca83b9782f7de5288fdb38ac475ca6d51797b7423"},
        {{0x20000, 256, 32768, 32, 7, true, true, true, true},
         "6bde1f077639cda347d8df271f8f964e10042c8de7cde9cac5aa8ad1058a16f3"},
    };
    const spiffs_file_t files[] = {
        {"/device.key", pattern, 241}, {"/device.crt", pattern, 40000}, {"/e", NULL, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        build(&rows[i].config, files, 3);
        assert_sha256(image, rows[i].config.image_size, rows[i].sha256);
    }
}

/* The dump in the reference, byte by byte, so that a wrong hash can be found. */
static void lays_out_pages_as_documented(void **state)
{
    (void)state;
    const spiffs_config_t config = spiffs_config_default(SIZE);
    const spiffs_file_t files[] = {{"/a.txt", "hello\n", 6}, {"/big.bin", pattern, 30000}};
    build(&config, files, 2);
    static const uint8_t lookup[] = {0x01, 0x80, 0x01, 0x00, 0x02, 0x80, 0x02, 0x00, 0x02, 0x00};
    static const uint8_t magic[] = {0x39, 0x04, 0xff, 0xff};
    static const uint8_t head[] = {0x01, 0x80, 0, 0,   0xf8, 0xff, 0xff, 0xff, 6,   0,
                                   0,    0,    1, '/', 'a',  '.',  't',  'x',  't', 0};
    static const uint8_t data[] = {0x01, 0, 0, 0, 0xfc, 'h', 'e', 'l', 'l', 'o', '\n', 0xff};
    assert_memory_equal(image, lookup, sizeof lookup);
    assert_memory_equal(image + 0xfc, magic, sizeof magic);
    assert_memory_equal(image + 0x100, head, sizeof head);
    assert_memory_equal(image + 0x131, "\x02\x00\xff", 3);
    assert_memory_equal(image + 0x200, data, sizeof data);
    assert_memory_equal(image + 0x331, "\x04\x00\x05\x00\x06\x00", 6);
    /* The second index page is the second page of block 7. */
    assert_int_equal(bytes_get_le16(image + 7 * 4096 + 2), 0x8002);
    static const uint16_t magics[] = {0x0439, 0x0426, 0x0427, 0x0424};
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(bytes_get_le16(image + i * 4096 + 0xfc), magics[i]);
    }
    const spiffs_config_t larger = spiffs_config_default(0x20000);
    build(&larger, NULL, 0);
    assert_int_equal(bytes_get_le16(image + 0xfc), 0x0409);
}

static void read_back(const spiffs_config_t *config, const spiffs_file_t *files, size_t count)
{
    err_t err = ERR_INIT;
    spiffs_t fs;
    spiffs_entry_t entry;
    uint32_t cursor = 0;
    bool end = false;
    assert_done(spiffs_open(&fs, config, image, config->image_size, &err), err);
    for (size_t i = 0; i < count; i++) {
        char *data;
        size_t len;
        assert_done(spiffs_next(&fs, &cursor, &entry, &end, &err), err);
        assert_false(end);
        assert_string_equal(entry.name, files[i].name);
        assert_int_equal(entry.id, i + 1);
        assert_done(spiffs_read_file(&fs, files[i].name, SIZE * 4, &data, &len, &err), err);
        assert_int_equal(len, files[i].len);
        assert_memory_equal(data, files[i].len > 0 ? files[i].data : "", len);
        assert_int_equal(data[len], 0);
        free(data);
    }
    assert_done(spiffs_next(&fs, &cursor, &entry, &end, &err), err);
    assert_true(end);
    assert_done(spiffs_check(&fs, &err), err);
}

/* The sizes at which a page, a block, the head's table and an index page become full. */
static void reads_back_what_it_builds(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,
                                   1,
                                   250,
                                   251,
                                   252,
                                   102 * 251,
                                   103 * 251,
                                   103 * 251 + 1,
                                   227 * 251,
                                   227 * 251 + 1,
                                   351 * 251 + 7,
                                   90000};
    const spiffs_config_t config = spiffs_config_default(0x40000);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const spiffs_file_t files[] = {{"/first", pattern, sizes[i]}, {"/second", "x", 1}};
        build(&config, files, 2);
        read_back(&config, files, 2);
    }
}

static void reads_back_with_every_option(void **state)
{
    (void)state;
    const spiffs_file_t files[] = {
        {"/device.key", pattern, 241}, {"/device.crt", pattern, 40000}, {"/e", NULL, 0}};
    static const uint32_t shapes[][2] = {{256, 4096},  {512, 4096},  {1024, 4096}, {256, 8192},
                                         {512, 65536}, {256, 32768}, {256, 65536}, {2048, 8192}};
    for (size_t shape = 0; shape < sizeof shapes / sizeof shapes[0]; shape++) {
        for (unsigned flags = 0; flags < 16; flags++) {
            spiffs_config_t config = spiffs_config_default(0x20000);
            config.page_size = shapes[shape][0];
            config.block_size = shapes[shape][1];
            config.use_magic = (flags & 1) != 0;
            config.use_magic_len = (flags & 2) != 0;
            config.big_endian = (flags & 4) != 0;
            config.aligned_index = (flags & 8) != 0;
            config.name_len = 32 + shape;
            build(&config, files, 3);
            read_back(&config, files, 3);
        }
    }
}

static void refuses_impossible_options(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    spiffs_config_t c = spiffs_config_default(SIZE);
    c.page_size = 300;
    assert_refused(spiffs_build(&c, NULL, 0, image, &err), err, ERR_USAGE, "page of 300");
    c = spiffs_config_default(SIZE);
    c.block_size = 128;
    assert_refused(spiffs_build(&c, NULL, 0, image, &err), err, ERR_USAGE, "block of 128");
    c = spiffs_config_default(SIZE + 256);
    assert_refused(spiffs_build(&c, NULL, 0, image, &err), err, ERR_USAGE, "0x10100 bytes");
    c = spiffs_config_default(0);
    assert_refused(spiffs_build(&c, NULL, 0, image, &err), err, ERR_USAGE, "image of 0x0");
    c = spiffs_config_default(0x1000000);
    assert_refused(spiffs_build(&c, NULL, 0, image, &err), err, ERR_USAGE, "65535 pages");
    c = spiffs_config_default(SIZE);
    c.meta_len = 200;
    assert_refused(spiffs_build(&c, NULL, 0, image, &err), err, ERR_USAGE, "meta data of 200");
    c.meta_len = 0xfffffff0u;
    assert_refused(spiffs_build(&c, NULL, 0, image, &err), err, ERR_USAGE, "meta data");
    c = spiffs_config_default(SIZE);
    c.name_len = 1;
    assert_refused(spiffs_build(&c, NULL, 0, image, &err), err, ERR_USAGE, "names of 1");
    c = spiffs_config_default(SIZE);
    c.block_size = 256;
    assert_refused(spiffs_build(&c, NULL, 0, image, &err), err, ERR_USAGE, "no room");
}

static void refuses_names_and_what_does_not_fit(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    const spiffs_config_t c = spiffs_config_default(SIZE);
    const spiffs_file_t fits[] = {{"/234567890123456789012345678901", "x", 1}};
    build(&c, fits, 1);
    read_back(&c, fits, 1);
    const spiffs_file_t longer[] = {{"/2345678901234567890123456789012", "x", 1}};
    assert_refused(spiffs_build(&c, longer, 1, image, &err), err, ERR_USAGE, "1 to 31 fit");
    const spiffs_file_t umlaut[] = {{"/\xc3\xa4", "x", 1}};
    assert_refused(spiffs_build(&c, umlaut, 1, image, &err), err, ERR_USAGE, "printable ASCII");
    const spiffs_file_t nameless[] = {{"", "x", 1}};
    assert_refused(spiffs_build(&c, nameless, 1, image, &err), err, ERR_USAGE, "0 characters");
    const spiffs_file_t twice[] = {{"/a", "x", 1}, {"/b", "y", 1}, {"/a", "z", 1}};
    assert_refused(spiffs_build(&c, twice, 3, image, &err), err, ERR_USAGE,
                   "\"/a\" is there twice");
    const spiffs_file_t large[] = {{"/a", "x", 1}, {"/b", pattern, 70000}};
    assert_refused(spiffs_build(&c, large, 2, image, &err), err, ERR_PRECONDITION,
                   "full at \"/b\"");
    /* 16 blocks of 15 pages; one head, two further index pages and 237 data pages are all. */
    const spiffs_file_t brim[] = {{"/a", pattern, 237 * 251}};
    build(&c, brim, 1);
    read_back(&c, brim, 1);
    const spiffs_file_t over[] = {{"/a", pattern, 237 * 251 + 1}};
    assert_refused(spiffs_build(&c, over, 1, image, &err), err, ERR_PRECONDITION, "full at \"/a\"");
}

/* ---- damage ---- */

static const spiffs_file_t DAMAGED[] = {{"/a.txt", "hello\n", 6}, {"/big.bin", pattern, 30000}};

static bool check(const char *file, err_t *err)
{
    const spiffs_config_t config = spiffs_config_default(SIZE);
    spiffs_t fs;
    char *data = NULL;
    size_t len;
    bool ok = spiffs_open(&fs, &config, image, SIZE, err) &&
              spiffs_read_file(&fs, file, SIZE, &data, &len, err);
    free(data);
    return ok;
}

static void fresh(void)
{
    const spiffs_config_t config = spiffs_config_default(SIZE);
    build(&config, DAMAGED, 2);
}

#define assert_damage(file, words)                                                                 \
    do {                                                                                           \
        err_t err_ = ERR_INIT;                                                                     \
        assert_refused(check(file, &err_), err_, ERR_INPUT, words);                                \
    } while (0)

static void says_what_is_damaged(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    fresh();
    assert_done(check("/big.bin", &err), err);
    assert_refused(check("/none", &err), err, ERR_PRECONDITION, "no file /none");
    bytes_put_le16(image + 0x333, 999); /* a page beyond the image */
    assert_damage("/big.bin", "page 999");
    fresh();
    bytes_put_le16(image + 0x333, 4); /* the page before: its span is 0 */
    assert_damage("/big.bin", "page 4 should be part 1");
    fresh();
    bytes_put_le16(image + 0x333, 2); /* a page of the other file */
    assert_damage("/big.bin", "page 2, which is not one of its pages");
    fresh();
    bytes_put_le16(image + 0x333, 0x10); /* a lookup page */
    assert_damage("/big.bin", "page 16");
    fresh();
    image[0x404] = 0x7c; /* a data page that was deleted */
    assert_damage("/big.bin", "flags 7c");
    fresh();
    bytes_put_le32(image + 0x308, 0x10001);
    assert_damage("/big.bin", "claims 65537 bytes");
    fresh();
    bytes_put_le32(image + 0x308, 40000); /* more than there are pages for */
    assert_damage("/big.bin", "page 65535");
    fresh();
    image[0x10d] = 0;
    assert_damage("/a.txt", "is empty");
    fresh();
    image[0x10e] = 0x1b;
    assert_damage("/a.txt", "byte 1b");
    fresh();
    memset(image + 0x10d, 'a', 32);
    assert_damage("/a.txt", "has no end");
    fresh();
    image[0x10c] = 2;
    assert_damage("/a.txt", "type 2");
    fresh();
    bytes_put_le16(image + 0x100, 0x8007);
    assert_damage("/a.txt", "calls itself 8007");
}

static void refuses_two_heads_and_two_names(void **state)
{
    (void)state;
    fresh();
    /* Page 8 of block 15 becomes a second head of file 1. */
    memcpy(image + 15 * 4096 + 8 * 256, image + 0x100, 256);
    bytes_put_le16(image + 15 * 4096 + 14, 0x8001);
    assert_damage("/a.txt", "second head page");
    fresh();
    memcpy(image + 15 * 4096 + 8 * 256, image + 0x100, 256);
    bytes_put_le16(image + 15 * 4096 + 8 * 256, 0x8003);
    bytes_put_le16(image + 15 * 4096 + 14, 0x8003);
    assert_damage("/a.txt", "two SPIFFS files have the name /a.txt");
    fresh();
    /* The second index page of /big.bin is there twice. */
    memcpy(image + 15 * 4096 + 8 * 256, image + 7 * 4096 + 2 * 256, 256);
    bytes_put_le16(image + 15 * 4096 + 14, 0x8002);
    assert_damage("/big.bin", "two index pages 1");
    fresh();
    bytes_put_le16(image + 7 * 4096 + 2, 0);
    assert_damage("/big.bin", "no index page 1");
}

static void tolerates_one_wrong_magic_as_the_driver_does(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    fresh();
    bytes_put_le16(image + 15 * 4096 + 0xfc, 0);
    assert_done(check("/big.bin", &err), err);
    bytes_put_le16(image + 14 * 4096 + 0xfc, 0);
    assert_damage("/big.bin", "block 14 is wrong too");
    fresh();
    /* The driver would erase the block, so what is in it does not count. */
    bytes_put_le16(image + 1 * 4096 + 0xfc, 0);
    assert_damage("/big.bin", "not one of its pages");
    assert_done(check("/a.txt", &err), err);
    memset(image, 0xff, SIZE);
    assert_damage("/a.txt", "no SPIFFS of this size");
    /* The magic counts the blocks, so the image of another size is seen. */
    const spiffs_config_t larger = spiffs_config_default(0x20000);
    build(&larger, DAMAGED, 2);
    assert_damage("/a.txt", "no SPIFFS of this size");
    spiffs_t fs;
    assert_refused(spiffs_open(&fs, &larger, image, SIZE, &err), err, ERR_INPUT,
                   "but the partition has 0x20000");
}

/* A head that is destroyed takes its file away; the pages it leaves behind tell. */
static void misses_a_file_that_lost_its_head(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    const spiffs_config_t config = spiffs_config_default(SIZE);
    spiffs_t fs;
    fresh();
    assert_done(spiffs_open(&fs, &config, image, SIZE, &err), err);
    assert_done(spiffs_check(&fs, &err), err);
    memset(image + 0x102, 'X', 4);
    assert_done(spiffs_open(&fs, &config, image, SIZE, &err), err);
    assert_refused(check("/a.txt", &err), err, ERR_PRECONDITION, "no file /a.txt");
    assert_refused(spiffs_check(&fs, &err), err, ERR_INPUT,
                   "124 SPIFFS pages are in use but the "
                   "files have 122");
}

/* What a running device leaves: deleted pages, a file that is being written. */
static void reads_what_a_device_wrote(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    const spiffs_config_t config = spiffs_config_default(SIZE);
    spiffs_t fs;
    spiffs_entry_t entry;
    fresh();
    bytes_put_le16(image, 0); /* /a.txt deleted: lookups 0000, flags cleared */
    bytes_put_le16(image + 2, 0);
    image[0x104] &= 0x7f;
    image[0x204] &= 0x7f;
    assert_done(check("/big.bin", &err), err);
    assert_refused(check("/a.txt", &err), err, ERR_PRECONDITION, "no file");
    fresh();
    image[0x104] &= (uint8_t)~0x40; /* deletion begun: IXDELE */
    assert_refused(check("/a.txt", &err), err, ERR_PRECONDITION, "no file");
    fresh();
    bytes_put_le32(image + 0x108, 0xffffffffu);
    err_clear(&err);
    assert_done(spiffs_open(&fs, &config, image, SIZE, &err), err);
    assert_done(spiffs_find(&fs, "/a.txt", &entry, &err), err);
    assert_false(entry.size_known);
    assert_int_equal(entry.size, 0);
}

static void limits_what_it_reads(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    const spiffs_config_t config = spiffs_config_default(SIZE);
    spiffs_t fs;
    char *data;
    size_t len;
    fresh();
    assert_done(spiffs_open(&fs, &config, image, SIZE, &err), err);
    assert_refused(spiffs_read_file(&fs, "/big.bin", 29999, &data, &len, &err), err, ERR_INPUT,
                   "30000 bytes, at most 29999");
    assert_null(data);
}

/* Bit flips and noise: any outcome but a crash or a loop (the sanitizers watch). */
static void survives_random_damage(void **state)
{
    (void)state;
    uint32_t random = 20250101;
    unsigned refused = 0;
    for (int round = 0; round < 400; round++) {
        fresh();
        unsigned flips = 1 + noise(&random) % 40;
        for (unsigned i = 0; i < flips; i++) {
            /* Half of them where the structure is. */
            uint32_t at = noise(&random) % SIZE;
            at = i % 2 == 0 ? at : at % 0x400;
            image[at] ^= (uint8_t)(1u << noise(&random) % 8);
        }
        err_t err = ERR_INIT;
        refused += check("/a.txt", &err) && check("/big.bin", &err) ? 0 : 1;
    }
    assert_true(refused > 50); /* else the rounds tested nothing */
}

/* ---- directories ---- */

static char dir[64];

static void put(const char *name, const char *text)
{
    char path[FILE_PATH_MAX];
    err_t err = ERR_INIT;
    assert_done(file_join(path, dir, name, &err), err);
    assert_done(file_write(path, text, strlen(text), 0644, &err), err);
}

static int make_tree(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    char path[FILE_PATH_MAX];
    strcpy(dir, "/tmp/cradle-spiffs-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_done(file_join(path, dir, "sub/deep", &err), err);
    assert_done(file_make_dirs(path, 0755, &err), err);
    put("b", "1");
    put("a", "22");
    put("sub/deep/x", "333");
    put("sub.txt", "");
    assert_done(file_join(path, dir, "link", &err), err);
    assert_int_equal(symlink("sub", path), 0);
    assert_done(file_join(path, dir, "again", &err), err);
    assert_int_equal(symlink("a", path), 0);
    return 0;
}

static int remove_tree(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    assert_done(file_remove_tree(dir, &err), err);
    return 0;
}

static void assert_names(spiffs_dir_t *files, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        assert_true(i < files->count);
        assert_string_equal(files->files[i].name, names[i]);
        assert_true(names[i + 1] != NULL || files->count == i + 1);
    }
    spiffs_dir_free(files);
}

static void takes_directories_in_a_stated_order(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    spiffs_dir_t files;
    /* By bytes: '.' comes before '/'. */
    static const char *const sorted[] = {"/a", "/again", "/b", "/sub.txt", "/sub/deep/x", NULL};
    static const char *const followed[] = {"/a",       "/again",      "/b", "/link/deep/x",
                                           "/sub.txt", "/sub/deep/x", NULL};
    static const char *const listed[] = {"/sub/deep/x", "/b", "/a", NULL};
    assert_done(spiffs_dir_load(&files, dir, false, 100, &err), err);
    assert_int_equal(files.files[1].len, 2);
    assert_memory_equal(files.files[1].data, "22", 2);
    assert_names(&files, sorted);
    assert_done(spiffs_dir_load(&files, dir, true, 100, &err), err);
    assert_names(&files, followed);
    assert_done(spiffs_dir_load_list(&files, dir, "# order\nsub/deep/x\r\n\n/b\na", 100, &err),
                err);
    assert_names(&files, listed);
    assert_refused(spiffs_dir_load_list(&files, dir, "a\nmissing\n", 100, &err), err,
                   ERR_PRECONDITION, "line 2");
    spiffs_dir_free(&files);
    assert_refused(spiffs_dir_load(&files, dir, false, 2, &err), err, ERR_INPUT,
                   "sub/deep/x has 3");
    spiffs_dir_free(&files);
    char path[FILE_PATH_MAX];
    err_clear(&err);
    assert_done(file_join(path, dir, "sub/loop", &err), err);
    assert_int_equal(symlink("..", path), 0);
    assert_refused(spiffs_dir_load(&files, dir, true, 100, &err), err, ERR_USAGE, "too deep");
    spiffs_dir_free(&files);
    err_clear(&err);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(spiffs_dir_load(&files, dir, false, 100, &err), err, ERR_INPUT,
                   "neither a file nor a directory");
    spiffs_dir_free(&files);
}

static bool extract(const char *name, size_t *count, err_t *err)
{
    const spiffs_config_t config = spiffs_config_default(SIZE);
    const spiffs_file_t files[] = {{"/ok", "fine", 4}, {name, "foreign", 7}};
    char path[FILE_PATH_MAX];
    spiffs_t fs;
    return spiffs_build(&config, files, 2, image, err) &&
           spiffs_open(&fs, &config, image, SIZE, err) && file_join(path, dir, "out", err) &&
           spiffs_dir_save(&fs, path, count, err);
}

static void extracts_nothing_outside_its_directory(void **state)
{
    (void)state;
    static const char *const evil[] = {"/../evil", "/a/../../evil", "/./x", "//x",
                                       "evil",     "/a/..",         "/",    "/a//b"};
    err_t err = ERR_INIT;
    size_t count;
    char path[FILE_PATH_MAX];
    struct stat st;
    for (size_t i = 0; i < sizeof evil / sizeof evil[0]; i++) {
        assert_refused(extract(evil[i], &count, &err), err, ERR_INPUT, "no path below");
        err_clear(&err);
        assert_done(file_join(path, dir, "out", &err), err);
        assert_done(file_remove_tree(path, &err), err);
    }
    assert_done(extract("/d/e/f", &count, &err), err);
    assert_int_equal(count, 2);
    assert_done(file_join(path, dir, "out/d/e/f", &err), err);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 7);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_refused(extract("/d/e/f", &count, &err), err, ERR_PRECONDITION, "exists already");
}

int main(void)
{
    for (size_t i = 0; i < sizeof pattern; i++) {
        pattern[i] = (uint8_t)i;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_what_spiffsgen_builds),
        cmocka_unit_test(builds_what_spiffsgen_builds_with_options),
        cmocka_unit_test(lays_out_pages_as_documented),
        cmocka_unit_test(reads_back_what_it_builds),
        cmocka_unit_test(reads_back_with_every_option),
        cmocka_unit_test(refuses_impossible_options),
        cmocka_unit_test(refuses_names_and_what_does_not_fit),
        cmocka_unit_test(says_what_is_damaged),
        cmocka_unit_test(refuses_two_heads_and_two_names),
        cmocka_unit_test(tolerates_one_wrong_magic_as_the_driver_does),
        cmocka_unit_test(misses_a_file_that_lost_its_head),
        cmocka_unit_test(reads_what_a_device_wrote),
        cmocka_unit_test(limits_what_it_reads),
        cmocka_unit_test(survives_random_damage),
        cmocka_unit_test_setup_teardown(takes_directories_in_a_stated_order, make_tree,
                                        remove_tree),
        cmocka_unit_test_setup_teardown(extracts_nothing_outside_its_directory, make_tree,
                                        remove_tree),
    };
    return cmocka_run_group_tests_name("spiffs", tests, NULL, NULL);
}

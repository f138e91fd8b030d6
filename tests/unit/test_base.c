/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"

static void hex_is_exact(void **state)
{
    (void)state;
    char text[5];
    uint8_t back[2];
    assert_true(bytes_to_hex("\x00\xff", 2, text, sizeof text));
    assert_string_equal(text, "00ff");
    assert_false(bytes_to_hex("\x00\xff", 2, text, 4));
    assert_true(bytes_from_hex("00Ff", 4, back, 2));
    assert_int_equal(back[1], 0xff);
    assert_false(bytes_from_hex("00f", 3, back, 2));
    assert_false(bytes_from_hex("00fg", 4, back, 2));
}

static void base64_vectors_of_rfc4648(void **state)
{
    (void)state;
    static const char *const plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    static const char *const coded[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                        "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t i = 0; i < 7; i++) {
        char text[16];
        char back[16];
        size_t len;
        assert_true(bytes_to_base64(plain[i], strlen(plain[i]), text, sizeof text));
        assert_string_equal(text, coded[i]);
        assert_true(bytes_from_base64(text, strlen(text), back, sizeof back, &len));
        assert_int_equal(len, strlen(plain[i]));
        assert_memory_equal(back, plain[i], len);
    }
}

static void base64_refuses_what_is_not_canonical(void **state)
{
    (void)state;
    uint8_t out[16];
    size_t len;
    static const char *const bad[] = {
        "Zg", "Zg=", "Zh==", "Z===", "Zm9v\n", "Zm9*", "====", "Z=g="};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(bytes_from_base64(bad[i], strlen(bad[i]), out, sizeof out, &len));
    }
    assert_false(bytes_from_base64url("Zg==", 4, out, sizeof out, &len));
    assert_true(bytes_from_base64url("_-8", 3, out, sizeof out, &len));
    assert_int_equal(out[0], 0xff);
    assert_false(bytes_from_base64url("Zm9v", 4, out, 2, &len));
    char tight[5];
    assert_true(bytes_to_base64("foo", 3, tight, 5));
    assert_false(bytes_to_base64("foo", 3, tight, 4));
    assert_true(bytes_to_base64url("f", 1, tight, 3));
    assert_false(bytes_to_base64url("f", 1, tight, 2));
}

static void crc32_equals_zlib(void **state)
{
    (void)state;
    assert_int_equal(bytes_crc32(0, "123456789", 9), 0xcbf43926u);
    /* otadata, sequence 1: the CRC in the flash is 9a 98 43 47 */
    assert_int_equal(bytes_crc32(0xffffffffu, "\x01\0\0\0", 4), 0x4743989au);
}

static void first_error_wins_and_context_goes_in_front(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    assert_false(err_set(&err, ERR_INPUT, "bad %d", 7));
    err_set(&err, ERR_SYSTEM, "later");
    err_add(&err, "line %d", 3);
    assert_int_equal(err.kind, ERR_INPUT);
    assert_string_equal(err.text, "line 3: bad 7");
    assert_false(err_set(NULL, ERR_INPUT, "nobody listens"));
}

static void files_are_bounded_atomic_and_private(void **state)
{
    (void)state;
    char dir[] = "/tmp/cradle-test-XXXXXX";
    char path[FILE_PATH_MAX];
    err_t err = ERR_INIT;
    char *data;
    size_t len;
    struct stat st;
    assert_non_null(mkdtemp(dir));
    assert_true(file_join(path, dir, "a/b/secret", &err));
    assert_false(file_write(path, "x", 1, 0600, &err));
    err_clear(&err);
    char sub[FILE_PATH_MAX];
    assert_true(file_join(sub, dir, "a/b", &err));
    assert_true(file_make_dirs(sub, 0700, &err));
    assert_true(file_write_new(path, "hello", 5, 0600, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_false(file_write_new(path, "again", 5, 0600, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    err_clear(&err);
    assert_true(file_read(path, 5, &data, &len, &err));
    assert_string_equal(data, "hello");
    free(data);
    assert_true(file_read_private(path, 5, &data, &len, &err));
    assert_string_equal(data, "hello");
    free(data);
    assert_int_equal(chmod(path, 0640), 0);
    assert_false(file_read_private(path, 5, &data, &len, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_non_null(strstr(err.text, "chmod 600"));
    err_clear(&err);
    assert_false(file_read(path, 4, &data, &len, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    err_clear(&err);
    assert_false(file_read(sub, 100, &data, &len, &err));
    err_clear(&err);
    assert_true(file_remove_tree(dir, &err));
    assert_false(file_exists(dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_is_exact),
        cmocka_unit_test(base64_vectors_of_rfc4648),
        cmocka_unit_test(base64_refuses_what_is_not_canonical),
        cmocka_unit_test(crc32_equals_zlib),
        cmocka_unit_test(first_error_wins_and_context_goes_in_front),
        cmocka_unit_test(files_are_bounded_atomic_and_private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

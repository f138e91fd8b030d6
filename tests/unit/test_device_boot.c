/* SPDX-License-Identifier: Apache-2.0 */
/* What a device makes of its flash: the mission's three files, and damage of every kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "device/boot.h"
#include "flash/partition.h"
#include "flash/spiffs.h"
#include "pki_fixture.h"

static uint8_t *base;
static size_t base_len;
static EVP_PKEY *ca_key, *leaf_key, *other_key;
static X509 *ca, *leaf;
static boot_t boot;

static char *pem_of(X509 *cert)
{
    pki_chain_t chain = PKI_CHAIN_INIT;
    char *pem;
    assert_true(pki_chain_add(&chain, cert, NULL));
    size_t len;
    assert_true(pki_chain_to_pem(&chain, &pem, &len, NULL));
    pki_chain_free(&chain);
    return pem;
}

/* A flash with these files in its identity partition; a NULL text leaves the file out. */
static flash_t *flash_with(EVP_PKEY *key, X509 *cert, X509 *anchor, const char *json)
{
    char key_pem[PKI_KEY_PEM_MAX];
    spiffs_file_t files[4];
    size_t count = 0;
    char *cert_pem = cert != NULL ? pem_of(cert) : NULL;
    char *anchor_pem = anchor != NULL ? pem_of(anchor) : NULL;
    if (cert_pem != NULL) {
        files[count++] = (spiffs_file_t){"/device.crt", cert_pem, strlen(cert_pem)};
    }
    if (json != NULL) {
        files[count++] = (spiffs_file_t){"/device.json", json, strlen(json)};
    }
    if (key != NULL) {
        assert_true(pki_key_to_pem(key, key_pem, sizeof key_pem, NULL, NULL));
        files[count++] = (spiffs_file_t){"/device.key", key_pem, strlen(key_pem)};
    }
    if (anchor_pem != NULL) {
        files[count++] = (spiffs_file_t){"/server_chain.pem", anchor_pem, strlen(anchor_pem)};
    }
    flash_t *flash = flash_open_ram(FLASH_SIZE_DEFAULT, base, base_len, NULL);
    region_t region;
    assert_non_null(flash);
    assert_true(flash_partition(flash, "identity", &region, NULL));
    uint8_t *image = malloc(region.size);
    const spiffs_config_t config = spiffs_config_default(region.size);
    assert_true(spiffs_build(&config, files, count, image, NULL));
    assert_true(region_write(&region, 0, image, region.size));
    free(image);
    free(cert_pem);
    free(anchor_pem);
    return flash;
}

static void refused(flash_t *flash, const char *says)
{
    err_t err = ERR_INIT;
    assert_false(boot_open(&boot, flash, NULL, &err));
    if (strstr(err.text, says) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.text, says);
    }
}

static void three_files_are_enough(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    if (!boot_open(&boot, flash_with(leaf_key, leaf, ca, NULL), NULL, &err)) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(boot.sn, "SN-000001");
    assert_string_equal(boot.app.project, APPIMAGE_LINUX_PROJECT);
    assert_false(boot.has_json);
    assert_string_equal(boot.identity.cloud, "localhost:8883");
    assert_int_equal(boot.chain.count, 2); /* the lone leaf was completed from server_chain.pem */
    assert_int_equal(boot.mac[0] & 3, 2);
    assert_int_equal(strncmp(boot.service, "ESP-PROV-", 9), 0);
    assert_int_equal(settings_set(&boot.settings, "x", "1", 1), SETTINGS_OK);
    assert_int_equal(outbox_append(&boot.outbox, "r", 1, NULL), OUTBOX_OK);
    boot_close(&boot);
}

static void the_mac_names_the_service(void **state)
{
    (void)state;
    static const uint8_t mac[6] = {2, 0, 0, 0, 0xa1, 0xb2};
    assert_true(boot_open(&boot, flash_with(leaf_key, leaf, ca, NULL), mac, NULL));
    assert_string_equal(boot.service, "ESP-PROV-A1B2");
    boot_close(&boot);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    refused(flash_with(NULL, leaf, ca, NULL), "/device.key");
    refused(flash_with(leaf_key, NULL, ca, NULL), "/device.crt");
    refused(flash_with(leaf_key, leaf, NULL, NULL), "/server_chain.pem");
    refused(flash_with(other_key, leaf, ca, NULL), "is not the key of");
    refused(flash_with(leaf_key, leaf, ca, "{\"v\":1"), "/device.json");
    refused(flash_open_ram(FLASH_SIZE_DEFAULT, NULL, 0, NULL), "partition table");
    flash_t *bare = flash_open_ram(FLASH_SIZE_DEFAULT, base, base_len, NULL);
    refused(bare, "identity");
}

/* Any single damaged sector of table, app or identity is refused or harmless, never a crash. */
static void damage_is_survived(void **state)
{
    (void)state;
    unsigned refusals = 0;
    for (uint32_t at = PARTITION_TABLE_CRADLE & ~0xfffu; at < 0x21000; at += 256) {
        flash_t *flash = flash_with(leaf_key, leaf, ca, NULL);
        static const uint8_t zeros[64];
        flash_set_checking(flash, false);
        assert_true(flash_write(flash, at, zeros, sizeof zeros, NULL));
        if (boot_open(&boot, flash, NULL, NULL)) {
            boot_close(&boot);
        } else {
            refusals++;
        }
    }
    assert_true(refusals >= 5);
}

static int set_up(void **state)
{
    (void)state;
    ca_key = fixture_key("P-256");
    leaf_key = fixture_key("P-256");
    other_key = fixture_key("P-256");
    ca = fixture_mint(&(mint_t){.cn = "CA", .key = ca_key, .ext = ext_ca});
    leaf = fixture_mint(&(mint_t){
        .cn = "SN-000001", .key = leaf_key, .issuer = ca, .issuer_key = ca_key, .ext = ext_client});
    return flash_base_build("1.0.0", &base, &base_len, NULL) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    free(base);
    X509_free(ca);
    X509_free(leaf);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(leaf_key);
    EVP_PKEY_free(other_key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_files_are_enough),
        cmocka_unit_test(the_mac_names_the_service),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(damage_is_survived),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The keywords of ESP-IDF's partition CSV, both ways. */
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "flash/partition_names.h"

static const partition_keyword_t TYPES[] = {
    {0, PARTITION_APP, "app"},
    {0, PARTITION_DATA, "data"},
    {0, PARTITION_BOOTLOADER, "bootloader"},
    {0, PARTITION_TABLE, "partition_table"},
};

static const partition_keyword_t SUBTYPES[] = {
    {PARTITION_APP, 0x00, "factory"},      {PARTITION_APP, 0x20, "test"},
    {PARTITION_APP, 0x10, "ota_0"},        {PARTITION_APP, 0x11, "ota_1"},
    {PARTITION_APP, 0x12, "ota_2"},        {PARTITION_APP, 0x13, "ota_3"},
    {PARTITION_APP, 0x14, "ota_4"},        {PARTITION_APP, 0x15, "ota_5"},
    {PARTITION_APP, 0x16, "ota_6"},        {PARTITION_APP, 0x17, "ota_7"},
    {PARTITION_APP, 0x18, "ota_8"},        {PARTITION_APP, 0x19, "ota_9"},
    {PARTITION_APP, 0x1a, "ota_10"},       {PARTITION_APP, 0x1b, "ota_11"},
    {PARTITION_APP, 0x1c, "ota_12"},       {PARTITION_APP, 0x1d, "ota_13"},
    {PARTITION_APP, 0x1e, "ota_14"},       {PARTITION_APP, 0x1f, "ota_15"},
    {PARTITION_APP, 0x30, "tee_0"},        {PARTITION_APP, 0x31, "tee_1"},
    {PARTITION_DATA, 0x00, "ota"},         {PARTITION_DATA, 0x01, "phy"},
    {PARTITION_DATA, 0x02, "nvs"},         {PARTITION_DATA, 0x03, "coredump"},
    {PARTITION_DATA, 0x04, "nvs_keys"},    {PARTITION_DATA, 0x05, "efuse"},
    {PARTITION_DATA, 0x06, "undefined"},   {PARTITION_DATA, 0x80, "esphttpd"},
    {PARTITION_DATA, 0x81, "fat"},         {PARTITION_DATA, 0x82, "spiffs"},
    {PARTITION_DATA, 0x83, "littlefs"},    {PARTITION_DATA, 0x90, "tee_ota"},
    {PARTITION_BOOTLOADER, 0, "primary"},  {PARTITION_BOOTLOADER, 1, "ota"},
    {PARTITION_BOOTLOADER, 2, "recovery"}, {PARTITION_TABLE, 0, "primary"},
    {PARTITION_TABLE, 1, "ota"},
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const char *name_of(const partition_keyword_t *words, size_t count, uint8_t group,
                           uint8_t value)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i].group == group && words[i].value == value) {
            return words[i].name;
        }
    }
    return NULL;
}

static int value_of(const partition_keyword_t *words, size_t count, uint8_t group, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i].group == group && strcasecmp(words[i].name, name) == 0) {
            return words[i].value;
        }
    }
    return -1;
}

const char *partition_type_name(uint8_t type)
{
    return name_of(TYPES, COUNT(TYPES), 0, type);
}

const char *partition_subtype_name(uint8_t type, uint8_t subtype)
{
    return name_of(SUBTYPES, COUNT(SUBTYPES), type, subtype);
}

int partition_type_value(const char *name)
{
    return value_of(TYPES, COUNT(TYPES), 0, name);
}

int partition_subtype_value(uint8_t type, const char *name)
{
    return value_of(SUBTYPES, COUNT(SUBTYPES), type, name);
}

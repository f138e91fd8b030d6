/* SPDX-License-Identifier: Apache-2.0 */
/* A partition table as bytes, and as CSV: what is taken must build, and read back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flash/partition.h"

static void build_again(const partition_table_t *table)
{
    uint8_t bytes[PARTITION_TABLE_SIZE];
    partition_table_t again;
    char text[8192];
    partition_table_to_csv(table, text, sizeof text);
    if (table->count == 0 || !partition_table_build(table, bytes, NULL)) {
        return;
    }
    if (!partition_table_parse(bytes, sizeof bytes, &again, NULL) ||
        memcmp(table, &again, sizeof again) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    partition_table_t table;
    if (partition_table_parse(data, size, &table, NULL)) {
        partition_table_check(&table, PARTITION_TABLE_CRADLE, 0x400000, NULL);
        partition_count_ota(&table);
        build_again(&table);
    }
    if (partition_table_from_csv((const char *)data, size, 0x8000, &table, NULL)) {
        partition_table_check(&table, 0x8000, 0, NULL);
        build_again(&table);
    }
    return 0;
}

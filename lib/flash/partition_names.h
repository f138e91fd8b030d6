/* SPDX-License-Identifier: Apache-2.0 */
/* partition_names: keywords to numbers; internal to lib/flash (the way back is in partition.h). */
#ifndef CRADLE_FLASH_PARTITION_NAMES_H
#define CRADLE_FLASH_PARTITION_NAMES_H

#include "flash/partition.h"

typedef struct {
    uint8_t group; /* of a subtype: its type */
    uint8_t value;
    const char *name;
} partition_keyword_t;

/* Upper and lower case alike, as in the tool; -1: no such keyword. */
int partition_type_value(const char *name);
int partition_subtype_value(uint8_t type, const char *name);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flash: station 2. The base of a unit, before it has an identity: bootloader, partition table,
 * erased otadata, base firmware.
 *
 * Two ways: to flash bytes (no port): the image that all units of the site share, factory/base.bin,
 * made if it is not there; or through esptool onto a chip: bootloader at its place for the chip
 * that the firmware is for, the table at 0xd000, otadata erased, the firmware in ota_0. Either way
 * it is read back and compared (SHA-256) before custody says so:
 *     {"mac":"..","base_sha256":"..","rollback":true}
 * base_sha256: of base.bin, or on a chip of the text "0x<address> <sha256>\n" of each part in the
 * order of their addresses; the parts are in the entry too.
 *
 * Rollback lives in the bootloader that is in the flash, and no update over the air can add it: a
 * bootloader is taken only when the sdkconfig of its build says
 * CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=y, or, without that file, when somebody confirms it. A file
 * that says no cannot be overruled. NOT checked: that the sdkconfig is of this bootloader; secure
 * boot and flash encryption.
 */
#ifndef CRADLE_FACTORY_FLASH_H
#define CRADLE_FACTORY_FLASH_H

#include "factory/station.h"

#define FACTORY_BAUD 460800

typedef struct {
    const char *port;       /* "/dev/ttyUSB0"; NULL: flash bytes, and the rest is not looked at */
    const char *bootloader; /* paths; both NULL: the flasher is for identities only */
    const char *app;
    const char *table;     /* NULL: Cradle's own */
    const char *sdkconfig; /* NULL: none */
    bool rollback_confirmed;
    const char *esptool; /* NULL: from PATH */
    uint64_t baud;       /* 0: FACTORY_BAUD */
    /* What is being done ("writing", "reading back"), and how far; may be NULL. */
    void (*progress)(void *context, const char *what, unsigned percent);
    void *context;
} factory_flash_t;

typedef struct factory_flasher factory_flasher_t;

/* Reads and checks all files once; finds esptool. `site` must outlive it. */
bool factory_flasher_open(const site_t *site, const factory_flash_t *settings,
                          factory_flasher_t **flasher, err_t *err);
void factory_flasher_close(factory_flasher_t *flasher); /* NULL is allowed */

/* False: it writes flash bytes. */
bool factory_flasher_has_port(const factory_flasher_t *flasher);

/* Flashes the board `mac`; "" with a port: whichever is attached, and its MAC is filled in. It must
   have passed station 1. *already: custody says so, and it was read back again, nothing written. */
bool factory_flash(factory_station_t *station, factory_flasher_t *flasher,
                   char mac[FACTORY_MAC_SIZE], bool *already, err_t *err);

/* Writes an identity image to the chip and reads it back; for station 3. */
bool factory_flash_identity(factory_flasher_t *flasher, const char *mac, const char *path,
                            err_t *err);

/* Does the text of an sdkconfig say that the bootloader can roll back? */
bool factory_sdkconfig_rollback(const char *text, size_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* internal: a unit whose image is on a chip and no longer here. */
#ifndef CRADLE_FACTORY_SUMMARY_H
#define CRADLE_FACTORY_SUMMARY_H

#include "factory/internal.h"

bool factory_summary_exists(const site_t *site, const char *sn);

/* As factory_unit_read, from device.crt and device.json; sets leaf_sha256 only, bundle_version is
   not known (0). */
bool factory_summary_read(const site_t *site, factory_unit_t *unit, factory_content_t *content,
                          err_t *err);

#endif

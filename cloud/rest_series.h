/* SPDX-License-Identifier: Apache-2.0 */
/* rest_series: reading and deleting time series over REST; a part of the telemetry controller. */
#ifndef CRADLE_CLOUD_REST_SERIES_H
#define CRADLE_CLOUD_REST_SERIES_H

#include "cloud/rest_internal.h"

/* Replies with the latest values, or, when startTs and endTs are given, with a range: raw points
   (the newest 100 unless limit and orderBy say otherwise) or one value an interval. */
void rest_series_read(rest_call_t *call, int64_t row);

/* DELETE .../timeseries/delete */
void rest_series_delete(rest_call_t *call, int64_t row);

/* The next name of "a,b"; empty names are skipped. False at the end. */
bool rest_next_key(const char **list, const char **key, size_t *len);

#endif

# SPDX-License-Identifier: Apache-2.0
cradle_library(cloud_rest
    SOURCES jwt.c auth.c rest.c rest_auth.c rest_device.c rest_profile.c rest_series.c
            rest_telemetry.c
    LIBS cradle_cloud_store cradle_cloud_mqtt cradle_http cradle_tbdevice cradle_json cradle_base
         PkgConfig::OPENSSL)

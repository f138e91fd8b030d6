/* SPDX-License-Identifier: Apache-2.0 */
#include "rest_cases.h"

#define UNKNOWN   "11111111-1111-1111-1111-111111111111"
#define TELEMETRY "/api/plugins/telemetry/DEVICE/%D/"

#define OPERATING                                                                                  \
    "{\"name\":\"operating\",\"type\":\"DEFAULT\",\"transportType\":\"DEFAULT\","                  \
    "\"provisionType\":\"DISABLED\",\"profileData\":{\"configuration\":{\"type\":\"DEFAULT\"},"    \
    "\"transportConfiguration\":{\"type\":\"DEFAULT\"},\"alarms\":null,"                           \
    "\"provisionConfiguration\":{\"type\":\"DISABLED\",\"provisionDeviceSecret\":null}}}"
#define CHAIN_PROFILE(name, secret)                                                                \
    "{\"name\":\"" name "\",\"type\":\"DEFAULT\",\"transportType\":\"DEFAULT\","                   \
    "\"provisionType\":\"X509_CERTIFICATE_CHAIN\",\"profileData\":{\"configuration\":"             \
    "{\"type\":\"DEFAULT\"},\"transportConfiguration\":{\"type\":\"DEFAULT\"},\"alarms\":null,"    \
    "\"provisionConfiguration\":{\"type\":\"X509_CERTIFICATE_CHAIN\",\"provisionDeviceSecret\":"   \
    "\"" secret "\",\"certificateRegExPattern\":\"(.*)\","                                         \
    "\"allowCreateNewDevicesByX509Certificate\":true}}}"
#define DEVICE(profile, label, version)                                                            \
    "{\"id\":{\"entityType\":\"DEVICE\",\"id\":\"%D\"},\"name\":\"%N\",\"label\":" label           \
    ",\"deviceProfileId\":{\"entityType\":\"DEVICE_PROFILE\",\"id\":\"" profile                    \
    "\"},\"version\":" version "}"
#define CREDENTIALS(type, id, value, version)                                                      \
    "{\"id\":{\"id\":\"%I\"},\"deviceId\":{\"entityType\":\"DEVICE\",\"id\":\"%D\"},"              \
    "\"credentialsType\":\"" type "\",\"credentialsId\":" id ",\"credentialsValue\":" value        \
    ",\"version\":" version "}"

const rest_case_t REST_CASES[] = {
    {.name = "login", "POST", "/api/auth/login", "%L", .no_token = true},
    {.name = "login, wrong password",
     "POST",
     "/api/auth/login",
     "{\"username\":\"tenant@cradle.test\",\"password\":\"nope\"}",
     .no_token = true},
    {.name = "no token", "GET", "/api/tenant/devices?pageSize=1&page=0", NULL, .no_token = true},
    {.name = "junk token",
     "GET",
     "/api/tenant/devices?pageSize=1&page=0",
     NULL,
     .junk_token = true},
    {.name = "who am I", "GET", "/api/auth/user", NULL},
    {.name = "create profile whose CA another profile has",
     "POST",
     "/api/deviceProfile",
     CHAIN_PROFILE("lobby-2", "%C")},
    {.name = "create chain profile, junk PEM",
     "POST",
     "/api/deviceProfile",
     CHAIN_PROFILE("lobby-junk", "junk")},
    {.name = "create operating profile", "POST", "/api/deviceProfile", OPERATING},
    {.name = "create profile, name taken", "POST", "/api/deviceProfile", OPERATING},
    {.name = "profile by id", "GET", "/api/deviceProfile/%O", NULL},
    {.name = "profiles page", "GET", "/api/deviceProfileInfos?pageSize=2&page=0", NULL},
    {.name = "device by name, absent", "GET", "/api/tenant/devices?deviceName=nobody", NULL},
    {.name = "device by name, just provisioned", "GET", "/api/tenant/devices?deviceName=%N", NULL},
    {.name = "device info", "GET", "/api/device/info/%D", NULL},
    {.name = "move to operating profile", "POST", "/api/device", DEVICE("%O", "null", "%V")},
    {.name = "save with a stale version", "POST", "/api/device", DEVICE("%P", "\"late\"", "1")},
    {.name = "device by id, unknown", "GET", "/api/device/" UNKNOWN, NULL},
    {.name = "device by id, not a UUID", "GET", "/api/device/xyz", NULL},
    {.name = "credentials", "GET", "/api/device/%D/credentials", NULL},
    {.name = "devices page by profile",
     "GET",
     "/api/tenant/deviceInfos?pageSize=2&page=0&deviceProfileId=%O",
     NULL},
    {.name = "devices page, text search",
     "GET",
     "/api/tenant/devices?pageSize=2&page=0&textSearch=%N&sortProperty=createdTime&sortOrder=DESC",
     NULL},
    {.name = "devices page, pageSize too big",
     "GET",
     "/api/tenant/devices?pageSize=100000&page=0",
     NULL},
    {.name = "create customer", "POST", "/api/customer", "{\"title\":\"cust\"}"},
    {.name = "create customer, title taken", "POST", "/api/customer", "{\"title\":\"cust\"}"},
    {.name = "customer by title", "GET", "/api/tenant/customers?customerTitle=cust", NULL},
    {.name = "customer by title, absent",
     "GET",
     "/api/tenant/customers?customerTitle=nobody",
     NULL},
    {.name = "assign", "POST", "/api/customer/%K/device/%D", NULL},
    {.name = "assign again", "POST", "/api/customer/%K/device/%D", NULL},
    {.name = "devices of customer", "GET", "/api/customer/%K/devices?pageSize=10&page=0", NULL},
    {.name = "unassign", "DELETE", "/api/customer/device/%D", NULL},
    {.name = "unassign again", "DELETE", "/api/customer/device/%D", NULL},
    {.name = "assign to unknown customer", "POST", "/api/customer/" UNKNOWN "/device/%D", NULL},
    {.name = "series keys", "GET", TELEMETRY "keys/timeseries", NULL},
    {.name = "latest",
     "GET",
     TELEMETRY "values/timeseries?keys=t,s,b,j,n,f,big,e",
     NULL,
     .exact = true},
    {.name = "latest, strict types",
     "GET",
     TELEMETRY "values/timeseries?keys=t,s,b,j,n,f,big,e&useStrictDataTypes=true",
     NULL,
     .exact = true},
    {.name = "latest, absent key", "GET", TELEMETRY "values/timeseries?keys=nokey", NULL},
    {.name = "history",
     "GET",
     TELEMETRY "values/timeseries?keys=t&startTs=0&endTs=1795351365471&limit=3&orderBy=ASC",
     NULL,
     .exact = true},
    {.name = "history, averaged",
     "GET",
     TELEMETRY
     "values/timeseries?keys=t&startTs=1795351355470&endTs=1795351365471&interval=5000&agg=AVG",
     NULL,
     .exact = true},
    {.name = "attributes client", "GET", TELEMETRY "values/attributes/CLIENT_SCOPE", NULL},
    {.name = "save shared",
     "POST",
     TELEMETRY "attributes/SHARED_SCOPE",
     "{\"period\":5,\"name\":\"x\"}"},
    {.name = "attributes server", "GET", TELEMETRY "values/attributes/SERVER_SCOPE", NULL},
    {.name = "delete shared", "DELETE", TELEMETRY "SHARED_SCOPE?keys=name", NULL},
    {.name = "delete series",
     "DELETE",
     TELEMETRY "timeseries/delete?keys=t,s&deleteAllDataForKeys=true",
     NULL},
    {.name = "series keys after", "GET", TELEMETRY "keys/timeseries", NULL},
    {.name = "create alarm",
     "POST",
     "/api/alarm",
     "{\"originator\":{\"entityType\":\"DEVICE\",\"id\":\"%D\"},\"type\":\"certificate\","
     "\"severity\":\"MAJOR\"}",
     .first = "/api/customer/%K/device/%D"},
    {.name = "alarms of device", "GET", "/api/alarm/DEVICE/%D?pageSize=10&page=0", NULL},
    {.name = "acknowledge alarm", "POST", "/api/alarm/%A/ack", ""},
    {.name = "clear alarm", "POST", "/api/alarm/%A/clear", ""},
    {.name = "delete alarm", "DELETE", "/api/alarm/%A", NULL},
    {.name = "delete alarm again", "DELETE", "/api/alarm/%A", NULL},
    {.name = "two-way rpc, device offline",
     "POST",
     "/api/rpc/twoway/%D",
     "{\"method\":\"ping\",\"params\":{},\"timeout\":1500}"},
    {.name = "persistent rpc, device offline",
     "POST",
     "/api/rpc/oneway/%D",
     "{\"method\":\"later\",\"params\":{},\"persistent\":true,\"expirationTime\":%T,"
     "\"timeout\":1500}"},
    {.name = "persistent rpcs of device",
     "GET",
     "/api/rpc/persistent/device/%D?pageSize=10&page=0",
     NULL},
    {.name = "delete persistent rpc", "DELETE", "/api/rpc/persistent/%R", NULL},
    {.name = "no such path", "GET", "/api/nothing/here", NULL},
    {.name = "method not allowed", "PUT", "/api/device", NULL},
    {.name = "credentials: new leaf",
     "POST",
     "/api/device/credentials",
     CREDENTIALS("X509_CERTIFICATE", "null", "\"%F\"", "%W")},
    {.name = "credentials: stale version",
     "POST",
     "/api/device/credentials",
     CREDENTIALS("X509_CERTIFICATE", "null", "\"%F\"", "1")},
    {.name = "credentials: junk PEM",
     "POST",
     "/api/device/credentials",
     CREDENTIALS("X509_CERTIFICATE", "null", "\"junk\"", "%W"),
     .lax = true},
    /* as recorded: whose leaf it is, is looked at before the version */
    {.name = "credentials: leaf that another device has",
     "POST",
     "/api/device/credentials",
     CREDENTIALS("X509_CERTIFICATE", "null", "\"%X\"", "1")},
    {.name = "credentials: quarantine with an access token",
     "POST",
     "/api/device/credentials",
     CREDENTIALS("ACCESS_TOKEN", "\"quarantine\"", "null", "%W")},
    {.name = "credentials: back",
     "POST",
     "/api/device/credentials",
     CREDENTIALS("X509_CERTIFICATE", "null", "\"junk\"", "%W"),
     .lax = true},
    {.name = "delete device", "DELETE", "/api/device/%D", NULL},
    {.name = "delete device again", "DELETE", "/api/device/%D", NULL},
    {.name = "delete customer", "DELETE", "/api/customer/%K", NULL},
    {.name = "delete profile", "DELETE", "/api/deviceProfile/%O", NULL},
};

const rest_left_out_t REST_LEFT_OUT[] = {
    {"entity *", "not there yet: entity queries"},
    {"a customer user *", "played by tests/cloud/customers.sh, which has such a user"},
    {"push of *", "an MQTT message; tests/unit/test_tb_recorded.c and tests/cloud"},
    {"delete series, no keys", "deliberate: 400 and a reason instead of 500 and a null pointer"},
    {"rpc as the device sees it", "an MQTT message; tests/cloud/rpc.sh"},
    {"two-way rpc, answered", "tests/cloud/rpc.sh, where the device is connected"},
    {"two-way rpc, no answer in time", "tests/cloud/rpc.sh, where the device is connected"},
    {"one-way rpc", "tests/cloud/rpc.sh, where the device is connected"},
    {"ota*", "not there yet: firmware"},
    {"audit *", "not there: no audit log"},
    {"POST that is not JSON",
     "deliberate: 500 and errorCode 2, too, in our own words (tests/cloud/http_hostile.sh)"},
    {"ws: *", "not there yet: WebSocket"},
};

const size_t REST_CASE_COUNT = sizeof REST_CASES / sizeof REST_CASES[0];
const size_t REST_LEFT_OUT_COUNT = sizeof REST_LEFT_OUT / sizeof REST_LEFT_OUT[0];

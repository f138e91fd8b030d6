/* SPDX-License-Identifier: Apache-2.0 */
/* The owner's side of the phone: log-in, account file, ticket before Apply, what becomes of a
   claim; against a steward over HTTPS and a device over its own sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "fake_provisioning.h"
#include "fake_steward.h"
#include "phone/account.h"
#include "phone/phone.h"
#include "protocomm/httpd.h"
#include "site/site.h"

#define EPOCH "AAECAwQFBgcICQoLDA0ODw"
#define OTHER "EAECAwQFBgcICQoLDA0ODw"
#define INFO                                                                                       \
    "{\"v\":1,\"sn\":\"SN-000007\",\"model\":\"m\",\"fw\":\"1.0\",\"leaf\":\"x\",\"ep\":\"" EPOCH  \
    "\",\"steward\":\"steward.cradle.test:8443\",\"ask\":true}"
#define SEEN(owner, state, epoch)                                                                  \
    "{\"sn\":\"SN-000007\",\"owner\":\"" owner "\",\"state\":\"" state "\",\"epoch\":\"" epoch "\"}"

static char base[] = "/tmp/cradle-owner-XXXXXX";
static char ca[FILE_PATH_MAX], cert[FILE_PATH_MAX], key[FILE_PATH_MAX], other_ca[FILE_PATH_MAX];
static fake_steward_t steward;

static bool make_site(const char *name, char dir[FILE_PATH_MAX])
{
    site_t site;
    const site_create_t request = {
        .dir = dir, .steward = SITE_STEWARD_HOST, .now = (int64_t)time(NULL) - 60};

    return file_join(dir, base, name, NULL) && site_create(&request, &site, NULL);
}

/* Two sites: one has the steward's certificate, the other an authority that never signed it. */
static int setup(void **state)
{
    char dir[FILE_PATH_MAX];

    (void)state;
    if (!mkdtemp(base) || !make_site("one", dir) ||
        !file_join(ca, dir, "ca/server-root.crt", NULL) ||
        !file_join(cert, dir, "steward/server.crt", NULL) ||
        !file_join(key, dir, "steward/server.key", NULL) || !make_site("two", dir) ||
        !file_join(other_ca, dir, "ca/server-root.crt", NULL))
        return -1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(base, NULL) ? 0 : -1;
}

static int start(void **state)
{
    (void)state;
    fake_steward_start(&steward, cert, key);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fake_steward_stop(&steward);
    return 0;
}

static void log_in(phone_account_t *account)
{
    err_t err = ERR_INIT;

    if (!phone_login(steward.url, ca, "alice", "open sesame", account, &err))
        fail_msg("%s", err.text);
}

/* -- log-in ---------------------------------------------------------------------------------- */

static void login_right(void **state)
{
    phone_account_t account;

    (void)state;
    log_in(&account);
    assert_string_equal(account.url, steward.url);
    assert_string_equal(account.name, "alice");
    assert_string_equal(account.token, FAKE_STEWARD_TOKEN);
    assert_int_equal(account.expires, 1900000000);
    assert_non_null(strstr(account.ca, "BEGIN CERTIFICATE"));
    /* without a scheme, and with a slash too many */
    char url[100];
    snprintf(url, sizeof url, "%s/", steward.url + 8);
    assert_true(phone_login(url, ca, "alice", "open sesame", &account, NULL));
    assert_string_equal(account.url, steward.url);
    assert_int_equal(steward.logins, 2);
}

static void login_wrong(void **state)
{
    phone_account_t account;
    err_t err = ERR_INIT;

    (void)state;
    assert_false(phone_login(steward.url, ca, "alice", "open barley", &account, &err));
    assert_int_equal(err.kind, ERR_PEER);
    assert_non_null(strstr(err.text, "wrong name or ?password")); /* no escape reaches a terminal */
    err_clear(&err);
    assert_false(phone_login(steward.url, other_ca, "alice", "open sesame", &account, &err));
    assert_int_equal(err.kind, ERR_PEER);
    assert_non_null(strstr(err.text, "certificate"));
    assert_int_equal(steward.logins, 1); /* the password never left */
    static const struct {
        const char *url, *name, *ca;
        err_kind_t kind;
    } cases[] = {
        {"http://127.0.0.1:1", "alice", ca, ERR_USAGE},
        {"https://u:p@127.0.0.1:1", "alice", ca, ERR_USAGE},
        {"https://127.0.0.1:1/x", "alice", ca, ERR_USAGE},
        {"https://", "alice", ca, ERR_USAGE},
        {"https://127.0.0.1:1", "../alice", ca, ERR_USAGE},
        {"https://127.0.0.1:1", "", ca, ERR_USAGE},
        {"https://127.0.0.1:1", ".alice", ca, ERR_USAGE},
        {"https://127.0.0.1:1", "alice", "/no/such/file", ERR_PRECONDITION},
        {"https://127.0.0.1:1", "alice", key, ERR_INPUT},
        {"https://127.0.0.1:1", "alice", ca, ERR_PEER}, /* nobody listens */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        err_clear(&err);
        assert_false(phone_login(cases[i].url, cases[i].ca, cases[i].name, "x", &account, &err));
        if (err.kind != cases[i].kind)
            fail_msg("case %zu: %s", i, err.text);
    }
}

static void login_senseless(void **state)
{
    static const char *const answers[] = {
        "",
        "[]",
        "{}",
        "{\"token\":\"\",\"expires\":1}",
        "{\"token\":\"a b\",\"expires\":1}",
        "{\"token\":\"a\\r\\nX: y\",\"expires\":1}",
        "{\"token\":\"a\"}",
        "{\"token\":\"a\",\"expires\":\"1\"}",
        "{\"token\":\"a\",\"expires\":-1}",
        "{\"token\":\"a\",\"expires\":1",
    };
    phone_account_t account;

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        err_t err = ERR_INIT;
        steward.login_answer = answers[i];
        assert_false(phone_login(steward.url, ca, "alice", "open sesame", &account, &err));
        assert_int_equal(err.kind, ERR_INPUT);
        assert_string_equal(account.token, "");
    }
}

static void account_file(void **state)
{
    phone_account_t account, again;
    char path[FILE_PATH_MAX], *text;
    struct stat st;
    size_t len;
    err_t err = ERR_INIT;

    (void)state;
    log_in(&account);
    account.local = true;
    assert_true(file_join(path, base, "alice.json", NULL));
    umask(0);
    assert_true(phone_account_save(&account, path, NULL));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_true(phone_account_load(path, &again, NULL));
    assert_string_equal(again.url, account.url);
    assert_string_equal(again.ca, account.ca);
    assert_string_equal(again.name, account.name);
    assert_string_equal(again.token, account.token);
    assert_int_equal(again.expires, account.expires);
    assert_true(again.local);
    assert_int_equal(chmod(path, 0640), 0);
    assert_false(phone_account_load(path, &again, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_non_null(strstr(err.text, "chmod 600"));
    assert_true(file_read(path, 65536, &text, &len, NULL));
    for (size_t cut = 1; cut < len; cut += 97) {
        assert_true(file_write(path, text, len - cut, 0600, NULL));
        assert_false(phone_account_load(path, &again, NULL));
    }
    free(text);
    unlink(path);
    err_clear(&err);
    assert_false(phone_account_load(path, &again, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_non_null(strstr(err.text, "phone login"));
}

/* -- provisioning with an account ------------------------------------------------------------ */

typedef struct {
    fake_t fake;
    protocomm_httpd_t *httpd;
    pthread_t thread;
    atomic_bool stop;
} board_t;

static board_t board;

static void *board_run(void *ctx)
{
    (void)ctx;
    while (!atomic_load(&board.stop)) {
        struct pollfd p = {protocomm_httpd_fd(board.httpd), POLLIN, 0};
        poll(&p, 1, 20);
        protocomm_httpd_handle(board.httpd, clock_monotonic_ms());
    }
    return NULL;
}

static void board_start(int version, const char *info)
{
    const protocomm_security_t security = {
        .version = version, .pop = (const uint8_t *)"abcd1234", .pop_len = version ? 8 : 0};

    memset(&board, 0, sizeof board);
    if (info) {
        fake_init(&board.fake, &security);
        snprintf(board.fake.info, sizeof board.fake.info, "%s", info);
    } else {
        fake_init_plain(&board.fake, &security);
    }
    board.httpd = protocomm_httpd_new(board.fake.device, "127.0.0.1", 0, NULL, NULL);
    assert_non_null(board.httpd);
    assert_int_equal(pthread_create(&board.thread, NULL, board_run, NULL), 0);
}

static void board_stop(void)
{
    atomic_store(&board.stop, true);
    pthread_join(board.thread, NULL);
    protocomm_httpd_free(board.httpd);
    fake_free(&board.fake);
}

static int secrets_asked;

static bool secret(void *ctx, char out[PROTOCOMM_POP_MAX + 1], err_t *err)
{
    (void)ctx, (void)err;
    secrets_asked++;
    strcpy(out, "abcd1234");
    return true;
}

static phone_result_t provision(const phone_account_t *account, phone_joined_t *joined, err_t *err)
{
    const phone_request_t request = {.address = protocomm_httpd_address(board.httpd),
                                     .ssid = "Alice-Home",
                                     .passphrase = "wonderland",
                                     .security = -1,
                                     .secret = secret,
                                     .account = account};

    secrets_asked = 0;
    err_clear(err);
    return phone_provision(&request, joined, err);
}

static void ticket_before_apply(void **state)
{
    phone_account_t account;
    phone_joined_t joined;
    err_t err = ERR_INIT;

    (void)state;
    log_in(&account);
    board_start(1, INFO);
    if (provision(&account, &joined, &err) != PHONE_OK)
        fail_msg("%s", err.text);
    board_stop();
    assert_true(joined.claimed);
    assert_string_equal(joined.info.sn, "SN-000007");
    assert_string_equal(joined.info.epoch, EPOCH);
    assert_string_equal(joined.info.steward, "steward.cradle.test:8443");
    assert_true(joined.info.ask);
    assert_string_equal(steward.at_ticket, "{\"sn\":\"SN-000007\",\"ep\":\"" EPOCH "\"}");
    assert_string_equal(board.fake.ticket, FAKE_STEWARD_TICKET);
    assert_int_equal(board.fake.claims, 1);
    assert_int_equal(board.fake.claim_applies, 0);
    assert_int_equal(board.fake.applies, 1);
    assert_int_equal(secrets_asked, 1);
}

/* Everything as before, whatever the device says: no account, no steward, a board of another make
   without these endpoints. */
static void nothing_to_claim(void **state)
{
    phone_account_t account;
    phone_joined_t joined;
    err_t err = ERR_INIT;

    (void)state;
    log_in(&account);
    board_start(1, INFO);
    assert_int_equal(provision(NULL, &joined, &err), PHONE_OK);
    assert_false(joined.claimed);
    assert_true(joined.info.ask);
    board_stop();
    board_start(1, "{\"v\":1,\"sn\":\"SN-000007\"}");
    assert_int_equal(provision(&account, &joined, &err), PHONE_OK);
    assert_false(joined.claimed);
    assert_string_equal(joined.info.sn, "SN-000007");
    assert_false(joined.info.ask);
    assert_int_equal(board.fake.claims, 0);
    board_stop();
    board_start(1, NULL);
    assert_int_equal(provision(&account, &joined, &err), PHONE_OK);
    assert_string_equal(joined.info.sn, "");
    assert_int_equal(board.fake.sessions, 2); /* the first one was out of step */
    assert_int_equal(secrets_asked, 1);
    board_stop();
    assert_int_equal(steward.tickets, 0);
}

static void expect_untouched(phone_result_t expected, const phone_account_t *account,
                             const char *word)
{
    phone_joined_t joined;
    err_t err = ERR_INIT;

    phone_result_t result = provision(account, &joined, &err);
    if (result != expected || !strstr(err.text, word))
        fail_msg("%s: \"%s\" lacks \"%s\"", phone_result_name(result), err.text, word);
    assert_false(joined.claimed);
    assert_int_equal(board.fake.applies, 0);
}

static void no_ticket(void **state)
{
    phone_account_t account, stranger;

    (void)state;
    log_in(&account);
    board_start(1, INFO);
    steward.ticket_status = 403;
    steward.ticket_answer = "{\"error\":\"no tickets today\"}";
    expect_untouched(PHONE_NO_TICKET, &account, "no tickets today");
    steward.ticket_status = 200;
    static const char *const senseless[] = {"{}", "{\"ticket\":\"\"}", "{\"ticket\":\"a b\"}", "x"};
    for (size_t i = 0; i < sizeof senseless / sizeof senseless[0]; i++) {
        steward.ticket_answer = senseless[i];
        expect_untouched(PHONE_NO_TICKET, &account, "makes no sense");
    }
    steward.ticket_answer = NULL;
    stranger = account;
    stranger.token[0] = 'B';
    expect_untouched(PHONE_NO_TICKET, &stranger, "phone login");
    stranger = account;
    strcpy(stranger.url, "https://127.0.0.1:1");
    expect_untouched(PHONE_NO_TICKET, &stranger, "SN-000007");
    assert_int_equal(board.fake.claims, 0);
    phone_joined_t joined; /* and at once again */
    err_t err = ERR_INIT;
    assert_int_equal(provision(&account, &joined, &err), PHONE_OK);
    board_stop();
}

static void claim_refused(void **state)
{
    phone_account_t account;
    phone_joined_t joined;
    err_t err = ERR_INIT;

    (void)state;
    log_in(&account);
    board_start(1, INFO);
    strcpy(board.fake.claim_answer, "{\"error\":\"not now\\u0007\"}");
    expect_untouched(PHONE_CLAIM_REFUSED, &account, "does not take the ticket");
    strcpy(board.fake.claim_answer, "{\"error\":\"not now\"}");
    expect_untouched(PHONE_CLAIM_REFUSED, &account, "not now");
    strcpy(board.fake.claim_answer, "gibberish");
    expect_untouched(PHONE_CLAIM_REFUSED, &account, "does not take the ticket");
    board.fake.claim_answer[0] = '\0'; /* its handler fails */
    expect_untouched(PHONE_CLAIM_REFUSED, &account, "");
    board_stop();
    board_start(0, INFO);
    steward.tickets = 0;
    expect_untouched(PHONE_CLAIM_REFUSED, &account, "security 0");
    assert_int_equal(steward.tickets, 0);
    assert_int_equal(provision(NULL, &joined, &err), PHONE_OK);
    board_stop();
}

static void senseless_info(void **state)
{
    static const char *const infos[] = {
        "x",
        "{\"v\":2,\"sn\":\"SN-1\"}",
        "{\"v\":1}",
        "{\"v\":1,\"sn\":\"a&sn=b\"}",
        "{\"v\":1,\"sn\":\"SN-1\",\"steward\":\"s:1\"}", /* and no epoch */
        "{\"v\":1,\"sn\":\"SN-1\",\"ep\":\"short\"}",
        "{\"v\":1,\"sn\":\"SN-1\",\"model\":\"a\\u001b[2J\"}",
        "{\"v\":1,\"sn\":\"SN-1\",\"fw\":5}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof infos / sizeof infos[0]; i++) {
        board_start(1, infos[i]);
        expect_untouched(PHONE_FAILED, NULL, "makes no sense");
        board_stop();
    }
}

/* -- what becomes of it ---------------------------------------------------------------------- */

static int looks, heard;

static void watch(void *ctx, const phone_ownership_t *seen, uint64_t elapsed_ms)
{
    (void)ctx, (void)elapsed_ms;
    looks++;
    heard += seen != NULL;
}

static phone_claim_t await(const phone_account_t *account, int timeout_ms, err_t *err)
{
    phone_ownership_t last;
    const phone_wait_t wait = {.account = account,
                               .sn = "SN-000007",
                               .epoch = EPOCH,
                               .timeout_ms = timeout_ms,
                               .poll_ms = 40,
                               .progress = watch};

    steward.looked = looks = heard = 0;
    err_clear(err);
    return phone_claim_wait(&wait, &last, err);
}

static void script(const char *a, const char *b, const char *c)
{
    memset(steward.looks, 0, sizeof steward.looks);
    steward.looks[0] = a;
    steward.looks[1] = b;
    steward.looks[2] = c;
}

static void waiting(void **state)
{
    phone_account_t account;
    err_t err = ERR_INIT;

    (void)state;
    log_in(&account);
    /* the former owner's state of the former epoch means nothing */
    script(SEEN("somebody", "streaming", OTHER), SEEN("somebody", "handing-over", EPOCH),
           SEEN("you", "streaming", EPOCH));
    assert_int_equal(await(&account, 10000, &err), PHONE_CLAIM_YOURS);
    assert_int_equal(looks, 3);
    assert_int_equal(heard, 2);
    assert_string_equal(steward.asked, "GET /api/device?sn=SN-000007");
    script(SEEN("nobody", "held", EPOCH), SEEN("somebody", "held", EPOCH), NULL);
    assert_int_equal(await(&account, 10000, &err), PHONE_CLAIM_HELD);
    assert_non_null(strstr(err.text, "owner on record must release it"));
    script(SEEN("somebody", "held", EPOCH), SEEN("you", "streaming", EPOCH), NULL);
    assert_int_equal(await(&account, 10000, &err), PHONE_CLAIM_YOURS); /* it did not last */
    script(SEEN("somebody", "streaming", EPOCH), NULL, NULL);
    assert_int_equal(await(&account, 10000, &err), PHONE_CLAIM_TAKEN);
    assert_non_null(strstr(err.text, "somebody else was first"));
}

static void waiting_in_vain(void **state)
{
    phone_account_t account;
    err_t err = ERR_INIT;

    (void)state;
    log_in(&account);
    script("{\"sn\":\"SN-000007\",\"owner\":\"nobody\",\"state\":\"unknown\",\"epoch\":null}", NULL,
           NULL);
    assert_int_equal(await(&account, 150, &err), PHONE_CLAIM_WAITING);
    assert_non_null(strstr(err.text, "not heard from the device"));
    script(SEEN("you", "handing-over", EPOCH), NULL, NULL);
    assert_int_equal(await(&account, 150, &err), PHONE_CLAIM_WAITING);
    assert_non_null(strstr(err.text, "handed over"));
    script(SEEN("nobody", "held", EPOCH), NULL, NULL);
    assert_int_equal(await(&account, 150, &err), PHONE_CLAIM_WAITING);
    assert_non_null(strstr(err.text, "not taken the claim"));
    script(SEEN("king", "held", EPOCH), NULL, NULL);
    assert_int_equal(await(&account, 150, &err), PHONE_CLAIM_LOST);
    assert_non_null(strstr(err.text, "makes no sense"));
    script(SEEN("you", "streaming", "AAAA"), NULL, NULL);
    assert_int_equal(await(&account, 150, &err), PHONE_CLAIM_LOST);
    script(NULL, NULL, NULL);
    assert_int_equal(await(&account, 150, &err), PHONE_CLAIM_LOST);
    assert_non_null(strstr(err.text, "no such device"));
    account.token[0] = 'B'; /* the log-in has ended: no use in asking on */
    uint64_t begun = clock_monotonic_ms();
    assert_int_equal(await(&account, 20000, &err), PHONE_CLAIM_LOST);
    assert_true(clock_monotonic_ms() - begun < 5000);
    assert_non_null(strstr(err.text, "phone login"));
}

/* -- lists, release, code -------------------------------------------------------------------- */

static char listed[512];

static bool note_device(void *ctx, const char *sn, phone_state_t state)
{
    (void)ctx;
    strcat(strcat(strcat(strcat(listed, sn), "="), phone_state_name(state)), " ");
    return strcmp(sn, "LAST-1") != 0;
}

static bool note_receipt(void *ctx, const char *sn, int64_t issued, const char *link)
{
    (void)ctx;
    snprintf(listed + strlen(listed), 100, "%s %lld %s\n", sn, (long long)issued, link);
    return true;
}

static void lists(void **state)
{
    phone_account_t account;
    err_t err = ERR_INIT;

    (void)state;
    log_in(&account);
    steward.list_answer = "{\"devices\":[]}";
    listed[0] = '\0';
    assert_true(phone_owned(&account, note_device, NULL, NULL));
    assert_string_equal(listed, "");
    steward.list_answer =
        "{\"devices\":[{\"sn\":\"SN-1\",\"state\":\"streaming\",\"more\":{\"sn\":1}},"
        "{\"sn\":\"LAST-1\",\"state\":\"held\"},{\"sn\":\"SN-3\",\"state\":\"held\"}]}";
    assert_true(phone_owned(&account, note_device, NULL, NULL));
    assert_string_equal(listed, "SN-1=streaming LAST-1=held ");
    static const char *const bad[] = {
        "{}",
        "{\"devices\":{}}",
        "{\"devices\":[1]}",
        "{\"devices\":[{\"sn\":\"\\u001b[2J\",\"state\":\"held\"}]}",
        "{\"devices\":[{\"sn\":\"SN-1\",\"state\":\"melting\"}]}",
        "{\"devices\":[{\"sn\":\"SN-1\",\"state\":\"held\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        steward.list_answer = bad[i];
        err_clear(&err);
        assert_false(phone_owned(&account, note_device, NULL, &err));
        assert_int_equal(err.kind, ERR_INPUT);
    }
    steward.list_answer = "{\"receipts\":[{\"sn\":\"SN-1\",\"issued\":5,\"link\":\"/receipt/"
                          "00112233445566778899aabbccddeeff\"}]}";
    listed[0] = '\0';
    assert_true(phone_receipts(&account, note_receipt, NULL, NULL));
    assert_string_equal(listed, "SN-1 5 /receipt/00112233445566778899aabbccddeeff\n");
    steward.list_answer = "{\"receipts\":[{\"sn\":\"SN-1\",\"issued\":5,\"link\":\"//evil.test/"
                          "receipt/xxxxxxxxxxxx\"}]}";
    assert_false(phone_receipts(&account, note_receipt, NULL, NULL));
    steward.list_status = 500;
    err_clear(&err);
    assert_false(phone_receipts(&account, note_receipt, NULL, &err));
    assert_int_equal(err.kind, ERR_PEER);
}

/* An answer without end is not read to its end. */
static void too_large(void **state)
{
    phone_account_t account;
    const size_t size = 2u << 20;
    char *text = malloc(size + 1);
    err_t err = ERR_INIT;

    (void)state;
    assert_non_null(text);
    memset(text, ' ', size);
    text[size] = '\0';
    memcpy(text, "{\"devices\":[]}", 14);
    log_in(&account);
    steward.list_answer = text;
    assert_false(phone_owned(&account, note_device, NULL, &err));
    assert_int_equal(err.kind, ERR_PEER);
    assert_non_null(strstr(err.text, "too large"));
    free(text);
}

static void release_and_code(void **state)
{
    phone_account_t account;
    err_t err = ERR_INIT;

    (void)state;
    log_in(&account);
    assert_true(phone_release(&account, "SN-000007", NULL));
    assert_string_equal(steward.body, "{\"sn\":\"SN-000007\"}");
    assert_true(phone_code(&account, "SN-000007", "ABCD\"2345", NULL));
    assert_string_equal(steward.body, "{\"sn\":\"SN-000007\",\"code\":\"ABCD\\\"2345\"}");
    assert_int_equal(steward.others, 2);
    assert_true(phone_code(&account, "SN-000007", " k7wq-2m9x ", NULL)); /* as it is typed */
    assert_string_equal(steward.body, "{\"sn\":\"SN-000007\",\"code\":\"K7WQ2M9X\"}");
    assert_false(phone_release(&account, "SN 7", &err));
    assert_int_equal(err.kind, ERR_USAGE);
    char long_code[80];
    memset(long_code, 'A', sizeof long_code - 1);
    long_code[sizeof long_code - 1] = '\0';
    err_clear(&err);
    assert_false(phone_code(&account, "SN-000007", long_code, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_int_equal(steward.others, 3);
}

int main(void)
{
#define WITH_STEWARD(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        WITH_STEWARD(login_right),         WITH_STEWARD(login_wrong),
        WITH_STEWARD(login_senseless),     WITH_STEWARD(account_file),
        WITH_STEWARD(ticket_before_apply), WITH_STEWARD(nothing_to_claim),
        WITH_STEWARD(no_ticket),           WITH_STEWARD(claim_refused),
        cmocka_unit_test(senseless_info),  WITH_STEWARD(waiting),
        WITH_STEWARD(waiting_in_vain),     WITH_STEWARD(lists),
        WITH_STEWARD(too_large),           WITH_STEWARD(release_and_code),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* `cradle ca roll` and `cradle ca passphrase`. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/passphrase.h"
#include "cli/verb_ca.h"
#include "term/term.h"

const char ca_roll_help[] =
    "  --days N            of the new CA (default 7300, or what is left of the product CA)\n"
    "  --keep-old FILE     the old key goes to this new file (default: it is destroyed). Without\n"
    "                      it, no further revocation list of the old CA can be made\n"
    "  --encrypt           the new key gets a passphrase\n"
    "  --key FILE          the product CA's key, where it is not in the site\n"
    "  --passphrase-fd N   reads the passphrases of the new key and of the product CA's, in this\n"
    "                      order\n\n"
    "The old certificate stays, as ca/line.1.crt: what it signed is trusted until it ends. New\n"
    "certificates are by the new CA. ThingsBoard, which knows the product CA, notices nothing.\n"
    "Cut off at any moment, the same command finishes it. A factory run or a steward that is\n"
    "running goes on with the key that it has read; start it anew.\n\n"
    "examples:\n"
    "  cradle ca roll line\n"
    "  cradle ca roll renewal --key /media/ceremony/product.key --keep-old "
    "/media/old/renewal.key\n";

const char ca_passphrase_help[] =
    "  NAME                a CA of the site whose key is here; or the FILE of any private key\n"
    "  --remove            takes the passphrase off\n"
    "  --passphrase-fd N   reads the present one, if the file has one, and then the new one\n\n"
    "A program that signs with an encrypted key asks for its passphrase when it starts: `cradle\n"
    "factory run` for the line's. cradle-steward cannot be asked: leave the renewal CA's key "
    "plain.\n\n"
    "examples:\n"
    "  cradle ca passphrase product\n"
    "  cradle ca passphrase line --passphrase-fd 3 3</run/secrets/line\n";

int ca_roll(const cli_t *cli, int argc, char **argv)
{
    ca_session_t session = {.key = NULL};
    factory_roll_t how = {.now = clock_wall_ms() / 1000};
    factory_rolled_t rolled;
    uint64_t days = 0;
    bool encrypt = false;
    char secret[PKI_PASSPHRASE_SIZE] = "";
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"days", 0, OPTION_UINT, &days, "N", "of the new CA"},
        {"keep-old", 0, OPTION_TEXT, &how.keep_old, "FILE", "for the old key"},
        {"encrypt", 0, OPTION_FLAG, &encrypt, NULL, "the new key gets a passphrase"},
        CA_KEY_OPTION(session),
        {0},
    };
    bool ok = options_parse(options, &argc, argv, 1, 1, &err) && ca_days(days, &how.days, &err) &&
              ca_open(cli, &session, &err) &&
              (!encrypt || passphrase_new("the new key", secret, &err));
    how.name = argv[0];
    how.passphrase = encrypt ? secret : NULL;
    ok = ok && factory_ca_roll(&session.ca, &how, &rolled, &err);
    bytes_wipe(secret, sizeof secret);
    if (!ok) {
        return cli_fail(&err);
    }
    char until[16];
    ca_date(rolled.not_after, until);
    if (cli->json) {
        printf("{\"ca\":\"%s\",\"former\":\"%s\",\"resumed\":%s,\"not_after\":%lld}\n", how.name,
               rolled.former, rolled.resumed ? "true" : "false", (long long)rolled.not_after);
    } else if (rolled.resumed) {
        printf("An earlier roll of the %s CA was cut off; it is finished now. No further one was "
               "made.\n",
               how.name);
    } else {
        printf("The %s CA is new, valid until %s. The former one is %s and stays trusted; its key "
               "%s.\nStart factory runs and cradle-steward anew.\n",
               how.name, until, rolled.former, how.keep_old == NULL ? "is destroyed" : "was moved");
    }
    return CLI_DONE;
}

/* The key file of a CA's name, or the file itself. */
static bool key_file(const cli_t *cli, const char *what, char path[FILE_PATH_MAX], err_t *err)
{
    site_t site;
    if (site_ca_name_valid(what)) {
        return site_open(&site, cli->site, err) && site_key_path(&site, what, path, err);
    }
    int n = snprintf(path, FILE_PATH_MAX, "%s", what);
    return n < FILE_PATH_MAX || err_set(err, ERR_USAGE, "the file's name is too long");
}

/* A new file beside the old one, then renamed over it: at no moment is there no key. */
static bool replace(const char *path, const EVP_PKEY *key, const char *secret, err_t *err)
{
    char beside[FILE_PATH_MAX];
    int n = snprintf(beside, sizeof beside, "%s.new", path);
    if (n >= FILE_PATH_MAX) {
        return err_set(err, ERR_USAGE, "the file's name is too long");
    }
    if (!pki_key_save_encrypted(key, beside, secret, err)) {
        return false;
    }
    return rename(beside, path) == 0 || err_errno(err, "cannot replace %s", path);
}

int ca_passphrase(const cli_t *cli, int argc, char **argv)
{
    bool remove_it = false;
    char path[FILE_PATH_MAX];
    char secret[PKI_PASSPHRASE_SIZE] = "";
    EVP_PKEY *key = NULL;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"remove", 0, OPTION_FLAG, &remove_it, NULL, "takes it off"},
        {0},
    };
    bool ok = options_parse(options, &argc, argv, 1, 1, &err) &&
              key_file(cli, argv[0], path, &err) && pki_key_load(path, &key, &err) &&
              (remove_it || passphrase_new("the key from now on", secret, &err)) &&
              replace(path, key, remove_it ? NULL : secret, &err);
    bytes_wipe(secret, sizeof secret);
    pki_key_free(key);
    if (!ok) {
        return cli_fail(&err);
    }
    if (!cli->json) {
        printf("%s %s.\n", path, remove_it ? "has no passphrase any more" : "is encrypted");
    }
    return CLI_DONE;
}

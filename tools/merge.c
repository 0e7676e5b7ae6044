/* SPDX-License-Identifier: MIT */
/** `firn merge`: several caches as one. */
#include "cli.h"
#include "upkeep.h"

static int merge(const struct firn_verb *verb, int argc, char **argv)
{
    struct firn_upkeep_options o = {.on_photograph = firn_upkeep_photograph};
    bool json = false;
    const struct firn_opt opts[] = {
        FIRN_OPT_NETWORK(o),
        {FIRN_OPT_FLAG, 0, "json", NULL, "print JSON", &json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status == FIRN_CLI_GO)
        status = firn_cli_no_stdout(verb, argv[0]);
    if (status != FIRN_CLI_GO)
        return status;
    struct firn_upkeep u;
    struct firn_error err = {0};
    status = -firn_merge(argv[0], (const char *const *)(argv + 1), (size_t)argc - 1, &o, &u, &err);
    if (status && status != FIRN_PARTIAL)
        return firn_cli_fail(&err);
    if (json) {
        int printed = firn_upkeep_json(&u);
        return status ? status : printed;
    }
    if (!firn_cli_quiet) {
        printf("%s: %zu photograph%s taken over, %zu feature%s now", argv[0], u.photographs,
               firn_cli_s(u.photographs), u.rows, firn_cli_s(u.rows));
        if (u.conflicts)
            printf("; %zu conflict%s", u.conflicts, firn_cli_s(u.conflicts));
        putchar('\n');
    }
    return status;
}

const struct firn_verb firn_verb_merge = {
    .name = "merge",
    .args = "[options] OUT IN...",
    .summary = "add what the caches IN hold to the cache OUT, created if absent",
    .more = "All must have the same fingerprint. Doing it again changes nothing. Where two\n"
            "caches know different contents of one photograph, the later ones win; where they\n"
            "have different features of the same contents, that of OUT stays. Both are named,\n"
            "and the exit status is 1.\n",
    .min_args = 2,
    .max_args = -1,
    .run = merge,
};

/* SPDX-License-Identifier: MIT */
/** `firn repair`: gets what is whole out of damaged segments. A dry run unless --yes. */
#include "cli.h"
#include "upkeep.h"

static void on_finding(void *user, const struct firn_finding *f)
{
    (void)user;
    firn_cli_note("%s at byte %llu: %s", f->file, (unsigned long long)f->offset, f->what);
}

static void tell_rows(const char *dir, const struct firn_upkeep *u, bool yes)
{
    if (u->unnamed)
        printf("%s: %zu feature%s that no photograph names %s; 'firn extract' uses %s again\n",
               dir, u->unnamed, firn_cli_s(u->unnamed),
               yes ? u->unnamed == 1 ? "is kept" : "are kept" : "will be kept",
               u->unnamed == 1 ? "it" : "them");
    if (u->ledger_damaged)
        printf("%s: the ledger itself %s cut or damaged: photographs may be missing from the list, "
               "or out of date; run the 'firn extract' command of this cache again\n", dir,
               yes ? "was" : "is");
}

static void tell(const char *dir, const struct firn_upkeep *u, bool yes)
{
    if (u->damaged == 0)
        printf("%s: %s\n", dir, u->lost ? "no damaged file" : "no damage, nothing to repair");
    else if (yes)
        printf("%s: repaired; %zu damaged segment%s set aside as *.damaged\n", dir, u->damaged,
               firn_cli_s(u->damaged));
    else
        printf("%s: %zu damaged segment%s to write anew and set aside; --yes does it\n", dir,
               u->damaged, firn_cli_s(u->damaged));
    tell_rows(dir, u, yes);
    if (u->lost)
        printf("%s: %zu feature%s lost; run the 'firn extract' command of this cache again to "
               "compute %s\n", dir, u->lost, u->lost == 1 ? " is" : "s are",
               u->lost == 1 ? "it" : "them");
}

static int repair(const struct firn_verb *verb, int argc, char **argv)
{
    struct firn_upkeep_options o = {
        .on_finding = on_finding, .on_photograph = firn_upkeep_photograph};
    bool json = false;
    const struct firn_opt opts[] = {
        {FIRN_OPT_FLAG, 'y', "yes", NULL, "do it [only say what is to be done]", &o.yes, NULL},
        {FIRN_OPT_FLAG, 0, "requeue", NULL, "with --yes: lost photographs are listed as skipped",
         &o.requeue, NULL},
        FIRN_OPT_NETWORK(o),
        {FIRN_OPT_FLAG, 0, "json", NULL, "print JSON", &json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO)
        return status;
    if (o.requeue && !o.yes)
        return firn_cli_usage(verb, "--requeue belongs to --yes");
    struct firn_upkeep u;
    struct firn_error err = {0};
    if (firn_repair(argv[0], &o, &u, &err))
        return firn_cli_fail(&err);
    status = u.lost || u.ledger_damaged || (u.damaged && !o.yes) ? FIRN_PARTIAL : FIRN_OK;
    if (json) {
        int printed = firn_upkeep_json(&u);
        return printed ? printed : status;
    }
    if (!firn_cli_quiet)
        tell(argv[0], &u, o.yes);
    return status;
}

const struct firn_verb firn_verb_repair = {
    .name = "repair",
    .args = "[options] CACHE",
    .summary = "get what is whole out of damaged files; a dry run unless --yes",
    .more = "Names the photographs whose feature is lost. With --yes, what is whole in a\n"
            "damaged file is written into a new one, and the damaged one is kept under the\n"
            "name FILE.damaged. Features that no photograph names any more are kept too, for\n"
            "firn extract. Exit status 1: features are lost, the ledger was damaged, so that\n"
            "photographs may be missing from the list, or (without --yes) there is something\n"
            "to repair.\n",
    .min_args = 1,
    .max_args = 1,
    .run = repair,
};

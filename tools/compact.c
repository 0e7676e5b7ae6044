/* SPDX-License-Identifier: MIT */
/** `firn compact`: writes a cache anew without what nobody needs. */
#include "cli.h"
#include "upkeep.h"

static void tell(const char *dir, const struct firn_upkeep *u)
{
    char before[32], after[32];
    if (u->segments_before == u->segments && u->bytes_before == u->bytes) {
        printf("%s: nothing to drop, %s in %zu segment%s\n", dir,
               firn_cli_bytes(after, (double)u->bytes), u->segments, firn_cli_s(u->segments));
        return;
    }
    printf("%s: %s in %zu segment%s, now %s in %zu; dropped %zu gone photograph%s and %zu "
           "feature%s\n", dir, firn_cli_bytes(before, (double)u->bytes_before), u->segments_before,
           firn_cli_s(u->segments_before), firn_cli_bytes(after, (double)u->bytes), u->segments,
           u->gone, firn_cli_s(u->gone), u->rows_before - u->rows,
           firn_cli_s(u->rows_before - u->rows));
    if (u->forgotten)
        printf("%s: forgot %zu photograph%s\n", dir, u->forgotten, firn_cli_s(u->forgotten));
}

static int compact(const struct firn_verb *verb, int argc, char **argv)
{
    struct firn_upkeep_options o = {0};
    struct firn_opt_list forget = {0};
    bool json = false;
    const struct firn_opt opts[] = {
        {FIRN_OPT_LIST, 0, "forget", "DIR", "drop what it has of DIR, too; may be repeated",
         &forget, NULL},
        FIRN_OPT_NETWORK(o),
        {FIRN_OPT_FLAG, 0, "json", NULL, "print JSON", &json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO)
        return status;
    o.forget = forget.item;
    o.n_forget = forget.n;
    struct firn_upkeep u;
    struct firn_error err = {0};
    if (firn_compact(argv[0], &o, &u, &err))
        return firn_cli_fail(&err);
    if (json)
        return firn_upkeep_json(&u);
    if (!firn_cli_quiet)
        tell(argv[0], &u);
    return FIRN_OK;
}

const struct firn_verb firn_verb_compact = {
    .name = "compact",
    .args = "[options] CACHE",
    .summary = "write a cache anew without gone photographs and superseded features",
    .more = "The old files are removed when the new ones are on disk; a crash at any moment\n"
            "leaves one or the other. Programs that read the cache meanwhile go on reading\n"
            "what they opened. Needs room for a second copy. Rows come to lie in the order of\n"
            "ImageFolder, in which they are read fastest. A directory that was moved is listed\n"
            "under its old name as well, until that is forgotten.\n",
    .min_args = 1,
    .max_args = 1,
    .run = compact,
};

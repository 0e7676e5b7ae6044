/* SPDX-License-Identifier: MIT */
/** `firn verify`: every checksum of a cache; says what is lost and what to run next. */
#include "cli.h"

#include "firn/cache.h"

struct report {
    struct firn_json json; /* an array of findings is open when `as_json` */
    bool as_json;
    size_t places; /* that are damaged */
    size_t lost;   /* photographs of the ledger whose feature is nowhere any more */
};

static void finding_json(struct firn_json *j, const struct firn_finding *f)
{
    firn_json_object(j, NULL);
    firn_json_string(j, "file", f->file);
    firn_json_int(j, "offset", (int64_t)f->offset);
    firn_json_int(j, "bytes", (int64_t)f->bytes);
    firn_json_string(j, "what", f->what);
    firn_json_int(j, "photographs", (int64_t)f->photographs);
    firn_json_end_object(j);
}

static void finding_text(const struct firn_finding *f)
{
    if (f->file[0]) {
        const char *red = firn_cli_colour(stdout, FIRN_RED);
        fputs(red, stdout);
        firn_cli_put(stdout, f->file);
        fputs(*red ? firn_cli_colour(stdout, FIRN_PLAIN) : "", stdout);
        printf(" at byte %llu: ", (unsigned long long)f->offset);
    }
    firn_cli_put(stdout, f->what);
    if (f->file[0] && f->photographs)
        printf(" (%zu photograph%s)", f->photographs, firn_cli_s(f->photographs));
    putchar('\n');
}

/* A finding without a file is about the whole cache: its photographs are those truly lost. */
static void on_finding(void *user, const struct firn_finding *f)
{
    struct report *r = user;
    if (f->file[0])
        r->places++;
    else
        r->lost += f->photographs;
    if (r->as_json)
        finding_json(&r->json, f);
    else
        finding_text(f);
}

static int end_json(struct report *r, const struct firn_verify_result *v, int status)
{
    firn_json_end_array(&r->json);
    firn_json_int(&r->json, "segments", (int64_t)v->segments);
    firn_json_int(&r->json, "blocks", (int64_t)v->blocks);
    firn_json_int(&r->json, "bytes", (int64_t)v->bytes);
    firn_json_int(&r->json, "photographs", (int64_t)v->photographs);
    firn_json_int(&r->json, "photographs_lost", (int64_t)r->lost);
    firn_json_bool(&r->json, "ledger_damaged", v->ledger_damaged);
    firn_json_bool(&r->json, "ok", status == 0);
    firn_json_end_object(&r->json);
    int printed = firn_cli_print_json(&r->json);
    return status ? status : printed;
}

static int end_text(const struct report *r, const struct firn_verify_result *v, int status,
                    const char *dir)
{
    char bytes[32];
    if (status == 0) {
        if (!firn_cli_quiet)
            printf("%zu segment%s, %zu block%s, %s: ", v->segments, firn_cli_s(v->segments),
                   v->blocks, firn_cli_s(v->blocks), firn_cli_bytes(bytes, (double)v->bytes));
        if (!firn_cli_quiet && r->places)
            printf("%zu damaged place%s, computed again since; nothing is lost\n", r->places,
                   firn_cli_s(r->places));
        else if (!firn_cli_quiet)
            puts("no damage");
        return status;
    }
    if (r->lost && r->lost == v->photographs)
        firn_cli_warn("%s: %zu damaged place%s, the features of all %zu photographs %sare lost",
                      dir, r->places, firn_cli_s(r->places), r->lost,
                      v->ledger_damaged ? "that the ledger still names " : "");
    else if (r->lost)
        firn_cli_warn("%s: %zu damaged place%s, the feature%s of %zu photograph%s lost; all others "
                      "%sare whole", dir, r->places, firn_cli_s(r->places),
                      firn_cli_s(r->lost), r->lost, r->lost == 1 ? " is" : "s are",
                      v->ledger_damaged ? "that the ledger still names " : "");
    else
        firn_cli_warn("%s: %zu damaged place%s; every photograph that the ledger still names has "
                      "its feature", dir, r->places, firn_cli_s(r->places));
    if (v->ledger_damaged)
        firn_cli_warn("%s: the ledger itself is cut or damaged: photographs may be missing from "
                      "the list, or out of date", dir);
    if (v->hopeless)
        firn_cli_note("neither 'firn extract' nor 'firn repair' can go on with it: move it away "
                      "and begin a new cache");
    else
        firn_cli_note("run the 'firn extract' command of this cache again, which computes what is "
                      "missing; then 'firn repair' sets the damaged files aside");
    return status;
}

static int verify(const struct firn_verb *verb, int argc, char **argv)
{
    struct report r = {0};
    bool quick = false;
    const struct firn_opt opts[] = {
        {FIRN_OPT_FLAG, 0, "quick", NULL, "a glance at the ends of files, no checksums of features",
         &quick, NULL},
        {FIRN_OPT_FLAG, 0, "json", NULL, "print JSON", &r.as_json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO)
        return status;
    struct firn_verify_result v = {0};
    struct firn_error err = {0};
    if (r.as_json) {
        firn_json_object(&r.json, NULL);
        firn_json_array(&r.json, "findings");
    }
    status = -firn_verify(argv[0], !quick, on_finding, &r, &v, &err);
    if (status && v.findings == 0)
        return firn_cli_fail(&err);
    status = quick && status ? FIRN_PARTIAL : status;
    return r.as_json ? end_json(&r, &v, status) : end_text(&r, &v, status, argv[0]);
}

const struct firn_verb firn_verb_verify = {
    .name = "verify",
    .args = "[options] CACHE",
    .summary = "check every checksum; say what is lost and what to run next",
    .more = "Prints one line for each damaged place; exit status 65 when there is one. All\n"
            "values are checked too. --quick reads no features: it finds segments that are\n"
            "missing, cut or without an end, and its exit status is 1 when there is one.\n",
    .min_args = 1,
    .max_args = 1,
    .run = verify,
};

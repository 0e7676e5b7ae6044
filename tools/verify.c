/* SPDX-License-Identifier: MIT */
/** `firn verify`: every checksum of a cache; says what is lost and what to run next. */
#include "cli.h"

#include "firn/cache.h"

struct report {
    struct firn_json json; /* an array of findings is open when `as_json` */
    bool as_json;
    size_t photographs; /* lost, as far as known */
    bool some_unknown;  /* a finding that does not know what it lost */
};

static void on_finding(void *user, const struct firn_finding *f)
{
    struct report *r = user;
    r->photographs += f->photographs;
    r->some_unknown = r->some_unknown || (f->photographs == 0 && f->bytes != 0);
    if (r->as_json) {
        firn_json_object(&r->json, NULL);
        firn_json_string(&r->json, "file", f->file);
        firn_json_int(&r->json, "offset", (int64_t)f->offset);
        firn_json_int(&r->json, "bytes", (int64_t)f->bytes);
        firn_json_string(&r->json, "what", f->what);
        firn_json_int(&r->json, "photographs", (int64_t)f->photographs);
        firn_json_end_object(&r->json);
        return;
    }
    fputs(firn_cli_colour(stdout, FIRN_RED), stdout);
    firn_cli_put(stdout, f->file);
    fputs(*firn_cli_colour(stdout, FIRN_RED) ? firn_cli_colour(stdout, FIRN_PLAIN) : "", stdout);
    printf(" at byte %llu: ", (unsigned long long)f->offset);
    firn_cli_put(stdout, f->what);
    putchar('\n');
}

static int end_json(struct report *r, const struct firn_verify_result *v, int status)
{
    firn_json_end_array(&r->json);
    firn_json_int(&r->json, "segments", (int64_t)v->segments);
    firn_json_int(&r->json, "blocks", (int64_t)v->blocks);
    firn_json_int(&r->json, "bytes", (int64_t)v->bytes);
    firn_json_int(&r->json, "photographs_lost", (int64_t)r->photographs);
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
        if (!firn_cli_quiet) {
            printf("%zu segment%s, %zu block%s, %s: no damage\n", v->segments,
                   v->segments == 1 ? "" : "s", v->blocks, v->blocks == 1 ? "" : "s",
                   firn_cli_bytes(bytes, (double)v->bytes));
        }
        return status;
    }
    firn_cli_warn("%s: %zu damaged place%s, the features of %zu photograph%s%s are lost; all "
                  "others are whole",
                  dir, v->findings, v->findings == 1 ? "" : "s", r->photographs,
                  r->photographs == 1 ? "" : "s", r->some_unknown ? " or more" : "");
    firn_cli_note("run the 'firn extract' command of this cache again: it computes them anew");
    return status;
}

static int verify(const struct firn_verb *verb, int argc, char **argv)
{
    struct report r = {0};
    bool quick = false;
    const struct firn_opt opts[] = {
        {FIRN_OPT_FLAG, 0, "quick", NULL, "checksums only, do not decompress", &quick, NULL},
        {FIRN_OPT_FLAG, 0, "json", NULL, "print JSON", &r.as_json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO) {
        return status;
    }
    struct firn_verify_result v = {0};
    struct firn_error err = {0};
    if (r.as_json) {
        firn_json_object(&r.json, NULL);
        firn_json_array(&r.json, "findings");
    }
    status = -firn_verify(argv[0], !quick, on_finding, &r, &v, &err);
    if (status && v.findings == 0) {
        return firn_cli_fail(&err);
    }
    return r.as_json ? end_json(&r, &v, status) : end_text(&r, &v, status, argv[0]);
}

const struct firn_verb firn_verb_verify = {
    .name = "verify",
    .args = "[options] CACHE",
    .summary = "check every checksum; say what is lost and what to run next",
    .more = "Prints one line for each damaged place; exit status 65 when there is one. All\n"
            "values are checked too, unless --quick is given.\n",
    .min_args = 1,
    .max_args = 1,
    .run = verify,
};

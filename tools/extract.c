/* SPDX-License-Identifier: MIT */
/** `firn extract`: computes what a cache is missing. */
#include "cli.h"
#include "extract_options.h"
#include "progress.h"
#include "stop.h"

static void on_progress(void *user, const struct firn_progress *p)
{
    firn_progress_show(user, p);
}

static void on_failure(void *user, const char *path, enum firn_state state, const char *reason)
{
    firn_progress_clear(user);
    firn_cli_warn("%s: %s: %s", path, state == FIRN_CORRUPT ? "corrupt" : "skipped", reason);
}

static void on_notice(void *user, const char *text)
{
    firn_progress_clear(user);
    firn_cli_note("%s", text);
}

static int run(const struct firn_extract_options *options, struct firn_display *display, bool json)
{
    struct firn_progress result = {0};
    struct firn_error err = {0};
    firn_progress_start(display, options->stop, true);
    int status = -firn_extract(options, &result, &err);
    firn_progress_clear(display);
    if (status && status != FIRN_PARTIAL && status != FIRN_INTERRUPTED)
        return firn_cli_fail(&err);
    if (status != FIRN_INTERRUPTED || result.seconds > 0) { /* else it had not begun */
        firn_progress_summary(&result);
    }
    if (status == FIRN_INTERRUPTED)
        firn_cli_note("stopped; the same command goes on from here");
    else if (status == FIRN_PARTIAL)
        firn_cli_note("'firn ls --failed %s' lists what failed", options->cache);
    int printed = json ? firn_progress_json(&result, status) : 0;
    return status ? status : printed;
}

static int extract(const struct firn_verb *verb, int argc, char **argv)
{
    struct firn_display display = {0};
    struct firn_extract_args args = {
        .options = {.on_progress = on_progress, .on_failure = on_failure, .on_notice = on_notice,
                    .user = &display}};
    struct firn_extract_options *o = &args.options;
    bool json = false;
    const struct firn_opt own[] = {
        {FIRN_OPT_TEXT, 'f', "files-from", "FILE",
         "paths from FILE, one a line, without labels; - is stdin", &o->files_from, NULL},
        {FIRN_OPT_FLAG, '0', "null", NULL, "these paths end in a NUL byte, not a newline",
         &o->zero, NULL},
        {FIRN_OPT_FLAG, 0, "json", NULL, "print the summary as JSON on stdout", &json, NULL},
        {0},
    };
    firn_extract_table(&args, own);
    int status = firn_extract_parse(verb, &args, argc, argv);
    if (status != FIRN_CLI_GO)
        return status;
    if (o->n_paths == 0 && !o->files_from)
        return firn_cli_usage(verb, "no photographs given");
    if (o->zero && !o->files_from)
        return firn_cli_usage(verb, "-0 belongs to --files-from");
    o->stop = firn_stop_on_signals();
    return run(o, &display, json);
}

const struct firn_verb firn_verb_extract = {
    .name = "extract",
    .args = "-m MODEL -o CACHE [options] PATH...",
    .summary = "compute what is missing, then stop",
    .more = "PATH is a directory, walked as torchvision's ImageFolder walks (each sub-\n"
            "directory is a class), or a file. MODEL is a .pth, .pt or .safetensors file; a\n"
            "name (resnet18, resnet50.v2) that is looked for in torch's hub cache; or\n"
            "untrained:resnet18[:SEED]. After a kill, at any moment, the same command\n"
            "goes on where it stopped. Photographs that cannot be read or decoded are\n"
            "named and kept in the cache's ledger; the exit status is 1.\n",
    .min_args = 0,
    .max_args = -1,
    .run = extract,
};

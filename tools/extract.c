/* SPDX-License-Identifier: MIT */
/** `firn extract`: computes what a cache is missing. */
#include "cli.h"
#include "progress.h"

#include <signal.h>
#include <string.h>

#include "firn/extract.h"

static volatile int stop;

/** The first signal asks for an orderly end, a second one has its usual effect. */
static void on_signal(int number)
{
    if (stop) {
        signal(number, SIG_DFL);
        raise(number); /* delivered when this handler returns */
    }
    stop = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a closed log must not end hours of work */
}

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
    catch_signals();
    firn_progress_start(display, &stop);
    int status = -firn_extract(options, &result, &err);
    firn_progress_clear(display);
    if (status && status != FIRN_PARTIAL && status != FIRN_INTERRUPTED) {
        return firn_cli_fail(&err);
    }
    firn_progress_summary(&result);
    if (status == FIRN_INTERRUPTED) {
        firn_cli_note("stopped; the same command goes on from here");
    } else if (status == FIRN_PARTIAL) {
        firn_cli_note("'firn ls --failed %s' lists what failed", options->cache);
    }
    int printed = json ? firn_progress_json(&result, status) : 0;
    return status ? status : printed;
}

static int extract(const struct firn_verb *verb, int argc, char **argv)
{
    static const char *const stores[] = {"f32", "f16", NULL};
    static const char *const ios[] = {"uring", "threads", NULL};
    static const char *const memories[] = {"normal", "small", NULL};
    struct firn_display display = {0};
    struct firn_extract_options o = {.on_progress = on_progress, .on_failure = on_failure,
                                     .on_notice = on_notice, .user = &display, .stop = &stop};
    const char *bn = "frozen";
    int store = 0, io = 0, memory = 0;
    bool json = false;
    const struct firn_opt opts[] = {
        {FIRN_OPT_TEXT, 'm', "model", "MODEL", "weights: file, name or untrained:FAMILY[:SEED]",
         &o.model, NULL},
        {FIRN_OPT_TEXT, 'o', "output", "CACHE", "directory of the cache, created if absent",
         &o.cache, NULL},
        {FIRN_OPT_TEXT, 'f', "files-from", "FILE", "read paths from FILE, one a line; - is stdin",
         &o.files_from, NULL},
        {FIRN_OPT_FLAG, '0', "null", NULL, "these paths end in a NUL byte, not a newline",
         &o.zero, NULL},
        {FIRN_OPT_TEXT, 0, "bn", "MODE", "BatchNorm statistics: frozen [frozen]", &bn, NULL},
        {FIRN_OPT_COUNT, 0, "resize", "N", "shorter side after resizing [by the model: 256 or 232]",
         &o.resize, NULL},
        {FIRN_OPT_COUNT, 0, "crop", "N", "side of the centre crop [by the model: 224]", &o.crop,
         NULL},
        {FIRN_OPT_CHOICE, 0, "store", "TYPE", "features as f32 or f16 [f32]", &store, stores},
        {FIRN_OPT_COUNT, 'j', "threads", "N", "worker threads [usable cores]", &o.threads, NULL},
        {FIRN_OPT_COUNT, 'b', "batch", "N", "photographs a batch [by the trunk]", &o.batch, NULL},
        {FIRN_OPT_CHOICE, 0, "io", "HOW", "read files by uring or threads [what works]", &io, ios},
        {FIRN_OPT_CHOICE, 0, "memory", "SIZE", "normal, or small where there is little [normal]",
         &memory, memories},
        {FIRN_OPT_TEXT, 0, "cpu", "NAME", "cap: generic, sse4, avx2, neon [best]", &o.cpu, NULL},
        {FIRN_OPT_FLAG, 0, "json", NULL, "print the summary as JSON on stdout", &json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO) {
        return status;
    }
    if (!o.model || !o.cache) {
        return firn_cli_usage(verb, "%s is missing", o.model ? "-o CACHE" : "-m MODEL");
    }
    if (strcmp(bn, "frozen") != 0) {
        return firn_cli_usage(verb, "--bn %s is not part of this version, only frozen is", bn);
    }
    if (argc == 0 && !o.files_from) {
        return firn_cli_usage(verb, "no photographs given");
    }
    if (o.zero && !o.files_from) {
        return firn_cli_usage(verb, "-0 belongs to --files-from");
    }
    o.paths = (const char *const *)argv;
    o.n_paths = (size_t)argc;
    o.memory = memory == 2 ? FIRN_MEMORY_SMALL : FIRN_MEMORY_NORMAL;
    o.store = store == 2 ? FIRN_STORE_F16 : FIRN_STORE_F32;
    o.io = io == 0 ? FIRN_IO_PROBE : io == 1 ? FIRN_IO_URING : FIRN_IO_THREADS;
    return run(&o, &display, json);
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

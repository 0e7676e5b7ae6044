/* SPDX-License-Identifier: MIT */
/** `firn bn estimate` and `firn bn merge`: statistics from photographs. */
#include "cli.h"
#include "extract_options.h"
#include "progress.h"
#include "stop.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "firn/bn.h"

static void on_progress(void *user, const struct firn_bn_progress *p)
{
    char line[160], clock[32];
    int n = 0;
    if (p->passes > 1)
        n = snprintf(line, sizeof(line), "layer %d of %d, ", p->pass, p->passes);
    snprintf(line + n, sizeof(line) - (size_t)n, "%" PRIu64 " of %" PRIu64 " photographs, %s",
             p->photographs, p->total, firn_cli_clock(clock, p->seconds));
    firn_progress_line(user, p->seconds, line);
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

static int print_json(const struct firn_bn_result *r, int status)
{
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_json_int(&j, "status", status);
    firn_json_int(&j, "photographs", (int64_t)r->photographs);
    firn_json_int(&j, "failed", (int64_t)r->failed);
    firn_json_int(&j, "batches", (int64_t)r->batches);
    firn_json_int(&j, "single_class_batches", (int64_t)r->pure);
    firn_json_int(&j, "layers", r->layers);
    firn_json_int(&j, "channels", r->channels);
    firn_json_int(&j, "dead", r->dead);
    firn_json_number(&j, "seconds", r->seconds);
    firn_json_int(&j, "memory", (int64_t)r->memory);
    firn_json_int(&j, "spilled", (int64_t)r->spilled);
    firn_json_end_object(&j);
    return firn_cli_print_json(&j);
}

static void print_summary(const struct firn_bn_result *r, const char *output)
{
    char memory[32];
    firn_cli_note("%s: %d layers, %d channels (%d kept as they were) from %" PRIu64
                  " photographs, %" PRIu64 " failed", output, r->layers, r->channels, r->dead,
                  r->photographs, r->failed);
    if (r->seconds > 0)
        firn_cli_note("%.1f s, %.1f images/s; %s of memory set aside", r->seconds,
                      (double)r->photographs / r->seconds,
                      firn_cli_bytes(memory, (double)r->memory));
}

/** The end of an estimation or of a merge: what is to be said, and the exit status. */
static int conclude(const struct firn_bn_result *r, int status, const struct firn_error *err,
                    const char *output, bool json)
{
    if (status && status != FIRN_PARTIAL)
        return firn_cli_fail(err);
    print_summary(r, output);
    int printed = json ? print_json(r, status) : 0;
    return status ? status : printed;
}

static int run(struct firn_bn_options *o, bool json)
{
    struct firn_display display = {0};
    struct firn_bn_result result = {0};
    struct firn_error err = {0};
    o->on_progress = on_progress;
    o->on_failure = on_failure;
    o->on_notice = on_notice;
    o->user = &display;
    o->stop = firn_stop_on_signals();
    firn_progress_start(&display, o->stop, o->method == FIRN_BN_SEQUENTIAL);
    int status = -firn_bn_estimate(o, &result, &err);
    firn_progress_clear(&display);
    return conclude(&result, status, &err, o->output, json);
}

/** "i/n" */
static int read_shard(const struct firn_verb *verb, const char *text, struct firn_bn_options *o)
{
    char shard[16];
    size_t n = strcspn(text, "/");
    snprintf(shard, sizeof(shard), "%.*s", (int)n, text);
    if (!text[n] || !firn_cli_whole(shard, &o->shard) ||
        !firn_cli_whole(text + n + 1, &o->shards) || o->shard < 1 || o->shard > o->shards)
        return firn_cli_usage(verb, "--shard: '%s' is not I/N with I from 1 to N", text);
    return FIRN_CLI_GO;
}

/** Options that the method would not heed are refused: who gives them expects something of them. */
static int check_method(const struct firn_verb *verb, const struct firn_bn_options *o)
{
    bool batches = o->method != FIRN_BN_SEQUENTIAL;
    bool content = o->order == FIRN_BN_ORDER_CONTENT ||
                   (!o->order && o->method == FIRN_BN_POPULATION);
    if (o->momentum > 0 && o->method != FIRN_BN_EMA)
        return firn_cli_usage(verb, "--momentum belongs to --method ema");
    if (!batches && (o->batch || o->order || o->seed))
        return firn_cli_usage(verb, "the sequential method has no batches: --batch, --order and "
                                    "--seed belong to the others");
    if (batches && o->seed && !content)
        return firn_cli_usage(verb, "--seed belongs to --order content");
    if (batches && (o->memory || o->spill || o->no_spill))
        return firn_cli_usage(verb, "--memory, --spill and --no-spill belong to --method "
                                    "sequential: the others keep no activations");
    if (o->spill && o->no_spill)
        return firn_cli_usage(verb, "--spill and --no-spill contradict each other");
    return FIRN_CLI_GO;
}

/** What is needed is there, and makes sense together. */
static int check(const struct firn_verb *verb, const struct firn_bn_options *o, int argc)
{
    if (!o->model || !o->output)
        return firn_cli_usage(verb, "%s is missing", o->model ? "-o STATS" : "-m MODEL");
    if (argc == 0 && !o->files_from)
        return firn_cli_usage(verb, "no photographs given");
    if (o->zero && !o->files_from)
        return firn_cli_usage(verb, "-0 belongs to --files-from");
    int status = check_method(verb, o);
    if (status != FIRN_CLI_GO)
        return status;
    const char *const inputs[] = {o->model, o->files_from};
    return firn_bn_check_output(verb, o->output, inputs, 2);
}

static int estimate(const struct firn_verb *verb, int argc, char **argv)
{
    static const char *const methods[] = {"sequential", "population", "cumulative", "ema", NULL};
    static const char *const orders[] = {"folder", "content", NULL};
    struct firn_bn_options o = {0};
    const char *shard = NULL;
    int method = 0, order = 0, exif = 0, decode = 0, memory = 0, seed = 0;
    bool json = false;
    const struct firn_opt opts[] = {
        {FIRN_OPT_TEXT, 'm', "model", "MODEL", "weights: file, name or untrained:FAMILY[:SEED]",
         &o.model, NULL},
        {FIRN_OPT_TEXT, 'o', "output", "STATS", "file to write, .safetensors", &o.output, NULL},
        {FIRN_OPT_CHOICE, 0, "method", "NAME",
         "sequential, population, cumulative or ema [sequential]", &method, methods},
        {FIRN_OPT_COUNT, 'b', "batch", "N", "photographs of a batch, but for sequential [32]",
         &o.batch, NULL},
        {FIRN_OPT_CHOICE, 0, "order", "HOW", "batches by folder or content [by the method]",
         &order, orders},
        {FIRN_OPT_WHOLE, 0, "seed", "N", "of the order by content [0]", &seed, NULL},
        {FIRN_OPT_REAL, 0, "momentum", "X", "of ema [0.1]", &o.momentum, NULL},
        {FIRN_OPT_REAL, 0, "blend", "N", "the checkpoint's count as N photographs [0]", &o.blend,
         NULL},
        {FIRN_OPT_TEXT, 0, "shard", "I/N", "only part I of N, for 'firn bn merge'", &shard, NULL},
        {FIRN_OPT_TEXT, 'f', "files-from", "FILE", "read paths from FILE, one a line; - is stdin",
         &o.files_from, NULL},
        {FIRN_OPT_FLAG, '0', "null", NULL, "these paths end in a NUL byte, not a newline",
         &o.zero, NULL},
        {FIRN_OPT_COUNT, 0, "resize", "N", "shorter side after resizing [by the model: 256 or 232]",
         &o.resize, NULL},
        {FIRN_OPT_COUNT, 0, "crop", "N", "side of the centre crop [by the model: 224]", &o.crop,
         NULL},
        FIRN_OPT_EXIF(exif),
        FIRN_OPT_DECODE(decode),
        {FIRN_OPT_COUNT, 0, "memory", "MB", "activations kept in memory [half of what is free]",
         &memory, NULL},
        {FIRN_OPT_TEXT, 0, "spill", "DIR", "else in a file here [beside STATS]", &o.spill, NULL},
        {FIRN_OPT_FLAG, 0, "no-spill", NULL, "no such file: compute again", &o.no_spill, NULL},
        {FIRN_OPT_COUNT, 'j', "threads", "N", "worker threads [usable cores]", &o.threads, NULL},
        {FIRN_OPT_TEXT, 0, "cpu", "NAME", "cap: generic, sse4, avx2, neon [best]", &o.cpu, NULL},
        {FIRN_OPT_FLAG, 0, "json", NULL, "print the summary as JSON on stdout", &json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    o.paths = (const char *const *)argv;
    o.n_paths = (size_t)argc;
    o.method = method ? (enum firn_bn_method)(method - 1) : FIRN_BN_SEQUENTIAL;
    o.order = (enum firn_bn_order)order;
    o.turn = exif == 2;
    o.fast = decode == 2;
    o.seed = (uint64_t)seed;
    o.memory = (size_t)memory << 20;
    if (status == FIRN_CLI_GO && shard)
        status = read_shard(verb, shard, &o);
    if (status == FIRN_CLI_GO)
        status = check(verb, &o, argc);
    return status == FIRN_CLI_GO ? run(&o, json) : status;
}

static int merge(const struct firn_verb *verb, int argc, char **argv)
{
    const char *output = NULL;
    bool json = false;
    const struct firn_opt opts[] = {
        {FIRN_OPT_TEXT, 'o', "output", "STATS", "file to write, .safetensors", &output, NULL},
        {FIRN_OPT_FLAG, 0, "json", NULL, "print the summary as JSON on stdout", &json, NULL},
        {0},
    };
    struct firn_bn_result result = {0};
    struct firn_error err = {0};
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO)
        return status;
    if (!output)
        return firn_cli_usage(verb, "-o STATS is missing");
    status = firn_bn_check_output(verb, output, (const char *const *)argv, (size_t)argc);
    if (status != FIRN_CLI_GO)
        return status;
    status = -firn_bn_merge((const char *const *)argv, (size_t)argc, output, &result, &err);
    return conclude(&result, status, &err, output, json);
}

const struct firn_verb firn_verb_bn_estimate = {
    .name = "bn estimate",
    .args = "-m MODEL -o STATS [options] PATH...",
    .summary = "estimate the statistics anew on photographs",
    .more = "Methods. sequential: layer by layer, each with all earlier layers frozen at their\n"
            "new values; depends neither on batches nor on the order; interrupted, the same\n"
            "command goes on. The others make one pass in training mode, in batches:\n"
            "population pools all batches, cumulative averages them as torch's update_bn,\n"
            "ema is what training with a momentum leaves. STATS goes to 'firn extract --bn'\n"
            "and to torch's load_state_dict(strict=False). PATH and MODEL are as for\n"
            "'firn extract'.\n",
    .min_args = 0,
    .max_args = -1,
    .run = estimate,
};

const struct firn_verb firn_verb_bn_merge = {
    .name = "bn merge",
    .args = "-o STATS SHARD...",
    .summary = "put the shards of one estimation together",
    .more = "The shards are what 'firn bn estimate --shard I/N' wrote, all N of them. STATS has\n"
            "the same bits as that of one run without shards.\n",
    .min_args = 1,
    .max_args = -1,
    .run = merge,
};

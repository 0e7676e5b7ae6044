/* SPDX-License-Identifier: MIT */
/** `firn bench`: measures this machine. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "output.h"
#include "stop.h"

double firn_bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int firn_bench_go_on(const struct firn_bench *b, struct firn_error *err)
{
    return *b->stop ? firn_output_fail(err, FIRN_INTERRUPTED, "stopped") : 0;
}

static const struct {
    const char *name;
    int (*run)(const struct firn_bench *b, struct firn_error *err);
    bool scratch; /* makes files: ends in good order after a signal */
} parts[] = {
    {"trunk", firn_bench_show_trunk, false},
    {"pixels", firn_bench_pixels, true},
    {"cache", firn_bench_cache, true},
};
#define PARTS (sizeof(parts) / sizeof(*parts))

/** One part's keys stand at the top of the JSON; those of "all" in one object for each part. */
static int measure(struct firn_bench *b, const char *what, bool all, bool json)
{
    struct firn_json j = {0};
    struct firn_error err = {0};
    int result = 0;
    b->json = json ? &j : NULL;
    firn_json_object(&j, NULL);
    for (size_t i = 0; i < PARTS && result == 0; i++) {
        if (!all && strcmp(what, parts[i].name) != 0)
            continue;
        if (parts[i].scratch)
            b->stop = firn_stop_on_signals();
        if (all && b->json)
            firn_json_object(b->json, parts[i].name);
        result = parts[i].run(b, &err);
        if (all && b->json)
            firn_json_end_object(b->json);
    }
    firn_json_end_object(&j);
    if (result || !b->json) {
        free(j.text);
        return result ? firn_cli_fail(&err) : FIRN_OK;
    }
    return firn_cli_print_json(&j);
}

static int bench(const struct firn_verb *verb, int argc, char **argv)
{
    int seconds = 1;
    bool json = false;
    struct firn_bench b = {.model = "untrained:resnet18"};
    const struct firn_opt opts[] = {
        {FIRN_OPT_TEXT, 'm', "model", "MODEL", "network to measure [untrained:resnet18]", &b.model,
         NULL},
        {FIRN_OPT_COUNT, 'j', "threads", "N", "threads of the trunk [usable cores]", &b.threads,
         NULL},
        {FIRN_OPT_TEXT, 0, "cpu", "NAME", "cap: generic, sse4, avx2, neon [best]", &b.cpu, NULL},
        {FIRN_OPT_COUNT, 't', "seconds", "N", "time to spend on each figure [1]", &seconds, NULL},
        {FIRN_OPT_FLAG, 0, "json", NULL, "print JSON", &json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO)
        return status;
    const char *what = argc ? argv[0] : "all";
    bool all = strcmp(what, "all") == 0, known = all;
    for (size_t i = 0; i < PARTS; i++)
        known = known || strcmp(what, parts[i].name) == 0;
    if (!known)
        return firn_cli_usage(verb, "'%s' is none of trunk, pixels, cache, all", what);
    if (argc == 2 && (all || strcmp(what, "trunk") == 0))
        return firn_cli_usage(verb, "%s takes no path", what);
    b.path = argc == 2 ? argv[1] : NULL;
    b.seconds = seconds;
    return measure(&b, what, all, json);
}

const struct firn_verb firn_verb_bench = {
    .name = "bench",
    .args = "[options] [trunk | pixels [IMAGE | DIR] | cache [CACHE] | all]",
    .summary = "measure this machine: trunk, pixels, cache",
    .more = "pixels and cache take a photograph or a cache of yours, or draw their own\n"
            "samples; a directory of photographs is measured beside Pillow, where that is\n"
            "installed. The figures are the fastest of several runs.\n",
    .min_args = 0,
    .max_args = 2,
    .run = bench,
};

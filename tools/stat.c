/* SPDX-License-Identifier: MIT */
/** `firn stat`: what a cache holds, what it was made with, how fast past runs were. */
#include "cli.h"
#include "photo.h"

#include <time.h>

#define RUNS_SHOWN 5 /* the last ones; all with -v */

static uint64_t computed(const struct firn_run *run)
{
    return run->done > run->reused ? run->done - run->reused : 0;
}

static double images_per_second(const struct firn_run *run)
{
    return run->seconds > 0 ? (double)computed(run) / run->seconds : 0;
}

static void run_json(struct firn_json *j, const struct firn_run *run)
{
    firn_json_object(j, NULL);
    firn_json_int(j, "start", run->start);
    firn_json_number(j, "seconds", run->seconds);
    firn_json_int(j, "done", (int64_t)run->done);
    firn_json_int(j, "computed", (int64_t)computed(run));
    firn_json_int(j, "reused", (int64_t)run->reused);
    firn_json_int(j, "failed", (int64_t)run->failed);
    firn_json_int(j, "bytes_read", (int64_t)run->bytes_read);
    firn_json_number(j, "images_per_second", images_per_second(run));
    firn_json_int(j, "threads", run->threads);
    firn_json_int(j, "batch", run->batch);
    firn_json_string(j, "cpu", run->cpu);
    firn_json_string(j, "version", run->version);
    firn_json_string(j, "slowest", run->slowest);
    firn_json_end_object(j);
}

static int print_json(const struct firn_cache *cache, const struct firn_cache_stat *s)
{
    struct firn_json j = {0};
    struct firn_run run;
    firn_json_object(&j, NULL);
    firn_json_int(&j, "records", (int64_t)s->records);
    firn_json_int(&j, "skipped", (int64_t)s->skipped);
    firn_json_int(&j, "corrupt", (int64_t)s->corrupt);
    firn_json_int(&j, "gone", (int64_t)s->gone);
    firn_json_int(&j, "rows", (int64_t)s->rows);
    firn_json_int(&j, "dim", s->dim);
    firn_json_int(&j, "views", s->views);
    firn_json_string(&j, "store", s->store == FIRN_STORE_F16 ? "f16" : "f32");
    firn_json_int(&j, "segments", (int64_t)s->segments);
    firn_json_int(&j, "bytes", (int64_t)s->bytes);
    firn_json_int(&j, "raw_bytes", (int64_t)s->raw_bytes);
    firn_json_int(&j, "lost_segments", (int64_t)s->lost_segments);
    firn_json_int(&j, "index_bytes", (int64_t)s->index_bytes);
    firn_json_array(&j, "classes");
    for (size_t i = 0; i < s->classes; i++)
        firn_json_string(&j, NULL, firn_cache_class(cache, i));
    firn_json_end_array(&j);
    firn_fingerprint_json(&j, "fingerprint", firn_cache_fingerprint(cache));
    firn_json_array(&j, "runs");
    for (size_t i = 0; firn_cache_run(cache, i, &run) == 0; i++)
        run_json(&j, &run);
    firn_json_end_array(&j);
    firn_json_end_object(&j);
    return firn_cli_print_json(&j);
}

static void print_run(const struct firn_run *run)
{
    char when[32] = "?", clock[32];
    struct tm tm;
    time_t start = (time_t)run->start;
    if (localtime_r(&start, &tm))
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
    printf("  %s  %7llu computed %5llu reused %5llu failed  %8s", when,
           (unsigned long long)computed(run), (unsigned long long)run->reused,
           (unsigned long long)run->failed, firn_cli_clock(clock, run->seconds));
    if (computed(run))
        printf("  %7.1f images/s  %d thread%s %s, slowest: %s", images_per_second(run),
               run->threads, firn_cli_s(run->threads), run->cpu,
               run->slowest[0] ? run->slowest : "none");
    putchar('\n');
}

static void print_text(const struct firn_cache *cache, const struct firn_cache_stat *s)
{
    char bytes[32], raw[32];
    printf("photographs     %zu done, %zu skipped, %zu corrupt", s->records, s->skipped,
           s->corrupt);
    if (s->gone)
        printf(", %zu gone", s->gone);
    putchar('\n');
    printf("classes         %zu\n", s->classes);
    printf("features        %zu distinct, ", s->rows);
    if (s->views > 1)
        printf("%d views of ", s->views);
    printf("%d numbers each, stored as %s\n", s->dim, s->store == FIRN_STORE_F16 ? "f16" : "f32");
    printf("on disk         %s in %zu segment%s", firn_cli_bytes(bytes, (double)s->bytes),
           s->segments, firn_cli_s(s->segments));
    if (s->raw_bytes)
        printf(", %.0f%% of %s as plain float32", 100.0 * (double)s->bytes / (double)s->raw_bytes,
               firn_cli_bytes(raw, (double)s->raw_bytes));
    putchar('\n');
    if (s->index_bytes)
        printf("index           %s, derived: it may be removed\n",
               firn_cli_bytes(bytes, (double)s->index_bytes));
    firn_fingerprint_print(firn_cache_fingerprint(cache));
    size_t first = s->runs > RUNS_SHOWN && !firn_cli_verbose ? s->runs - RUNS_SHOWN : 0;
    printf("runs            %zu", s->runs);
    if (first)
        printf(", the last %d:", RUNS_SHOWN);
    putchar('\n');
    struct firn_run run;
    for (size_t i = first; firn_cache_run(cache, i, &run) == 0; i++)
        print_run(&run);
}

static int stat_verb(const struct firn_verb *verb, int argc, char **argv)
{
    bool json = false;
    const struct firn_opt opts[] = {
        {FIRN_OPT_FLAG, 0, "json", NULL, "print JSON", &json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO)
        return status;
    struct firn_cache *cache;
    status = firn_open_cache(&cache, argv[0]);
    if (status)
        return status;
    struct firn_cache_stat s;
    firn_cache_stat(cache, &s);
    status = FIRN_OK;
    if (json)
        status = print_json(cache, &s);
    else
        print_text(cache, &s);
    firn_cache_close(cache);
    return status;
}

const struct firn_verb firn_verb_stat = {
    .name = "stat",
    .args = "[options] CACHE",
    .summary = "totals, size, fingerprint and past runs of a cache",
    .more = "The last five runs are shown, all of them with -v.\n",
    .min_args = 1,
    .max_args = 1,
    .run = stat_verb,
};

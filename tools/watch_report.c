/* SPDX-License-Identifier: MIT */
#include "watch_report.h"

#include "cli.h"
#include "watch_log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const states[] = {"idle", "busy", "paused", "waiting"};

/** Bytes of memory that this process has in use now. */
static double resident(void)
{
    long pages = 0, all;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%ld %ld", &all, &pages) != 2)
            pages = 0;
        fclose(f);
    }
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* ---- JSON ---- */

static void add_error(void *user, double when, const char *text)
{
    struct firn_json *j = user;
    firn_json_object(j, NULL);
    firn_json_number(j, "time", when);
    firn_json_string(j, "message", text);
    firn_json_end_object(j);
}

static void add_stages(struct firn_json *j, const struct firn_watch_status *s)
{
    firn_json_object(j, "stages");
    for (int i = 0; i < FIRN_STAGES; i++) {
        firn_json_object(j, firn_stage_names[i]);
        firn_json_number(j, "busy_seconds", s->busy[i]);
        firn_json_int(j, "waiting", (int64_t)s->waiting[i]);
        firn_json_end_object(j);
    }
    firn_json_end_object(j);
}

char *firn_report_json(const struct firn_watch_status *s)
{
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_json_string(&j, "state", states[s->state]);
    firn_json_string(&j, "why", s->why);
    firn_json_int(&j, "pid", getpid());
    firn_json_int(&j, "queued", (int64_t)s->queued);
    firn_json_int(&j, "settling", (int64_t)s->settling);
    firn_json_int(&j, "done", (int64_t)s->done);
    firn_json_int(&j, "computed", (int64_t)(s->done - s->reused));
    firn_json_int(&j, "reused", (int64_t)s->reused);
    firn_json_int(&j, "failed", (int64_t)(s->skipped + s->corrupt));
    firn_json_int(&j, "skipped", (int64_t)s->skipped);
    firn_json_int(&j, "corrupt", (int64_t)s->corrupt);
    firn_json_int(&j, "seen", (int64_t)s->seen);
    firn_json_int(&j, "bytes_read", (int64_t)s->bytes_read);
    firn_json_int(&j, "started", s->started);
    firn_json_int(&j, "last_success", s->last_success);
    firn_json_int(&j, "next_rescan", s->next_rescan);
    firn_json_int(&j, "rescans", (int64_t)s->rescans);
    firn_json_int(&j, "overflows", (int64_t)s->overflows);
    firn_json_int(&j, "directories", (int64_t)s->watched);
    firn_json_int(&j, "directories_polled", (int64_t)s->unwatched);
    firn_json_bool(&j, "model_loaded", s->loaded);
    firn_json_int(&j, "model_loads", (int64_t)s->loads);
    firn_json_number(&j, "images_per_second", s->images_per_second);
    firn_json_int(&j, "memory", (int64_t)resident());
    add_stages(&j, s);
    firn_json_array(&j, "errors");
    firn_log_recent(add_error, &j);
    firn_json_end_array(&j);
    firn_json_end_object(&j);
    size_t n = j.failed ? 0 : strlen(j.text);
    char *text = n ? realloc(j.text, n + 2) : NULL;
    if (!text) {
        free(j.text);
        return NULL;
    }
    strcpy(text + n, "\n");
    return text;
}

/* ---- words ---- */

static const char *since(char text[32], int64_t unix_time)
{
    if (!unix_time)
        return strcpy(text, "never");
    int64_t seconds = (int64_t)time(NULL) - unix_time;
    firn_cli_clock(text, (double)(seconds > 0 ? seconds : 0));
    return strcat(text, " ago");
}

/** Where they are printed, under a heading when there are any. */
struct errors {
    FILE *out;
    bool begun;
};

static void print_error(void *user, double when, const char *text)
{
    struct errors *e = user;
    char at[32] = "";
    time_t t = (time_t)when;
    struct tm local;
    if (localtime_r(&t, &local))
        strftime(at, sizeof(at), "%Y-%m-%d %H:%M:%S", &local);
    fprintf(e->out, "%s  %s  ", e->begun ? "" : "last errors\n", at);
    e->begun = true;
    for (; *text; text++) { /* it goes to a terminal: nothing may move its cursor */
        putc((unsigned char)*text < 0x20 || *text == 0x7F ? '?' : *text, e->out);
    }
    putc('\n', e->out);
}

char *firn_report_text(const struct firn_watch_status *s, const char *cache)
{
    char *text = NULL, clock[32], bytes[32];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct errors errors = {.out = out};
    if (!out)
        return NULL;
    fprintf(out, "%-15s %s%s%s, process %ld, started %s\n", cache, states[s->state],
            s->why[0] ? ": " : "", s->why, (long)getpid(), since(clock, s->started));
    fprintf(out, "%-15s %" PRIu64 " queued, %" PRIu64 " of them settling\n", "photographs",
            s->queued, s->settling);
    fprintf(out, "%-15s %" PRIu64 " computed, %" PRIu64 " reused, %" PRIu64 " skipped, %" PRIu64
            " corrupt\n", "since then", s->done - s->reused, s->reused, s->skipped, s->corrupt);
    fprintf(out, "%-15s %s\n", "last success", since(clock, s->last_success));
    fprintf(out, "%-15s %" PRIu64 " watched, %" PRIu64 " polled\n", "directories", s->watched,
            s->unwatched);
    fprintf(out, "%-15s %" PRIu64 " so far, %" PRIu64 " event overflows, next %s\n", "rescans",
            s->rescans, s->overflows,
            s->next_rescan ? firn_cli_clock(clock, (double)(s->next_rescan - time(NULL)))
                           : "going on");
    fprintf(out, "%-15s %s resident, model %s\n", "memory", firn_cli_bytes(bytes, resident()),
            s->loaded ? "loaded" : "given back");
    fprintf(out, "%-15s %.1f images/s\n", "speed", s->images_per_second);
    for (int i = 0; i < FIRN_STAGES; i++)
        fprintf(out, "  %-13s %" PRIu64 " waiting, %.2f s busy\n", firn_stage_names[i],
                s->waiting[i], s->busy[i]);
    firn_log_recent(print_error, &errors);
    fclose(out);
    return text;
}

char *firn_report_line(const struct firn_watch_status *s)
{
    char *text = NULL;
    int n = asprintf(&text, "%-7s  %" PRIu64 " queued  %" PRIu64 " done  %" PRIu64
                     " failed  %.1f images/s\n", states[s->state], s->queued, s->done,
                     s->skipped + s->corrupt, s->images_per_second);
    return n < 0 ? NULL : text;
}

/* ---- OpenMetrics ---- */

static void family(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# TYPE firn_%s %s\n# HELP firn_%s %s\n", name, type, name, help);
}

static void add_photographs(FILE *out, const struct firn_watch_status *s)
{
    family(out, "photographs", "counter", "Photographs decided since the start, by outcome.");
    fprintf(out, "firn_photographs_total{outcome=\"computed\"} %" PRIu64 "\n", s->done - s->reused);
    fprintf(out, "firn_photographs_total{outcome=\"reused\"} %" PRIu64 "\n", s->reused);
    fprintf(out, "firn_photographs_total{outcome=\"skipped\"} %" PRIu64 "\n", s->skipped);
    fprintf(out, "firn_photographs_total{outcome=\"corrupt\"} %" PRIu64 "\n", s->corrupt);
}

static void add_stage_families(FILE *out, const struct firn_watch_status *s)
{
    family(out, "stage_cpu_seconds", "counter", "CPU time of each stage.");
    for (int i = 0; i < FIRN_STAGES; i++)
        fprintf(out, "firn_stage_cpu_seconds_total{stage=\"%s\"} %.6f\n", firn_stage_names[i],
                s->busy[i]);
    family(out, "stage_waiting", "gauge", "Photographs in front of each stage.");
    for (int i = 0; i < FIRN_STAGES; i++)
        fprintf(out, "firn_stage_waiting{stage=\"%s\"} %" PRIu64 "\n", firn_stage_names[i],
                s->waiting[i]);
}

static void add_gauge(FILE *out, const char *name, const char *help, double value)
{
    family(out, name, "gauge", help);
    fprintf(out, "firn_%s %.17g\n", name, value);
}

static void add_counter(FILE *out, const char *name, const char *help, uint64_t value)
{
    family(out, name, "counter", help);
    fprintf(out, "firn_%s_total %" PRIu64 "\n", name, value);
}

char *firn_report_metrics(const struct firn_watch_status *s)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    add_photographs(out, s);
    add_stage_families(out, s);
    add_counter(out, "read_bytes", "Bytes of photographs that were read.", s->bytes_read);
    add_counter(out, "rescans", "Full looks at all directories.", s->rescans);
    add_counter(out, "overflows", "Times that the kernel dropped events.", s->overflows);
    add_counter(out, "model_loads", "Times that the model was loaded.", s->loads);
    add_gauge(out, "queued", "Photographs noticed and not yet decided.", (double)s->queued);
    add_gauge(out, "directories_watched", "Directories watched by the kernel.",
              (double)s->watched);
    add_gauge(out, "directories_polled", "Directories that have to be polled.",
              (double)s->unwatched);
    add_gauge(out, "model_loaded", "1 while the model is in memory.", s->loaded);
    add_gauge(out, "resident_bytes", "Memory in use.", resident());
    add_gauge(out, "start_time_seconds", "Unix time of the start.", (double)s->started);
    add_gauge(out, "last_success_time_seconds",
              "Unix time at which a photograph became durable last; 0: never.",
              (double)s->last_success);
    family(out, "state", "stateset", "What the daemon is doing.");
    for (int i = 0; i < 4; i++)
        fprintf(out, "firn_state{firn_state=\"%s\"} %d\n", states[i], (int)s->state == i);
    family(out, "build", "info", "The version of the program.");
    fprintf(out, "firn_build_info{version=\"%s\"} 1\n# EOF\n", FIRN_VERSION);
    fclose(out);
    return text;
}

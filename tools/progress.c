/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include "cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Without a terminal the lines end up in a log: rare enough not to fill it. */
#define PLAIN_EVERY 30.0

static uint64_t failed(const struct firn_progress *p)
{
    return p->skipped + p->corrupt;
}

/** Photographs that this run has dealt with, those known before left out. */
static uint64_t worked(const struct firn_progress *p)
{
    return p->done + failed(p);
}

/** Those whose features it made itself. */
static uint64_t computed(const struct firn_progress *p)
{
    return p->done - p->reused;
}

static uint64_t total(const struct firn_progress *p)
{
    uint64_t known = p->known + p->known_corrupt;
    return p->found > known ? p->found - known : 0;
}

static double per_second(double amount, const struct firn_progress *p)
{
    return p->seconds > 0 ? amount / p->seconds : 0;
}

void firn_progress_start(struct firn_display *d, const volatile int *stop, bool kept)
{
    d->live = firn_cli_obeys(stderr) && !firn_cli_quiet;
    d->next_plain = PLAIN_EVERY;
    d->stop = stop;
    d->kept = kept;
}

void firn_progress_clear(struct firn_display *d)
{
    if (d->drawn) {
        fputs("\r\033[K", stderr);
        d->drawn = false;
    }
}

static int terminal_columns(void)
{
    struct winsize w;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

static void status_line(char *line, size_t size, const struct firn_progress *p)
{
    char eta[32] = "?";
    double rate = per_second((double)worked(p), p);
    uint64_t left = total(p) > worked(p) ? total(p) - worked(p) : 0;
    if (p->scan_done && rate > 0)
        firn_cli_clock(eta, (double)left / rate);
    int n = snprintf(line, size, "%" PRIu64 " of %" PRIu64 "%s", worked(p), total(p),
                     p->scan_done ? "" : "+");
    if (p->scan_done && total(p) > 0)
        n += snprintf(line + n, size - (size_t)n, " (%d%%)",
                      (int)(100.0 * (double)worked(p) / (double)total(p)));
    n += snprintf(line + n, size - (size_t)n, "  %.1f images/s  %.1f MB/s  ETA %s", rate,
                  per_second((double)p->bytes_read, p) / 1e6, eta);
    if (failed(p))
        snprintf(line + n, size - (size_t)n, "  %" PRIu64 " failed", failed(p));
}

void firn_progress_line(struct firn_display *d, double seconds, const char *line)
{
    if (firn_cli_quiet)
        return;
    if (*d->stop && !d->said_stop) {
        d->said_stop = true;
        firn_progress_clear(d);
        firn_cli_note("stopping%s (a second signal ends at once)",
                      d->kept ? "; what is done is kept" : "");
    }
    if (d->live) {
        fprintf(stderr, "\r%.*s\033[K", terminal_columns() - 1, line);
        fflush(stderr);
        d->drawn = true;
    } else if (seconds >= d->next_plain) {
        d->next_plain = seconds + PLAIN_EVERY;
        firn_cli_note("%s", line);
    }
}

void firn_progress_show(struct firn_display *d, const struct firn_progress *p)
{
    char line[256];
    status_line(line, sizeof(line), p);
    firn_progress_line(d, p->seconds, line);
}

static void stage_table(const struct firn_progress *p)
{
    for (int i = 0; i < FIRN_STAGES; i++)
        firn_cli_note("  %-6s %2d thread%s %8.2f s busy", firn_stage_names[i], p->threads_of[i],
                      p->threads_of[i] == 1 ? " " : "s", p->busy[i]);
}

static const char *io_name(enum firn_io io)
{
    return io == FIRN_IO_URING ? "uring" : io == FIRN_IO_THREADS ? "threads" : "probe";
}

void firn_progress_summary(const struct firn_progress *p)
{
    char read[32], memory[32];
    firn_cli_note("%" PRIu64 " photograph%s: %" PRIu64 " computed, %" PRIu64 " reused, %" PRIu64
                  " skipped, %" PRIu64 " corrupt",
                  p->found, firn_cli_s(p->found), computed(p), p->known + p->reused, p->skipped,
                  p->corrupt + p->known_corrupt);
    if (p->turned)
        firn_cli_note("%" PRIu64 " of them not upright by their EXIF orientation", p->turned);
    firn_cli_bytes(memory, (double)p->memory);
    if (computed(p) == 0) {
        firn_cli_note("nothing %s; %.1f s", worked(p) ? "computed" : "to do", p->seconds);
        return;
    }
    firn_cli_bytes(read, (double)p->bytes_read);
    firn_cli_note("%.1f s, %.1f images/s, %.1f MB/s (%s read); slowest stage: %s; %s of memory "
                  "set aside", p->seconds, per_second((double)computed(p), p),
                  per_second((double)p->bytes_read, p) / 1e6, read,
                  p->slowest ? p->slowest : "none", memory);
    if (firn_cli_verbose) {
        firn_cli_note("%d threads, batch %d, io %s, cpu %s", p->threads, p->batch, io_name(p->io),
                      p->cpu ? p->cpu : "?");
        stage_table(p);
    }
}

static void json_int(struct firn_json *j, const char *key, uint64_t value)
{
    firn_json_int(j, key, (int64_t)value);
}

static void json_stages(struct firn_json *j, const struct firn_progress *p)
{
    firn_json_object(j, "stages");
    for (int i = 0; i < FIRN_STAGES; i++) {
        firn_json_object(j, firn_stage_names[i]);
        firn_json_int(j, "threads", p->threads_of[i]);
        firn_json_number(j, "busy_seconds", p->busy[i]);
        firn_json_end_object(j);
    }
    firn_json_end_object(j);
}

int firn_progress_json(const struct firn_progress *p, int status)
{
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_json_int(&j, "status", status);
    json_int(&j, "found", p->found);
    json_int(&j, "computed", computed(p));
    json_int(&j, "reused", p->known + p->reused);
    json_int(&j, "skipped", p->skipped);
    json_int(&j, "corrupt", p->corrupt + p->known_corrupt);
    json_int(&j, "turned", p->turned);
    firn_json_number(&j, "seconds", p->seconds);
    firn_json_number(&j, "images_per_second", per_second((double)computed(p), p));
    json_int(&j, "bytes_read", p->bytes_read);
    json_int(&j, "bytes_written", p->bytes_written);
    firn_json_int(&j, "threads", p->threads);
    firn_json_int(&j, "batch", p->batch);
    firn_json_string(&j, "io", io_name(p->io));
    firn_json_string(&j, "cpu", p->cpu);
    firn_json_string(&j, "slowest", p->slowest);
    json_int(&j, "memory", p->memory);
    json_stages(&j, p);
    firn_json_end_object(&j);
    return firn_cli_print_json(&j);
}

/* SPDX-License-Identifier: MIT */
#include "watch_log.h"

#include "cli.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/** One line that was said. */
struct kept {
    double time;
    char text[1024];
};

static enum firn_log_form form;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct kept kept[FIRN_LOG_KEPT];
static unsigned n_kept;

enum firn_log_form firn_log_default(void)
{
    const char *journal = getenv("JOURNAL_STREAM");
    unsigned long long dev, ino;
    struct stat st;
    bool is_journal = journal && sscanf(journal, "%llu:%llu", &dev, &ino) == 2 &&
                      fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
    return is_journal ? FIRN_LOG_JOURNAL : FIRN_LOG_TEXT;
}

void firn_log_use(enum firn_log_form wanted)
{
    form = wanted;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)(t.tv_nsec / 1000000) * 1e-3;
}

static void say_json(enum firn_log_level level, const char *path, const char *text)
{
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_json_number(&j, "time", now());
    firn_json_string(&j, "level", level == FIRN_LOG_ERROR     ? "error"
                                  : level == FIRN_LOG_WARNING ? "warning" : "info");
    if (path)
        firn_json_string(&j, "path", path);
    firn_json_string(&j, "message", text);
    firn_json_end_object(&j);
    if (!j.failed)
        fprintf(stderr, "%s\n", j.text);
    free(j.text);
}

static void say(enum firn_log_level level, const char *path, const char *text)
{
    const char *about = path ? path : "", *colon = path ? ": " : "";
    if (form == FIRN_LOG_JSON) {
        say_json(level, path, text);
    } else if (form == FIRN_LOG_JOURNAL) {
        fprintf(stderr, "<%d>", (int)level);
        for (const char *s = about; *s; s++) {
            putc(*s == '\n' ? '?' : *s, stderr); /* one line whatever a path holds */
        }
        fprintf(stderr, "%s%s\n", colon, text);
    } else {
        firn_cli_warn("%s%s%s", about, colon, text);
    }
}

void firn_log(enum firn_log_level level, const char *path, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    if (level >= FIRN_LOG_INFO && firn_cli_quiet)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    pthread_mutex_lock(&mutex);
    say(level, path, text);
    if (level <= FIRN_LOG_WARNING) {
        struct kept *slot = &kept[n_kept++ % FIRN_LOG_KEPT];
        slot->time = now();
        snprintf(slot->text, sizeof(slot->text), "%.500s%s%.500s", path ? path : "",
                 path ? ": " : "", text);
    }
    pthread_mutex_unlock(&mutex);
}

void firn_log_recent(void (*each)(void *user, double time, const char *text), void *user)
{
    pthread_mutex_lock(&mutex);
    unsigned first = n_kept < FIRN_LOG_KEPT ? 0 : n_kept - FIRN_LOG_KEPT;
    for (unsigned i = first; i < n_kept; i++)
        each(user, kept[i % FIRN_LOG_KEPT].time, kept[i % FIRN_LOG_KEPT].text);
    pthread_mutex_unlock(&mutex);
}

/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* The last output's unfinished name: once it is finished, there is no such file. */
static char unfinished[PATH_MAX];

static void on_signal(int number)
{
    unlink(unfinished);
    signal(number, SIG_DFL);
    raise(number);
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { SIGNALS = sizeof(signals) / sizeof(*signals) };

/** A signal that comes ignored, as from nohup, stays so. */
static void guard(const char *temp)
{
    const struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;
    snprintf(unfinished, sizeof(unfinished), "%s", temp);
    for (int i = 0; i < SIGNALS; i++)
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}

int firn_output_begin(struct firn_output *out, const char *path, struct firn_error *err)
{
    sigset_t ours, before;
    sigemptyset(&ours);
    for (int i = 0; i < SIGNALS; i++)
        sigaddset(&ours, signals[i]);
    sigprocmask(SIG_BLOCK, &ours, &before);
    int status = firn_output_open(out, path, err);
    if (status == 0)
        guard(out->temp);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return status;
}

bool firn_output_ends_in(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return n > m && strcasecmp(path + n - m, ending) == 0;
}

int firn_output_fail(struct firn_error *err, enum firn_code code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    err->code = code;
    vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    return -(int)code;
}

int firn_output_replace(const char *path, const char *text, struct firn_error *err)
{
    char *temp = NULL;
    if (asprintf(&temp, "%s.tmp.%ld", path, (long)getpid()) < 0)
        return firn_output_fail(err, FIRN_NOMEM, "out of memory");
    unlink(temp); /* left by one that was killed, or a trap: no link is followed */
    FILE *file = fopen(temp, "wxe");
    bool good = file && fputs(text, file) >= 0 && fchmod(fileno(file), 0644) == 0;
    int error = errno;
    if (file && fclose(file) != 0 && good) {
        good = false;
        error = errno;
    }
    if (good && rename(temp, path) != 0) {
        good = false;
        error = errno;
    }
    if (!good && file)
        unlink(temp);
    free(temp);
    return good ? 0 : firn_output_fail(err, FIRN_IO, "%s: cannot write: %s", path,
                                       strerror(error));
}

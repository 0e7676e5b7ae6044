/* SPDX-License-Identifier: MIT */
/** `firn status`, `pause`, `resume`, `rescan`, `stop`, `metrics`: talk to the daemon of a cache. */
#include "cli.h"
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool ask(int fd, const char *request, bool follow)
{
    char line[64];
    int n = snprintf(line, sizeof(line), "{\"do\":\"%s\"%s}\n", request,
                     follow ? ",\"follow\":true" : "");
    return send(fd, line, (size_t)n, MSG_NOSIGNAL) == n;
}

/** What the daemon says, to standard output, until it has no more. */
static int copy_answer(int fd, const char *cache)
{
    char bytes[4096];
    size_t all = 0;
    ssize_t n;
    while ((n = read(fd, bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EINTR)) {
        if (n < 0)
            continue;
        fwrite(bytes, 1, (size_t)n, stdout);
        all += (size_t)n;
        if (fflush(stdout) != 0) {
            break; /* nobody reads any more */
        }
    }
    if (all == 0) {
        firn_cli_warn("%s: its daemon gives no answer", cache);
        return FIRN_IO;
    }
    return firn_cli_flush();
}

/** True when the daemon has done what it was told. */
static bool is_done(int fd)
{
    char bytes[256];
    size_t n = 0;
    ssize_t got;
    while (n < sizeof(bytes) - 1 && ((got = read(fd, bytes + n, sizeof(bytes) - 1 - n)) > 0 ||
                                     (got < 0 && errno == EINTR)))
        n += got > 0 ? (size_t)got : 0;
    bytes[n] = '\0';
    return strncmp(bytes, "{\"ok\":true", 10) == 0;
}

static int run(const struct firn_verb *verb, int argc, char **argv)
{
    bool status = strcmp(verb->name, "status") == 0, metrics = strcmp(verb->name, "metrics") == 0;
    bool json = false, follow = false;
    struct firn_error err;
    const struct firn_opt opts[] = {
        {FIRN_OPT_FLAG, 0, "json", NULL, "print JSON", &json, NULL},
        {FIRN_OPT_FLAG, 'F', "follow", NULL, "again every second", &follow, NULL},
        {0},
    };
    int parsed = firn_cli_parse(verb, status ? opts : opts + 2, &argc, &argv);
    if (parsed != FIRN_CLI_GO)
        return parsed;
    int fd = firn_control_connect(argv[0], &err);
    if (fd < 0)
        return firn_cli_fail(&err);
    const char *request = status ? json ? "status" : follow ? "line" : "show" : verb->name;
    int result;
    if (!ask(fd, request, follow)) {
        firn_cli_warn("%s: its daemon has gone away", argv[0]);
        result = FIRN_IO;
    } else if (status || metrics) {
        result = copy_answer(fd, argv[0]);
    } else {
        result = is_done(fd) ? FIRN_OK : FIRN_IO;
        if (result)
            firn_cli_warn("%s: its daemon gives no answer", argv[0]);
    }
    close(fd);
    return result;
}

const struct firn_verb firn_verb_status = {
    .name = "status",
    .args = "[--json] [-F] CACHE",
    .summary = "what the daemon of a cache is doing",
    .more = NULL, .min_args = 1, .max_args = 1, .run = run,
};

const struct firn_verb firn_verb_pause = {
    .name = "pause",
    .args = "CACHE",
    .summary = "let the daemon compute nothing for now",
    .more = "New photographs are still noticed.\n",
    .min_args = 1, .max_args = 1, .run = run,
};

const struct firn_verb firn_verb_resume = {
    .name = "resume",
    .args = "CACHE",
    .summary = "let a paused daemon go on",
    .more = NULL, .min_args = 1, .max_args = 1, .run = run,
};

const struct firn_verb firn_verb_rescan = {
    .name = "rescan",
    .args = "CACHE",
    .summary = "let the daemon look through all directories now",
    .more = NULL, .min_args = 1, .max_args = 1, .run = run,
};

const struct firn_verb firn_verb_stop = {
    .name = "stop",
    .args = "CACHE",
    .summary = "end the daemon, and wait until the cache is free",
    .more = NULL, .min_args = 1, .max_args = 1, .run = run,
};

const struct firn_verb firn_verb_metrics = {
    .name = "metrics",
    .args = "CACHE",
    .summary = "counters of the daemon as OpenMetrics text",
    .more = NULL, .min_args = 1, .max_args = 1, .run = run,
};

/* SPDX-License-Identifier: MIT */
/** `firn watch`: the daemon around firn/watch.h: signals, control socket, service manager. */
#include "cli.h"
#include "control.h"
#include "notify.h"
#include "output.h"
#include "stop.h"
#include "watch_log.h"
#include "watch_options.h"
#include "watch_report.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "firn/watch.h"

/*
 * The allocator would learn from the first large block that is freed to keep the next ones, and a
 * daemon that gives its model back time and again would be left with holes it cannot give back.
 */
#define MMAP_FROM (256 << 10)

/* node_exporter's textfile collector reads four times a minute. */
#define METRICS_MS 15000

struct daemon {
    const struct firn_verb *verb;
    int argc;
    char **argv;
    struct firn_watch_args *first, *args; /* of the start; of now */
    struct firn_watch *watch; /* NULL: could not be started again, or was not to be */
    int failure;              /* why */
    struct firn_control control;
    const char *cache;
    char told[256]; /* what cannot change, and was said */
    int signals;
    const volatile int *ended; /* set by a signal while nobody reads them */
    bool stop;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- what the watch says ---- */

static void on_failure(void *user, const char *path, enum firn_state state, const char *reason)
{
    (void)user;
    firn_log(FIRN_LOG_WARNING, path, "%s: %s", state == FIRN_CORRUPT ? "corrupt" : "skipped",
             reason);
}

static void on_notice(void *user, const char *text)
{
    (void)user;
    firn_log(FIRN_LOG_INFO, NULL, "%s", text);
}

/* ---- what others ask ---- */

static char *ok(void)
{
    return strdup("{\"ok\":true}\n");
}

static char *answer(void *user, const char *request, bool *more)
{
    struct daemon *d = user;
    struct firn_watch_status s;
    firn_watch_status(d->watch, &s);
    *more = false;
    if (strcmp(request, "status") == 0) {
        *more = true;
        return firn_report_json(&s);
    }
    if (strcmp(request, "line") == 0) {
        *more = true;
        return firn_report_line(&s);
    }
    if (strcmp(request, "show") == 0)
        return firn_report_text(&s, d->cache);
    if (strcmp(request, "metrics") == 0)
        return firn_report_metrics(&s);
    if (strcmp(request, "pause") == 0 || strcmp(request, "resume") == 0) {
        bool pause = request[0] == 'p';
        firn_watch_pause(d->watch, pause);
        firn_log(FIRN_LOG_INFO, NULL, pause ? "paused" : "resumed");
        return ok();
    }
    if (strcmp(request, "rescan") == 0) {
        firn_watch_rescan(d->watch);
        return ok();
    }
    if (strcmp(request, "stop") == 0) {
        d->stop = true;
        *more = true; /* the answer comes when the cache is free */
    }
    return NULL;
}

static void write_metrics(struct daemon *d)
{
    struct firn_watch_status s;
    struct firn_error err;
    firn_watch_status(d->watch, &s);
    char *text = firn_report_metrics(&s);
    if (text && firn_output_replace(d->args->metrics_file, text, &err) != 0)
        firn_log(FIRN_LOG_WARNING, NULL, "%s", err.text);
    free(text);
}

/* ---- signals ---- */

static void block_signals(struct daemon *d)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    d->ended = firn_stop_on_signals();
    d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/** From here on a second signal ends the process at once. */
static void unblock_signals(void)
{
    sigset_t set;
    signal(SIGHUP, SIG_IGN);
    firn_stop_at_once();
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void use_log(const struct firn_watch_args *args)
{
    firn_log_use(args->log ? (enum firn_log_form)(args->log - 1) : firn_log_default());
}

/** Opening a large cache takes a while, in which nobody reads signals: then they set a flag. */
static int start(struct daemon *d, struct firn_watch_args *args, struct firn_error *err)
{
    sigset_t ends, before;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    args->watch.extract.on_failure = on_failure;
    args->watch.extract.on_notice = on_notice;
    args->watch.extract.stop = d->ended;
    sigprocmask(SIG_UNBLOCK, &ends, &before);
    int status = -firn_watch_start(&d->watch, &args->watch, err);
    sigprocmask(SIG_SETMASK, &before, NULL);
    d->stop |= *d->ended != 0;
    return status;
}

/**
 * The watch ends in good order and begins anew with what the configuration says now, or, when that
 * cannot be, with what it said before. True: with what it says now.
 */
static bool start_again(struct daemon *d, struct firn_watch_args *fresh)
{
    struct firn_watch_status s;
    struct firn_error err;
    firn_watch_status(d->watch, &s);
    fresh->watch.lock = d->args->watch.lock = firn_watch_hold(d->watch);
    d->failure = -firn_watch_stop(d->watch, &err);
    d->watch = NULL;
    bool begun = !d->failure && start(d, fresh, &err) == 0;
    if (!begun && !d->failure && !d->stop) {
        firn_log(FIRN_LOG_ERROR, NULL, "%s; the configuration stays as it was", err.text);
        d->failure = start(d, d->args, &err);
        if (d->failure == FIRN_INTERRUPTED)
            d->failure = FIRN_OK;
    }
    if (fresh->watch.lock)
        close(fresh->watch.lock);
    if (d->failure) {
        firn_log(FIRN_LOG_ERROR, NULL, "%s", err.text);
        d->watch = NULL;
        d->stop = true;
    } else if (d->watch && s.state == FIRN_WATCH_PAUSED) {
        firn_watch_pause(d->watch, true);
    }
    return begun;
}

/** True: the daemon goes by `fresh` from now on. */
static bool apply(struct daemon *d, struct firn_watch_args *fresh)
{
    char fixed[256];
    bool changed = firn_watch_args_changed(d->args, fresh, fixed);
    if (fixed[0] && strcmp(fixed, d->told) != 0)
        firn_log(FIRN_LOG_WARNING, NULL, "%s: cannot change while the daemon runs; stop it and "
                                         "start it again", fixed);
    memcpy(d->told, fixed, sizeof(fixed));
    firn_watch_args_keep(fresh, d->first);
    if (changed && !start_again(d, fresh))
        return false;
    if (!changed)
        firn_watch_rescan(d->watch);
    use_log(fresh);
    firn_log(FIRN_LOG_INFO, NULL, changed ? "the configuration was read again; goes by it"
                                          : "the configuration was read again");
    return true;
}

/** True: the file of options can be gone by. What is wrong with it goes to the log. */
static bool read_again(struct daemon *d, struct firn_watch_args **fresh)
{
    char wrong[FIRN_CLI_CAUGHT];
    firn_cli_catch(wrong);
    int status = firn_watch_args_read(fresh, d->verb, d->argc, d->argv);
    firn_cli_catch(NULL);
    if (status == FIRN_CLI_GO)
        return true;
    firn_log(FIRN_LOG_WARNING, NULL, "%s; the configuration stays as it was", wrong);
    return false;
}

/** Without a file of options, or with one that is wrong, only everything is looked through. */
static void reload(struct daemon *d)
{
    struct firn_watch_args *fresh = NULL;
    char text[64];
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now_ms() * 1000);
    firn_notify(text);
    if (!d->first->config) {
        firn_watch_rescan(d->watch);
    } else if (!read_again(d, &fresh)) {
        firn_watch_rescan(d->watch);
    } else if (apply(d, fresh)) {
        struct firn_watch_args *old = d->args;
        d->args = fresh;
        fresh = old != d->first ? old : NULL;
    }
    firn_watch_args_free(fresh);
    firn_notify("READY=1");
}

static void read_signals(struct daemon *d)
{
    struct signalfd_siginfo info;
    bool hangup = false;
    while (read(d->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP)
            hangup = true;
        else
            d->stop = true;
    }
    if (hangup && !d->stop)
        reload(d);
}

/* ---- the loop ---- */

/** The earlier of two times, of which -1 is never. */
static int64_t earlier(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

static void loop(struct daemon *d)
{
    int watchdog_ms = firn_notify_watchdog_ms();
    int64_t watchdog = watchdog_ms > 0 ? now_ms() : -1;
    int64_t metrics = 0, follow = -1;
    while (!d->stop) {
        int64_t now = now_ms();
        if (!d->args->metrics_file) {
            metrics = -1;
        } else if (metrics < 0) {
            metrics = now; /* since the configuration was read again */
        }
        if (watchdog >= 0 && now >= watchdog) {
            struct firn_watch_status s;
            firn_watch_status(d->watch, &s); /* all its locks can be had */
            firn_notify("WATCHDOG=1");
            watchdog = now + watchdog_ms;
        }
        if (metrics >= 0 && now >= metrics) {
            write_metrics(d);
            metrics = now + METRICS_MS;
        }
        if (follow >= 0 && now >= follow) {
            firn_control_follow(&d->control);
            follow = -1;
        }
        if (follow < 0 && firn_control_followed(&d->control))
            follow = now + 1000;
        int64_t deaf = d->control.deaf ? now + 1000 : -1;
        int64_t due = earlier(earlier(watchdog, deaf), earlier(metrics, follow));
        struct pollfd fds[FIRN_CLIENTS + 3] = {
            {.fd = d->signals, .events = POLLIN},
            {.fd = firn_watch_fd(d->watch), .events = POLLIN}};
        int n = 2 + firn_control_poll(&d->control, fds + 2);
        poll(fds, (nfds_t)n, due < 0 ? -1 : due > now ? (int)(due - now) : 0);
        if (fds[1].revents)
            return;
        read_signals(d);
        firn_control_serve(&d->control);
    }
}

static int finish(struct daemon *d)
{
    struct firn_watch_status s;
    struct firn_error err;
    firn_notify("STOPPING=1");
    unblock_signals();
    int status = d->failure;
    if (d->watch) {
        firn_watch_status(d->watch, &s);
        status = -firn_watch_stop(d->watch, &err);
    }
    firn_control_done(&d->control, "stop");
    firn_control_close(&d->control);
    close(d->signals);
    if (!d->watch)
        firn_log(FIRN_LOG_INFO, NULL, "stopped");
    else if (status)
        firn_log(FIRN_LOG_ERROR, NULL, "%s", err.text);
    else
        firn_log(FIRN_LOG_INFO, NULL, "stopped; %llu photograph%s done, %llu failed",
                 (unsigned long long)s.done, firn_cli_s(s.done),
                 (unsigned long long)(s.skipped + s.corrupt));
    return status;
}

static int serve(struct daemon *d)
{
    struct firn_error err;
    block_signals(d);
    int status = start(d, d->args, &err);
    if (status == FIRN_INTERRUPTED) {
        firn_log(FIRN_LOG_INFO, NULL, "stopped before the cache was open");
        return FIRN_OK;
    }
    if (status) {
        firn_log(FIRN_LOG_ERROR, NULL, "%s", err.text);
        return status;
    }
    d->control.user = d;
    d->control.answer = answer;
    if (firn_control_open(&d->control, d->cache, &err) != 0)
        firn_log(FIRN_LOG_WARNING, NULL, "%s", err.text);
    firn_log(FIRN_LOG_INFO, NULL, "watching for %s", d->cache);
    firn_notify("READY=1");
    firn_background_ready();
    loop(d);
    return finish(d);
}

/** Others come first, on the processor and on the disk; what is refused is no loss. */
static void lower_priority(void)
{
    const struct sched_param none = {0};
    setpriority(PRIO_PROCESS, 0, 10);
    sched_setscheduler(0, SCHED_BATCH, &none);
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
}

static int watch(const struct firn_verb *verb, int argc, char **argv)
{
    struct firn_watch_args *args;
    int status = firn_watch_args_read(&args, verb, argc, argv);
    if (status != FIRN_CLI_GO) {
        firn_watch_args_free(args);
        return status;
    }
    use_log(args);
    int error = args->background ? firn_background() : 0;
    if (error) {
        firn_cli_warn("cannot go into the background: %s", strerror(error));
        firn_watch_args_free(args);
        return FIRN_NOMEM;
    }
    if (args->priority != 2)
        lower_priority();
    mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
    struct daemon d = {.first = args, .args = args, .verb = verb, .argc = argc, .argv = argv,
                       .cache = args->watch.extract.cache};
    status = serve(&d);
    if (d.args != d.first)
        firn_watch_args_free(d.args);
    firn_watch_args_free(d.first);
    return status;
}

const struct firn_verb firn_verb_watch = {
    .name = "watch",
    .args = "-m MODEL -o CACHE [options] DIR...",
    .summary = "compute what is missing, and go on as photographs arrive",
    .more = "The daemon: takes what extract takes, DIR only being directories, and stays.\n"
            "Runs in the foreground, with its log on stderr, until SIGTERM, SIGINT or\n"
            "'firn stop CACHE'; SIGHUP reads --config again and looks through everything.\n"
            "Hidden files and those of unfinished downloads and copies are left out.\n",
    .min_args = 0,
    .max_args = -1,
    .run = watch,
};

/* SPDX-License-Identifier: MIT */
/** `firn watch`: the daemon around firn/watch.h: signals, control socket, service manager. */
#include "cli.h"
#include "config.h"
#include "control.h"
#include "extract_options.h"
#include "notify.h"
#include "output.h"
#include "watch_log.h"
#include "watch_report.h"

#include <errno.h>
#include <linux/ioprio.h>
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

/* node_exporter's textfile collector reads four times a minute. */
#define METRICS_MS 15000

/** What the command line said about the daemon itself. */
struct manners {
    struct firn_watch_options watch;
    struct firn_opt_list exclude, directories;
    const char *config;
    const char *metrics_file;
    int log, priority;
    bool background;
};

struct daemon {
    const struct manners *manners;
    struct firn_watch *watch;
    struct firn_control control;
    const char *cache;
    int signals;
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
    if (strcmp(request, "show") == 0) {
        return firn_report_text(&s, d->cache);
    }
    if (strcmp(request, "metrics") == 0) {
        return firn_report_metrics(&s);
    }
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
    if (text && firn_output_replace(d->manners->metrics_file, text, &err) != 0) {
        firn_log(FIRN_LOG_WARNING, NULL, "%s", err.text);
    }
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
    signal(SIGPIPE, SIG_IGN); /* a closed log is no reason to end */
    d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/** From here on a second signal ends the process at once. */
static void unblock_signals(void)
{
    sigset_t set;
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void reload(struct daemon *d)
{
    char text[64];
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now_ms() * 1000);
    firn_notify(text);
    firn_watch_rescan(d->watch);
    firn_notify("READY=1");
}

static void read_signals(struct daemon *d)
{
    struct signalfd_siginfo info;
    bool hangup = false;
    while (read(d->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            hangup = true;
        } else {
            d->stop = true;
        }
    }
    if (hangup && !d->stop) {
        reload(d);
    }
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
    int64_t metrics = d->manners->metrics_file ? now_ms() : -1, follow = -1;
    while (!d->stop) {
        int64_t now = now_ms();
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
        if (follow < 0 && firn_control_followed(&d->control)) {
            follow = now + 1000;
        }
        int64_t due = earlier(watchdog, earlier(metrics, follow));
        struct pollfd fds[FIRN_CLIENTS + 3] = {
            {.fd = d->signals, .events = POLLIN},
            {.fd = firn_watch_fd(d->watch), .events = POLLIN}};
        int n = 2 + firn_control_poll(&d->control, fds + 2);
        poll(fds, (nfds_t)n, due < 0 ? -1 : due > now ? (int)(due - now) : 0);
        if (fds[1].revents) {
            return;
        }
        read_signals(d);
        firn_control_serve(&d->control);
    }
}

static int finish(struct daemon *d)
{
    struct firn_watch_status s;
    struct firn_error err;
    firn_notify("STOPPING=1");
    firn_watch_status(d->watch, &s);
    unblock_signals();
    int status = -firn_watch_stop(d->watch, &err);
    firn_control_done(&d->control, "stop");
    firn_control_close(&d->control);
    close(d->signals);
    if (status) {
        firn_log(FIRN_LOG_ERROR, NULL, "%s", err.text);
    } else {
        firn_log(FIRN_LOG_INFO, NULL, "stopped; %llu photographs done, %llu failed",
                 (unsigned long long)s.done, (unsigned long long)(s.skipped + s.corrupt));
    }
    return status;
}

static int serve(struct daemon *d)
{
    struct firn_error err;
    block_signals(d);
    int status = -firn_watch_start(&d->watch, &d->manners->watch, &err);
    if (status) {
        firn_log(FIRN_LOG_ERROR, NULL, "%s", err.text);
        return status;
    }
    d->control.user = d;
    d->control.answer = answer;
    if (firn_control_open(&d->control, d->cache, &err) != 0) {
        firn_log(FIRN_LOG_WARNING, NULL, "%s", err.text);
    }
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

/** What is in the file counts less than the command line, so it has to be read first. */
static const char *find_config(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--config") == 0) {
            return argv[i + 1]; /* the last one is NULL */
        }
        if (strncmp(argv[i], "--config=", 9) == 0) {
            return argv[i] + 9;
        }
    }
    return NULL;
}

#define OWN_OPTIONS 24

/** Those that extract does not have. */
static void own_options(struct manners *m, struct firn_opt own[OWN_OPTIONS])
{
    static const char *const priorities[] = {"low", "normal", NULL};
    static const char *const logs[] = {"text", "journal", "json", NULL};
    struct firn_watch_options *w = &m->watch;
    const struct firn_opt table[] = {
        {FIRN_OPT_TEXT, 0, "config", "FILE", "take options from FILE, then those given here",
         &m->config, NULL},
        {FIRN_OPT_LIST, 'x', "exclude", "PATTERN", "leave out what is called so; may be repeated",
         &m->exclude, NULL},
        {FIRN_OPT_COUNT, 0, "settle", "MS", "a file must look the same so long [100]",
         &w->settle_ms, NULL},
        {FIRN_OPT_COUNT, 0, "rescan", "SECONDS", "look through everything so often [3600]",
         &w->rescan_seconds, NULL},
        {FIRN_OPT_COUNT, 0, "poll", "SECONDS", "the same where watching fails [60]",
         &w->poll_seconds, NULL},
        {FIRN_OPT_COUNT, 0, "watch-limit", "N", "directories to watch [half of the system's limit]",
         &w->watch_limit, NULL},
        {FIRN_OPT_COUNT, 0, "idle-unload", "SECONDS", "idle so long: give memory back [60]",
         &w->idle_unload_seconds, NULL},
        {FIRN_OPT_FLAG, 0, "isolate", NULL, "decode in processes that can do nothing else",
         &w->isolate, NULL},
        {FIRN_OPT_COUNT, 0, "decode-limit", "SECONDS", "isolated: for one photograph [30]",
         &w->decode_seconds, NULL},
        {FIRN_OPT_COUNT, 0, "cpu-limit", "PERCENT", "of one core, on average [no limit]",
         &w->cpu_percent, NULL},
        {FIRN_OPT_TEXT, 0, "only-between", "TIMES", "compute only then: 22:00-06:00 [always]",
         &w->only_between, NULL},
        {FIRN_OPT_FLAG, 0, "ac-only", NULL, "compute nothing on battery", &w->ac_only, NULL},
        {FIRN_OPT_COUNT, 0, "max-pressure", "PERCENT", "wait while memory or disks are short [no]",
         &w->max_pressure, NULL},
        {FIRN_OPT_CHOICE, 0, "priority", "HOW", "low or normal, for processor and disk [low]",
         &m->priority, priorities},
        {FIRN_OPT_FLAG, 'B', "background", NULL, "detach when it is ready", &m->background, NULL},
        {FIRN_OPT_CHOICE, 0, "log", "FORM", "text, journal or json [what stderr is]", &m->log,
         logs},
        {FIRN_OPT_TEXT, 0, "metrics-file", "FILE", "write OpenMetrics there every 15 s",
         &m->metrics_file, NULL},
        {0},
    };
    _Static_assert(sizeof(table) <= OWN_OPTIONS * sizeof(*table), "room for all");
    memcpy(own, table, sizeof(table));
}

static int watch(const struct firn_verb *verb, int argc, char **argv)
{
    struct manners m = {0};
    struct firn_watch_options *w = &m.watch;
    struct firn_extract_args args = {
        .options = {.on_failure = on_failure, .on_notice = on_notice}};
    struct firn_opt own[OWN_OPTIONS];
    own_options(&m, own);
    firn_extract_table(&args, own);
    const char *config = find_config(argc, argv);
    int status = config ? firn_config_read(verb, args.table, config, &m.directories) : FIRN_CLI_GO;
    if (status == FIRN_CLI_GO) {
        status = firn_extract_parse(verb, &args, argc, argv);
    }
    if (status != FIRN_CLI_GO) {
        return status;
    }
    for (size_t i = 0; i < args.options.n_paths && m.directories.n < FIRN_OPT_LIST_MOST; i++) {
        m.directories.item[m.directories.n++] = args.options.paths[i];
    }
    if (m.directories.n == 0) {
        return firn_cli_usage(verb, "no directory given");
    }
    w->extract = args.options;
    w->extract.paths = m.directories.item;
    w->extract.n_paths = m.directories.n;
    w->exclude = m.exclude.item;
    w->n_exclude = m.exclude.n;
    firn_log_use(m.log ? (enum firn_log_form)(m.log - 1) : firn_log_default());
    int error = m.background ? firn_background() : 0;
    if (error) {
        firn_cli_warn("cannot go into the background: %s", strerror(error));
        return FIRN_NOMEM;
    }
    if (m.priority != 2) {
        lower_priority();
    }
    struct daemon d = {.manners = &m, .cache = args.options.cache};
    return serve(&d);
}

const struct firn_verb firn_verb_watch = {
    .name = "watch",
    .args = "-m MODEL -o CACHE [options] DIR...",
    .summary = "compute what is missing, and go on as photographs arrive",
    .more = "The daemon: takes what extract takes, DIR only being directories, and stays.\n"
            "Runs in the foreground, with its log on stderr, until SIGTERM, SIGINT or\n"
            "'firn stop CACHE'; SIGHUP looks through everything. Hidden files and those\n"
            "of unfinished downloads and copies are left out.\n",
    .min_args = 0,
    .max_args = -1,
    .run = watch,
};

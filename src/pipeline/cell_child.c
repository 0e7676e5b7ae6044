/* SPDX-License-Identifier: MIT */
/** The side of the decoders: the warden, and what its children do. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "image/image.h"
#include "pipeline/cell_state.h"

/* Address space of a decoder beyond what it has at the start: image/limits.h keeps below that. */
#define ROOM ((size_t)1 << 30)

struct warden {
    int orders, memory, deaths;
    int cells;
    size_t span, limit;
    uint8_t *map;
    pid_t *child; /* [cells] 0: none */
};

static struct firn_cell_head *head_of(const struct warden *w, int cell)
{
    return (struct firn_cell_head *)(w->map + w->span * (size_t)cell);
}

/* ---- a decoder ---- */

static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%lu", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Nothing is left but memory and the way to the turn. */
static bool lock_in(void)
{
    const struct rlimit none = {0, 0};
    const struct rlimit room = {address_space() + ROOM, address_space() + ROOM};
    setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    setrlimit(RLIMIT_AS, &room);
#else
    (void)room; /* their shadows are bigger than any limit */
#endif
    if (close_range(0, ~0U, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return false;
    return firn_cell_filter() == 0;
}

static _Noreturn void decode_for_ever(struct firn_cell_head *head, const uint8_t *bytes,
                                      uint8_t *crop, size_t limit)
{
    struct firn_decoder *decoder;
    if (firn_decoder_create(&decoder, &head->spec, NULL) != 0)
        _exit(1);
    firn_decoder_tune(decoder, head->cpu, head->partial);
    if (!lock_in())
        _exit(1);
    firn_turn_set(&head->turn, FIRN_TURN_CELL);
    for (;;) {
        firn_turn_wait(&head->turn, FIRN_TURN_CELL, INT64_MAX);
        size_t size = head->size <= limit ? head->size : limit;
        head->status = firn_decode(decoder, bytes, size, crop, &head->info, &head->err);
        firn_turn_set(&head->turn, FIRN_TURN_CELL);
    }
}

static _Noreturn void be_decoder(const struct warden *w, int cell)
{
    sigset_t none;
    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    prctl(PR_SET_NAME, "firn-decoder", 0, 0, 0);
    sigprocmask(SIG_SETMASK, &none, NULL);
    uint8_t *mine = mmap(NULL, w->span, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                         w->memory, (off_t)(w->span * (size_t)cell));
    munmap(w->map, w->span * (size_t)w->cells); /* other cells are none of its business */
    if (mine == MAP_FAILED)
        _exit(1);
    decode_for_ever((struct firn_cell_head *)mine, mine + FIRN_CELL_HEAD,
                    mine + FIRN_CELL_HEAD + w->limit, w->limit);
}

/* ---- the warden ---- */

static void start_child(struct warden *w, int cell)
{
    pid_t pid = w->child[cell] ? -1 : fork();
    if (pid == 0)
        be_decoder(w, cell);
    if (pid > 0)
        w->child[cell] = pid;
    else if (!w->child[cell])
        firn_turn_set(&head_of(w, cell)->turn, FIRN_TURN_DEAD);
}

static void reap(struct warden *w)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;
    while (read(w->deaths, &info, sizeof info) > 0)
        continue;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (int i = 0; i < w->cells; i++)
            if (w->child[i] == pid) {
                w->child[i] = 0;
                head_of(w, i)->death = status;
                firn_turn_set(&head_of(w, i)->turn, FIRN_TURN_DEAD);
            }
}

/* False when nobody gives orders any more. */
static bool obey(struct warden *w)
{
    struct firn_warden_order order;
    ssize_t n = recv(w->orders, &order, sizeof order, 0);
    if (n < 0 && errno == EINTR)
        return true;
    if (n != sizeof order)
        return false;
    if (order.what == FIRN_ORDER_START)
        start_child(w, order.cell);
    else if (w->child[order.cell]) /* else its death has been said already */
        kill(w->child[order.cell], SIGKILL);
    return true;
}

/* It outlives the daemon for a moment, in which it must not hold a lock or a socket of its. */
static void close_all_but(int a, int b)
{
    unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);
    if (low > 3)
        close_range(3, low - 1, 0);
    if (high > low + 1)
        close_range(low + 1, high - 1, 0);
    close_range(high + 1, ~0U, 0);
}

void firn_warden_run(int orders, int memory, int cells, size_t span, size_t limit)
{
    struct warden w = {.orders = orders, .memory = memory, .cells = cells, .span = span,
                       .limit = limit, .child = calloc((size_t)cells, sizeof(pid_t))};
    sigset_t all;
    close_all_but(orders, memory);
    sigfillset(&all); /* the daemon's signals are not ours: we end when its socket closes */
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigemptyset(&all);
    sigaddset(&all, SIGCHLD);
    prctl(PR_SET_NAME, "firn-warden", 0, 0, 0);
    w.deaths = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    w.map = mmap(NULL, span * (size_t)cells, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                 memory, 0);
    if (!w.child || w.deaths < 0 || w.map == MAP_FAILED)
        _exit(1);
    for (;;) {
        struct pollfd fds[2] = {{.fd = orders, .events = POLLIN},
                                {.fd = w.deaths, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            _exit(1);
        if (fds[1].revents)
            reap(&w);
        if (fds[0].revents && !obey(&w))
            _exit(0); /* the children die with it */
    }
}

/* SPDX-License-Identifier: MIT */
/**
 * The side of the decode stage.
 *
 *     decode stage --(bytes)--> cell's memory <-- decoder          turn: CELL -> DECODER -> CELL
 *          |                         ^ "dead"                                       '-> DEAD
 *          '--(start, kill)--> warden, the parent of all decoders
 *
 * Every order goes through the warden, so that no process is killed by a number that may belong to
 * another by now. The warden ends when its socket closes, however the daemon has ended, and every
 * decoder ends with it.
 */
#include "pipeline/cell.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/thread.h"
#include "pipeline/cell_state.h"
#include "pipeline/decode.h"

/* Behind a photograph of this size its memory is given back. */
#define KEPT ((size_t)4 << 20)

/* A decoder is started within this, or not at all; somebody may kill it even then. */
#define START_NS 10000000000
#define STARTS 3

struct firn_cell {
    struct firn_warden *warden;
    int number;
    bool taken, alive;
    struct firn_cell_head *head;
    uint8_t *bytes, *crop;
};

struct firn_warden {
    int orders; /* a socket */
    pid_t pid;
    int cells;
    size_t span, limit;
    int64_t hang_ns;
    uint8_t *memory;
    pthread_mutex_t mutex; /* taking and returning */
    struct firn_cell cell[];
};

bool firn_turn_wait(_Atomic uint32_t *turn, uint32_t value, int64_t deadline_ns)
{
    while (atomic_load_explicit(turn, memory_order_acquire) == value) {
        int64_t rest = deadline_ns == INT64_MAX ? 0 : deadline_ns - firn_now_ns();
        struct timespec wait = {.tv_sec = rest / 1000000000, .tv_nsec = rest % 1000000000};
        if (rest < 0 || (rest == 0 && deadline_ns != INT64_MAX))
            return false;
        syscall(SYS_futex, turn, FUTEX_WAIT, value, deadline_ns == INT64_MAX ? NULL : &wait, NULL,
                0);
    }
    return true;
}

void firn_turn_set(_Atomic uint32_t *turn, uint32_t value)
{
    atomic_store_explicit(turn, value, memory_order_release);
    firn_turn_wake(turn);
}

void firn_turn_wake(_Atomic uint32_t *turn)
{
    syscall(SYS_futex, turn, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static int split_off(struct firn_warden *w, struct firn_error *err)
{
    int pair[2];
    int memory = memfd_create("firn-cells", MFD_CLOEXEC);
    size_t all = w->span * (size_t)w->cells;
    if (memory < 0 || ftruncate(memory, (off_t)all) != 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        int error = errno;
        if (memory >= 0)
            close(memory);
        return firn_fail(err, FIRN_NOMEM, "memory for decoders: %s", strerror(error));
    }
    w->memory = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memory, 0);
    w->pid = w->memory == MAP_FAILED ? -1 : fork();
    if (w->pid == 0) {
        close(pair[0]);
        firn_warden_run(pair[1], memory, w->cells, w->span, w->limit);
    }
    int error = errno;
    close(pair[1]);
    close(memory);
    w->orders = pair[0];
    return w->pid > 0 ? 0 : firn_fail(err, FIRN_NOMEM, "decoders: %s", strerror(error));
}

int firn_warden_create(struct firn_warden **out, int cells, size_t limit, int64_t hang_ns,
                       struct firn_error *err)
{
    struct firn_warden *w = calloc(1, sizeof *w + (size_t)cells * sizeof w->cell[0]);
    *out = NULL;
    if (!w)
        return firn_fail_nomem(err, "decoders");
    w->orders = -1;
    w->cells = cells;
    w->limit = limit;
    w->hang_ns = hang_ns;
    w->span = FIRN_CELL_HEAD + limit + FIRN_CELL_CROP;
    pthread_mutex_init(&w->mutex, NULL);
    int status = split_off(w, err);
    if (status) {
        firn_warden_destroy(w);
        return status;
    }
    for (int i = 0; i < cells; i++) {
        uint8_t *memory = w->memory + w->span * (size_t)i;
        w->cell[i] = (struct firn_cell){
            .warden = w, .number = i, .head = (struct firn_cell_head *)memory,
            .bytes = memory + FIRN_CELL_HEAD, .crop = memory + FIRN_CELL_HEAD + limit};
    }
    *out = w;
    return 0;
}

void firn_warden_destroy(struct firn_warden *w)
{
    if (!w)
        return;
    if (w->orders >= 0)
        close(w->orders); /* that is its order to end */
    if (w->pid > 0)
        while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    if (w->memory && w->memory != MAP_FAILED)
        munmap(w->memory, w->span * (size_t)w->cells);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

/* Of all views of a photograph. */
static size_t crop_bytes(const struct firn_image_spec *spec)
{
    return (size_t)firn_views_count(&spec->views) * firn_crop_bytes(spec);
}

int firn_cell_take(struct firn_cell **out, struct firn_warden *w,
                   const struct firn_decode_config *config, struct firn_error *err)
{
    const struct firn_image_spec *spec = &config->spec;
    *out = NULL;
    if (crop_bytes(spec) > FIRN_CELL_CROP)
        return firn_fail(err, FIRN_USAGE, "%d views of %d pixels are too big for isolated decoders",
                         firn_views_count(&spec->views), spec->crop);
    pthread_mutex_lock(&w->mutex);
    for (int i = 0; i < w->cells && !*out; i++)
        if (!w->cell[i].taken)
            *out = &w->cell[i];
    if (*out)
        (*out)->taken = true;
    pthread_mutex_unlock(&w->mutex);
    if (!*out)
        return firn_fail(err, FIRN_NOMEM, "no decoder is free");
    (*out)->head->spec = *spec;
    (*out)->head->cpu = config->cpu;
    (*out)->head->partial = !config->whole;
    return 0;
}

static bool order(const struct firn_cell *cell, int what)
{
    const struct firn_warden_order order = {.what = what, .cell = cell->number};
    return send(cell->warden->orders, &order, sizeof order, MSG_NOSIGNAL) == sizeof order;
}

/* Gives the memory of a big photograph back: all of it but what is used every time. */
static void shrink(const struct firn_cell *cell, size_t size)
{
    size_t limit = cell->warden->limit;
    if (size > KEPT)
        madvise(cell->bytes + KEPT, (limit - KEPT) & ~(size_t)4095, MADV_REMOVE);
}

/* Kills the decoder and waits until it is known to be dead. */
static void end_decoder(struct firn_cell *cell)
{
    if (cell->alive && order(cell, FIRN_ORDER_KILL)) {
        uint32_t turn;
        while ((turn = atomic_load(&cell->head->turn)) != FIRN_TURN_DEAD)
            if (!firn_turn_wait(&cell->head->turn, turn, firn_now_ns() + START_NS))
                break;
    }
    cell->alive = false;
}

void firn_cell_return(struct firn_cell *cell)
{
    if (!cell)
        return;
    end_decoder(cell);
    madvise(cell->bytes, cell->warden->limit + FIRN_CELL_CROP, MADV_REMOVE);
    pthread_mutex_lock(&cell->warden->mutex);
    cell->taken = false;
    pthread_mutex_unlock(&cell->warden->mutex);
}

static void try_start(struct firn_cell *cell)
{
    struct firn_cell_head *head = cell->head;
    /* It says that it is ready by giving the turn back. */
    atomic_store(&head->turn, FIRN_TURN_DECODER);
    head->size = 0;
    if (!order(cell, FIRN_ORDER_START))
        return;
    cell->alive = true;
    bool answered = firn_turn_wait(&head->turn, FIRN_TURN_DECODER, firn_now_ns() + START_NS);
    if (!answered || atomic_load(&head->turn) != FIRN_TURN_CELL)
        end_decoder(cell);
}

/* One that has died while it had nothing to do is no photograph's fault. */
static bool start_decoder(struct firn_cell *cell)
{
    cell->alive = cell->alive && atomic_load(&cell->head->turn) == FIRN_TURN_CELL;
    for (int i = 0; i < STARTS && !cell->alive; i++)
        try_start(cell);
    return cell->alive;
}

/* One try: true when there is an answer; else `why` says how the decoder has ended. */
static bool attempt(struct firn_cell *cell, char why[64])
{
    struct firn_cell_head *head = cell->head;
    uint32_t mine = FIRN_TURN_CELL; /* unless it dies in this moment */
    if (atomic_compare_exchange_strong(&head->turn, &mine, FIRN_TURN_DECODER))
        firn_turn_wake(&head->turn);
    bool answered = firn_turn_wait(&head->turn, FIRN_TURN_DECODER,
                                   firn_now_ns() + cell->warden->hang_ns);
    if (answered && atomic_load_explicit(&head->turn, memory_order_acquire) == FIRN_TURN_CELL)
        return true;
    end_decoder(cell);
    if (!answered)
        snprintf(why, 64, "it came to no end");
    else if (WIFSIGNALED(head->death))
        snprintf(why, 64, "signal %d", WTERMSIG(head->death));
    else
        snprintf(why, 64, "status %d", WEXITSTATUS(head->death));
    return false;
}

int firn_cell_decode(struct firn_cell *cell, const uint8_t *bytes, size_t size, uint8_t *rgb,
                     struct firn_image_info *info, struct firn_error *err)
{
    struct firn_cell_head *head = cell->head;
    char why[64] = "";
    for (int tries = 0; tries < 2; tries++) {
        if (!start_decoder(cell))
            return firn_fail(err, FIRN_NOMEM, "no decoder can be started");
        memcpy(cell->bytes, bytes, size);
        head->size = size;
        if (!attempt(cell, why))
            continue;
        int status = head->status;
        *info = head->info;
        info->format = ""; /* a pointer of another process */
        if (status == 0)
            memcpy(rgb, cell->crop, crop_bytes(&head->spec));
        else if (err)
            *err = head->err;
        if (err)
            err->text[sizeof err->text - 1] = '\0'; /* it comes from a process that may be mad */
        shrink(cell, size);
        return status == 0 || status == -FIRN_CONFIG || status == -FIRN_NOMEM ? status : -FIRN_DATA;
    }
    shrink(cell, size);
    return firn_fail(err, FIRN_DATA, "has killed its decoder twice (%s); not tried again until it "
                                     "changes", why);
}

/* SPDX-License-Identifier: MIT */
/**
 * The ring: order, limits and close without threads, then with many.
 *
 *     test_ring [--items N] [--bench]
 *
 * N objects (default a million) go from four producers to four consumers; --bench prints what an
 * object costs and decides nothing.
 */
#include "check.h"

#include "base/ring.h"
#include "base/thread.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRODUCERS 4
#define CONSUMERS 4
#define MILLISECOND 1000000

static char things[64];

static void keeps_order_over_many_laps(void)
{
    struct firn_ring *ring = firn_ring_create(5, 1); /* rounds up to 8 */
    size_t in = 0, out = 0;
    for (int lap = 0; lap < 1000; lap++) {
        int count = lap % 8 + 1;
        for (int i = 0; i < count; i++)
            firn_ring_push(ring, &things[in++ % 64]);
        CHECK_INT(firn_ring_count(ring), count);
        for (int i = 0; i < count; i++)
            CHECK(firn_ring_pop(ring) == &things[out++ % 64]);
        CHECK_INT(firn_ring_count(ring), 0);
        CHECK(!firn_ring_try_pop(ring));
    }
    firn_ring_destroy(ring);
}

static void smallest_rings_work(void)
{
    for (size_t slots = 0; slots <= 2; slots++) {
        struct firn_ring *ring = firn_ring_create(slots, 1);
        for (int lap = 0; lap < 100; lap++) {
            firn_ring_push(ring, &things[1]);
            firn_ring_push(ring, &things[2]);
            CHECK_INT(firn_ring_count(ring), 2);
            CHECK(firn_ring_pop(ring) == &things[1]);
            CHECK(firn_ring_pop(ring) == &things[2]);
        }
        firn_ring_destroy(ring);
    }
    firn_ring_destroy(NULL);
    volatile size_t most = SIZE_MAX;
    CHECK(!firn_ring_create(most, 1));
    CHECK(!firn_ring_create(most / 16, 1));
}

static void closing_lets_the_rest_through(void)
{
    struct firn_ring *ring = firn_ring_create(4, 2);
    firn_ring_push(ring, &things[0]);
    firn_ring_push(ring, &things[1]);
    firn_ring_close(ring);
    CHECK(!firn_ring_drained(ring));
    firn_ring_close(ring);
    CHECK(!firn_ring_drained(ring)); /* closed, but two objects are left */
    CHECK(firn_ring_pop(ring) == &things[0]);
    CHECK(firn_ring_try_pop(ring) == &things[1]);
    CHECK(firn_ring_drained(ring));
    CHECK(!firn_ring_pop(ring));
    CHECK(!firn_ring_pop_until(ring, INT64_MAX));
    CHECK(!firn_ring_try_pop(ring));
    firn_ring_destroy(ring);
}

static void deadlines(void)
{
    struct firn_ring *ring = firn_ring_create(4, 1);
    static const int64_t past[] = {INT64_MIN, -1, 0, 1};
    for (size_t i = 0; i < sizeof past / sizeof *past; i++) {
        CHECK(!firn_ring_pop_until(ring, past[i]));
        CHECK(!firn_ring_drained(ring));
    }
    int64_t until = firn_now_ns() + 20 * MILLISECOND, cpu = firn_thread_cpu_ns();
    CHECK(!firn_ring_pop_until(ring, until));
    CHECK(firn_now_ns() >= until);
    CHECK(firn_thread_cpu_ns() - cpu < 15 * MILLISECOND, "waited without sleeping");
    firn_ring_push(ring, &things[3]);
    CHECK(firn_ring_pop_until(ring, 0) == &things[3]); /* there is something: no matter how late */
    firn_ring_close(ring);
    CHECK(!firn_ring_pop_until(ring, INT64_MAX));
    CHECK(firn_ring_drained(ring));
    firn_ring_destroy(ring);
}

/* 0 when push and pop make no futex call while nobody sleeps; runs in a child process. */
static int works_without_futex(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    struct firn_ring *ring = firn_ring_create(2, 1);
    if (!ring || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        return 77;
    for (int i = 0; i < 1000; i++) {
        firn_ring_push(ring, &things[0]);
        firn_ring_push(ring, &things[1]);
        if (firn_ring_pop(ring) != &things[0] || firn_ring_pop(ring) != &things[1])
            return 1;
        if (firn_ring_try_pop(ring))
            return 2;
    }
    firn_ring_close(ring);
    return firn_ring_pop(ring) != NULL;
}

static void nobody_asleep_no_system_call(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(works_without_futex());
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77),
          "status %#x", status);
}

struct waiter {
    struct firn_ring *ring;
    int64_t deadline_ns;
    void *object;
    _Atomic pid_t tid;
};

static void *wait_for_one(void *arg)
{
    struct waiter *w = arg;
    w->tid = (pid_t)syscall(SYS_gettid);
    w->object = firn_ring_pop_until(w->ring, w->deadline_ns);
    return NULL;
}

static void *push_three(void *arg)
{
    struct waiter *w = arg;
    w->tid = (pid_t)syscall(SYS_gettid);
    for (int i = 0; i < 3; i++)
        firn_ring_push(w->ring, &things[i]);
    return NULL;
}

/** Waits until the thread sleeps in the kernel, as its state in /proc shows. */
static void until_asleep(struct waiter *w)
{
    for (int i = 0; i < 100000; i++) {
        char path[64], state = '?';
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)w->tid);
        FILE *file = w->tid ? fopen(path, "r") : NULL;
        if (file) {
            if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
                state = '?';
            fclose(file);
        }
        if (state == 'S')
            return;
        usleep(100);
    }
    CHECK(!"the thread sleeps");
}

static void closing_wakes_all_sleepers(void)
{
    struct firn_ring *ring = firn_ring_create(8, 2);
    struct waiter w[CONSUMERS];
    pthread_t thread[CONSUMERS];
    for (int i = 0; i < CONSUMERS; i++) {
        w[i] = (struct waiter){ring, INT64_MAX, &things[0], 0};
        CHECK_INT(firn_thread_start(&thread[i], "sleeper", wait_for_one, &w[i]), 0);
    }
    for (int i = 0; i < CONSUMERS; i++)
        until_asleep(&w[i]);
    firn_ring_close(ring);
    usleep(1000);
    for (int i = 0; i < CONSUMERS; i++)
        until_asleep(&w[i]); /* one of two producers is still there */
    firn_ring_close(ring);
    for (int i = 0; i < CONSUMERS; i++) {
        pthread_join(thread[i], NULL);
        CHECK(!w[i].object);
    }
    CHECK(firn_ring_drained(ring));
    firn_ring_destroy(ring);
}

static void a_push_ends_the_sleep_of_a_deadline(void)
{
    struct firn_ring *ring = firn_ring_create(8, 1);
    struct waiter w = {ring, firn_now_ns() + (int64_t)600000 * MILLISECOND, NULL, 0};
    pthread_t thread;
    CHECK_INT(firn_thread_start(&thread, "sleeper", wait_for_one, &w), 0);
    until_asleep(&w);
    firn_ring_push(ring, &things[7]);
    pthread_join(thread, NULL);
    CHECK(w.object == &things[7]);
    firn_ring_destroy(ring);
}

static void a_full_ring_makes_its_producer_sleep(void)
{
    struct firn_ring *ring = firn_ring_create(2, 1);
    struct waiter w = {ring, 0, NULL, 0};
    pthread_t thread;
    CHECK_INT(firn_thread_start(&thread, "pusher", push_three, &w), 0);
    until_asleep(&w);
    CHECK_INT(firn_ring_count(ring), 2);
    for (int i = 0; i < 3; i++)
        CHECK(firn_ring_pop(ring) == &things[i]);
    pthread_join(thread, NULL);
    CHECK_INT(firn_ring_count(ring), 0);
    firn_ring_destroy(ring);
}

/*
 * Each object is a number that was never allocated: producer in the low bits, its turn above. A
 * consumer must see the turns of each producer rise; the sums tell that each came exactly once.
 */
struct stress {
    struct firn_ring *ring;
    long items;                 /* of each producer */
    bool naps;                  /* threads pause now and then, so that others fall asleep */
    unsigned id;
    unsigned long long count[PRODUCERS], sum[PRODUCERS]; /* seen by this consumer */
    unsigned long long squares[PRODUCERS];               /* modulo 2^64 */
    long wrong;                 /* objects out of order */
    int64_t cpu_ns;
};

static void maybe_nap(const struct stress *s, unsigned long long *seed)
{
    if (s->naps && check_random(seed) % 512 == 0)
        usleep(check_random(seed) % 50);
}

static void *produce(void *arg)
{
    struct stress *s = arg;
    unsigned long long seed = s->id;
    for (long i = 1; i <= s->items; i++) {
        firn_ring_push(s->ring, (void *)(uintptr_t)((unsigned long long)i * PRODUCERS + s->id));
        maybe_nap(s, &seed);
    }
    firn_ring_close(s->ring);
    s->cpu_ns = firn_thread_cpu_ns();
    return NULL;
}

/** Every third look has a deadline of some microseconds, every fifth does not wait at all. */
static void *take_somehow(struct stress *s, unsigned long long turn)
{
    if (s->naps && turn % 5 == 0)
        return firn_ring_try_pop(s->ring);
    if (s->naps && turn % 3 == 0)
        return firn_ring_pop_until(s->ring, firn_now_ns() + 20000);
    return firn_ring_pop(s->ring);
}

static void *consume(void *arg)
{
    struct stress *s = arg;
    unsigned long long last[PRODUCERS] = {0}, seed = s->id + 100;
    for (unsigned long long turn = 0;; turn++) {
        uintptr_t object = (uintptr_t)take_somehow(s, turn);
        if (!object && firn_ring_drained(s->ring))
            break;
        if (!object)
            continue;
        unsigned from = object % PRODUCERS;
        unsigned long long i = object / PRODUCERS;
        s->wrong += i <= last[from];
        last[from] = i;
        s->count[from]++;
        s->sum[from] += i;
        s->squares[from] += i * i;
        maybe_nap(s, &seed);
    }
    s->cpu_ns = firn_thread_cpu_ns();
    return NULL;
}

static void check_sums(const struct stress *out, long items)
{
    unsigned long long n = (unsigned long long)items, squares = 0;
    for (unsigned long long i = 1; i <= n; i++)
        squares += i * i;
    for (int p = 0; p < PRODUCERS; p++) {
        unsigned long long count = 0, sum = 0, square = 0;
        for (int c = 0; c < CONSUMERS; c++) {
            count += out[c].count[p];
            sum += out[c].sum[p];
            square += out[c].squares[p];
        }
        CHECK_INT(count, n);
        CHECK_INT(sum, n * (n + 1) / 2);
        CHECK_INT(square, squares);
    }
    for (int c = 0; c < CONSUMERS; c++)
        CHECK_INT(out[c].wrong, 0);
}

/** Wall time of one run in nanoseconds. */
static int64_t stress(size_t slots, long items, bool naps)
{
    struct firn_ring *ring = firn_ring_create(slots, PRODUCERS);
    struct stress in[PRODUCERS], out[CONSUMERS];
    pthread_t from[PRODUCERS], to[CONSUMERS];
    int64_t start = firn_now_ns();
    for (unsigned i = 0; i < CONSUMERS; i++) {
        out[i] = (struct stress){.ring = ring, .naps = naps, .id = i};
        CHECK_INT(firn_thread_start(&to[i], "consumer", consume, &out[i]), 0);
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        in[i] = (struct stress){.ring = ring, .items = items / PRODUCERS, .naps = naps, .id = i};
        CHECK_INT(firn_thread_start(&from[i], "producer", produce, &in[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(from[i], NULL);
    for (int i = 0; i < CONSUMERS; i++)
        pthread_join(to[i], NULL);
    int64_t wall = firn_now_ns() - start;
    CHECK_INT(firn_ring_count(ring), 0);
    check_sums(out, items / PRODUCERS);
    firn_ring_destroy(ring);
    return wall;
}

static void bench(long items)
{
    struct firn_ring *ring = firn_ring_create(64, 1);
    double best = 1e9;
    for (int round = 0; round < 20; round++) {
        int64_t start = firn_now_ns();
        for (int i = 0; i < 100000; i++) {
            firn_ring_push(ring, &things[0]);
            firn_ring_pop(ring);
        }
        double cost = (double)(firn_now_ns() - start) / 100000;
        best = cost < best ? cost : best;
    }
    firn_ring_destroy(ring);
    printf("one thread: %.1f ns per push and pop\n", best);
    for (size_t slots = 8; slots <= 512; slots *= 8)
        printf("%d + %d threads, %zu slots: %.1f ns per object\n", PRODUCERS, CONSUMERS, slots,
               (double)stress(slots, items, false) / (double)items);
}

int main(int argc, char **argv)
{
    long items = 1000000;
    bool figures = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--items") == 0 && i + 1 < argc)
            items = atol(argv[++i]);
        else if (strcmp(argv[i], "--bench") == 0)
            figures = true;
    }
    if (figures) {
        bench(items);
        CHECK_DONE();
    }
    keeps_order_over_many_laps();
    smallest_rings_work();
    closing_lets_the_rest_through();
    deadlines();
    nobody_asleep_no_system_call();
    closing_wakes_all_sleepers();
    a_push_ends_the_sleep_of_a_deadline();
    a_full_ring_makes_its_producer_sleep();
    stress(2, items / 10, false);
    stress(16, items / 10, true);
    stress(64, items - items / 5, false);
    CHECK_DONE();
}

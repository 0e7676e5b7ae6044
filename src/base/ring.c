/* SPDX-License-Identifier: MIT */
/**
 * The ring: a bounded queue of slots with sequence numbers (after Dmitry Vyukov), and two gates at
 * which threads sleep.
 *
 * Slots. A position is a number that only grows; position p lives in slot p % size. `seq` of a
 * slot says what it waits for:
 *
 *     seq == p          empty, the producer that owns position p may fill it
 *     seq == p + 1      filled, the consumer that owns position p may empty it
 *     seq == p + size   emptied: it waits for the producer of the next lap
 *
 * A producer takes position p by moving `tail` from p to p + 1, writes the object, then publishes
 * it with seq = p + 1. A consumer takes p by moving `head`, reads the object, then hands the slot
 * back with seq = p + size. The store to seq releases and the load of it acquires the object;
 * `head` and `tail` only deal out positions and order nothing. size is at least 2: with one slot
 * "filled" and "emptied" would be the same number.
 *
 * Gates. Whoever finds nothing spins a little and then sleeps at a gate: consumers at `filled`,
 * producers at `emptied`. A gate is one futex word: bit 0 says "somebody sleeps or is about to",
 * the bits above count the wake-ups. To sleep: set bit 0, look at the ring once more, sleep unless
 * the word changed. To wake: when bit 0 is set, add one (this clears the bit and counts), wake
 * everybody. Nobody asleep costs one load of a shared cache line, and no system call.
 *
 * The bad interleaving. Each side writes one word and then reads the other's:
 *
 *     producer                               consumer
 *                                            seq: nothing here
 *     publish: seq = p + 1 --.               filled |= 1
 *     (still in the store    |               look again: seq ... still nothing!
 *      buffer of this core)  |
 *     filled & 1?  no        |               (... had its store been delayed as well)
 *     goes away              '-> visible     sleeps beside a filled slot, for ever
 *
 * A store followed by a load of another word is the one order that x86 does not keep, nor does
 * acquire/release ask for it. Therefore the four operations (store seq, load gate; set bit, load
 * seq) are sequentially consistent: they have one total order, in which either the set bit comes
 * before the producer's load, so that it wakes the consumer, or the store of seq comes before the
 * consumer's second look, so that it finds the object. The order is on the variables and not in
 * fences, so that ThreadSanitizer can follow it; on x86 it makes the store of seq an xchg. The
 * other window, between the second look and the sleep, is closed by the kernel: it compares the
 * word with the value that was set, and a wake-up has changed it. (An ABA needs 2^31 wake-ups in
 * that window.)
 *
 * Why everybody wakes. Producers may publish out of turn. While position 0 is taken but not yet
 * published, the ring looks empty though position 1 is filled:
 *
 *     producer A      producer B      consumers C and D asleep
 *     takes 0         takes 1
 *                     publishes 1
 *                     wakes C         C: position 0 is not there; sleeps again
 *     publishes 0
 *     wakes C                         C: takes 0.  D sleeps beside position 1
 *
 * A thread sleeps because of one slot that it saw; so the publisher of that slot wakes all who may
 * have seen it, and each looks again. There are as many sleepers as cores: the herd is small.
 *
 * Closing. `open` counts the producers. The last one to close wakes the consumers. A consumer that
 * finds the ring empty and after that `open` at zero looks once more: everything was published
 * before the last close, so a second "empty" is final.
 *
 * tests/ring.pml is this protocol as a model; its test searches all interleavings of a small ring,
 * and shows that the two mistakes above, put back in, are found.
 */
#include "base/ring.h"

#include "base/mem.h"
#include "base/thread.h"

#include <assert.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LINE _Alignas(FIRN_ALIGN)
#define SPINS 64 /* looks before sleeping: a few microseconds, less than a sleep and a wake-up */

struct slot {
    atomic_size_t seq; /* what it waits for, see above */
    void *object;      /* written and read between the two changes of seq */
};

struct firn_ring {
    size_t size;              /* slots, a power of two; set once, as is the array */
    LINE atomic_size_t tail;  /* next position to fill; producers */
    LINE atomic_size_t head;  /* next position to empty; consumers */
    LINE atomic_uint filled;  /* gate of the consumers; written only when one sleeps or wakes */
    LINE atomic_uint emptied; /* gate of the producers */
    LINE atomic_uint open;    /* producers that have not closed */
    LINE struct slot slots[];
};

static inline void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb"); /* yield is a no-op on most cores */
#endif
}

/** Sleeps while the gate is `seen`, at most until the deadline (INT64_MAX: none). */
static void sleep_at(atomic_uint *gate, unsigned seen, int64_t deadline_ns)
{
    struct timespec until = {deadline_ns / 1000000000, deadline_ns % 1000000000};
    /* WAIT_BITSET takes an absolute time. Every return, for whatever reason, means: look again. */
    syscall(SYS_futex, gate, FUTEX_WAIT_BITSET_PRIVATE, seen,
            deadline_ns == INT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
}

/** Wakes all who sleep at the gate because of what the caller has just changed. */
static inline void wake_all(atomic_uint *gate)
{
    unsigned seen = atomic_load_explicit(gate, memory_order_seq_cst);
    while (__builtin_expect(seen & 1, 0))
        if (atomic_compare_exchange_weak_explicit(gate, &seen, seen + 1, memory_order_seq_cst,
                                                  memory_order_seq_cst)) {
            syscall(SYS_futex, gate, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
            return;
        }
}

/** Says that the caller is about to sleep; the value to sleep on. */
static unsigned announce(atomic_uint *gate)
{
    return atomic_fetch_or_explicit(gate, 1, memory_order_seq_cst) | 1;
}

/**
 * Takes the next position at `end` (head or tail) if its slot waits for position + `offset`;
 * NULL when it does not yet.
 */
static inline struct slot *take(struct firn_ring *ring, atomic_size_t *end, size_t offset,
                                size_t *position)
{
    size_t p = atomic_load_explicit(end, memory_order_relaxed);
    for (;;) {
        struct slot *slot = &ring->slots[p & (ring->size - 1)];
        size_t seq = atomic_load_explicit(&slot->seq, memory_order_seq_cst);
        ptrdiff_t ahead = (ptrdiff_t)(seq - (p + offset));
        if (ahead < 0)
            return NULL;
        if (ahead > 0) /* somebody else took p meanwhile */
            p = atomic_load_explicit(end, memory_order_relaxed);
        else if (atomic_compare_exchange_weak_explicit(end, &p, p + 1, memory_order_relaxed,
                                                       memory_order_relaxed)) {
            *position = p;
            return slot;
        }
    }
}

static inline bool try_push(struct firn_ring *ring, void *object)
{
    size_t p;
    struct slot *slot = take(ring, &ring->tail, 0, &p);
    if (!slot)
        return false;
    slot->object = object;
    atomic_store_explicit(&slot->seq, p + 1, memory_order_seq_cst);
    wake_all(&ring->filled);
    return true;
}

static inline void *try_pop(struct firn_ring *ring)
{
    size_t p;
    struct slot *slot = take(ring, &ring->head, 1, &p);
    if (!slot)
        return NULL;
    void *object = slot->object;
    atomic_store_explicit(&slot->seq, p + ring->size, memory_order_seq_cst);
    wake_all(&ring->emptied);
    return object;
}

bool firn_ring_closed(struct firn_ring *ring)
{
    return atomic_load_explicit(&ring->open, memory_order_seq_cst) == 0;
}

struct firn_ring *firn_ring_create(size_t slots, unsigned producers)
{
    size_t size = 2;
    while (size < slots && size <= SIZE_MAX / 2 / sizeof(struct slot))
        size *= 2;
    size_t bytes = sizeof(struct firn_ring) + size * sizeof(struct slot);
    struct firn_ring *ring = size >= slots ? firn_alloc(1, bytes) : NULL;
    if (!ring)
        return NULL;
    ring->size = size;
    atomic_init(&ring->open, producers);
    for (size_t i = 0; i < size; i++)
        atomic_init(&ring->slots[i].seq, i);
    return ring;
}

void firn_ring_destroy(struct firn_ring *ring)
{
    firn_free(ring);
}

void firn_ring_push(struct firn_ring *ring, void *object)
{
    assert(object && !firn_ring_closed(ring));
    for (int i = 0; i < SPINS; i++) {
        if (try_push(ring, object))
            return;
        pause_cpu();
    }
    for (;;) {
        unsigned seen = announce(&ring->emptied);
        if (try_push(ring, object))
            return;
        sleep_at(&ring->emptied, seen, INT64_MAX);
    }
}

void *firn_ring_try_pop(struct firn_ring *ring)
{
    return try_pop(ring);
}

/** The oldest object; NULL with *over = true when none will ever come. */
static void *look(struct firn_ring *ring, bool *over)
{
    void *object = try_pop(ring);
    if (!object && firn_ring_closed(ring)) {
        object = try_pop(ring);
        *over = !object;
    }
    return object;
}

void *firn_ring_pop_until(struct firn_ring *ring, int64_t deadline_ns)
{
    bool over = false;
    void *object = look(ring, &over);
    for (int i = 0; i < SPINS && !object && !over; i++) {
        pause_cpu();
        object = look(ring, &over);
    }
    while (!object && !over && (deadline_ns == INT64_MAX || firn_now_ns() < deadline_ns)) {
        unsigned seen = announce(&ring->filled);
        object = look(ring, &over);
        if (object || over)
            break;
        sleep_at(&ring->filled, seen, deadline_ns);
        object = look(ring, &over);
    }
    return object;
}

void *firn_ring_pop(struct firn_ring *ring)
{
    return firn_ring_pop_until(ring, INT64_MAX);
}

void firn_ring_close(struct firn_ring *ring)
{
    unsigned before = atomic_fetch_sub_explicit(&ring->open, 1, memory_order_seq_cst);
    assert(before > 0);
    if (before == 1)
        wake_all(&ring->filled);
}

bool firn_ring_drained(struct firn_ring *ring)
{
    /* After the last close tail stands still, so the order of these loads matters. */
    return firn_ring_closed(ring) && atomic_load_explicit(&ring->head, memory_order_acquire) ==
                                         atomic_load_explicit(&ring->tail, memory_order_acquire);
}

size_t firn_ring_count(struct firn_ring *ring)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    ptrdiff_t count = (ptrdiff_t)(tail - head);
    return count < 0 ? 0 : (size_t)count > ring->size ? ring->size : (size_t)count;
}

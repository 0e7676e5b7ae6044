/* SPDX-License-Identifier: MIT */
/** A bounded lock-free ring of pointers for many producers and consumers, ended by closing it. */
#ifndef FIRN_SRC_BASE_RING_H
#define FIRN_SRC_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firn_ring;

/**
 * A ring with room for at least `slots` pointers (rounded up to a power of two) that `producers`
 * threads will close. The pipeline gives every ring at least as many slots as objects exist, so
 * that a push never waits. NULL when memory is out.
 */
struct firn_ring *firn_ring_create(size_t slots, unsigned producers);

/** Frees the ring; no thread may be in it. NULL is fine. What it still holds is not touched. */
void firn_ring_destroy(struct firn_ring *ring);

/** Puts `object` (not NULL) in. Waits while the ring is full. Not allowed after one's own close. */
void firn_ring_push(struct firn_ring *ring, void *object);

/**
 * Takes the oldest object out; waits (spins briefly, then sleeps) while the ring is empty and not
 * closed. NULL means: empty, and every producer has closed; no object will ever come.
 */
void *firn_ring_pop(struct firn_ring *ring);

/** As firn_ring_pop(), never waits: NULL when nothing is there now. */
void *firn_ring_try_pop(struct firn_ring *ring);

/**
 * As firn_ring_pop(), but gives up at `deadline_ns` (CLOCK_MONOTONIC) with NULL. Tell the two
 * meanings of NULL apart with firn_ring_drained().
 */
void *firn_ring_pop_until(struct firn_ring *ring, int64_t deadline_ns);

/** One producer is done. When the last one closes, the waiting consumers wake up. */
void firn_ring_close(struct firn_ring *ring);

/** True when every producer has closed: firn_ring_count() is all that is left. */
bool firn_ring_closed(struct firn_ring *ring);

/** True when every producer has closed and nothing is left. */
bool firn_ring_drained(struct firn_ring *ring);

/** How many objects are in it now; a snapshot for reports. */
size_t firn_ring_count(struct firn_ring *ring);

#endif

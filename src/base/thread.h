/* SPDX-License-Identifier: MIT */
/** Threads with names, and the clock. */
#ifndef FIRN_SRC_BASE_THREAD_H
#define FIRN_SRC_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * Starts a thread called `name` (at most 15 characters show in ps and top) with every signal
 * blocked: signals are the main thread's business. Returns 0 or -errno.
 */
int firn_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg);

/**
 * The calling thread is part of a long computation: when it wakes up, the kernel shall let another
 * one go on for some milliseconds, rather than push what that works on out of the core's cache.
 */
void firn_thread_patient(void);

/** Whether a flag that a signal's handler or another thread sets is non-zero; NULL: never. */
static inline bool firn_is_set(const volatile int *flag)
{
    return flag && __atomic_load_n(flag, __ATOMIC_RELAXED);
}

/** CLOCK_MONOTONIC in nanoseconds. */
int64_t firn_now_ns(void);

/** CPU time of the calling thread in nanoseconds. */
int64_t firn_thread_cpu_ns(void);

#endif

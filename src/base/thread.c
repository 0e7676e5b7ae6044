/* SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

int firn_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg)
{
    /* A thread inherits the mask of its maker: blocked before it runs, there is no gap. */
    sigset_t all, old;
    sigfillset(&all);
    int status = pthread_sigmask(SIG_SETMASK, &all, &old);
    if (status)
        return -status;
    status = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (status)
        return -status;
    char shown[16];
    snprintf(shown, sizeof shown, "%s", name);
    pthread_setname_np(*thread, shown); /* a thread without its name still works */
    return 0;
}

void firn_thread_patient(void)
{
    const struct sched_param none = {0};
    if (sched_getscheduler(0) == SCHED_OTHER) /* else somebody has chosen: chrt, firn watch */
        sched_setscheduler(0, SCHED_BATCH, &none); /* a refusal costs a little speed only */
}

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t firn_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t firn_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

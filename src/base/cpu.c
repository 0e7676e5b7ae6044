/* SPDX-License-Identifier: MIT */
#include "base/cpu.h"

#include "base/cgroup.h"
#include "base/error.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

static const char *const names[] = {
    [FIRN_CPU_GENERIC] = "generic",
    [FIRN_CPU_SSE4] = "sse4",
    [FIRN_CPU_AVX2] = "avx2",
    [FIRN_CPU_NEON] = "neon",
};

#ifdef __x86_64__
/** True when the operating system saves xmm and ymm registers across a task switch. */
static bool os_saves_ymm(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6) == 6;
}

static bool has_level(enum firn_cpu level)
{
    unsigned a, b, c, d, b7;
    const unsigned for_avx2 = bit_FMA | bit_AVX | bit_OSXSAVE; /* OSXSAVE: XGETBV may be used */
    switch (level) {
    case FIRN_CPU_GENERIC:
        return true;
    case FIRN_CPU_SSE4:
        return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1);
    case FIRN_CPU_AVX2:
        return __get_cpuid(1, &a, &b, &c, &d) && (c & for_avx2) == for_avx2 &&
               __get_cpuid_count(7, 0, &a, &b7, &c, &d) && (b7 & bit_AVX2) && os_saves_ymm();
    default:
        return false;
    }
}
#elif defined(__aarch64__)
static bool has_level(enum firn_cpu level)
{
    return level == FIRN_CPU_GENERIC || level == FIRN_CPU_NEON; /* part of the base ARMv8-A */
}
#else
static bool has_level(enum firn_cpu level)
{
    return level == FIRN_CPU_GENERIC;
}
#endif

enum firn_cpu firn_cpu_best(void)
{
    for (int level = FIRN_CPU_NEON; level > FIRN_CPU_GENERIC; level--)
        if (has_level((enum firn_cpu)level))
            return (enum firn_cpu)level;
    return FIRN_CPU_GENERIC;
}

int firn_cpu_choose(const char *cap)
{
    if (!cap)
        return (int)firn_cpu_best();
    for (int level = FIRN_CPU_GENERIC; level <= FIRN_CPU_NEON; level++)
        if (strcmp(cap, names[level]) == 0)
            return has_level((enum firn_cpu)level) ? level : -1;
    return -1;
}

const char *firn_cpu_name(enum firn_cpu level)
{
    return (unsigned)level < sizeof names / sizeof *names ? names[level] : "unknown";
}

/** Processors in the affinity mask of this thread; the mask may be longer than cpu_set_t. */
static int affinity_cores(void)
{
    int count = 0;
    for (int room = CPU_SETSIZE; count == 0 && room <= 1 << 20; room *= 2) {
        cpu_set_t *set = CPU_ALLOC(room);
        if (!set)
            break;
        bool more = false;
        if (sched_getaffinity(0, CPU_ALLOC_SIZE(room), set) == 0)
            count = CPU_COUNT_S(CPU_ALLOC_SIZE(room), set);
        else
            more = errno == EINVAL; /* the kernel's mask is longer */
        CPU_FREE(set);
        if (!more)
            break;
    }
    return count > 0 ? count : 1;
}

int firn_cpu_usable_cores(void)
{
    int cores = affinity_cores(), quota = firn_cgroup_cores("");
    return quota < cores ? quota : cores;
}

int firn_cpu_check_threads(int threads, struct firn_error *err)
{
    enum { MOST = 1024 };
    return threads >= 0 && threads <= MOST ? 0
                                           : firn_fail(err, FIRN_USAGE, "threads: 1 to %d", MOST);
}

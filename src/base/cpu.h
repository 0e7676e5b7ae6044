/* SPDX-License-Identifier: MIT */
/** What the processor can do, and how much of it this process may use. */
#ifndef FIRN_SRC_BASE_CPU_H
#define FIRN_SRC_BASE_CPU_H

#include "firn/error.h"

/** Instruction set levels, in rising order on each architecture. */
enum firn_cpu {
    FIRN_CPU_GENERIC = 0, /**< portable C */
    FIRN_CPU_SSE4 = 1,    /**< x86: SSE4.1 */
    FIRN_CPU_AVX2 = 2,    /**< x86: AVX2 + FMA (+ OS support for ymm state) */
    FIRN_CPU_NEON = 3     /**< aarch64: Advanced SIMD with FMA */
};

/** The best level of this processor. */
enum firn_cpu firn_cpu_best(void);

/**
 * The level to use: the best, or less if `cap` names a lower one ("generic", "sse4", "avx2",
 * "neon"; NULL for no cap). -1 for an unknown name or one this processor does not have.
 */
int firn_cpu_choose(const char *cap);

/** "generic", "sse4", ... */
const char *firn_cpu_name(enum firn_cpu level);

/**
 * Cores this process may use: the affinity mask, and no more than the cgroup (v1 and v2) CPU quota
 * rounded down, at least 1.
 */
int firn_cpu_usable_cores(void);

/** Whether a caller may ask for so many threads (0: as many as usable cores). FIRN_USAGE. */
int firn_cpu_check_threads(int threads, struct firn_error *err);

#endif

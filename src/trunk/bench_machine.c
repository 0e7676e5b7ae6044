/* SPDX-License-Identifier: MIT */
/** What one core can do: the roofs that measurements are compared with. */
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "trunk/bench.h"

#define PEAK_ROUNDS 200000     /* about 1 ms of multiply-adds */
#define PEAK_TRIES 24          /* the best of them met no other work on this core */
#define READ_BYTES (192 << 20) /* no last-level cache of the machines meant holds it */
#define READ_TRIES 3

double firn_bench_peak_gflops(void)
{
    struct firn_kernels kernels;
    firn_kernels_choose(&kernels, firn_cpu_best());
    double best = 0;
    for (int i = 0; i < PEAK_TRIES; i++) {
        int64_t start = firn_now_ns();
        double gflops = kernels.peak(PEAK_ROUNDS) / (double)(firn_now_ns() - start);
        best = gflops > best ? gflops : best;
    }
    return best;
}

static uint64_t sum(const uint64_t *p, size_t n)
{
    uint64_t s[8] = {0};
    for (size_t i = 0; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++)
            s[k] += p[i + k];
    return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7];
}

double firn_bench_read_gbytes(void)
{
    uint64_t *p = firn_alloc(1, READ_BYTES);
    if (!p)
        return 0;
    memset(p, 1, READ_BYTES); /* zero pages might all be one page */
    double best = 0;
    volatile uint64_t keep;
    for (int i = 0; i < READ_TRIES; i++) {
        int64_t start = firn_now_ns();
        keep = sum(p, READ_BYTES / sizeof *p);
        (void)keep;
        double rate = READ_BYTES / (double)(firn_now_ns() - start);
        best = rate > best ? rate : best;
    }
    firn_free(p);
    return best;
}

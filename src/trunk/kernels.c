/* SPDX-License-Identifier: MIT */
#include "trunk/kernels.h"

#include <string.h>

void firn_kernels_choose(struct firn_kernels *kernels, enum firn_cpu cpu)
{
    memset(kernels, 0, sizeof *kernels);
    kernels->cpu = cpu;
    firn_gemm_kernels_generic(kernels);
    firn_map_kernels_generic(kernels);
    firn_grouped_kernels_generic(kernels);
    firn_wino_kernels_generic(kernels);
    firn_strassen_kernels_generic(kernels);
    firn_peak_kernels_generic(kernels);
#ifdef __x86_64__
    if (cpu >= FIRN_CPU_SSE4) {
        firn_map_kernels_sse4(kernels);
        firn_grouped_kernels_sse4(kernels);
        firn_strassen_kernels_sse4(kernels);
        firn_gemm_kernels_sse4(kernels);
        firn_wino_kernels_sse4(kernels);
    }
    if (cpu >= FIRN_CPU_AVX2) {
        firn_map_kernels_avx2(kernels);
        firn_grouped_kernels_avx2(kernels);
        firn_strassen_kernels_avx2(kernels);
        firn_gemm_kernels_avx2(kernels);
        firn_wino_kernels_avx2(kernels);
        firn_peak_kernels_avx2(kernels);
    }
#endif
#ifdef __aarch64__
    if (cpu >= FIRN_CPU_NEON) {
        firn_map_kernels_neon(kernels);
        firn_grouped_kernels_neon(kernels);
        firn_strassen_kernels_neon(kernels);
        firn_gemm_kernels_neon(kernels);
        firn_wino_kernels_neon(kernels);
        firn_peak_kernels_neon(kernels);
    }
#endif
}

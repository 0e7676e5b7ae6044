/* SPDX-License-Identifier: MIT */
#include "trunk/kernels.h"

/*
 * Assembly, so that no compiler can merge, reorder or spill: twelve chains hide the latency of two
 * pipes of up to five cycles. SSE code that follows would carry the upper halves along.
 */
static double peak(long rounds)
{
    double flops = (double)rounds * 12 * 8 * 2;
    __asm__ volatile("vxorps %%ymm12, %%ymm12, %%ymm12\n\t"
                     ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11\n\t"
                     "vxorps %%ymm\\r, %%ymm\\r, %%ymm\\r\n\t"
                     ".endr\n"
                     "1:\n\t"
                     ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11\n\t"
                     "vfmadd231ps %%ymm12, %%ymm12, %%ymm\\r\n\t"
                     ".endr\n\t"
                     "dec %0\n\t"
                     "jnz 1b\n\t"
                     "vzeroupper"
                     : "+r"(rounds)
                     :
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12");
    return flops;
}

void firn_peak_kernels_avx2(struct firn_kernels *kernels)
{
    kernels->peak = peak;
}

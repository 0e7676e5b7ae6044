/* SPDX-License-Identifier: MIT */
/** Denormals cost a hundred cycles each and carry nothing that a feature needs. */
#include "trunk/state.h"

#if defined(__SSE__)
#include <xmmintrin.h>

unsigned long firn_fpu_flush(void)
{
    unsigned old = _mm_getcsr();
    _mm_setcsr(old | 0x8040); /* FTZ, DAZ */
    return old;
}

void firn_fpu_restore(unsigned long old)
{
    _mm_setcsr((unsigned)old);
}

#elif defined(__aarch64__)

unsigned long firn_fpu_flush(void)
{
    unsigned long old;
    __asm__ volatile("mrs %0, fpcr" : "=r"(old));
    __asm__ volatile("msr fpcr, %0" : : "r"(old | 1ul << 24)); /* FZ: inputs and results */
    return old;
}

void firn_fpu_restore(unsigned long old)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(old));
}

#else

unsigned long firn_fpu_flush(void)
{
    return 0;
}

void firn_fpu_restore(unsigned long old)
{
    (void)old;
}

#endif

/* SPDX-License-Identifier: MIT */
/** Strassen's sums for any vector width: a template, see x86/vector_sse4.h for what it needs. */
#include "trunk/strassen.h"

static void strassen(const struct firn_strassen *t)
{
    const float *x = t->pixel[0], *y = t->pixel[1];
    const ptrdiff_t half = t->half;
    float *const s1 = t->sum[0], *const s2 = t->sum[1], *const s3 = t->sum[2];
    float *const s4 = t->sum[3];
    for (ptrdiff_t c = 0; c < half; c += LANES) {
        vec a11 = LOAD(x + c), a21 = LOAD(y + c);
        vec first = a21 + LOAD(y + half + c), second = first - a11;
        STORE(s1 + c, first);
        STORE(s2 + c, second);
        STORE(s3 + c, a11 - a21);
        STORE(s4 + c, LOAD(x + half + c) - second);
    }
}

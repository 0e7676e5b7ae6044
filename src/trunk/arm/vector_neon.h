/* SPDX-License-Identifier: MIT */
/** What the kernel templates (*_vector.h) need to know of NEON on aarch64. */
#ifndef FIRN_SRC_TRUNK_ARM_VECTOR_NEON_H
#define FIRN_SRC_TRUNK_ARM_VECTOR_NEON_H

#include <arm_neon.h>

typedef float32x4_t vec;
#define LANES 4
#define LOAD(p) vld1q_f32(p)
#define STORE(p, v) vst1q_f32(p, v)
#define SET(x) vdupq_n_f32(x)
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#define MAX(a, b) vmaxq_f32(a, b) /* a NaN in either comes through */
#define SPREAD(v, j) vdupq_laneq_f32(v, j) /* element j, four times */
#define GEMM_ROWS 6 /* twenty-four sums of the thirty-two registers */
#define CHAIN(g) ((g)->chain)

#endif

/* SPDX-License-Identifier: MIT */
/**
 * Matrix product for AVX2 + FMA: 6 x 16 blocks of C in twelve registers.
 *
 * A step of k costs 12 multiply-adds (6 cycles at two a cycle) and 8 loads (4 cycles), so the
 * multiply-adds bound it as long as panels arrive in L1 in time: every block prefetches its share
 * of the panel behind the current one, which is the next one read, also from product to product
 * when panels lie one behind the other. A is read in place, six rows at a time.
 */
#include <immintrin.h>

#include "trunk/kernels.h"

#define ROWS 6      /* of a block: with two columns of registers 12 of the 16 */
#define DEPTH 256   /* of a pass: a panel of 16 KiB leaves room in L1 for the rows of A */
#define CHUNK 96    /* rows that pass over all panels before the next: in L2 up to 96 KiB */
#define LINE 64     /* bytes of a cache line: one row of a panel */

/* What a block needs beyond its operands; the same for all blocks of a pass. */
struct pass {
    ptrdiff_t lda, ldc; /* bytes */
    int depth;          /* of this pass */
    bool more;          /* C holds the sum of earlier passes */
    bool last;          /* finish: bias, residual, ReLU */
    bool relu;
    ptrdiff_t residual; /* bytes from C to the residual */
    bool has_residual;
};

#define FORCE_INLINE static inline __attribute__((always_inline))

/* Row i of A as two base registers and an index, so that no step of k computes an address. */
FORCE_INLINE __m256 spread(const char *a, const char *a3, ptrdiff_t lda, int i, int step)
{
    const char *p = i < 3 ? a + i * lda : a3 + (i - 3) * lda;
    return _mm256_broadcast_ss((const float *)p + step);
}

FORCE_INLINE void step(__m256 sum[ROWS][2], const char *a, const char *a3, ptrdiff_t lda,
                       const float *b, int rows, int k)
{
    __m256 b0 = _mm256_load_ps(b + FIRN_PANEL * k), b1 = _mm256_load_ps(b + FIRN_PANEL * k + 8);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        __m256 x = spread(a, a3, lda, i, k);
        sum[i][0] = _mm256_fmadd_ps(x, b0, sum[i][0]);
        sum[i][1] = _mm256_fmadd_ps(x, b1, sum[i][1]);
    }
}

FORCE_INLINE void finish(__m256 sum[ROWS][2], const struct pass *p, const char *c,
                         const float *bias, int rows)
{
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            __m256 v = sum[i][j];
            if (bias)
                v = _mm256_add_ps(v, _mm256_loadu_ps(bias + 8 * j));
            if (p->has_residual)
                v = _mm256_add_ps(
                    v, _mm256_loadu_ps((const float *)(c + i * p->ldc + p->residual) + 8 * j));
            /* a NaN in the second operand comes through */
            sum[i][j] = p->relu ? _mm256_max_ps(_mm256_setzero_ps(), v) : v;
        }
}

/* `ahead` lines of the next panel for every four steps of k. */
FORCE_INLINE void block(const char *a, const float *b, char *c, const float *bias,
                        const char *next, const struct pass *p, int rows, int ahead)
{
    ptrdiff_t lda = p->lda, ldc = p->ldc;
    const char *a3 = a + 3 * lda;
    __m256 sum[ROWS][2];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        sum[i][0] = sum[i][1] = _mm256_setzero_ps();
        if (p->more) {
            sum[i][0] = _mm256_loadu_ps((float *)(c + i * ldc));
            sum[i][1] = _mm256_loadu_ps((float *)(c + i * ldc) + 8);
        }
    }
    for (int k = p->depth / 4; k > 0; k--) {
        /* hides from gcc that lda is constant: it would keep six addresses on the stack */
        __asm__("" : "+r"(lda), "+r"(a3));
#pragma GCC unroll 4
        for (int u = 0; u < 4; u++)
            step(sum, a, a3, lda, b, rows, u);
        for (int u = 0; u < ahead; u++)
            _mm_prefetch(next + LINE * u, _MM_HINT_T0);
        next += LINE * ahead;
        a += 4 * sizeof(float);
        a3 += 4 * sizeof(float);
        b += 4 * FIRN_PANEL;
    }
    for (int k = p->depth % 4; k > 0; k--) {
        step(sum, a, a3, lda, b, rows, 0);
        a += sizeof(float);
        a3 += sizeof(float);
        b += FIRN_PANEL;
    }
    __asm__("" : "+r"(c), "+r"(ldc)); /* nor the addresses of C across the loop */
    if (p->last)
        finish(sum, p, c, bias, rows);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        _mm256_storeu_ps((float *)(c + i * ldc), sum[i][0]);
        _mm256_storeu_ps((float *)(c + i * ldc) + 8, sum[i][1]);
    }
}

typedef void block_fn(const char *a, const float *b, char *c, const float *bias, const char *next,
                      const struct pass *p);

#define BLOCK(rows, ahead)                                                                         \
    static void block_##rows##_##ahead(const char *a, const float *b, char *c, const float *bias,  \
                                       const char *next, const struct pass *p)                     \
    {                                                                                              \
        block(a, b, c, bias, next, p, rows, ahead);                                                \
    }
BLOCK(1, 4)
BLOCK(2, 4)
BLOCK(3, 4)
BLOCK(4, 4)
BLOCK(5, 4)
BLOCK(6, 4)
BLOCK(3, 1)
BLOCK(4, 1)
BLOCK(5, 1)
BLOCK(6, 1)

/* Four blocks or more share the next panel: a line for every four steps each. */
static block_fn *const few[ROWS + 1] = {NULL,      block_1_4, block_2_4, block_3_4,
                                        block_4_4, block_5_4, block_6_4};
static block_fn *const many[ROWS + 1] = {NULL,      block_1_4, block_2_4, block_3_1,
                                         block_4_1, block_5_1, block_6_1};

/* All rows of a chunk with one panel. Rows are split evenly: 28 are 6+6+6+5+5, never 6+6+6+6+4. */
static void panel(const char *a, const float *b, char *c, const float *bias, int m,
                  const struct pass *p)
{
    int blocks = (m + ROWS - 1) / ROWS;
    block_fn *const *table = blocks >= 4 ? many : few;
    const char *next = (const char *)(b + (ptrdiff_t)p->depth * FIRN_PANEL);
    ptrdiff_t share = (ptrdiff_t)p->depth * LINE / blocks;
    for (int i = 0; i < blocks; i++) {
        int rows = m / blocks + (i < m % blocks);
        table[rows](a, b, c, bias, next, p);
        a += rows * p->lda;
        c += rows * p->ldc;
        next += share;
    }
}

static void chunk(const struct firn_gemm *g, int first, int m)
{
    struct pass p = {.lda = g->lda * (ptrdiff_t)sizeof(float),
                     .ldc = g->ldc * (ptrdiff_t)sizeof(float),
                     .relu = g->relu,
                     .has_residual = g->residual != NULL};
    if (g->residual)
        p.residual = (const char *)g->residual - (const char *)g->c;
    /* sums of a first pass would overwrite a residual that lies in C */
    int depth = g->residual ? g->k : DEPTH;
    for (int k = 0; k < g->k; k += p.depth) {
        p.depth = g->k - k < depth ? g->k - k : depth;
        p.more = k > 0;
        p.last = k + p.depth == g->k;
        for (int j = 0; j < g->n; j += FIRN_PANEL)
            panel((const char *)(g->a + first * g->lda + k),
                  g->b + (ptrdiff_t)j * g->k + (ptrdiff_t)k * FIRN_PANEL,
                  (char *)(g->c + first * g->ldc + j), g->bias ? g->bias + j : NULL, m, &p);
    }
}

static void gemm(const struct firn_gemm *g)
{
    int chunks = (g->m + CHUNK - 1) / CHUNK;
    for (int i = 0, first = 0; i < chunks; i++) {
        int m = g->m / chunks + (i < g->m % chunks);
        chunk(g, first, m);
        first += m;
    }
}

void firn_gemm_kernels_avx2(struct firn_kernels *kernels)
{
    kernels->gemm = gemm;
}

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
#define SHORT 12    /* depth of the first convolution's products: four phases of three channels */
#define UNROLLED 8  /* steps of k: what the loop itself costs shows when a core has two threads */
#define LINE 64     /* bytes of a cache line: one row of a panel */

/* What a block needs beyond its operands; the same for all blocks of a pass. */
struct pass {
    ptrdiff_t lda, ldc; /* bytes */
    int depth;          /* of this pass */
    int chain;          /* multiply-adds of a chain */
    bool more;          /* C holds the sums of earlier passes */
    bool finish;        /* the sums are complete, and bias, residual or ReLU are wanted */
    bool relu;
    bool has_residual;
    const char *add[2]; /* with the last pass; or NULL */
    char *sum;
    ptrdiff_t ld_add, next_c; /* bytes */
    ptrdiff_t residual; /* bytes from C to the residual */
    ptrdiff_t ahead;    /* bytes from a row of A to the lines of the next A to prefetch now */
    int lines;          /* of them */
    /* Rows are split evenly: 28 are 6+6+6+5+5, never 6+6+6+6+4. */
    int blocks, rows;   /* of a panel; of a block */
    int taller;         /* blocks that have one row more */
    ptrdiff_t share;    /* bytes of the next panel for each block to prefetch */
};

#define FORCE_INLINE static inline __attribute__((always_inline))

/* Row i of A as two base registers and an index, so that no step of k computes an address. */
FORCE_INLINE __m256 spread(const char *a, const char *a3, ptrdiff_t lda, int i, int step)
{
    const char *p = i < 3 ? a + i * lda : a3 + (i - 3) * lda;
    return _mm256_broadcast_ss((const float *)p + step);
}

/* The intrinsic lets gcc put the sum into another register, and then move it back: 8% of a loop. */
FORCE_INLINE void multiply_add(__m256 *sum, __m256 a, __m256 b)
{
    __asm__("vfmadd231ps %2, %1, %0" : "+x"(*sum) : "x"(a), "x"(b));
}

FORCE_INLINE void step(__m256 sum[ROWS][2], const char *a, const char *a3, ptrdiff_t lda,
                       const float *b, int rows, int k)
{
    __m256 b0 = _mm256_load_ps(b + FIRN_PANEL * k), b1 = _mm256_load_ps(b + FIRN_PANEL * k + 8);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        __m256 x = spread(a, a3, lda, i, k);
        multiply_add(&sum[i][0], x, b0);
        multiply_add(&sum[i][1], x, b1);
    }
}

/* sum += what lies at `from`, rows `stride` bytes apart. */
FORCE_INLINE void add(__m256 sum[ROWS][2], const char *from, ptrdiff_t stride, int rows)
{
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        const float *f = (const float *)(from + i * stride);
        sum[i][0] = _mm256_add_ps(_mm256_loadu_ps(f), sum[i][0]);
        sum[i][1] = _mm256_add_ps(_mm256_loadu_ps(f + 8), sum[i][1]);
    }
}

/* Bias, residual and ReLU; one branch for each, not one for each register. */
FORCE_INLINE void finish(__m256 sum[ROWS][2], const struct pass *p, const char *c,
                         const float *bias, int rows)
{
    if (bias) {
        __m256 b0 = _mm256_loadu_ps(bias), b1 = _mm256_loadu_ps(bias + 8);
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            sum[i][0] = _mm256_add_ps(sum[i][0], b0);
            sum[i][1] = _mm256_add_ps(sum[i][1], b1);
        }
    }
    if (p->has_residual)
        add(sum, c + p->residual, p->ldc, rows);
    if (p->relu)
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            /* a NaN in the second operand comes through */
            sum[i][0] = _mm256_max_ps(_mm256_setzero_ps(), sum[i][0]);
            sum[i][1] = _mm256_max_ps(_mm256_setzero_ps(), sum[i][1]);
        }
}

/* The operands of a block; they move down from block to block. */
struct place {
    const char *a, *next; /* rows of A; the share of the next panel to prefetch */
    char *c;
    ptrdiff_t sums; /* bytes from add[] and sum */
};

FORCE_INLINE void store(const __m256 sum[ROWS][2], char *to, ptrdiff_t stride, int rows)
{
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        _mm256_storeu_ps((float *)(to + i * stride), sum[i][0]);
        _mm256_storeu_ps((float *)(to + i * stride) + 8, sum[i][1]);
    }
}

FORCE_INLINE void clear(__m256 sum[ROWS][2], int rows)
{
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
        sum[i][0] = sum[i][1] = _mm256_setzero_ps();
}

/* The sums of other products. */
FORCE_INLINE void add_others(__m256 sum[ROWS][2], const struct pass *p, ptrdiff_t at, int rows)
{
    if (p->add[0])
        add(sum, p->add[0] + at, p->ld_add, rows);
    if (p->sum)
        store(sum, p->sum + at, p->ld_add, rows);
    if (p->add[1])
        add(sum, p->add[1] + at, p->ld_add, rows);
}

/* Rows of A that a later pass reads. */
FORCE_INLINE void prefetch_rows(const char *a, const struct pass *p, ptrdiff_t lda, int rows)
{
    for (int j = 0; j < p->lines; j++)
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++)
            _mm_prefetch(a + i * lda + p->ahead + LINE * j, _MM_HINT_T1);
}

/* What the end of a block reads and writes: one line a row, far apart, on maps larger than L2. */
FORCE_INLINE void prefetch_output(const char *c, const struct pass *p, ptrdiff_t ldc, int rows)
{
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
        _mm_prefetch(c + i * ldc, _MM_HINT_T0);
    if (p->residual)
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++)
            _mm_prefetch(c + p->residual + i * ldc, _MM_HINT_T0);
    if (!p->next_c)
        return;
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
        _mm_prefetch(c + p->next_c + i * ldc, _MM_HINT_T1);
    if (p->residual)
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++)
            _mm_prefetch(c + p->residual + p->next_c + i * ldc, _MM_HINT_T1);
}

/* UNROLLED steps of k, with `ahead` lines to prefetch between them; returns where these end. */
FORCE_INLINE const char *steps(__m256 sum[ROWS][2], const char *a, const char *a3, ptrdiff_t lda,
                               const float *b, const char *next, int rows, int ahead)
{
#pragma GCC unroll 8
    for (int u = 0; u < UNROLLED; u++) {
        step(sum, a, a3, lda, b, rows, u);
        if (u % (UNROLLED / ahead) != 0)
            continue;
        /* behind this step: gcc would gather all prefetches in one place */
        __asm__("" : "+r"(next), "+x"(sum[0][0]));
        _mm_prefetch(next + LINE * (u * ahead / UNROLLED), _MM_HINT_T1);
    }
    return next + LINE * ahead;
}

/* `ahead` lines of the next panel for every UNROLLED steps of k. */
FORCE_INLINE void block(const struct place *at, const float *b, const float *bias,
                        const struct pass *p, int rows, int ahead)
{
    const char *a = at->a, *next = at->next;
    char *c = at->c;
    ptrdiff_t lda = p->lda, ldc = p->ldc;
    const char *a3 = a + 3 * lda;
    float total[ROWS][FIRN_PANEL]; /* of the chains done */
    __m256 sum[ROWS][2];
    prefetch_rows(a, p, lda, rows);
    if (p->finish)
        prefetch_output(c, p, ldc, rows);
    const char *earlier = p->more ? c : NULL; /* sums to add a chain to */
    ptrdiff_t stride = ldc;
    int left = p->depth;
    do {
        int depth = left < p->chain ? left : p->chain;
        clear(sum, rows);
        for (int k = depth / UNROLLED; k > 0; k--) {
            /* hides from gcc that lda is constant: it would keep six addresses on the stack */
            __asm__("" : "+r"(lda), "+r"(a3));
            next = steps(sum, a, a3, lda, b, next, rows, ahead);
            a += UNROLLED * sizeof(float);
            a3 += UNROLLED * sizeof(float);
            b += UNROLLED * FIRN_PANEL;
        }
        int k = depth % UNROLLED;
        if (k >= 4) {
            __asm__("" : "+r"(lda), "+r"(a3));
#pragma GCC unroll 4
            for (int u = 0; u < 4; u++)
                step(sum, a, a3, lda, b, rows, u);
            a += 4 * sizeof(float);
            a3 += 4 * sizeof(float);
            b += 4 * FIRN_PANEL;
            k -= 4;
        }
        for (; k > 0; k--) {
            step(sum, a, a3, lda, b, rows, 0);
            a += sizeof(float);
            a3 += sizeof(float);
            b += FIRN_PANEL;
        }
        if (earlier)
            add(sum, earlier, stride, rows);
        left -= depth;
        if (left) {
            store(sum, (char *)total, sizeof total[0], rows);
            earlier = (const char *)total;
            stride = sizeof total[0];
        }
    } while (left);
    __asm__("" : "+r"(c), "+r"(ldc)); /* nor the addresses of C across the loop */
    add_others(sum, p, at->sums, rows);
    if (p->finish)
        finish(sum, p, c, bias, rows);
    store(sum, c, ldc, rows);
}

/* `count` blocks of the same number of rows, one below the other. */
typedef void blocks_fn(struct place *at, int count, ptrdiff_t share, const float *b,
                       const float *bias, const struct pass *p);

#define BLOCKS(rows, ahead)                                                                        \
    static void blocks_##rows##_##ahead(struct place *at, int count, ptrdiff_t share,              \
                                        const float *b, const float *bias, const struct pass *p)   \
    {                                                                                              \
        for (; count > 0; count--) {                                                               \
            block(at, b, bias, p, rows, ahead);                                                    \
            at->a += (rows) * p->lda;                                                              \
            at->c += (rows) * p->ldc;                                                              \
            at->sums += (rows) * p->ld_add;                                                        \
            at->next += share;                                                                     \
        }                                                                                          \
    }
BLOCKS(1, 8)
BLOCKS(2, 8)
BLOCKS(3, 8)
BLOCKS(4, 8)
BLOCKS(5, 8)
BLOCKS(6, 8)
BLOCKS(4, 2)
BLOCKS(5, 2)
BLOCKS(6, 2)

/* Four blocks or more share the next panel: two lines for every eight steps each. */
static blocks_fn *const few[ROWS + 1] = {NULL,       blocks_1_8, blocks_2_8, blocks_3_8,
                                         blocks_4_8, blocks_5_8, blocks_6_8};
static blocks_fn *const many[ROWS + 1] = {[4] = blocks_4_2, [5] = blocks_5_2, [6] = blocks_6_2};

/* All rows of a chunk with one panel. */
static void panel(struct place at, const float *b, const float *bias, const struct pass *p)
{
    blocks_fn *const *table = p->blocks >= 4 ? many : few;
    if (p->taller)
        table[p->rows + 1](&at, p->taller, p->share, b, bias, p);
    table[p->rows](&at, p->blocks - p->taller, p->share, b, bias, p);
}

/*
 * What follows behind pass k of panel j: the same pass of the next panel, or the first panel again,
 * or the first of the next product.
 */
static const float *next_panel(const struct firn_gemm *g, int j, int k, int depth)
{
    if (j + FIRN_PANEL < g->n)
        return g->b + (ptrdiff_t)(j + FIRN_PANEL) * g->k + (ptrdiff_t)k * FIRN_PANEL;
    if (k + depth < g->k)
        return g->b + (ptrdiff_t)(k + depth) * FIRN_PANEL;
    return g->b + (ptrdiff_t)g->n * g->k;
}

/* Lines of a row of the next A for every panel of every pass, to have all of them in the end. */
static int share_of_next(const struct firn_gemm *g)
{
    int row = (g->k * (int)sizeof(float) + LINE - 1) / LINE;
    int panels = g->n / FIRN_PANEL * ((g->k + DEPTH - 1) / DEPTH);
    return (row + panels - 1) / panels;
}

static void chunk(const struct firn_gemm *g, int first, int m, const float *next)
{
    struct pass p = {.chain = g->chain,
                     .lda = g->lda * (ptrdiff_t)sizeof(float),
                     .ldc = g->ldc * (ptrdiff_t)sizeof(float),
                     .ld_add = g->ld_add * (ptrdiff_t)sizeof(float),
                     .relu = g->relu, .next_c = g->next_c * (ptrdiff_t)sizeof(float),
                     .has_residual = g->residual != NULL,
                     .blocks = (m + ROWS - 1) / ROWS};
    p.rows = m / p.blocks;
    p.taller = m % p.blocks;
    if (g->residual)
        p.residual = (const char *)g->residual - (const char *)g->c;
    int share = next ? share_of_next(g) : 0;
    ptrdiff_t done = 0, row = g->k * (ptrdiff_t)sizeof(float); /* bytes of a row of the next A */
    /* sums of a first pass would overwrite a residual that lies in C */
    int depth = g->residual || p.blocks == 1 ? g->k : DEPTH;
    for (int k = 0; k < g->k; k += p.depth) {
        p.depth = g->k - k < depth ? g->k - k : depth;
        p.more = k > 0;
        p.finish = k + p.depth == g->k && (g->bias || g->residual || g->relu);
        if (k + p.depth == g->k) {
            p.add[0] = (const char *)g->add[0];
            p.add[1] = (const char *)g->add[1];
            p.sum = (char *)g->sum;
        }
        p.share = (ptrdiff_t)p.depth * LINE / p.blocks;
        for (int j = 0; j < g->n; j += FIRN_PANEL, done += share * LINE) {
            struct place at = {.a = (const char *)(g->a + first * g->lda + k),
                               .next = (const char *)next_panel(g, j, k, p.depth),
                               .c = (char *)(g->c + first * g->ldc + j),
                               .sums = first * p.ld_add + j * (ptrdiff_t)sizeof(float)};
            p.lines = done < row ? share : 0;
            p.ahead = (const char *)next + done - at.a;
            panel(at, g->b + (ptrdiff_t)j * g->k + (ptrdiff_t)k * FIRN_PANEL,
                  g->bias ? g->bias + j : NULL, &p);
        }
    }
}

/* `count` blocks of SHORT steps: what else block() does would take half as long as they. */
FORCE_INLINE void short_blocks(const char *a, char *c, int count, const float *b, ptrdiff_t lda,
                               ptrdiff_t ldc, int rows)
{
    for (; count > 0; count--, a += rows * lda, c += rows * ldc) {
        const char *a3 = a + 3 * lda;
        __m256 sum[ROWS][2];
        clear(sum, rows);
        __asm__("" : "+r"(lda), "+r"(a3));
#pragma GCC unroll 12
        for (int u = 0; u < SHORT; u++)
            step(sum, a, a3, lda, b, rows, u);
        __asm__("" : "+r"(c), "+r"(ldc));
        store(sum, c, ldc, rows);
    }
}

typedef void short_blocks_fn(const char *a, char *c, int count, const float *b, ptrdiff_t lda,
                             ptrdiff_t ldc);

#define SHORT_BLOCKS(rows)                                                                         \
    static void short_blocks_##rows(const char *a, char *c, int count, const float *b,             \
                                    ptrdiff_t lda, ptrdiff_t ldc)                                  \
    {                                                                                              \
        short_blocks(a, c, count, b, lda, ldc, rows);                                              \
    }
SHORT_BLOCKS(1)
SHORT_BLOCKS(2)
SHORT_BLOCKS(3)
SHORT_BLOCKS(4)
SHORT_BLOCKS(5)
SHORT_BLOCKS(6)

static void short_gemm(const struct firn_gemm *g)
{
    static short_blocks_fn *const table[ROWS + 1] = {
        NULL,           short_blocks_1, short_blocks_2, short_blocks_3,
        short_blocks_4, short_blocks_5, short_blocks_6};
    ptrdiff_t lda = g->lda * (ptrdiff_t)sizeof(float), ldc = g->ldc * (ptrdiff_t)sizeof(float);
    int blocks = (g->m + ROWS - 1) / ROWS, rows = g->m / blocks, taller = g->m % blocks;
    ptrdiff_t done = (ptrdiff_t)taller * (rows + 1);
    const char *a = (const char *)g->a;
    for (int j = 0; j < g->n; j += FIRN_PANEL) {
        const float *b = g->b + (ptrdiff_t)j * SHORT;
        char *c = (char *)(g->c + j);
        if (taller)
            table[rows + 1](a, c, taller, b, lda, ldc);
        table[rows](a + done * lda, c + done * ldc, blocks - taller, b, lda, ldc);
    }
}

static void gemm(const struct firn_gemm *g)
{
    if (g->k == SHORT && !g->bias && !g->residual && !g->relu && !g->add[0] && !g->sum) {
        short_gemm(g);
        return;
    }
    int chunks = (g->m + CHUNK - 1) / CHUNK;
    for (int i = 0, first = 0; i < chunks; i++) {
        int m = g->m / chunks + (i < g->m % chunks);
        const float *next = i + 1 < chunks ? g->a + m * g->lda : g->next_a;
        chunk(g, first, m, next);
        first += m;
    }
}

void firn_gemm_kernels_avx2(struct firn_kernels *kernels)
{
    kernels->gemm = gemm;
}

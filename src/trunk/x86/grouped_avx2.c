/* SPDX-License-Identifier: MIT */
#include "trunk/grouped.h"

#include <immintrin.h>

/* Pixels of a row that share each load of the weights; with their accumulators they fill the
 * registers half. */
#define PIXELS 6

/* A run of output pixels [ox, ox + n) of eight channels, all taps of columns kx0..kx1 in the map. */
struct strip {
    const struct firn_grouped *a;
    int block, ky0, ky1, kx0, kx1;
};

static inline __attribute__((always_inline)) void
finish(const struct firn_grouped *a, int block, int ox, __m256 v)
{
    ptrdiff_t at = (ptrdiff_t)ox * a->shape->cout + block * 8;
    v = _mm256_add_ps(v, _mm256_loadu_ps(a->bias + block * 8));
    if (a->residual)
        v = _mm256_add_ps(v, _mm256_loadu_ps(a->residual + at));
    if (a->shape->relu)
        v = _mm256_max_ps(_mm256_setzero_ps(), v);
    _mm256_storeu_ps(a->out + at, v);
}

/* Four channels a group: both groups of a register at once, their inputs spread by a permute. */
static inline __attribute__((always_inline)) void
pixels_g4(const struct strip *s, int ox, int n)
{
    const struct firn_grouped *a = s->a;
    const struct firn_conv_shape *c = a->shape;
    __m256 sum[PIXELS];
    for (int i = 0; i < n; i++)
        sum[i] = _mm256_setzero_ps();
    ptrdiff_t step = (ptrdiff_t)c->stride * c->cin;
    for (int ky = s->ky0; ky < s->ky1; ky++) {
        const float *row = a->in + s->block * 8 +
            ((ptrdiff_t)(a->oy * c->stride - c->pad + ky) * c->w + ox * c->stride - c->pad) * c->cin;
        for (int kx = s->kx0; kx < s->kx1; kx++) {
            const float *w = a->weight + ((s->block * c->kernel + ky) * c->kernel + kx) * 32;
            __m256 w0 = _mm256_loadu_ps(w), w1 = _mm256_loadu_ps(w + 8);
            __m256 w2 = _mm256_loadu_ps(w + 16), w3 = _mm256_loadu_ps(w + 24);
            for (int i = 0; i < n; i++) {
                __m256 v = _mm256_loadu_ps(row + i * step + (ptrdiff_t)kx * c->cin);
                sum[i] = _mm256_fmadd_ps(_mm256_permute_ps(v, 0x00), w0, sum[i]);
                sum[i] = _mm256_fmadd_ps(_mm256_permute_ps(v, 0x55), w1, sum[i]);
                sum[i] = _mm256_fmadd_ps(_mm256_permute_ps(v, 0xaa), w2, sum[i]);
                sum[i] = _mm256_fmadd_ps(_mm256_permute_ps(v, 0xff), w3, sum[i]);
            }
        }
    }
    for (int i = 0; i < n; i++)
        finish(a, s->block, ox + i, sum[i]);
}

/* Eight or more channels a group: `blocks` registers of outputs share each broadcast input. */
static inline __attribute__((always_inline)) void
pixels_wide(const struct strip *s, int ox, int n, int blocks)
{
    const struct firn_grouped *a = s->a;
    const struct firn_conv_shape *c = a->shape;
    __m256 sum[PIXELS][2];
    for (int i = 0; i < n; i++)
        sum[i][0] = sum[i][1] = _mm256_setzero_ps();
    ptrdiff_t step = (ptrdiff_t)c->stride * c->cin;
    ptrdiff_t next = (ptrdiff_t)c->kernel * c->kernel * a->g * 8; /* to the next block's weights */
    for (int ky = s->ky0; ky < s->ky1; ky++) {
        const float *row = a->in + s->block * 8 / a->g * a->g +
            ((ptrdiff_t)(a->oy * c->stride - c->pad + ky) * c->w + ox * c->stride - c->pad) * c->cin;
        for (int kx = s->kx0; kx < s->kx1; kx++) {
            const float *w = a->weight + s->block * next + (ky * c->kernel + kx) * a->g * 8;
            const float *x = row + (ptrdiff_t)kx * c->cin;
            for (int j = 0; j < a->g; j++, w += 8) {
                __m256 w0 = _mm256_loadu_ps(w), w1 = blocks > 1 ? _mm256_loadu_ps(w + next) : w0;
                for (int i = 0; i < n; i++) {
                    __m256 v = _mm256_broadcast_ss(x + i * step + j);
                    sum[i][0] = _mm256_fmadd_ps(v, w0, sum[i][0]);
                    if (blocks > 1)
                        sum[i][1] = _mm256_fmadd_ps(v, w1, sum[i][1]);
                }
            }
        }
    }
    for (int i = 0; i < n; i++)
        for (int b = 0; b < blocks; b++)
            finish(a, s->block + b, ox + i, sum[i][b]);
}

static inline __attribute__((always_inline)) void
pixels(const struct strip *s, int ox, int n, int blocks)
{
    if (s->a->g == 4)
        pixels_g4(s, ox, n);
    else
        pixels_wide(s, ox, n, blocks);
}

/* One block or two of channels along the whole row: the rim pixel by pixel with clipped taps, the
 * inside PIXELS at a time. */
static inline __attribute__((always_inline)) void
row(const struct firn_grouped *a, int block, int blocks)
{
    const struct firn_conv_shape *c = a->shape;
    int ow = firn_conv_out_w(c), top = a->oy * c->stride - c->pad;
    struct strip s = {.a = a, .block = block, .ky0 = top < 0 ? -top : 0};
    s.ky1 = top + c->kernel > c->h ? c->h - top : c->kernel;
    for (int x = 0; x < ow;) {
        int left = x * c->stride - c->pad;
        int last = left + (PIXELS - 1) * c->stride + c->kernel;
        s.kx0 = left < 0 ? -left : 0;
        s.kx1 = left + c->kernel > c->w ? c->w - left : c->kernel;
        if (left >= 0 && last <= c->w && x + PIXELS <= ow) {
            pixels(&s, x, PIXELS, blocks);
            x += PIXELS;
        } else {
            pixels(&s, x, 1, blocks);
            x++;
        }
    }
}

static void grouped(const struct firn_grouped *a)
{
    int blocks = a->shape->cout / 8;
    if (a->g % 16)
        for (int b = 0; b < blocks; b++)
            row(a, b, 1);
    else
        for (int b = 0; b < blocks; b += 2)
            row(a, b, 2);
}

void firn_grouped_kernels_avx2(struct firn_kernels *kernels)
{
    kernels->grouped = grouped;
}

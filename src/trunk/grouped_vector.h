/* SPDX-License-Identifier: MIT */
/**
 * Convolution with few channels a group for any vector width: a template, see x86/vector_sse4.h for
 * what it needs. Eight output channels are one register or two; several pixels of a row share each
 * load of the weights.
 */
#include "trunk/grouped.h"

#define FORCE_INLINE static inline __attribute__((always_inline))
#define PARTS (FIRN_GROUPED_LANES / LANES) /* registers of eight channels */
#define PIXELS 6

/*
 * A run of pixels of one block of eight channels: the taps [ky0, ky1) x [kx0, kx1) are on the map.
 */
struct strip {
    const struct firn_grouped *a;
    int block, ky0, ky1, kx0, kx1;
};

FORCE_INLINE void finish(const struct firn_grouped *a, int block, int part, int ox, vec v)
{
    int channel = block * FIRN_GROUPED_LANES + part * LANES;
    ptrdiff_t at = (ptrdiff_t)ox * a->shape->cout + channel;
    v = v + LOAD(a->bias + channel);
    if (a->residual)
        v = v + LOAD(a->residual + at);
    STORE(a->out + at, a->shape->relu ? MAX(SET(0.0f), v) : v);
}

/* The input under tap (ky, 0) of output column ox. */
FORCE_INLINE const float *input_row(const struct firn_grouped *a, int ky, int ox)
{
    const struct firn_conv_shape *c = a->shape;
    ptrdiff_t y = a->oy * c->stride - c->pad + ky, x = ox * c->stride - c->pad;
    return a->in + (y * c->w + x) * c->cin;
}

/* Four channels a group: the inputs of both groups are loaded at once and spread in registers. */
FORCE_INLINE void pixels_g4(const struct strip *s, int ox, int n)
{
    const struct firn_grouped *a = s->a;
    const struct firn_conv_shape *c = a->shape;
    ptrdiff_t step = (ptrdiff_t)c->stride * c->cin;
    for (int part = 0; part < PARTS; part++) {
        int channel = s->block * FIRN_GROUPED_LANES + part * LANES;
        vec sum[PIXELS];
        for (int i = 0; i < n; i++)
            sum[i] = SET(0.0f);
        for (int ky = s->ky0; ky < s->ky1; ky++) {
            const float *row = input_row(a, ky, ox) + channel;
            for (int kx = s->kx0; kx < s->kx1; kx++) {
                const float *w = a->weight + part * LANES +
                    ((s->block * c->kernel + ky) * c->kernel + kx) * 4 * FIRN_GROUPED_LANES;
                vec w0 = LOAD(w), w1 = LOAD(w + 8), w2 = LOAD(w + 16), w3 = LOAD(w + 24);
                for (int i = 0; i < n; i++) {
                    vec v = LOAD(row + i * step + (ptrdiff_t)kx * c->cin);
                    sum[i] = FMA(SPREAD(v, 0), w0, sum[i]);
                    sum[i] = FMA(SPREAD(v, 1), w1, sum[i]);
                    sum[i] = FMA(SPREAD(v, 2), w2, sum[i]);
                    sum[i] = FMA(SPREAD(v, 3), w3, sum[i]);
                }
            }
        }
        for (int i = 0; i < n; i++)
            finish(a, s->block, part, ox + i, sum[i]);
    }
}

/* Eight or more channels a group: `registers` of outputs of one group share each input. */
FORCE_INLINE void pixels_wide(const struct strip *s, int ox, int n, int registers)
{
    const struct firn_grouped *a = s->a;
    const struct firn_conv_shape *c = a->shape;
    vec sum[PIXELS][2];
    for (int i = 0; i < n; i++)
        sum[i][0] = sum[i][1] = SET(0.0f);
    ptrdiff_t step = (ptrdiff_t)c->stride * c->cin;
    ptrdiff_t block = (ptrdiff_t)c->kernel * c->kernel * a->g * FIRN_GROUPED_LANES;
    ptrdiff_t next = PARTS > 1 ? LANES : block; /* from register to register of the weights */
    for (int ky = s->ky0; ky < s->ky1; ky++) {
        const float *row = input_row(a, ky, ox) + s->block * FIRN_GROUPED_LANES / a->g * a->g;
        for (int kx = s->kx0; kx < s->kx1; kx++) {
            const float *x = row + (ptrdiff_t)kx * c->cin;
            const float *w = a->weight + s->block * block +
                (ptrdiff_t)(ky * c->kernel + kx) * a->g * FIRN_GROUPED_LANES;
            for (int j = 0; j < a->g; j++, w += FIRN_GROUPED_LANES) {
                vec w0 = LOAD(w), w1 = registers > 1 ? LOAD(w + next) : w0;
                for (int i = 0; i < n; i++) {
                    vec v = SET(x[i * step + j]);
                    sum[i][0] = FMA(v, w0, sum[i][0]);
                    if (registers > 1)
                        sum[i][1] = FMA(v, w1, sum[i][1]);
                }
            }
        }
    }
    for (int i = 0; i < n; i++)
        for (int r = 0; r < registers; r++)
            finish(a, s->block + r / PARTS, r % PARTS, ox + i, sum[i][r]);
}

FORCE_INLINE void pixels(const struct strip *s, int ox, int n, int registers)
{
    if (s->a->g == 4)
        pixels_g4(s, ox, n);
    else
        pixels_wide(s, ox, n, registers);
}

/* A block (or two) of channels along the row: the rim pixel by pixel with clipped taps, the inside
 * PIXELS at a time. */
FORCE_INLINE void row(const struct firn_grouped *a, int block, int registers)
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
            pixels(&s, x, PIXELS, registers);
            x += PIXELS;
        } else {
            pixels(&s, x, 1, registers);
            x++;
        }
    }
}

static void grouped(const struct firn_grouped *a)
{
    int blocks = a->shape->cout / FIRN_GROUPED_LANES;
    if (PARTS > 1 || a->g % 16)
        for (int b = 0; b < blocks; b++)
            row(a, b, PARTS);
    else
        for (int b = 0; b < blocks; b += 2)
            row(a, b, 2);
}

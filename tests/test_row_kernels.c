/* SPDX-License-Identifier: MIT */
/** Every instruction set's row kernels against the generic ones: random, extreme and odd input. */
#include "base/cpu.h"
#include "check.h"
#include "image/row_kernels.h"

#define ROWS 9
#define GUARD 0xA5

static unsigned long long seed = 1;

static int below(int n)
{
    return (int)(check_random(&seed) % (unsigned)n);
}

/* All bytes of one kind: noise, the extremes mixed, or white. */
static void fill(uint8_t *bytes, size_t n, int kind)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = kind == 0 ? (uint8_t)below(256) : kind == 1 ? (uint8_t)(below(2) * 255) : 255;
}

/* Random weights that add up to nearly 1, as rounding leaves them; sometimes all on one tap. */
static void fill_weights(struct firn_taps *taps, int i, int n)
{
    int32_t *w = taps->weights + (size_t)i * taps->stride;
    int64_t sum = 0;
    for (int t = 0; t < taps->stride; t++)
        w[t] = t < n ? 1 + below(1000) : 0;
    for (int t = 0; t < n; t++)
        sum += w[t];
    for (int t = 0; t < n; t++)
        w[t] = (int32_t)(((int64_t)w[t] << FIRN_WEIGHT_BITS) / sum) + below(2);
    if (below(8) == 0) {
        memset(w, 0, sizeof *w * n);
        w[below(n)] = 1 << FIRN_WEIGHT_BITS;
    }
    for (int t = 0; t < taps->stride; t += 2) {
        uint32_t *pair = taps->pairs + (size_t)i * taps->stride + t;
        pair[0] = (uint32_t)(w[t] & 2047) | (uint32_t)(w[t + 1] & 2047) << 16;
        pair[1] = (uint32_t)(w[t] >> 11) | (uint32_t)(w[t + 1] >> 11) << 16;
    }
}

static void make_taps(struct firn_taps *taps, int count, int longest, int in)
{
    taps->count = count;
    taps->stride = (longest + 3) / 4 * 4;
    const size_t n = (size_t)count * taps->stride;
    taps->spans = malloc(count * sizeof *taps->spans);
    taps->weights = aligned_alloc(64, (n * 4 + 63) / 64 * 64);
    taps->pairs = aligned_alloc(64, (n * 4 + 63) / 64 * 64);
    for (int i = 0; i < count; i++) {
        const int span = 1 + below(longest < in ? longest : in);
        taps->spans[i] = (struct firn_span){below(in - span + 1), span};
        fill_weights(taps, i, span);
    }
}

static void free_taps(struct firn_taps *taps)
{
    free(taps->spans);
    free(taps->weights);
    free(taps->pairs);
}

static void check_horizontal(const struct firn_row_kernels *kernels)
{
    const int in = 1 + below(300), count = 1 + below(80), rows = 1 + below(ROWS);
    const int origin = below(2) * 5;
    const size_t width = (size_t)count * 3, out_stride = width + FIRN_ROW_SLACK;
    const size_t in_stride = (size_t)in * 3 + FIRN_ROW_SLACK;
    struct firn_taps taps;
    make_taps(&taps, count, 1 + below(23), in);
    for (int i = 0; i < count; i++)
        taps.spans[i].first += origin;
    uint8_t *pixels = malloc(in_stride * rows);
    uint8_t *want = malloc(out_stride * rows), *got = malloc(out_stride * rows + 1);
    fill(pixels, in_stride * rows, below(3));
    memset(got, GUARD, out_stride * rows + 1);
    firn_row_kernels_c.horizontal(want, out_stride, pixels, in_stride, rows, &taps, origin);
    kernels->horizontal(got, out_stride, pixels, in_stride, rows, &taps, origin);
    for (int r = 0; r < rows; r++)
        CHECK(!memcmp(want + r * out_stride, got + r * out_stride, width),
              "(%s: row %d of %d, %d pixels from %d, stride %d)", firn_cpu_name(kernels->level), r,
              rows, count, in, taps.stride);
    CHECK_INT(got[out_stride * rows], GUARD);
    free(pixels);
    free(want);
    free(got);
    free_taps(&taps);
}

static void check_vertical(const struct firn_row_kernels *kernels)
{
    const size_t bytes = 1 + (size_t)below(300), pitch = bytes + FIRN_ROW_SLACK;
    struct firn_taps taps;
    make_taps(&taps, 1, 1 + below(23), 40);
    const int n = taps.spans[0].n;
    const uint8_t *row[40];
    uint8_t *pixels = malloc(pitch * n), want[300], got[301];
    fill(pixels, pitch * n, below(3));
    for (int t = 0; t < n; t++)
        row[t] = pixels + pitch * t;
    memset(got, GUARD, sizeof got);
    firn_row_kernels_c.vertical(want, row, &taps, 0, bytes);
    kernels->vertical(got, row, &taps, 0, bytes);
    CHECK(!memcmp(want, got, bytes), "(%s: %zu bytes, %d rows)", firn_cpu_name(kernels->level),
          bytes, n);
    CHECK_INT(got[bytes], GUARD);
    free(pixels);
    free_taps(&taps);
}

int main(void)
{
    int compared = 0;
    for (int level = FIRN_CPU_SSE4; level <= FIRN_CPU_NEON; level++) {
        if (firn_cpu_choose(firn_cpu_name((enum firn_cpu)level)) != level)
            continue;
        const struct firn_row_kernels *kernels = firn_row_kernels_choose((enum firn_cpu)level);
        CHECK_INT(kernels->level, level);
        for (int round = 0; round < 3000 && !check_failed; round++) {
            check_horizontal(kernels);
            check_vertical(kernels);
        }
        compared++;
    }
    CHECK(firn_row_kernels_choose(FIRN_CPU_GENERIC) == &firn_row_kernels_c);
    if (!compared)
        CHECK_SKIP("this processor has the generic kernels only");
    CHECK_DONE();
}

/* SPDX-License-Identifier: MIT */
/**
 * Streaming two-pass resize.
 *
 * Pillow resizes in two passes with an 8-bit image between them: horizontal first, for the rows
 * that the vertical pass will read. Output samples do not depend on each other, so making only the
 * columns and rows of the crop window gives the same bits, and a vertical output row can be made as
 * soon as the last of its input rows has come:
 *
 *   rows of the photograph      ring (after horizontal)         crop
 *   y0 ------------------->  +--------------------------+
 *   ..  only the window's    | the last span.n rows,    | -> one output row when the
 *   y1  columns              | window.count pixels wide |    last row of its span is in
 *                            +--------------------------+
 *
 * The ring holds one longest vertical span and one batch of new rows, whatever the photograph's
 * height. A size that does not change needs no special case: Pillow skips that pass, and the
 * weights of scale 1 are exactly (1, 0), which changes no sample.
 */
#include "image/resample.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

/* Rows that go through the horizontal pass together. */
#define BATCH 16

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* Leaves out zero weights at the ends of a span, which add nothing; what they leave is zero. */
static struct firn_span trim(int32_t *weights, struct firn_span span)
{
    int lead = 0;
    while (span.n > 1 && weights[span.n - 1] == 0)
        span.n--;
    while (lead < span.n - 1 && weights[lead] == 0)
        lead++;
    span.n -= lead;
    span.first += lead;
    memmove(weights, weights + lead, (size_t)span.n * sizeof *weights);
    memset(weights + span.n, 0, (size_t)lead * sizeof *weights);
    return span;
}

/*
 * The span and the weights of output sample `i`; every rounding counts, so this keeps Pillow's
 * order of operations.
 */
static struct firn_span weigh(const struct firn_axis *a, int i, double *w, int32_t *fixed)
{
    const double scale = (double)a->in / a->out;
    const double widen = scale < 1.0 ? 1.0 : scale, inverse = 1.0 / widen;
    const double center = (i + 0.5) * scale;
    int first = (int)(center - widen + 0.5), end = (int)(center + widen + 0.5);
    first = first < 0 ? 0 : first;
    end = end > a->in ? a->in : end;
    double sum = 0.0;
    for (int t = 0; t < end - first; t++)
        sum += w[t] = triangle((t + first - center + 0.5) * inverse);
    for (int t = 0; t < end - first; t++) {
        const double part = sum != 0.0 ? w[t] / sum : w[t];
        fixed[t] = (int32_t)(0.5 + part * (1 << FIRN_WEIGHT_BITS));
    }
    return trim(fixed, (struct firn_span){a->from + first, end - first});
}

static void pair_up(struct firn_taps *taps)
{
    const uint32_t low = (1u << FIRN_LOW_BITS) - 1;
    for (size_t i = 0; i < (size_t)taps->count * taps->stride; i += 2) {
        const uint32_t a = (uint32_t)taps->weights[i], b = (uint32_t)taps->weights[i + 1];
        taps->pairs[i] = (a & low) | (b & low) << 16;
        taps->pairs[i + 1] = a >> FIRN_LOW_BITS | b >> FIRN_LOW_BITS << 16;
    }
}

static int make_taps(struct firn_resampler *r, struct firn_taps *taps, const struct firn_axis *a,
                     struct firn_buffer *memory, struct firn_error *err)
{
    const double scale = (double)a->in / a->out;
    const size_t longest = (size_t)ceil(scale < 1.0 ? 1.0 : scale) * 2 + 1;
    const size_t stride = (longest + 3) / 4 * 4;
    const size_t weights = (size_t)a->count * stride * sizeof(int32_t);
    const size_t spans = (size_t)a->count * sizeof(struct firn_span);
    if (weights > r->limit)
        return firn_fail(err, FIRN_CONFIG, "resizing %d to %d pixels needs too many weights",
                         a->in, a->out);
    char *bytes = firn_buffer_need(memory, 2 * weights + spans);
    double *w = firn_buffer_need(&r->scratch, longest * sizeof(double));
    if (!bytes || !w)
        return firn_fail_nomem(err, "the weights of a resize");
    taps->count = a->count;
    taps->stride = (int)stride;
    taps->weights = (int32_t *)bytes;
    taps->pairs = (uint32_t *)(bytes + weights);
    taps->spans = (struct firn_span *)(bytes + 2 * weights);
    memset(bytes, 0, weights);
    for (int i = 0; i < a->count; i++)
        taps->spans[i] = weigh(a, a->first + i, w, taps->weights + (size_t)i * stride);
    pair_up(taps);
    return 0;
}

static struct firn_span whole(const struct firn_taps *taps)
{
    const struct firn_span first = taps->spans[0], last = taps->spans[taps->count - 1];
    return (struct firn_span){first.first, last.first + last.n - first.first};
}

struct firn_window firn_resample_window(const struct firn_resampler *r)
{
    const struct firn_span x = whole(&r->x), y = whole(&r->y);
    return (struct firn_window){x.first, x.first + x.n, y.first, y.first + y.n};
}

static int make_ring(struct firn_resampler *r, struct firn_error *err)
{
    r->slots = r->y.stride + BATCH;
    r->pitch = ((size_t)r->x.count * 3 + FIRN_ROW_SLACK + FIRN_ALIGN - 1) / FIRN_ALIGN * FIRN_ALIGN;
    const size_t bytes = r->slots * r->pitch;
    if (bytes > r->limit)
        return firn_fail(err, FIRN_CONFIG, "resizing %d to %d rows needs too much memory",
                         r->geometry.y.in, r->geometry.y.out);
    r->ring = firn_buffer_need(&r->ring_memory, bytes);
    r->row = firn_buffer_need(&r->row_memory, r->slots * sizeof *r->row);
    return r->ring && r->row ? 0 : firn_fail_nomem(err, "the rows of a resize");
}

int firn_resample_begin(struct firn_resampler *r, const struct firn_geometry *g, uint8_t *rgb,
                        int crop, struct firn_error *err)
{
    r->geometry = *g;
    r->limit = r->limit ? r->limit : FIRN_RESAMPLE_LIMIT;
    int rc = make_taps(r, &r->x, &g->x, &r->x_memory, err);
    if (!rc)
        rc = make_taps(r, &r->y, &g->y, &r->y_memory, err);
    if (!rc)
        rc = make_ring(r, err);
    if (rc)
        return rc;
    r->rgb_pitch = (size_t)crop * 3;
    if (g->x.count < crop || g->y.count < crop)
        memset(rgb, 0, r->rgb_pitch * crop);
    r->rgb = rgb + g->y.pad * r->rgb_pitch + (size_t)g->x.pad * 3;
    r->next_in = firn_resample_window(r).y0;
    r->next_out = 0;
    return 0;
}

/* Every output row whose span is complete. */
static void make_rows(struct firn_resampler *r)
{
    const struct firn_taps *y = &r->y;
    for (; r->next_out < y->count; r->next_out++) {
        const struct firn_span span = y->spans[r->next_out];
        if (span.first + span.n > r->next_in)
            return;
        for (int t = 0; t < span.n; t++)
            r->row[t] = r->ring + (size_t)((span.first + t) % r->slots) * r->pitch;
        r->kernels->vertical(r->rgb + r->next_out * r->rgb_pitch, r->row, y, r->next_out,
                             (size_t)r->x.count * 3);
    }
}

void firn_resample_rows(struct firn_resampler *r, const struct firn_rows *rows)
{
    const struct firn_window window = firn_resample_window(r);
    int end = rows->y + rows->n;
    end = end < window.y1 ? end : window.y1;
    while (r->next_in < end) {
        const int slot = r->next_in % r->slots;
        int n = end - r->next_in < BATCH ? end - r->next_in : BATCH;
        n = r->slots - slot < n ? r->slots - slot : n;
        const uint8_t *in = rows->pixels + (size_t)(r->next_in - rows->y) * rows->stride;
        r->kernels->horizontal(r->ring + slot * r->pitch, r->pitch, in, rows->stride, n, &r->x,
                               rows->x);
        r->next_in += n;
        make_rows(r);
    }
}

void firn_resample_free(struct firn_resampler *r)
{
    firn_buffer_free(&r->x_memory);
    firn_buffer_free(&r->y_memory);
    firn_buffer_free(&r->scratch);
    firn_buffer_free(&r->row_memory);
    firn_buffer_free(&r->ring_memory);
}

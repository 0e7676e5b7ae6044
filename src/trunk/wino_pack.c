/* SPDX-License-Identifier: MIT */
/** The weights of a Winograd convolution: U = G g G', or the kernels as they are. */
#include "base/mem.h"
#include "trunk/wino_op.h"

/* Output channels of a pass when U is made on the way: V is read once for each pass, so not few;
 * U is written and read in each pass, so no more than stays in cache. */
#define COMPACT_COLUMNS 64

static void depth_of(const struct wino_op *w, int p, int *first, int *depth)
{
    depth_of_point(w, p / w->points == w->points - 1, p % w->points == w->points - 1, first,
                   depth);
}

/* Floats between the panels of a point and of the next, for `columns` output channels. */
static size_t plane(const struct wino_op *w, int p, int columns)
{
    int first, depth;
    depth_of(w, p, &first, &depth);
    return (size_t)depth * columns;
}

static size_t all_planes(const struct wino_op *w, int columns)
{
    size_t total = 0;
    for (int p = 0; p < w->points * w->points; p++)
        total += plane(w, p, columns);
    return total;
}

/* Floats of the kernels of 16 output channels. */
static size_t taps_of_panel(const struct wino_op *w)
{
    const struct firn_conv_shape *s = &w->op.shape;
    return (size_t)FIRN_PANEL * s->cin * s->kernel * s->kernel;
}

/* Sets which taps belong to a phase. */
static void choose_taps(const struct wino_op *w, const struct phase *py,
                        const struct phase *px, const float *taps,
                        struct firn_wino_weights *t)
{
    const struct firn_conv_shape *s = &w->op.shape;
    int r = w->matrix.r;
    for (int y = 0; y < r; y++)
        for (int x = 0; x < r; x++) {
            int at = (py->first + y * s->stride) * s->kernel + px->first + x * s->stride;
            bool there = y < py->taps && x < px->taps;
            t->tap[y * r + x] = there ? taps + at * FIRN_PANEL : NULL;
        }
}

/* Transforms the kernels of 16 output channels; panel[] is where those of each point go. */
static void transform(const struct wino_op *w, const float *taps,
                      float *const panel[MAX_POINTS])
{
    const struct firn_conv_shape *s = &w->op.shape;
    struct firn_wino_weights t = {
        .matrix = &w->matrix, .channels = s->cin,
        .step = (ptrdiff_t)FIRN_PANEL * s->kernel * s->kernel,
    };
    for (int k = 0; k < (w->n_phase == 1 ? 1 : 4); k++) {
        bool short_h = w->n_phase > 1 && groups[k].clip_h;
        bool short_w = w->n_phase > 1 && groups[k].clip_w;
        choose_taps(w, &w->phase[short_h], &w->phase[short_w], taps, &t);
        for (int p = 0; p < w->points * w->points; p++) {
            int first, depth, row = k * s->cin;
            depth_of(w, p, &first, &depth);
            bool there = row >= first && row < first + depth;
            t.u[p] = there ? panel[p] + (ptrdiff_t)(row - first) * FIRN_PANEL : NULL;
        }
        w->kernels->wino->weights(&t);
    }
}

/* 16 kernels side by side: OIHW to [cin][kernel][kernel][16]. */
static void lay_side_by_side(const float *weight, size_t row, float *taps)
{
    for (size_t i = 0; i < row; i++)
        for (size_t o = 0; o < FIRN_PANEL; o++)
            taps[i * FIRN_PANEL + o] = weight[o * row + i];
}

static int pack_taps(struct wino_op *w, const float *weight)
{
    size_t step = taps_of_panel(w);
    int cout = w->op.shape.cout;
    w->taps = firn_alloc_raw(step * (cout / FIRN_PANEL), sizeof(float));
    for (int i = 0; w->taps && i < cout / FIRN_PANEL; i++)
        lay_side_by_side(weight + i * step, step / FIRN_PANEL, w->taps + i * step);
    return w->taps ? 0 : -FIRN_NOMEM;
}

static int pack_all(struct wino_op *w, const float *weight)
{
    size_t step = taps_of_panel(w);
    int cout = w->op.shape.cout;
    float *taps = firn_alloc_raw(step, sizeof(float)), *panel[MAX_POINTS];
    w->weights = firn_alloc_raw(all_planes(w, cout), sizeof(float));
    for (int i = 0; taps && w->weights && i < cout / FIRN_PANEL; i++) {
        float *base = w->weights;
        for (int p = 0; p < w->points * w->points; p++) {
            w->panels[p] = base;
            panel[p] = base + i * plane(w, p, FIRN_PANEL);
            base += plane(w, p, cout);
        }
        lay_side_by_side(weight + i * step, step / FIRN_PANEL, taps);
        transform(w, taps, panel);
    }
    firn_free(taps);
    return taps && w->weights ? 0 : -FIRN_NOMEM;
}

int firn_wino_pack(struct wino_op *w, const float *weight, bool compact)
{
    int cout = w->op.shape.cout;
    w->columns = compact && cout > COMPACT_COLUMNS ? COMPACT_COLUMNS : cout;
    int status = compact || w->few ? pack_taps(w, weight) : 0;
    return status || compact ? status : pack_all(w, weight);
}

size_t firn_wino_packed_bytes(const struct wino_op *w)
{
    int cout = w->op.shape.cout;
    return sizeof(float) * ((w->taps ? taps_of_panel(w) * (cout / FIRN_PANEL) : 0) +
                            (w->weights ? all_planes(w, cout) : 0));
}

/* Planes a line more than they need apart: all at a multiple of 4096 would share a set of L1. */
size_t firn_wino_panel_floats(const struct wino_op *w)
{
    return !w->weights ? all_planes(w, w->columns) + w->points * w->points * FIRN_PANEL : 0;
}

void firn_wino_make_panels(const struct wino_op *w, int column, int columns, float *scratch,
                           float *panel[MAX_POINTS])
{
    float *to[MAX_POINTS];
    for (int p = 0; p < w->points * w->points; p++) {
        panel[p] = to[p] = scratch;
        scratch += plane(w, p, columns) + FIRN_PANEL;
    }
    for (int i = 0; i < columns / FIRN_PANEL; i++) {
        transform(w, w->taps + (column / FIRN_PANEL + i) * taps_of_panel(w), to);
        for (int p = 0; p < w->points * w->points; p++)
            to[p] += plane(w, p, FIRN_PANEL);
    }
}

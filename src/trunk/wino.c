/* SPDX-License-Identifier: MIT */
/**
 * Convolution by Winograd's minimal filtering: m x m outputs of an r x r kernel need n x n products
 * a channel pair, n = m + r - 1, instead of m x m x r x r: F(6,3) 64 instead of 324.
 *
 *   input tile n x n --BT d B--> V[point][tile][cin]       (wino_vector.h; points: wino_points.c)
 *   kernel     r x r --G g G'--> U[point][cin][cout]       (once, in double)
 *                                M[point] = V[point] U[point]: a matrix product for each point
 *   M[point][tile][cout] --AT m A--> output tile m x m, + bias + residual, ReLU
 *
 * A block of tiles goes through all three steps while V and M stay in L2. M of a point lies where
 * V of the point before it was, so that both take the room of one:
 *
 *      | M 0   | M 1   | M 2   | ..
 *              | V 0   | V 1   | V 2   | ..
 *
 * Where memory is short, the kernels are kept as they are, a quarter of U or less, and U is made
 * for some output channels at a time, for every block anew (wino_pack.c): the same numbers. So it
 * is where a batch of one would wait for U (x86/few_avx2.c).
 *
 * Clipped tiles. Without its last point (infinity) and last input, the transform of F(m, r) gives
 * m - 1 outputs from the same U. So an axis is cut into full and clipped tiles that cover the map
 * without waste: 56 = 6x6 + 4x5, 28 = 3x6 + 2x5, 14 = 5+5+4, 7 = 4+3. Tiles clipped on an axis have
 * no row in V and M of the points that are last on that axis. Sorted like this, each point still
 * has one contiguous range of rows (i, j: the vertical and horizontal point):
 *
 *      tiles, full/clipped h x w     rows of a point
 *      +------------------+         -+            i, j any but last: all four
 *      | full  x clipped  |          |  -+
 *      +------------------+  -+      |   |        i last: the first two
 *      | full  x full     |   |      | i last
 *      +------------------+   |     -+   |        j last: the middle two
 *      | clipped x full   | j last      -+
 *      +------------------+  -+                   both last: the second
 *      | clipped x clipped|
 *      +------------------+
 *
 * Stride 2. Along an axis, even and odd inputs are two stride-1 convolutions whose sum is wanted: a
 * 3-tap kernel falls into one of 2 taps and one of 1 tap, 7 taps into 4 and 3. Both use the points
 * of the longer; the shorter is the longer with its last tap 0, and as U at infinity is the last
 * tap, it has no product there: again a point less. The sum over phases happens in M, by laying the
 * phases behind each other along cin. The four combinations are sorted as the tiles are, with
 * long/short for full/clipped, so a point's channels are one contiguous range too.
 *
 * Every output is a sum over cin in rising order, whatever tile, block or batch it is in.
 */
#include <string.h>

#include "base/mem.h"
#include "trunk/wino_op.h"

static void destroy(struct firn_conv_op *op)
{
    struct wino_op *w = (struct wino_op *)op;
    firn_free(w->weights);
    firn_free(w->taps);
    firn_free(w->bias);
    firn_free(w->zeros);
    firn_free(w);
}

/* The taps of `kernel` that read inputs of one phase; the long phase first. */
static int split(const struct firn_conv_shape *s, struct phase *phase)
{
    int most = 0;
    for (int k = 0; k < s->stride; k++) {
        phase[k] = (struct phase){.start = k - s->pad, .first = k,
                                  .taps = (s->kernel - k + s->stride - 1) / s->stride};
        most = phase[k].taps > most ? phase[k].taps : most;
    }
    return most;
}

/* Planes an odd number of cache lines apart spread over all sets of the caches. */
static ptrdiff_t spread(ptrdiff_t floats)
{
    return (floats + 15) / 16 * 16 + (floats + 15) / 16 % 2 * -16 + 16;
}

/* Executed products of one image. */
static double macs(const struct wino_op *w)
{
    double sum = 0;
    const struct firn_wino_axis *a = w->axis;
    int count[4] = {a[0].full * a[1].clipped, a[0].full * a[1].full, a[0].clipped * a[1].full,
                    a[0].clipped * a[1].clipped};
    for (int p = 0; p < w->points * w->points; p++) {
        bool last_i = p / w->points == w->points - 1, last_j = p % w->points == w->points - 1;
        int first, rows, depth;
        rows_of_point(count, last_i, last_j, &first, &rows);
        depth_of_point(w, last_i, last_j, &first, &depth);
        sum += (double)rows * depth * w->op.shape.cout;
    }
    return sum;
}

static const char *name(const struct wino_op *w)
{
    static const char *const names[5][FIRN_WINO_MAX] = {
        [2] = {[3] = "wino F(3,2) x4", [4] = "wino F(4,2) x4", [5] = "wino F(5,2) x4"},
        [3] = {[2] = "wino F(2,3)", [3] = "wino F(3,3)", [4] = "wino F(4,3)", [5] = "wino F(5,3)",
               [6] = "wino F(6,3)"},
        [4] = {[4] = "wino F(4,4) x4", [5] = "wino F(5,4) x4"}};
    return names[w->axis[0].r][w->axis[0].m];
}

/*
 * The largest and the smallest tile of a layer. With stride 2: maps of 7x7 are 3+2+2, which needs
 * 40% fewer transformed weights than 4+3 and 13% more products, as batches of one only wait for
 * those weights; 28 is 7x4, of which transforms are cheaper than of 4x5+2x4.
 */
static void tile_range(const struct firn_conv_shape *s, int r, int size, int *least, int *most)
{
    *least = r == 3 ? 2 : 4;
    *most = r != 3 ? 5 : s->cin > 128 ? 5 : s->careful ? 3 : 6;
    if (r == 2 && size <= 8)
        *least = *most = 3;
    if (r == 2 && size >= 28)
        *most = 4;
}

/* Both axes with the tile that makes their product smallest. */
static void cut(struct wino_op *w, int r)
{
    const struct firn_conv_shape *s = &w->op.shape;
    int h = firn_conv_out_h(s), width = firn_conv_out_w(s), size = h > width ? h : width;
    int least, most;
    tile_range(s, r, size, &least, &most);
    int m = firn_wino_cut(size, r, least, most).m;
    w->axis[0] = firn_wino_cut(h, r, m, m);
    w->axis[1] = firn_wino_cut(width, r, m, m);
    w->points = m + r - 1;
}

static void size_block(struct wino_op *w)
{
    const struct firn_conv_shape *s = &w->op.shape;
    int depth = s->cin * s->stride * s->stride, columns = tiles_of(&w->axis[1]);
    w->tiles = depth <= 64 ? 40 : depth <= 128 ? 50 : 72;
    if (w->tiles < columns)
        w->tiles = columns;
    w->gathered = s->cin % FIRN_WINO_LANES != 0;
    w->pixel = depth;
    if (w->gathered)
        w->pixel = (depth + GATHERED - s->cin + FIRN_WINO_LANES - 1) / FIRN_WINO_LANES *
                   FIRN_WINO_LANES;
    w->v_row = w->pixel;
    w->m_row = w->columns;
    w->v_plane = spread(w->tiles * w->v_row);
    w->m_plane = spread(w->tiles * w->m_row);
    w->lead = w->points * w->points * w->m_plane;
    if (w->columns == s->cout) { /* one pass: no point's V is wanted again */
        w->v_plane = w->m_plane = w->v_plane > w->m_plane ? w->v_plane : w->m_plane;
        w->lead = w->v_plane;
    }
}

/*
 * Layers whose U would come from memory for the four tiles of a map alone (x86/few_avx2.c): 36
 * floats for each of so many pairs of channels are 19 MB.
 */
#define FEW_FROM (128 << 10)

static bool suits_few(const struct wino_op *w)
{
    const struct firn_conv_shape *s = &w->op.shape;
    const struct firn_wino_axis *a = w->axis;
    return w->kernels->wino->few && w->n_phase == 1 && a[0].m == 4 && a[0].r == 3 &&
           a[0].full == 1 && a[0].clipped == 1 && a[1].full == 1 && a[1].clipped == 1 &&
           s->cin % FIRN_WINO_CHAIN == 0 && s->cin * s->cout >= FEW_FROM;
}

static bool suited(const struct firn_conv_shape *s)
{
    bool seven = s->kernel == 7 && s->stride == 2 && !s->careful;
    bool taps = (s->kernel == 3 && s->stride <= 2) || seven;
    bool channels = s->cin % FIRN_WINO_LANES == 0 || (s->cin <= GATHERED && s->stride == 2);
    return taps && channels && s->groups == 1 && s->pad == s->kernel / 2 &&
           s->cout % FIRN_PANEL == 0;
}

static int create(struct firn_conv_op **out, const struct firn_conv_shape *shape,
                  const float *weight, const float *bias, const struct firn_kernels *kernels,
                  bool compact)
{
    *out = NULL;
    if (!suited(shape))
        return FIRN_CONV_UNSUITED;
    struct wino_op *w = firn_alloc(1, sizeof *w);
    if (!w)
        return -FIRN_NOMEM;
    w->op = (struct firn_conv_op){.shape = *shape, .run = firn_wino_run,
                                  .scratch = firn_wino_scratch, .destroy = destroy};
    w->kernels = kernels;
    w->n_phase = shape->stride;
    cut(w, split(shape, w->phase));
    w->few = suits_few(w);
    firn_wino_matrix(&w->matrix, w->axis[0].m, w->axis[0].r);
    size_t zeros = (size_t)w->points * shape->stride * shape->cin;
    w->bias = firn_alloc(shape->cout, sizeof(float));
    w->zeros = firn_alloc(zeros, sizeof(float));
    if (!w->bias || !w->zeros || firn_wino_pack(w, weight, compact)) {
        destroy(&w->op);
        return -FIRN_NOMEM;
    }
    size_block(w);
    memcpy(w->bias, bias, shape->cout * sizeof(float));
    w->op.algorithm = name(w);
    w->op.bytes = firn_wino_packed_bytes(w) + (zeros + shape->cout) * sizeof(float);
    w->op.macs = macs(w);
    w->op.strip_rows = images_of(w) ? 0 : tile_rows_of(w) * w->axis[0].m;
    *out = &w->op;
    return 0;
}

int firn_conv_create_wino(struct firn_conv_op **out, const struct firn_conv_shape *shape,
                          const float *weight, const float *bias,
                          const struct firn_kernels *kernels)
{
    return create(out, shape, weight, bias, kernels, false);
}

int firn_conv_create_wino_compact(struct firn_conv_op **out, const struct firn_conv_shape *shape,
                                  const float *weight, const float *bias,
                                  const struct firn_kernels *kernels)
{
    return create(out, shape, weight, bias, kernels, true);
}

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
 * A block of tiles goes through all three steps while V and M stay in L2.
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
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "trunk/conv.h"
#include "trunk/wino.h"

/* How one axis of the kernel falls apart into phases: inputs that lie `stride` pixels apart. */
struct phase {
    int start; /* input pixel under the first tap of output 0 */
    int first; /* first tap of the kernel; the others follow `stride` apart */
    int taps;
};

#define MAX_PHASES 2
#define GATHERED 4 /* channels that are gathered at once */
#define MAX_POINTS (FIRN_WINO_MAX * FIRN_WINO_MAX)

struct wino_op {
    struct firn_conv_op op;
    const struct firn_kernels *kernels;
    struct firn_wino_axis axis[2]; /* vertical, horizontal; the same m and r */
    int points;                    /* of an axis */
    int n_phase;                   /* of an axis: the stride */
    struct phase phase[MAX_PHASES];
    bool gathered;                     /* few channels: a strip of the map with all phases side by
                                          side is made first, and transformed as one */
    ptrdiff_t pixel;                   /* floats of a pixel of that strip */
    int tiles;                         /* of a block, at most */
    ptrdiff_t v_row, v_plane;          /* floats from tile to tile, from point to point */
    ptrdiff_t m_row, m_plane;          /* the same of the products */
    float *panels[MAX_POINTS];         /* of each point */
    float *weights, *bias, *zeros;
};

/* Tiles that are worked on together: all columns of some rows of some images. */
struct block {
    int image, images;
    int row[2], rows[2]; /* full and clipped rows of tiles: first, count */
};

/* One tile of a block. */
struct tile {
    int image, y, x; /* y, x: index of the tile on its axis */
};

/* Tiles of a block in the order drawn above: [0] full x clipped, [1] full x full, ... */
struct group {
    bool clip_h, clip_w;
};
static const struct group groups[4] = {{false, true}, {false, false}, {true, false}, {true, true}};

static int tiles_of(const struct firn_wino_axis *a)
{
    return a->full + a->clipped;
}

/* First tile and number of tiles of the block that have point (i, j). */
static void rows_of_point(const int count[4], bool last_i, bool last_j, int *first, int *rows)
{
    *first = last_j ? count[0] : 0;
    *rows = count[1] + (last_j ? 0 : count[0]) + (last_i ? 0 : count[2]) +
            (last_i || last_j ? 0 : count[3]);
}

/* First channel and number of channels that have point (i, j): the same order, over phases. */
static void depth_of_point(const struct wino_op *w, bool last_i, bool last_j, int *first,
                           int *depth)
{
    int cin = w->op.shape.cin, one[4] = {cin, cin, cin, cin};
    if (w->n_phase == 1) {
        *first = 0;
        *depth = cin;
        return;
    }
    rows_of_point(one, last_i, last_j, first, depth);
}

static void products(const struct wino_op *w, const int count[4], const float *v, float *m)
{
    for (int p = 0; p < w->points * w->points; p++) {
        bool last_i = p / w->points == w->points - 1, last_j = p % w->points == w->points - 1;
        int first, rows, channel, depth;
        rows_of_point(count, last_i, last_j, &first, &rows);
        depth_of_point(w, last_i, last_j, &channel, &depth);
        if (rows)
            w->kernels->gemm(&(struct firn_gemm){
                .m = rows, .n = w->op.shape.cout, .k = depth,
                .a = v + p * w->v_plane + first * w->v_row + channel, .lda = w->v_row,
                .b = w->panels[p], .next_a = v + (p + 1) * w->v_plane,
                .c = m + p * w->m_plane + first * w->m_row, .ldc = w->m_row,
            });
    }
}

/* Where the rows and columns of an input tile lie on the map. */
static void place_input(const struct wino_op *w, const struct tile *t, const struct phase *py,
                        const struct phase *px, const float *in, struct firn_wino_input *a)
{
    const struct firn_conv_shape *s = &w->op.shape;
    int y0 = firn_wino_start(&w->axis[0], t->y) * s->stride + py->start;
    int x0 = firn_wino_start(&w->axis[1], t->x) * s->stride + px->start;
    int n = w->points - a->clip_w;
    a->left = x0 < 0 ? (-x0 + s->stride - 1) / s->stride : 0;
    a->right = x0 >= s->w ? 0 : (s->w - 1 - x0) / s->stride + 1;
    if (a->right > n)
        a->right = n;
    const float *image = in + (ptrdiff_t)t->image * s->h * s->w * s->cin;
    for (int i = 0; i < w->points; i++) {
        int y = y0 + i * s->stride, x = x0 + a->left * s->stride;
        bool inside = y >= 0 && y < s->h && a->left < a->right;
        a->row[i] = inside ? image + ((ptrdiff_t)y * s->w + x) * s->cin : w->zeros;
    }
}

/* Width and height of the strip of `rows` rows of tiles, in pixels of all phases. */
static int strip_width(const struct wino_op *w)
{
    return firn_wino_start(&w->axis[1], tiles_of(&w->axis[1])) + w->axis[1].r - 1;
}
static int strip_height(const struct wino_op *w, int rows)
{
    return rows * w->axis[0].m + w->axis[0].r - 1;
}

/*
 * One row of pixels of one phase, from column x0 of the map on, zeros outside it. Copies of four
 * channels at once spill into the next phase, which comes later, or behind the last.
 */
static void gather_row(const struct wino_op *w, const float *row, int x0, float *to)
{
    const struct firn_conv_shape *s = &w->op.shape;
    int width = strip_width(w), left = x0 < 0 ? (-x0 + s->stride - 1) / s->stride : 0;
    int right = (s->w - x0 + s->stride - 1) / s->stride;
    if (!row || right < left)
        left = right = width;
    right = right < width ? right : width;
    for (int x = 0; x < left; x++)
        memset(to + x * w->pixel, 0, s->cin * sizeof *to);
    for (int x = right; x < width; x++)
        memset(to + x * w->pixel, 0, s->cin * sizeof *to);
    const float *from = row ? row + x0 * (ptrdiff_t)s->cin : NULL;
    ptrdiff_t step = s->stride * s->cin, pixel = w->pixel;
    for (int x = left; x < right; x++)
        memcpy(to + x * pixel, from + x * step, GATHERED * sizeof *to);
}

/* The strip under the rows of tiles of a block: pixels that hold all phases in order. */
static void gather(const struct wino_op *w, const struct block *b, const float *in, float *strip)
{
    const struct firn_conv_shape *s = &w->op.shape;
    bool clipped = b->rows[1] > 0;
    int height = strip_height(w, b->rows[clipped]);
    int y0 = firn_wino_start(&w->axis[0], b->row[clipped]) * s->stride;
    const float *image = in + (ptrdiff_t)b->image * s->h * s->w * s->cin;
    for (int i = 0; i < height; i++)
        for (int k = 0; k < 4; k++) {
            int y = y0 + i * s->stride + w->phase[groups[k].clip_h].start;
            bool inside = y >= 0 && y < s->h;
            gather_row(w, inside ? image + (ptrdiff_t)y * s->w * s->cin : NULL,
                       w->phase[groups[k].clip_w].start,
                       strip + (ptrdiff_t)i * strip_width(w) * w->pixel + k * s->cin);
        }
}

/* A tile of the strip whose first row of tiles is `row`. */
static void input_gathered(const struct wino_op *w, const struct tile *t, const struct group *g,
                           int row, const float *strip, float *v)
{
    struct firn_wino_input a = {
        .points = w->points, .clip_h = g->clip_h, .clip_w = g->clip_w,
        .right = w->points - g->clip_w, .channels = (int)w->pixel, .step = w->pixel, .v = v,
        .plane = w->v_plane,
    };
    int y = firn_wino_start(&w->axis[0], t->y) - firn_wino_start(&w->axis[0], row);
    int x = firn_wino_start(&w->axis[1], t->x);
    for (int i = 0; i < w->points - g->clip_h; i++)
        a.row[i] = strip + ((ptrdiff_t)(y + i) * strip_width(w) + x) * w->pixel;
    w->kernels->wino->input(&a);
}

/* Phase k of the order that drops out evenly: as groups[], a short phase like a clipped tile. */
static void input_tile(const struct wino_op *w, const struct tile *t, const struct group *g,
                       const float *in, float *v)
{
    const struct firn_conv_shape *s = &w->op.shape;
    for (int k = 0; k < (w->n_phase == 1 ? 1 : 4); k++, v += s->cin) {
        bool short_h = w->n_phase > 1 && groups[k].clip_h;
        bool short_w = w->n_phase > 1 && groups[k].clip_w;
        struct firn_wino_input a = {
            .points = w->points, .clip_h = g->clip_h || short_h, .clip_w = g->clip_w || short_w,
            .channels = s->cin, .step = (ptrdiff_t)s->stride * s->cin, .v = v, .plane = w->v_plane,
        };
        place_input(w, t, &w->phase[short_h], &w->phase[short_w], in, &a);
        w->kernels->wino->input(&a);
    }
}

static void output_tile(const struct wino_op *w, const struct tile *t, const struct group *g,
                        const float *m, const struct firn_conv_call *call)
{
    const struct firn_conv_shape *s = &w->op.shape;
    int oh = firn_conv_out_h(s), ow = firn_conv_out_w(s);
    int y = firn_wino_start(&w->axis[0], t->y), x = firn_wino_start(&w->axis[1], t->x);
    int rows = w->axis[0].m - g->clip_h, columns = w->axis[1].m - g->clip_w;
    ptrdiff_t at = (((ptrdiff_t)t->image * oh + y) * ow + x) * s->cout;
    w->kernels->wino->output(&(struct firn_wino_output){
        .points = w->points, .m = w->axis[0].m, .clip_h = g->clip_h, .clip_w = g->clip_w,
        .rows = rows < oh - y ? rows : oh - y, .columns = columns < ow - x ? columns : ow - x,
        .channels = s->cout, .v = m, .plane = w->m_plane, .out = call->out + at,
        .row = (ptrdiff_t)ow * s->cout, .step = s->cout, .bias = w->bias,
        .residual = call->residual ? call->residual + at : NULL, .relu = s->relu,
    });
}

/* Tile i of group `k`: images outermost, then rows. */
static struct tile tile_of(const struct wino_op *w, const struct block *b, int k, int i)
{
    int columns = groups[k].clip_w ? w->axis[1].clipped : w->axis[1].full;
    int rows = b->rows[groups[k].clip_h];
    return (struct tile){
        .image = b->image + i / (rows * columns),
        .y = b->row[groups[k].clip_h] + i / columns % rows,
        .x = (groups[k].clip_w ? w->axis[1].full : 0) + i % columns,
    };
}

static void run_block(const struct wino_op *w, const struct block *b,
                      const struct firn_conv_call *call)
{
    float *v = call->scratch, *m = v + w->points * w->points * w->v_plane;
    float *strip = m + w->points * w->points * w->m_plane;
    int count[4], done = 0;
    if (w->gathered)
        gather(w, b, call->in, strip);
    for (int k = 0; k < 4; k++) {
        int columns = groups[k].clip_w ? w->axis[1].clipped : w->axis[1].full;
        count[k] = b->images * b->rows[groups[k].clip_h] * columns;
    }
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < count[k]; i++, done++) {
            struct tile t = tile_of(w, b, k, i);
            if (w->gathered)
                input_gathered(w, &t, &groups[k], b->row[groups[k].clip_h], strip,
                               v + done * w->v_row);
            else
                input_tile(w, &t, &groups[k], call->in, v + done * w->v_row);
        }
    products(w, count, v, m);
    done = 0;
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < count[k]; i++, done++) {
            struct tile t = tile_of(w, b, k, i);
            output_tile(w, &t, &groups[k], m + done * w->m_row, call);
        }
}

/* Runs `rows` rows of tiles of one kind (full or clipped) of one image in blocks of equal size. */
static void run_rows(const struct wino_op *w, int image, bool clipped, int first, int rows,
                     const struct firn_conv_call *call)
{
    int most = w->tiles / tiles_of(&w->axis[1]);
    int parts = (rows + most - 1) / most;
    for (int i = 0, row = first; i < parts; i++) {
        struct block b = {.image = image, .images = 1};
        b.row[clipped] = row;
        b.rows[clipped] = rows / parts + (i < rows % parts);
        row += b.rows[clipped];
        run_block(w, &b, call);
    }
}

static void run(const struct firn_conv_op *op, const struct firn_conv_call *call)
{
    const struct wino_op *w = (const struct wino_op *)op;
    const struct firn_wino_axis *a = &w->axis[0];
    int images = w->gathered ? 0 : w->tiles / (tiles_of(a) * tiles_of(&w->axis[1]));
    for (int i = 0; images == 0 && i < call->n; i++) {
        run_rows(w, i, false, 0, a->full, call);
        run_rows(w, i, true, a->full, a->clipped, call);
    }
    for (int i = 0; images > 0 && i < call->n; i += images)
        run_block(w, &(struct block){.image = i,
                                     .images = call->n - i < images ? call->n - i : images,
                                     .row = {0, a->full}, .rows = {a->full, a->clipped}},
                  call);
}

static size_t scratch(const struct firn_conv_op *op, int n)
{
    const struct wino_op *w = (const struct wino_op *)op;
    (void)n;
    int rows = w->tiles / tiles_of(&w->axis[1]);
    size_t strip = w->gathered ? strip_height(w, rows) * strip_width(w) * w->pixel : 0;
    return (w->points * w->points * (w->v_plane + w->m_plane) + strip) * sizeof(float);
}

static void destroy(struct firn_conv_op *op)
{
    struct wino_op *w = (struct wino_op *)op;
    firn_free(w->weights);
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

/*
 * u[point][o] for 16 output channels: G g G' with g the taps of one phase, in double. Taps that a
 * short phase lacks are zero, so its last point is zero too and nobody asks for it.
 */
static void transform(const struct firn_wino_matrix *f, const struct firn_conv_shape *s,
                      const struct phase *py, const struct phase *px, const float *weight,
                      double u[MAX_POINTS][FIRN_PANEL])
{
    int taps = s->kernel * s->kernel;
    double half[FIRN_WINO_MAX][FIRN_WINO_MAX][FIRN_PANEL];
    for (int i = 0; i < f->n; i++)
        for (int x = 0; x < px->taps; x++)
            for (int o = 0; o < FIRN_PANEL; o++) {
                double sum = 0;
                for (int y = 0; y < py->taps; y++)
                    sum += f->g[i][y] * weight[(ptrdiff_t)o * s->cin * taps +
                                               (py->first + y * s->stride) * s->kernel + px->first +
                                               x * s->stride];
                half[i][x][o] = sum;
            }
    for (int i = 0; i < f->n; i++)
        for (int j = 0; j < f->n; j++)
            for (int o = 0; o < FIRN_PANEL; o++) {
                double sum = 0;
                for (int x = 0; x < px->taps; x++)
                    sum += f->g[j][x] * half[i][x][o];
                u[i * f->n + j][o] = sum;
            }
}

/* Spreads one transformed 16-channel column over the panels of its points. */
static void store(const struct wino_op *w, double u[MAX_POINTS][FIRN_PANEL], int output, int row)
{
    for (int p = 0; p < w->points * w->points; p++) {
        bool last_i = p / w->points == w->points - 1, last_j = p % w->points == w->points - 1;
        int first, depth;
        depth_of_point(w, last_i, last_j, &first, &depth);
        if (row < first || row >= first + depth)
            continue;
        float *to = w->panels[p] + (ptrdiff_t)output * depth + (row - first) * FIRN_PANEL;
        for (int o = 0; o < FIRN_PANEL; o++)
            to[o] = (float)u[p][o];
    }
}

static void pack(struct wino_op *w, const struct firn_wino_matrix *f, const float *weight)
{
    const struct firn_conv_shape *s = &w->op.shape;
    double u[MAX_POINTS][FIRN_PANEL];
    for (int o = 0; o < s->cout; o += FIRN_PANEL)
        for (int k = 0; k < (w->n_phase == 1 ? 1 : 4); k++)
            for (int c = 0; c < s->cin; c++) {
                const struct phase *py = &w->phase[w->n_phase > 1 && groups[k].clip_h];
                const struct phase *px = &w->phase[w->n_phase > 1 && groups[k].clip_w];
                transform(f, s, py, px,
                          weight + ((ptrdiff_t)o * s->cin + c) * s->kernel * s->kernel, u);
                store(w, u, o, k * s->cin + c);
            }
}

/* Floats of all panels; sets where each point's begin. */
static size_t lay_out(struct wino_op *w, float *base)
{
    size_t total = 0;
    for (int p = 0; p < w->points * w->points; p++) {
        int first, depth;
        depth_of_point(w, p / w->points == w->points - 1, p % w->points == w->points - 1, &first,
                       &depth);
        w->panels[p] = base ? base + total : NULL;
        total += (size_t)depth * w->op.shape.cout;
    }
    return total;
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
        [2] = {[4] = "wino F(4,2) x4", [5] = "wino F(5,2) x4"},
        [3] = {[2] = "wino F(2,3)", [3] = "wino F(3,3)", [4] = "wino F(4,3)", [5] = "wino F(5,3)",
               [6] = "wino F(6,3)"},
        [4] = {[4] = "wino F(4,4) x4", [5] = "wino F(5,4) x4"}};
    return names[w->axis[0].r][w->axis[0].m];
}

/* Both axes with the tile that makes their product smallest. */
static void cut(struct wino_op *w, int r)
{
    const struct firn_conv_shape *s = &w->op.shape;
    static const int least[5] = {[2] = 4, [3] = 2, [4] = 4}, most[5] = {[2] = 5, [3] = 6, [4] = 5};
    int limit = r == 3 && s->cin > 128 ? 5 : most[r];
    int h = firn_conv_out_h(s), width = firn_conv_out_w(s);
    struct firn_wino_axis larger = firn_wino_cut(h > width ? h : width, r, least[r], limit);
    w->axis[0] = firn_wino_cut(h, r, larger.m, larger.m);
    w->axis[1] = firn_wino_cut(width, r, larger.m, larger.m);
    w->points = larger.m + r - 1;
}

static void size_block(struct wino_op *w)
{
    const struct firn_conv_shape *s = &w->op.shape;
    int depth = s->cin * s->stride * s->stride, columns = tiles_of(&w->axis[1]);
    w->tiles = depth <= 64 ? 30 : depth <= 128 ? 50 : 72;
    if (w->tiles < columns)
        w->tiles = columns;
    w->gathered = s->cin % FIRN_WINO_LANES != 0;
    w->pixel = (depth + GATHERED - s->cin + FIRN_WINO_LANES - 1) / FIRN_WINO_LANES * FIRN_WINO_LANES;
    if (!w->gathered)
        w->pixel = depth;
    w->v_row = w->pixel;
    w->m_row = s->cout;
    w->v_plane = spread(w->tiles * w->v_row);
    w->m_plane = spread(w->tiles * w->m_row);
}

static bool suited(const struct firn_conv_shape *s)
{
    bool taps = (s->kernel == 3 && s->stride <= 2) || (s->kernel == 7 && s->stride == 2);
    bool channels = s->cin % FIRN_WINO_LANES == 0 || (s->cin <= GATHERED && s->stride == 2);
    return taps && channels && s->groups == 1 && s->pad == s->kernel / 2 &&
           s->cout % FIRN_PANEL == 0;
}

int firn_conv_create_wino(struct firn_conv_op **out, const struct firn_conv_shape *shape,
                          const float *weight, const float *bias,
                          const struct firn_kernels *kernels)
{
    *out = NULL;
    if (!suited(shape))
        return FIRN_CONV_UNSUITED;
    struct wino_op *w = firn_alloc(1, sizeof *w);
    if (!w)
        return -FIRN_NOMEM;
    w->op = (struct firn_conv_op){.shape = *shape, .run = run, .scratch = scratch,
                                  .destroy = destroy};
    w->kernels = kernels;
    w->n_phase = shape->stride;
    cut(w, split(shape, w->phase));
    size_block(w);
    size_t floats = lay_out(w, NULL), zeros = (size_t)w->points * shape->stride * shape->cin;
    w->weights = firn_alloc(floats, sizeof(float));
    w->bias = firn_alloc(shape->cout, sizeof(float));
    w->zeros = firn_alloc(zeros, sizeof(float));
    if (!w->weights || !w->bias || !w->zeros) {
        destroy(&w->op);
        return -FIRN_NOMEM;
    }
    lay_out(w, w->weights);
    struct firn_wino_matrix f;
    firn_wino_matrix(&f, w->axis[0].m, w->axis[0].r);
    pack(w, &f, weight);
    memcpy(w->bias, bias, shape->cout * sizeof(float));
    w->op.algorithm = name(w);
    w->op.bytes = (floats + zeros + shape->cout) * sizeof(float);
    w->op.macs = macs(w);
    *out = &w->op;
    return 0;
}

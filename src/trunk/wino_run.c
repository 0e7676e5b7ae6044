/* SPDX-License-Identifier: MIT */
/** A Winograd convolution, block by block; wino.c says what is computed. */
#include <string.h>

#include "base/thread.h"
#include "trunk/wino_op.h"

/* Tiles that are worked on together: all columns of some rows of some images. */
struct block {
    int image, images;
    int row[2], rows[2]; /* full and clipped rows of tiles: first, count */
    float *out;          /* of the first image */
    int top;             /* row of the map at `out` */
};

/* One tile of a block. */
struct tile {
    int image, y, x; /* y, x: index of the tile on its axis */
};

/* A pass over a block: the products and outputs of some columns. */
struct pass {
    int column, columns; /* output channels: first, count */
    float *const *panel; /* of each point */
    const float *v;
    float *m;
};

static void products(const struct wino_op *w, const int count[4], const struct pass *pass)
{
    const float *v = pass->v;
    for (int p = 0; p < w->points * w->points; p++) {
        bool last_i = p / w->points == w->points - 1, last_j = p % w->points == w->points - 1;
        int first, rows, channel, depth;
        rows_of_point(count, last_i, last_j, &first, &rows);
        depth_of_point(w, last_i, last_j, &channel, &depth);
        if (rows)
            w->kernels->gemm(&(struct firn_gemm){
                .m = rows, .n = pass->columns, .k = depth, .chain = FIRN_WINO_CHAIN,
                .a = v + p * w->v_plane + first * w->v_row + channel, .lda = w->v_row,
                .b = pass->panel[p], .next_a = v + (p + 1) * w->v_plane,
                .c = pass->m + p * w->m_plane + first * w->m_row, .ldc = w->m_row,
            });
    }
}

/* The same of a map alone, with kernels as they are. */
static void products_of_few(const struct wino_op *w, const struct pass *pass)
{
    ptrdiff_t taps = (ptrdiff_t)w->op.shape.cin * w->matrix.r * w->matrix.r;
    for (int i = 0; i < pass->columns; i += FIRN_PANEL)
        w->kernels->wino->few(&(struct firn_wino_few){
            .matrix = &w->matrix, .taps = w->taps + (pass->column + i) * taps,
            .channels = w->op.shape.cin, .v = pass->v, .v_row = w->v_row, .v_plane = w->v_plane,
            .m = pass->m + i, .m_row = w->m_row, .m_plane = w->m_plane,
        });
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

static void output_tile(const struct wino_op *w, const struct block *b, const struct tile *t,
                        const struct group *g, const struct pass *pass, const float *m,
                        const struct firn_conv_call *call)
{
    const struct firn_conv_shape *s = &w->op.shape;
    int oh = firn_conv_out_h(s), ow = firn_conv_out_w(s);
    int y = firn_wino_start(&w->axis[0], t->y), x = firn_wino_start(&w->axis[1], t->x);
    int rows = w->axis[0].m - g->clip_h, columns = w->axis[1].m - g->clip_w;
    ptrdiff_t at = (((ptrdiff_t)t->image * oh + y) * ow + x) * s->cout + pass->column;
    w->kernels->wino->output(&(struct firn_wino_output){
        .points = w->points, .m = w->axis[0].m, .clip_h = g->clip_h, .clip_w = g->clip_w,
        .rows = rows < oh - y ? rows : oh - y, .columns = columns < ow - x ? columns : ow - x,
        .channels = pass->columns, .v = m, .plane = w->m_plane,
        .out = b->out + at - (ptrdiff_t)b->top * ow * s->cout,
        .row = (ptrdiff_t)ow * s->cout, .step = s->cout, .bias = w->bias + pass->column,
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

/* Adds the time since *start, which becomes now. */
static void add_since(int64_t *start, int64_t *total)
{
    int64_t now = firn_thread_cpu_ns();
    *total += now - *start;
    *start = now;
}

/* V of all tiles of a block. */
static void input_block(const struct wino_op *w, const struct block *b, const int count[4],
                        const struct firn_conv_call *call, float *v, float *strip)
{
    if (w->gathered)
        gather(w, b, call->in, strip);
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < count[k]; i++, v += w->v_row) {
            struct tile t = tile_of(w, b, k, i);
            if (w->gathered)
                input_gathered(w, &t, &groups[k], b->row[groups[k].clip_h], strip, v);
            else
                input_tile(w, &t, &groups[k], call->in, v);
        }
}

static void output_block(const struct wino_op *w, const struct block *b, const int count[4],
                         const struct pass *pass, const struct firn_conv_call *call)
{
    const float *m = pass->m;
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < count[k]; i++, m += w->m_row) {
            struct tile t = tile_of(w, b, k, i);
            output_tile(w, b, &t, &groups[k], pass, m, call);
        }
}

static void run_block(const struct wino_op *w, const struct block *b,
                      const struct firn_conv_call *call)
{
    int points = w->points * w->points, cout = w->op.shape.cout, count[4];
    float *m = call->scratch, *v = m + w->lead, *rest = v + points * w->v_plane;
    float *made[MAX_POINTS];
    bool few = w->few && b->images == 1;
    struct pass pass = {.panel = w->weights ? w->panels : made, .v = v, .m = m};
    if (few && w->columns == cout) /* each panel wants all of V: behind it, in the same planes */
        pass.m = v + FIRN_WINO_FEW * w->v_row;
    int64_t start = call->parts ? firn_thread_cpu_ns() : 0;
    for (int k = 0; k < 4; k++) {
        int columns = groups[k].clip_w ? w->axis[1].clipped : w->axis[1].full;
        count[k] = b->images * b->rows[groups[k].clip_h] * columns;
    }
    input_block(w, b, count, call, v, rest);
    if (call->parts)
        add_since(&start, &call->parts->input);
    for (; pass.column < cout; pass.column += pass.columns) {
        int left = cout - pass.column;
        pass.columns = left < w->columns ? left : w->columns;
        if (!w->weights && !few)
            firn_wino_make_panels(w, pass.column, pass.columns, rest, made);
        if (few)
            products_of_few(w, &pass);
        else
            products(w, count, &pass);
        if (call->parts)
            add_since(&start, &call->parts->products);
        output_block(w, b, count, &pass, call);
        if (call->parts)
            add_since(&start, &call->parts->output);
    }
}

/* Where the rows of the map that `b` computes go. */
static void place_output(const struct wino_op *w, struct block *b, bool clipped,
                         const struct firn_conv_call *call)
{
    int end = firn_wino_start(&w->axis[0], b->row[clipped] + b->rows[clipped]);
    int oh = firn_conv_out_h(&w->op.shape);
    b->out = call->out;
    if (call->strips) {
        b->top = firn_wino_start(&w->axis[0], b->row[clipped]);
        b->out = call->strips->next(call->strips, b->top, (end < oh ? end : oh) - b->top);
    }
}

/* Runs `rows` rows of tiles of one kind (full or clipped) of one image in blocks of equal size. */
static void run_rows(const struct wino_op *w, int image, bool clipped, int first, int rows,
                     const struct firn_conv_call *call)
{
    int most = tile_rows_of(w), parts = (rows + most - 1) / most;
    for (int i = 0, row = first; i < parts; i++) {
        struct block b = {.image = image, .images = 1};
        b.row[clipped] = row;
        b.rows[clipped] = rows / parts + (i < rows % parts);
        row += b.rows[clipped];
        place_output(w, &b, clipped, call);
        run_block(w, &b, call);
    }
}

void firn_wino_run(const struct firn_conv_op *op, const struct firn_conv_call *call)
{
    const struct wino_op *w = (const struct wino_op *)op;
    const struct firn_wino_axis *a = &w->axis[0];
    int images = images_of(w);
    for (int i = 0; images == 0 && i < call->n; i++) {
        run_rows(w, i, false, 0, a->full, call);
        run_rows(w, i, true, a->full, a->clipped, call);
    }
    for (int i = 0; images > 0 && i < call->n; i += images)
        run_block(w, &(struct block){.image = i, .out = call->out,
                                     .images = call->n - i < images ? call->n - i : images,
                                     .row = {0, a->full}, .rows = {a->full, a->clipped}},
                  call);
}

size_t firn_wino_scratch(const struct firn_conv_op *op, int n)
{
    const struct wino_op *w = (const struct wino_op *)op;
    (void)n;
    size_t strip = w->gathered ? strip_height(w, tile_rows_of(w)) * strip_width(w) * w->pixel : 0;
    size_t panels = firn_wino_panel_floats(w), rest = strip > panels ? strip : panels;
    return (w->lead + w->points * w->points * w->v_plane + rest) * sizeof(float);
}

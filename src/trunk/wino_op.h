/* SPDX-License-Identifier: MIT */
/**
 * What the three files of a Winograd convolution share: wino.c chooses tiles and creates the op,
 * wino_pack.c transforms its weights, wino_run.c runs it.
 */
#ifndef FIRN_SRC_TRUNK_WINO_OP_H
#define FIRN_SRC_TRUNK_WINO_OP_H

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
#define MAX_POINTS FIRN_WINO_POINTS

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
    ptrdiff_t lead;                    /* V begins so many floats behind M */
    int columns;                       /* output channels of a pass over a block, at most */
    struct firn_wino_matrix matrix;
    float *panels[MAX_POINTS];         /* of each point: [cout / 16][depth][16] */
    float *weights;                    /* of all panels; NULL where only `taps` are kept */
    float *taps;                       /* [cout / 16][cin][kernel][kernel][16], or NULL */
    bool few;                          /* a map alone is multiplied with `taps` */
    float *bias, *zeros;
};

/* Tiles of a block in the order drawn above: [0] full x clipped, [1] full x full, ... */
struct group {
    bool clip_h, clip_w;
};
static const struct group groups[4] = {{false, true}, {false, false}, {true, false}, {true, true}};

static inline int tiles_of(const struct firn_wino_axis *a)
{
    return a->full + a->clipped;
}

/* Rows of tiles of a block of one image, at most. */
static inline int tile_rows_of(const struct wino_op *w)
{
    return w->tiles / tiles_of(&w->axis[1]);
}

/* Images of a block; 0: an image takes several blocks. */
static inline int images_of(const struct wino_op *w)
{
    return w->gathered ? 0 : tile_rows_of(w) / tiles_of(&w->axis[0]);
}

/* First tile and number of tiles of the block that have point (i, j). */
static inline void rows_of_point(const int count[4], bool last_i, bool last_j, int *first,
                                 int *rows)
{
    *first = last_j ? count[0] : 0;
    *rows = count[1] + (last_j ? 0 : count[0]) + (last_i ? 0 : count[2]) +
            (last_i || last_j ? 0 : count[3]);
}

/* First channel and number of channels that have point (i, j): the same order, over phases. */
static inline void depth_of_point(const struct wino_op *w, bool last_i, bool last_j, int *first,
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

/*
 * Takes over OIHW weights: transformed into panels unless `compact`, as they are if that or `few`.
 * Sets columns; needs shape, kernels, points, phases and matrix. 0 or -FIRN_NOMEM.
 */
int firn_wino_pack(struct wino_op *w, const float *weight, bool compact);

/* Bytes that firn_wino_pack() has kept. */
size_t firn_wino_packed_bytes(const struct wino_op *w);

/* Floats of scratch that firn_wino_make_panels() wants. */
size_t firn_wino_panel_floats(const struct wino_op *w);

/* Panels of the output channels [column, column + columns) from w->taps, in `scratch`. */
void firn_wino_make_panels(const struct wino_op *w, int column, int columns, float *scratch,
                           float *panel[MAX_POINTS]);

/* run() and scratch() of the op. */
void firn_wino_run(const struct firn_conv_op *op, const struct firn_conv_call *call);
size_t firn_wino_scratch(const struct firn_conv_op *op, int n);

#endif

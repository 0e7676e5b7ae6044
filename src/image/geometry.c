/* SPDX-License-Identifier: MIT */
#include "image/geometry.h"

#include <math.h>
#include <stdint.h>

/* torchvision: int(resize * long / short), a true division of doubles, then truncated. */
static int longer_side(int resize, int longer, int shorter)
{
    return (int)((double)((int64_t)resize * longer) / shorter);
}

/*
 * CenterCrop rounds half to even, as Python's round() does and rint() in the default rounding mode;
 * what is smaller than the crop is centred in zeros, the odd one at the end.
 */
static void center(struct firn_axis *a, int crop)
{
    a->first = 0;
    a->pad = 0;
    a->count = a->out < crop ? a->out : crop;
    if (a->out < crop)
        a->pad = (crop - a->out) / 2;
    else
        a->first = (int)rint((a->out - crop) / 2.0);
}

void firn_geometry_center(struct firn_geometry *g, const struct firn_image_spec *spec, int width,
                          int height)
{
    g->x.from = g->y.from = 0;
    g->x.in = width;
    g->y.in = height;
    g->x.out = width <= height ? spec->resize : longer_side(spec->resize, width, height);
    g->y.out = width <= height ? longer_side(spec->resize, height, width) : spec->resize;
    center(&g->x, spec->crop);
    center(&g->y, spec->crop);
}

/* SPDX-License-Identifier: MIT */
/**
 * Random views, version 1. View v of a photograph of w x h pixels whose file has the BLAKE2b-256 c:
 *
 *   state  = first 8 bytes of BLAKE2b-256("firn view 1" | seed | c | v), all little-endian:
 *            seed u64, v u32; so a view depends on neither path nor order nor other views
 *   next() = splitmix64 (base/random.h); unit() = next() >> 11 times 2^-53
 *
 *   at most 10 times:                             (RandomResizedCrop.get_params of torchvision)
 *       area   = w * h * float(0.08 + 0.92 * unit())
 *       aspect = float(exp(log(3/4) + (log(4/3) - log(3/4)) * unit()))
 *       cw, ch = round(sqrt(area * aspect)), round(sqrt(area / aspect))      (half to even)
 *       when 0 < cw <= w and 0 < ch <= h: y = next() mod (h - ch + 1), x = next() mod (w - cw + 1)
 *       is the box, and no more are tried
 *   else the largest centred box whose aspect is within 3/4 .. 4/3
 *   mirrored = the highest bit of next()
 *
 * Rounding to float, which torchvision does as well, keeps a last bit in which libraries of
 * mathematics may differ from deciding about a pixel. A change of any of this is a new version.
 */
#include "image/views.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/random.h"
#include "image/geometry.h"
#include "image/turn.h"

#define GENERATOR 1
#define TRIES 10

static const struct {
    const char *name;
    int count;
} kinds[] = {
    [FIRN_VIEWS_CENTER] = {"center", 1},
    [FIRN_VIEWS_FLIP] = {"flip", 2},
    [FIRN_VIEWS_FIVE] = {"five", 5},
    [FIRN_VIEWS_TEN] = {"ten", 10},
};

static int parse_random(struct firn_views *views, const char *text, struct firn_error *err)
{
    char *end = NULL;
    unsigned long long seed = 0;
    errno = 0;
    const unsigned long count = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    bool sound = count >= 1 && count <= FIRN_MAX_VIEWS && !errno;
    if (sound && *end == ':') {
        text = end + 1;
        sound = *text >= '0' && *text <= '9';
        seed = sound ? strtoull(text, &end, 10) : 0;
    }
    if (!sound || *end || errno)
        return firn_fail(err, FIRN_USAGE, "views: random:K[:SEED] with K from 1 to %d and a seed "
                         "that is a whole number", FIRN_MAX_VIEWS);
    *views = (struct firn_views){FIRN_VIEWS_RANDOM, (int)count, seed};
    return 0;
}

int firn_views_parse(struct firn_views *views, const char *text, struct firn_error *err)
{
    *views = (struct firn_views){0};
    if (text && strncmp(text, "random:", 7) == 0)
        return parse_random(views, text + 7, err);
    for (int kind = 0; kind < (int)(sizeof kinds / sizeof *kinds); kind++)
        if (strcmp(text ? text : "center", kinds[kind].name) == 0) {
            *views = (struct firn_views){(enum firn_view_kind)kind, kinds[kind].count, 0};
            return 0;
        }
    return firn_fail(err, FIRN_USAGE, "views: '%.100s' is none of center, flip, five, ten, "
                     "random:K[:SEED]", text);
}

void firn_views_text(const struct firn_views *views, char *text, size_t size)
{
    if (views->kind == FIRN_VIEWS_RANDOM)
        snprintf(text, size, "random:%d:%llu/%d", views->count, (unsigned long long)views->seed,
                 GENERATOR);
    else
        snprintf(text, size, "%s", kinds[views->kind].name);
}

int firn_spec_check(const struct firn_image_spec *spec, struct firn_error *err)
{
    const enum firn_view_kind kind = spec->views.kind;
    if (spec->resize < 1 || spec->resize > FIRN_MAX_RESIZE)
        return firn_fail(err, FIRN_USAGE, "resizing to %d pixels is not possible: 1 to %d are",
                         spec->resize, FIRN_MAX_RESIZE);
    if (spec->crop < 1 || spec->crop > FIRN_MAX_CROP)
        return firn_fail(err, FIRN_USAGE, "a crop of %d pixels is not possible: 1 to %d are",
                         spec->crop, FIRN_MAX_CROP);
    if ((kind == FIRN_VIEWS_FIVE || kind == FIRN_VIEWS_TEN) && spec->resize < spec->crop)
        return firn_fail(err, FIRN_USAGE, "views %s: resize %d is smaller than crop %d, which "
                         "leaves no corners", kinds[kind].name, spec->resize, spec->crop);
    if (kind == FIRN_VIEWS_RANDOM && spec->fast)
        return firn_fail(err, FIRN_USAGE, "random views are cut out of the photograph's own "
                         "pixels: they need --decode exact");
    return 0;
}

/* ---- random views ---- */

static uint64_t begin(uint64_t seed, const uint8_t content[32], int number)
{
    static const char name[] = "firn view 1";
    uint8_t bytes[sizeof name - 1 + 8 + 32 + 4], digest[FIRN_HASH_SIZE];
    uint8_t *at = bytes + sizeof name - 1;
    uint64_t state = 0;
    memcpy(bytes, name, sizeof name - 1);
    for (int i = 0; i < 8; i++)
        *at++ = (uint8_t)(seed >> 8 * i);
    memcpy(at, content, 32);
    at += 32;
    for (int i = 0; i < 4; i++)
        *at++ = (uint8_t)((uint32_t)number >> 8 * i);
    firn_hash(bytes, sizeof bytes, digest);
    for (int i = 7; i >= 0; i--)
        state = state << 8 | digest[i];
    return state;
}

static bool try_box(struct firn_view *view, int width, int height, uint64_t *state)
{
    const double low = log(3.0 / 4), high = log(4.0 / 3);
    const double part = (float)(0.08 + 0.92 * firn_random_unit(state));
    const double aspect = (float)exp(low + (high - low) * firn_random_unit(state));
    const double area = (double)((int64_t)width * height) * part;
    const double w = rint(sqrt(area * aspect)), h = rint(sqrt(area / aspect));
    if (w < 1 || w > width || h < 1 || h > height)
        return false;
    view->width = (int)w;
    view->height = (int)h;
    view->y = (int)firn_random_below(state, (uint64_t)(height - view->height) + 1);
    view->x = (int)firn_random_below(state, (uint64_t)(width - view->width) + 1);
    return true;
}

static void fall_back(struct firn_view *view, int width, int height)
{
    const double aspect = (double)width / height;
    view->width = aspect > 4.0 / 3 ? (int)rint(height * (4.0 / 3)) : width;
    view->height = aspect < 3.0 / 4 ? (int)rint(width / (3.0 / 4)) : height;
    view->x = (width - view->width) / 2;
    view->y = (height - view->height) / 2;
}

static void random_view(const struct firn_views *views, const uint8_t content[32], int width,
                        int height, int number, struct firn_view *view)
{
    uint64_t state = begin(views->seed, content, number);
    bool found = false;
    *view = (struct firn_view){0};
    for (int i = 0; i < TRIES && !found; i++)
        found = try_box(view, width, height, &state);
    if (!found)
        fall_back(view, width, height);
    view->mirrored = firn_random(&state) >> 63;
}

/* ---- geometry ---- */

/* One of FiveCrop: corners from the top left to the bottom right, then the centre as it is. */
static void move_to_corner(struct firn_geometry *g, int corner)
{
    if (corner < 4) {
        g->x.first = corner & 1 ? g->x.out - g->x.count : 0;
        g->y.first = corner & 2 ? g->y.out - g->y.count : 0;
    }
}

bool firn_geometry_view(struct firn_geometry *g, const struct firn_image_spec *spec,
                        const uint8_t content[32], int width, int height, int number)
{
    const struct firn_views *views = &spec->views;
    if (views->kind == FIRN_VIEWS_RANDOM) {
        struct firn_view view;
        random_view(views, content, width, height, number, &view);
        g->x = (struct firn_axis){view.x, view.width, spec->crop, 0, spec->crop, 0};
        g->y = (struct firn_axis){view.y, view.height, spec->crop, 0, spec->crop, 0};
        return view.mirrored;
    }
    firn_geometry_center(g, spec, width, height);
    if (views->kind == FIRN_VIEWS_FIVE || views->kind == FIRN_VIEWS_TEN)
        move_to_corner(g, number % 5);
    if (number < 5 || views->kind != FIRN_VIEWS_TEN)
        return views->kind == FIRN_VIEWS_FLIP && number == 1;
    /* Where it lies in the mirrored photograph; the centre may be half a pixel off. */
    g->x.first = g->x.out - g->x.count - g->x.first;
    return true;
}

void firn_view_at(const struct firn_image_spec *spec, const uint8_t content[32],
                  const struct firn_image_info *info, int number, struct firn_view *view)
{
    struct firn_geometry g;
    const bool across = spec->turn && firn_turns_across(info->orientation);
    const bool mirrored = firn_geometry_view(&g, spec, content, across ? info->height : info->width,
                                             across ? info->width : info->height, number);
    const bool resized = spec->views.kind != FIRN_VIEWS_RANDOM;
    *view = (struct firn_view){g.x.from, g.y.from, g.x.in, g.y.in, resized, mirrored};
    if (resized)
        *view = (struct firn_view){g.x.first, g.y.first, g.x.count, g.y.count, resized, mirrored};
}

/* SPDX-License-Identifier: MIT */
#include "image/tiff_layout.h"

#include <string.h>

#include "base/error.h"

enum { WHITE = 0, BLACK = 1, RGB = 2, PALETTE = 3, CMYK = 5, YCBCR = 6 };

#define MOST_SAMPLES 6

/* The properties that decide, beside those that `struct firn_tiff_kind` has. */
struct traits {
    int format, fill_order;
    int extra[MOST_SAMPLES];
    int n_extra;
    bool big;
};

static int unread(struct firn_error *err, const struct firn_tiff_kind *k)
{
    return firn_fail(err, FIRN_DATA,
                     "a TIFF of %d samples of %d bits, photometric %d, which Pillow does not read "
                     "either: save it as RGB", k->samples, k->bits, k->photometric);
}

/* All samples have as many bits; a single number stands for all. */
static int read_bits(struct firn_tiff_kind *k, const struct firn_tiff_tags *t,
                     struct firn_error *err)
{
    k->bits = (int)firn_tiff_value(t, &t->bits, 0, 1);
    const uint32_t listed = t->bits.count ? t->bits.count : 1;
    if (k->samples < 1 || k->samples > MOST_SAMPLES ||
        (listed != 1 && listed < (uint32_t)k->samples))
        return unread(err, k);
    for (uint32_t i = 1; i < listed && i < (uint32_t)k->samples; i++)
        if (firn_tiff_value(t, &t->bits, i, 0) != k->bits)
            return unread(err, k);
    return 0;
}

static int read_traits(struct firn_tiff_kind *k, struct traits *x, const struct firn_tiff_tags *t,
                       struct firn_error *err)
{
    x->big = t->big;
    x->fill_order = (int)firn_tiff_value(t, &t->fill_order, 0, 1);
    x->format = (int)firn_tiff_value(t, &t->format, 0, 1);
    for (uint32_t i = 1; i < t->format.count && i < 16; i++)
        if (firn_tiff_value(t, &t->format, i, 1) != 1 || x->format != 1)
            return unread(err, k);
    if (t->extra.count > MOST_SAMPLES)
        return unread(err, k);
    x->n_extra = (int)t->extra.count;
    for (int i = 0; i < x->n_extra; i++)
        x->extra[i] = (int)firn_tiff_value(t, &t->extra, (uint32_t)i, 0);
    return x->fill_order == 1 || x->fill_order == 2 ? 0 : unread(err, k);
}

/* The first extra sample is one of these, those behind it are of no meaning. */
static bool extra_is(const struct traits *x, int most, const char *first)
{
    if (x->n_extra > most)
        return false;
    for (int i = 1; i < x->n_extra; i++)
        if (x->extra[i] != 0)
            return false;
    return x->n_extra == 0 || (x->extra[0] < 3 && strchr(first, '0' + x->extra[0])) ||
           (x->extra[0] == 999 && x->n_extra == 1 && strchr(first, '9'));
}

static bool set_gray(struct firn_tiff_kind *k, const struct traits *x)
{
    const bool plain = x->format == 1 && x->n_extra == 0 && k->samples == 1;
    const bool black = k->photometric == BLACK, forth = x->fill_order == 1;
    struct firn_layout *l = &k->layout;
    if (k->samples == 2) {
        l->kind = FIRN_PIXEL_INDEX;
        firn_palette_gray(k->palette, 8, false);
        return black && forth && k->bits == 8 && x->format == 1 && x->n_extra == 1 &&
               x->extra[0] == 2;
    }
    if (k->samples != 1 || x->n_extra)
        return false;
    if (plain && (k->bits == 1 || k->bits == 2 || k->bits == 4 || k->bits == 8)) {
        l->kind = FIRN_PIXEL_INDEX;
        firn_palette_gray(k->palette, k->bits, !black);
        return true;
    }
    if (k->bits == 12) {
        l->kind = FIRN_PIXEL_GRAY12;
        return plain && black && forth && !x->big;
    }
    if (k->bits == 16) {
        l->kind = x->format == 2 ? FIRN_PIXEL_S16 : FIRN_PIXEL_U16;
        return x->format == 2 ? black && forth
                              : plain && (x->big ? black && forth : forth || black);
    }
    l->kind = x->format == 3 ? FIRN_PIXEL_F32 : FIRN_PIXEL_S32;
    return k->bits == 32 && forth &&
           (x->format == 3 || (black && (x->format == 2 || (x->format == 1 && !x->big))));
}

static bool set_color(struct firn_tiff_kind *k, const struct traits *x)
{
    const int n = k->photometric == CMYK ? 4 : 3, step = k->bits / 8;
    const int unnamed = k->samples - n - x->n_extra; /* samples that no tag explains */
    struct firn_layout *l = &k->layout;
    if (x->format != 1 || (k->bits != 8 && k->bits != 16))
        return false;
    for (int c = 0; c < 4; c++) /* libtiff gives 16 bits as this machine has them: high byte last */
        l->at[c] = (uint8_t)(c * step + step - 1);
    if (n == 4) {
        l->kind = FIRN_PIXEL_CMYK;
        return x->fill_order == 1 && unnamed == 0 && extra_is(x, k->bits == 8 ? 2 : 0, "0") &&
               (k->bits == 8 || !x->big);
    }
    l->kind = x->n_extra && x->extra[0] == 1 ? FIRN_PIXEL_RGBA_PRE : FIRN_PIXEL_RGB;
    if (x->fill_order == 2)
        return k->bits == 8 && k->samples == 3 && x->n_extra == 0;
    if (unnamed)
        return unnamed == 1 && x->n_extra == 0;
    return extra_is(x, k->bits == 8 ? 3 : 1, k->bits == 8 ? "0129" : "012");
}

static bool set_indexed(struct firn_tiff_kind *k, const struct traits *x,
                        const struct firn_tiff_tags *t)
{
    const uint32_t n = t->colormap.count / 3;
    k->layout.kind = FIRN_PIXEL_INDEX;
    if (n == 0 || n > 256 || x->format != 1)
        return false;
    firn_palette_gray(k->palette, 8, false);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t c = 0; c < 3; c++)
            k->palette[i][c] = (uint8_t)(firn_tiff_value(t, &t->colormap, c * n + i, 0) / 256);
    if (k->samples == 2)
        return k->bits == 8 && x->fill_order == 1 && x->n_extra == 1 && x->extra[0] == 2;
    return k->samples == 1 && x->n_extra == 0 &&
           (k->bits == 1 || k->bits == 2 || k->bits == 4 || k->bits == 8);
}

static bool set_ycbcr(struct firn_tiff_kind *k, const struct traits *x)
{
    k->ycbcr = true;
    k->layout = (struct firn_layout){FIRN_PIXEL_RGB, 32, {0, 1, 2}, false, NULL};
    return k->bits == 8 && k->samples == 3 && x->n_extra == 0 && x->fill_order == 1;
}

/*
 * Compressed planes: Pillow lays the first ones into red, green, blue and alpha, whatever they are
 * (of grey or a palette only red counts then), and takes a fourth plane of RGB that no tag explains
 * for an alpha that the colours hold already; strips of more planes it does not read. Uncompressed
 * ones it takes by the letters of the mode, as far as it has such letters.
 */
static bool planes_known(struct firn_tiff_kind *k, const struct traits *x, bool tiled)
{
    const bool raw = k->compression == 1, pre = k->layout.kind == FIRN_PIXEL_RGBA_PRE;
    if (k->bits != 8 && k->bits != 16)
        return false;
    if (k->photometric == RGB && k->samples == 4 && x->n_extra == 0 && !raw)
        k->layout.kind = FIRN_PIXEL_RGBA_PRE;
    if (!raw || k->bits == 16)
        return k->samples <= 4 || tiled;
    return k->samples == 3 || (k->samples == 4 && !pre) ||
           (k->photometric == RGB && k->samples > 4 && x->extra[0] == 0);
}

/* Bits that Pillow cannot turn round in uncompressed files. */
static bool reversal_known(const struct firn_tiff_kind *k, const struct traits *x)
{
    if (k->compression != 1 || x->fill_order == 1)
        return true;
    return !(k->photometric == WHITE && k->bits == 8) &&
           !(k->photometric == PALETTE && k->bits < 8);
}

/*
 * Of uncompressed planes, Pillow drops what the mode says after its first letter, and it miscounts
 * the bytes of a tile's row where no tag explains the fourth plane.
 */
static bool misread_plane(const struct firn_tiff_kind *k, const struct traits *x, bool separate,
                          bool tiled)
{
    if (!separate || k->compression != 1)
        return false;
    if (x->fill_order == 2 || k->samples > 1)
        return x->fill_order == 2 || (tiled && k->samples == 4 && k->photometric == RGB &&
                                      x->n_extra == 0);
    return !((k->bits == 1 && k->photometric == BLACK) ||
             (k->bits == 8 && k->photometric != WHITE));
}

/* What Pillow reads and firn does not: reasons in words. */
static int check_left_out(const struct firn_tiff_kind *k, struct firn_error *err)
{
    const bool raw = k->compression == 1;
    if (k->photometric == 8)
        return firn_fail(err, FIRN_CONFIG, "a TIFF in Lab colour is not supported: save it as RGB");
    if (k->ycbcr && raw)
        return firn_fail(err, FIRN_CONFIG, "an uncompressed TIFF in YCbCr, which Pillow misreads: "
                         "save it as RGB");
    if (k->ycbcr && k->orientation != 1)
        return firn_fail(err, FIRN_CONFIG, "a turned TIFF in YCbCr is not supported: save it as "
                         "RGB");
    if (k->separate && k->bits == 16 && raw)
        return firn_fail(err, FIRN_CONFIG, "uncompressed 16-bit samples in separate planes, which "
                         "Pillow misreads: save it with interleaved samples");
    return 0;
}

int firn_tiff_kind(struct firn_tiff_kind *k, const struct firn_tiff_tags *t,
                   struct firn_error *err)
{
    struct traits x = {0};
    bool known = false;
    memset(k, 0, sizeof *k);
    k->width = firn_tiff_value(t, &t->width, 0, 0);
    k->height = firn_tiff_value(t, &t->height, 0, 0);
    k->compression = (int)firn_tiff_value(t, &t->compression, 0, 1);
    k->photometric = k->compression == 6 ? YCBCR : (int)firn_tiff_value(t, &t->photometric, 0, 0);
    k->samples = (int)firn_tiff_value(t, &t->samples, 0, k->compression == 6 ? 3 : 1);
    k->orientation = (int)firn_tiff_value(t, &t->orientation, 0, 1);
    if (k->orientation < 1 || k->orientation > 8)
        k->orientation = 1;
    int rc = read_bits(k, t, err);
    if (!rc)
        rc = read_traits(k, &x, t, err);
    if (rc)
        return rc;
    k->layout = (struct firn_layout){FIRN_PIXEL_RGB, k->bits * k->samples, {0}, false, k->palette};
    switch (k->photometric) {
    case WHITE:
    case BLACK:
        known = set_gray(k, &x);
        break;
    case RGB:
    case CMYK:
        known = set_color(k, &x);
        break;
    case PALETTE:
        known = set_indexed(k, &x, t);
        break;
    case YCBCR:
        known = set_ycbcr(k, &x);
        break;
    case 8:
        known = true;
        break;
    }
    const bool separate = firn_tiff_value(t, &t->planar, 0, 1) == 2;
    const bool tiled = t->tile_width.count > 0;
    k->separate = separate && k->samples > 1;
    if (known && misread_plane(k, &x, separate, tiled))
        return firn_fail(err, FIRN_CONFIG, "uncompressed samples in separate planes, which Pillow "
                         "misreads: save it with interleaved samples");
    if (!known || !reversal_known(k, &x) ||
        (k->separate && !planes_known(k, &x, tiled)))
        return unread(err, k);
    return check_left_out(k, err);
}

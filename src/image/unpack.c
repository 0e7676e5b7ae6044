/* SPDX-License-Identifier: MIT */
#include "image/unpack.h"

#include <string.h>

static uint8_t clip(int v)
{
    return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

static uint8_t *gray(uint8_t *rgb, uint8_t v)
{
    rgb[0] = rgb[1] = rgb[2] = v;
    return rgb + 3;
}

static void unpack_index(const struct firn_layout *l, const uint8_t *row, int x, int n,
                         uint8_t *rgb)
{
    const int bits = l->bits < 8 ? l->bits : 8, mask = (1 << bits) - 1;
    for (int64_t at = (int64_t)x * l->bits; n--; at += l->bits, rgb += 3) {
        const int shift = 8 - bits - (int)(at % 8);
        memcpy(rgb, l->palette[row[at / 8] >> shift & mask], 3);
    }
}

static void unpack_rgb(const struct firn_layout *l, const uint8_t *in, int n, uint8_t *rgb)
{
    for (; n--; in += l->bits / 8, rgb += 3) {
        rgb[0] = in[l->at[0]];
        rgb[1] = in[l->at[1]];
        rgb[2] = in[l->at[2]];
    }
}

static void unpack_cmyk(const struct firn_layout *l, const uint8_t *in, int n, uint8_t *rgb)
{
    const int turn = l->kind == FIRN_PIXEL_CMYK_INV ? 255 : 0;
    for (; n--; in += l->bits / 8, rgb += 3) {
        const int light = 255 - (in[l->at[3]] ^ turn);
        for (int c = 0; c < 3; c++) {
            const int t = (in[l->at[c]] ^ turn) * light + 128;
            rgb[c] = clip(light - (((t >> 8) + t) >> 8));
        }
    }
}

static void unpack_premultiplied(const struct firn_layout *l, const uint8_t *in, int n,
                                 uint8_t *rgb)
{
    for (; n--; in += l->bits / 8, rgb += 3) {
        const int a = in[l->at[3]];
        for (int c = 0; c < 3; c++)
            rgb[c] = a ? clip(in[l->at[c]] * 255 / a) : 0;
    }
}

static void unpack_16(const struct firn_layout *l, const uint8_t *in, int n, uint8_t *rgb)
{
    const int green = l->kind == FIRN_PIXEL_565 ? 6 : 5, top = (1 << green) - 1;
    for (; n--; in += 2, rgb += 3) {
        const int v = in[0] | in[1] << 8;
        rgb[0] = (uint8_t)((v >> (5 + green) & 31) * 255 / 31);
        rgb[1] = (uint8_t)((v >> 5 & top) * 255 / top);
        rgb[2] = (uint8_t)((v & 31) * 255 / 31);
    }
}

static void unpack_gray12(const uint8_t *row, int x, int n, uint8_t *rgb)
{
    for (; n--; x++) {
        const uint8_t *in = row + (size_t)x / 2 * 3;
        rgb = gray(rgb, clip(x % 2 ? (in[1] & 15) << 8 | in[2] : in[0] << 4 | in[1] >> 4));
    }
}

static uint32_t number(const uint8_t *in, int bytes, bool big)
{
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint32_t)in[i] << 8 * (big ? bytes - 1 - i : i);
    return v;
}

static uint8_t clip_float(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v >= 255.0f ? 255 : v > 0.0f ? (uint8_t)v : 0; /* not a number is black */
}

static void unpack_numbers(const struct firn_layout *l, const uint8_t *in, int n, uint8_t *rgb)
{
    const int bytes = l->bits / 8;
    for (; n--; in += bytes) {
        const uint32_t v = number(in, bytes, l->big);
        switch (l->kind) {
        case FIRN_PIXEL_U16:
            rgb = gray(rgb, v > 255 ? 255 : (uint8_t)v);
            break;
        case FIRN_PIXEL_S16:
            rgb = gray(rgb, clip((int16_t)v));
            break;
        case FIRN_PIXEL_S32:
            rgb = gray(rgb, clip((int32_t)v));
            break;
        default:
            rgb = gray(rgb, clip_float(v));
            break;
        }
    }
}

void firn_unpack(const struct firn_layout *l, const uint8_t *row, int x, int n, uint8_t *rgb)
{
    const uint8_t *in = row + (size_t)x * (size_t)(l->bits / 8);
    switch (l->kind) {
    case FIRN_PIXEL_INDEX:
        unpack_index(l, row, x, n, rgb);
        break;
    case FIRN_PIXEL_RGB:
        unpack_rgb(l, in, n, rgb);
        break;
    case FIRN_PIXEL_CMYK:
    case FIRN_PIXEL_CMYK_INV:
        unpack_cmyk(l, in, n, rgb);
        break;
    case FIRN_PIXEL_RGBA_PRE:
        unpack_premultiplied(l, in, n, rgb);
        break;
    case FIRN_PIXEL_555:
    case FIRN_PIXEL_565:
        unpack_16(l, in, n, rgb);
        break;
    case FIRN_PIXEL_GRAY12:
        unpack_gray12(row, x, n, rgb);
        break;
    default:
        unpack_numbers(l, in, n, rgb);
        break;
    }
}

size_t firn_layout_bytes(const struct firn_layout *layout, int n)
{
    return ((size_t)n * (size_t)layout->bits + 7) / 8;
}

void firn_palette_gray(uint8_t palette[256][3], int bits, bool inverted)
{
    const int top = (1 << bits) - 1;
    for (int i = 0; i < 256; i++)
        gray(palette[i], (uint8_t)(i > top ? i : (inverted ? top - i : i) * 255 / top));
}

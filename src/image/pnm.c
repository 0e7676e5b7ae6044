/* SPDX-License-Identifier: MIT */
/**
 * PBM, PGM and PPM, plain and binary, any number of grey levels.
 *
 * What Pillow 9.4 does and this keeps: a comment does not end the token that it stands in; levels
 * are stretched to 255 with halves to the even number; grey of more than 256 levels becomes a
 * number up to 65535 and is then clipped to 255, not scaled; what follows the samples of a plain
 * bitmap counts as samples to the end of the block of a mebibyte that it lies in. Plain files of
 * numbers are read in such blocks, and the number that one of them ends in is remembered: it is
 * read once more in front of each later block that does not continue a number, and again and again
 * at the end of the file.
 */
#include "image/codec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define BATCH 16
#define BLOCK ((size_t)1 << 20)
#define LONGEST 10 /* characters of a token */

struct pnm {
    struct firn_source source;
    size_t at;      /* of the next byte */
    size_t data;    /* where the samples begin */
    int kind;       /* the digit of the magic number */
    int width, height, levels; /* levels: the largest sample */
    int y;          /* the next row */
    uint8_t *table; /* [65536] samples to bytes */
    bool blocks;    /* plain numbers are being read; then: */
    size_t block;   /* the one that the last byte lay in */
    bool in_token;  /* that byte was of a number */
    char left[LONGEST + 1]; /* the number that a block ended in, or nothing */
    int replay;     /* the next byte of `left` to be read again, or -1 */
    struct firn_band band;
};

static void *create(void)
{
    struct pnm *p = calloc(1, sizeof *p);
    if (p && !(p->table = malloc(65536))) {
        free(p);
        return NULL;
    }
    return p;
}

static void destroy(void *self)
{
    struct pnm *p = self;
    if (!p)
        return;
    firn_buffer_free(&p->band.memory);
    free(p->table);
    free(p);
}

static bool is_space(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next byte, -1 at the end; `#` to the end of its line is as if it were not there. */
static int next(struct pnm *p)
{
    while (p->at < p->source.size) {
        const int c = p->source.bytes[p->at++];
        if (c != '#')
            return c;
        while (p->at < p->source.size && p->source.bytes[p->at] != '\n' &&
               p->source.bytes[p->at] != '\r')
            p->at++;
        p->at += p->at < p->source.size;
    }
    return -1;
}

/* As next(), for plain numbers: `text` is what the current one has so far. */
static int next_in_block(struct pnm *p, const char *text)
{
    if (p->replay >= 0 && p->left[p->replay])
        return p->left[p->replay++];
    const int c = next(p);
    const bool resumed = p->replay >= 0;
    p->replay = -1;
    if (resumed && c >= 0)
        return c;
    const size_t block = c < 0 ? SIZE_MAX : (p->at - 1 - p->data) / BLOCK;
    if (block != p->block) {
        p->block = block;
        if (p->in_token)
            snprintf(p->left, sizeof p->left, "%s", text);
        else if (p->left[0] && c >= 0) {
            p->at--;
            p->replay = 1;
            return p->left[0];
        }
    }
    p->in_token = c >= 0 && !is_space(c);
    return c;
}

/* A number that white space (one byte of it is taken) or the end follows; -1 when there is none. */
static int64_t token(struct pnm *p)
{
    char text[LONGEST + 1] = "";
    int digits = 0, c;
    do
        c = p->blocks ? next_in_block(p, text) : next(p);
    while (is_space(c));
    while (c >= 0 && !is_space(c)) {
        if (c < '0' || c > '9' || digits == LONGEST)
            return -1;
        text[digits++] = (char)c;
        text[digits] = '\0';
        c = p->blocks ? next_in_block(p, text) : next(p);
    }
    if (digits == 0 && p->blocks)
        return p->left[0] ? atoll(p->left) : -1;
    return digits ? atoll(text) : -1;
}

static void make_table(struct pnm *p)
{
    const bool numbers = p->levels > 255 && (p->kind == 2 || p->kind == 5);
    const double most = numbers ? 65535.0 : 255.0;
    for (int i = 0; i < 65536; i++) {
        const double v = rint((double)i / p->levels * most);
        p->table[i] = v > 255.0 ? 255 : (uint8_t)v;
    }
}

static int bad_header(struct firn_error *err)
{
    return firn_fail(err, FIRN_DATA, "the header of the PPM makes no sense: copy it again from its "
                     "source");
}

static int open_pnm(void *self, const struct firn_source *source, struct firn_image_info *info,
                    struct firn_error *err)
{
    struct pnm *p = self;
    p->source = *source;
    p->kind = source->bytes[1] - '0';
    p->at = 3;
    p->y = 0;
    p->blocks = false;
    const int64_t width = token(p), height = token(p);
    const bool bitmap = p->kind == 1 || p->kind == 4;
    const int64_t levels = bitmap ? 1 : token(p);
    if (width < 0 || height < 0 || levels < 1 || levels > 65535)
        return bad_header(err);
    const int rc = firn_check_size(width, height, err);
    if (rc)
        return rc;
    p->width = info->width = (int)width;
    p->height = info->height = (int)height;
    p->levels = (int)levels;
    p->data = p->at;
    p->blocks = p->kind == 2 || p->kind == 3;
    p->block = 0;
    p->in_token = false;
    p->left[0] = '\0';
    p->replay = -1;
    make_table(p);
    return 0;
}

static int short_of_data(const struct pnm *p, struct firn_error *err)
{
    return firn_fail(err, FIRN_DATA,
                     "the PPM ends in row %d of %d: truncated, copy it again from its source", p->y,
                     p->height);
}

static size_t row_bytes(const struct pnm *p)
{
    const size_t samples = (size_t)p->width * (p->kind == 6 ? 3 : 1);
    return p->kind == 4 ? (samples + 7) / 8 : samples * (p->levels > 255 ? 2 : 1);
}

static int start(void *self, const struct firn_window *window, bool partial,
                 struct firn_error *err)
{
    struct pnm *p = self;
    if (p->kind >= 4) {
        if ((p->source.size - p->data) / row_bytes(p) < (size_t)p->height)
            return short_of_data(p, err);
        if (partial)
            p->y = window->y0;
    }
    return firn_band_need(&p->band, p->width, BATCH, err);
}

static void binary_row(struct pnm *p, uint8_t *rgb)
{
    const uint8_t *in = p->source.bytes + p->data + row_bytes(p) * (size_t)p->y;
    const int step = p->levels > 255 ? 2 : 1, bands = p->kind == 6 ? 3 : 1;
    for (int x = 0; x < p->width; x++, rgb += 3) {
        if (p->kind == 4) {
            memset(rgb, in[x / 8] >> (7 - x % 8) & 1 ? 0 : 255, 3);
            continue;
        }
        for (int c = 0; c < 3; c++) {
            const uint8_t *s = in + (c < bands ? c : 0) * step;
            rgb[c] = p->table[step == 2 ? s[0] << 8 | s[1] : s[0]];
        }
        in += bands * step;
    }
}

static int plain_row(struct pnm *p, uint8_t *rgb, struct firn_error *err)
{
    for (int x = 0; x < p->width; x++, rgb += 3)
        for (int c = 0; c < (p->kind == 3 ? 3 : 1); c++) {
            const int64_t v = token(p);
            if (v < 0 && p->at >= p->source.size)
                return short_of_data(p, err);
            if (v < 0 || v > p->levels)
                return firn_fail(err, FIRN_DATA, "a sample in row %d is no number up to %d", p->y,
                                 p->levels);
            memset(rgb + c, p->table[v], p->kind == 3 ? 1 : 3);
        }
    return 0;
}

static int bitmap_row(struct pnm *p, uint8_t *rgb, struct firn_error *err)
{
    for (int x = 0; x < p->width; x++, rgb += 3) {
        int c;
        do
            c = next(p);
        while (is_space(c));
        if (c < 0)
            return short_of_data(p, err);
        if (c != '0' && c != '1')
            return firn_fail(err, FIRN_DATA, "a sample in row %d is neither 0 nor 1", p->y);
        memset(rgb, c == '1' ? 0 : 255, 3);
    }
    return 0;
}

static int rows(void *self, struct firn_rows *out, struct firn_error *err)
{
    struct pnm *p = self;
    int rc = 0;
    *out = (struct firn_rows){firn_band_row(&p->band, 0), p->band.stride, 0, p->y, 0};
    for (; !rc && out->n < BATCH && p->y < p->height; p->y++, out->n++) {
        uint8_t *rgb = firn_band_row(&p->band, out->n);
        if (p->kind >= 4)
            binary_row(p, rgb);
        else
            rc = p->kind == 1 ? bitmap_row(p, rgb, err) : plain_row(p, rgb, err);
        if (rc == 0 && p->kind < 4 && firn_source_late(&p->source))
            rc = firn_fail_late(err);
    }
    return rc;
}

static int finish(void *self, struct firn_image_info *info, struct firn_error *err)
{
    struct pnm *p = self;
    struct firn_rows rest;
    int rc = 0;
    info->warnings = 0;
    while (!rc && p->kind < 4 && p->y < p->height)
        rc = rows(p, &rest, err);
    if (rc || p->kind != 1)
        return rc;
    size_t end = p->data + (p->at - p->data + BLOCK - 1) / BLOCK * BLOCK;
    end = end < p->source.size ? end : p->source.size;
    p->source.size = end;
    for (int c = next(p); c >= 0; c = next(p))
        if (c != '0' && c != '1' && !is_space(c))
            return firn_fail(err, FIRN_DATA, "something that is neither 0 nor 1 follows the "
                             "samples: take it out");
    return 0;
}

static void close_pnm(void *self)
{
    (void)self;
}

const struct firn_codec firn_codec_pnm = {"PPM",  create, destroy, open_pnm,
                                          start, rows,   finish,  close_pnm};

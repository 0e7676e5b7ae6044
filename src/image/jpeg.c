/* SPDX-License-Identifier: MIT */
/**
 * libjpeg-turbo, fenced in.
 *
 * Errors leave the library by longjmp to the entry point that is running; every entry point sets
 * its own jump first and keeps no local state across it. The source never refills: when the bytes
 * are used up the library suspends, as it does under Pillow, which is what tells a truncated file
 * from a corrupt one (the library's own memory source would fake an end marker instead). Settings
 * are the library's defaults, as in Pillow: accurate integer DCT, fancy upsampling, smoothing.
 *
 * Of a photograph only the part around the window is turned into pixels:
 *
 *        first            end             skip: Huffman decoding only, whole rows of blocks
 *     +----+---------------+----+ 0       cols: no DCT, upsampling or colour; one block column
 *     |          skip           |               more than needed, because fancy upsampling treats
 *     +----+---------------+----+               the edge of what it gets as the picture's edge
 *     |cols|  window + rim |cols|         rest: nothing, if all that follows is coded data and the
 *     +----+---------------+----+               end marker; then Pillow would find no fault in it
 *     |          rest           |               either.
 *     +-------------------------+ height
 *
 * In this entropy.h decodes Huffman codes in place of the library's decoder, for as long as they
 * are sound. At the first doubt the photograph is begun anew, as a whole and by the library alone.
 */
#include "image/codec.h"

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>
#if FIRN_WITH_ENTROPY
#include <jpegint.h>
#endif

#include "base/error.h"
#include "image/buffer.h"
#include "image/entropy.h"
#include "image/jpeg_bytes.h"
#include "image/limits.h"
#include "image/unpack.h"

/* Rows per call: enough to make setjmp free, few enough to stay in the first cache level. */
#define BATCH 16

/* Pillow hands a file to the library in portions of this size. */
#define PORTION 65536

struct jpeg {
    struct jpeg_decompress_struct cinfo;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    struct firn_source photograph;
    bool open;               /* cinfo is to be destroyed */
    bool too_many_scans;     /* why progress_monitor escaped; so is */
    bool late;
    unsigned progressed;     /* calls of progress_monitor */
    struct firn_buffer rows; /* BATCH rows */
    size_t stride;
    int x;                   /* column of the photograph where the rows begin */
    bool partial;            /* only the window's surroundings are decoded; faults mean -EAGAIN */
    JDIMENSION stop;         /* first row that is not wanted */
    bool fits, fits_known;   /* the library's table of modules is what it was compiled for */
    JDIMENSION column, first_column, end_column; /* of MCUs: the next one, those wanted */
    struct firn_entropy entropy;
};

static void on_error(j_common_ptr cinfo)
{
    struct jpeg *jpeg = cinfo->client_data;
    longjmp(jpeg->escape, 1);
}

/* Levels below zero are warnings: the library has mended corrupt data in some way. */
static void on_message(j_common_ptr cinfo, int level)
{
    if (level < 0)
        cinfo->err->num_warnings++;
}

static void on_output(j_common_ptr cinfo)
{
    (void)cinfo;
}

static void on_source(j_decompress_ptr cinfo)
{
    (void)cinfo;
}

static boolean on_empty(j_decompress_ptr cinfo)
{
    (void)cinfo;
    return FALSE; /* suspend: there is no more */
}

static void on_skip(j_decompress_ptr cinfo, long count)
{
    struct jpeg_source_mgr *source = cinfo->src;
    const size_t n = count < 0 ? 0 : (size_t)count;
    const size_t step = n < source->bytes_in_buffer ? n : source->bytes_in_buffer;
    source->next_input_byte += step;
    source->bytes_in_buffer -= step;
}

/* Called once for each row of blocks of each scan: stops scan floods while they are being read. */
static void on_progress(j_common_ptr common)
{
    j_decompress_ptr cinfo = (j_decompress_ptr)common;
    struct jpeg *jpeg = common->client_data;
    const int64_t pixels = (int64_t)cinfo->image_width * cinfo->image_height;
    const int64_t scans = cinfo->input_scan_number;
    if (scans > FIRN_MAX_SCANS || scans * pixels > FIRN_MAX_SCAN_PIXELS) {
        jpeg->too_many_scans = true;
        longjmp(jpeg->escape, 1);
    }
    if (jpeg->progressed++ % 16 == 15 && firn_source_late(&jpeg->photograph)) {
        jpeg->late = true;
        longjmp(jpeg->escape, 1);
    }
}

static int failed(struct jpeg *jpeg, struct firn_error *err)
{
    struct jpeg_decompress_struct *cinfo = &jpeg->cinfo;
    char text[JMSG_LENGTH_MAX];
    if (jpeg->late)
        return firn_fail_late(err);
    if (jpeg->too_many_scans)
        return firn_fail(err, FIRN_CONFIG,
                         "more than %d scans of %u x %u pixels: a progressive JPEG made to exhaust "
                         "its reader; save it again as an ordinary JPEG",
                         cinfo->input_scan_number - 1, cinfo->image_width, cinfo->image_height);
    if (jpeg->partial)
        return -EAGAIN;
    if (cinfo->err->msg_code == JERR_OUT_OF_MEMORY)
        return firn_fail_nomem(err, "the JPEG decoder");
    if (cinfo->err->msg_code == JERR_NO_BACKING_STORE)
        return firn_fail(err, FIRN_CONFIG, "decoding needs more than the limit of %zu MiB",
                         FIRN_MAX_DECODER_MEMORY >> 20);
    cinfo->err->format_message((j_common_ptr)cinfo, text);
    return firn_fail(err, FIRN_DATA, "corrupt or unsupported JPEG: %s", text);
}

static int truncated(struct jpeg *jpeg, struct firn_error *err)
{
    if (jpeg->partial)
        return -EAGAIN;
    return firn_fail(err, FIRN_DATA,
                     "the JPEG ends in row %u of %u: truncated, copy it again from its source",
                     jpeg->cinfo.output_scanline, jpeg->cinfo.image_height);
}

static void *create(void)
{
    return calloc(1, sizeof(struct jpeg));
}

static void close_jpeg(void *self)
{
    struct jpeg *jpeg = self;
    if (jpeg->open)
        jpeg_destroy_decompress(&jpeg->cinfo);
    jpeg->open = false;
}

static void destroy(void *self)
{
    struct jpeg *jpeg = self;
    if (!jpeg)
        return;
    close_jpeg(jpeg);
    firn_buffer_free(&jpeg->rows);
    firn_entropy_free(&jpeg->entropy);
    free(jpeg);
}

/*
 * A decompressor serves one photograph only: the library would keep the tables of the last one and
 * use them where the next one lacks its own. Making one costs a few small allocations.
 */
static void begin(struct jpeg *jpeg, const struct firn_source *source)
{
    struct jpeg_decompress_struct *cinfo = &jpeg->cinfo;
    jpeg->too_many_scans = jpeg->late = jpeg->partial = false;
    jpeg->progressed = 0;
    cinfo->client_data = jpeg;
    cinfo->err = jpeg_std_error(&jpeg->errors);
    jpeg->errors.error_exit = on_error;
    jpeg->errors.emit_message = on_message;
    jpeg->errors.output_message = on_output;
    jpeg_create_decompress(cinfo);
    jpeg->open = true;
    jpeg->photograph = *source;
    cinfo->mem->max_memory_to_use = (long)FIRN_MAX_DECODER_MEMORY;
    jpeg->source = (struct jpeg_source_mgr){
        .next_input_byte = source->bytes,
        .bytes_in_buffer = source->size,
        .init_source = on_source,
        .fill_input_buffer = on_empty,
        .skip_input_data = on_skip,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = on_source,
    };
    cinfo->src = &jpeg->source;
    jpeg->progress.progress_monitor = on_progress;
    cinfo->progress = &jpeg->progress;
}

/* Several scans are collected as coefficients of the whole photograph, two bytes each. */
static size_t coefficient_bytes(struct jpeg_decompress_struct *cinfo)
{
    size_t blocks = 0;
    for (int i = 0; i < cinfo->num_components; i++) {
        const jpeg_component_info *c = &cinfo->comp_info[i];
        blocks += ((size_t)c->width_in_blocks + c->h_samp_factor) *
                  ((size_t)c->height_in_blocks + c->v_samp_factor);
    }
    return jpeg_has_multiple_scans(cinfo) ? blocks * sizeof(JBLOCK) : 0;
}

static int check_limits(struct jpeg_decompress_struct *cinfo, struct firn_error *err)
{
    const int n = cinfo->num_components;
    const size_t bytes = coefficient_bytes(cinfo);
    if (n != 1 && n != 3 && n != 4)
        return firn_fail(err, FIRN_DATA,
                         "a JPEG with %d colour components, which is neither gray, RGB nor CMYK: "
                         "save it again as one of these",
                         n);
    if (bytes > FIRN_MAX_DECODER_MEMORY)
        return firn_fail(err, FIRN_CONFIG,
                         "a progressive JPEG of %u x %u pixels needs %zu MiB, the limit is %zu: "
                         "save it as a baseline JPEG",
                         cinfo->image_width, cinfo->image_height, bytes >> 20,
                         FIRN_MAX_DECODER_MEMORY >> 20);
    return 0;
}

static int open_jpeg(void *self, const struct firn_source *source, struct firn_image_info *info,
                     struct firn_error *err)
{
    struct jpeg *jpeg = self;
    struct jpeg_decompress_struct *cinfo = &jpeg->cinfo;
    int state;
    if (setjmp(jpeg->escape))
        return failed(jpeg, err);
    begin(jpeg, source);
    do {
        state = jpeg_read_header(cinfo, FALSE);
    } while (state == JPEG_HEADER_TABLES_ONLY);
    if (state == JPEG_SUSPENDED)
        return firn_fail(err, FIRN_DATA,
                         "the JPEG ends in its header: truncated, copy it again from its source");
    info->width = (int)cinfo->image_width;
    info->height = (int)cinfo->image_height;
    cinfo->out_color_space = cinfo->num_components == 4 ? JCS_CMYK : JCS_RGB;
    info->orientation = firn_jpeg_orientation(source->bytes, source->size);
    info->scale = firn_jpeg_scale(source->shorter, info->width, info->height);
    cinfo->scale_denom = (unsigned)info->scale;
    const int rc = firn_check_size(info->width, info->height, err);
    return rc ? rc : check_limits(cinfo, err);
}

/* The common samplings; the rare ones are not worth trusting the library's less trodden paths. */
static bool common_sampling(struct jpeg_decompress_struct *cinfo)
{
    const int h = cinfo->max_h_samp_factor, v = cinfo->max_v_samp_factor;
    if (h > 2 || v > 2 || (cinfo->num_components == 1 && h * v != 1))
        return false;
    for (int i = 0; i < cinfo->num_components; i++) {
        const jpeg_component_info *c = &cinfo->comp_info[i];
        const bool full = c->h_samp_factor == h && c->v_samp_factor == v;
        const bool single = c->h_samp_factor == 1 && c->v_samp_factor == 1;
        if (!full && (!single || i == 0 || i == 3))
            return false;
    }
    return true;
}

/* Block smoothing looks two blocks around, and works while a progressive file lacks precision. */
static bool may_smooth(struct jpeg_decompress_struct *cinfo)
{
    for (int i = 0; cinfo->progressive_mode && i < cinfo->num_components; i++)
        for (int k = 0; k < DCTSIZE2; k++)
            if (!cinfo->coef_bits || cinfo->coef_bits[i][k] != 0)
                return true;
    return false;
}

static void crop_columns(struct jpeg *jpeg, const struct firn_window *window)
{
    struct jpeg_decompress_struct *cinfo = &jpeg->cinfo;
    const JDIMENSION block = (JDIMENSION)(cinfo->min_DCT_scaled_size * cinfo->max_h_samp_factor);
    const JDIMENSION first = (JDIMENSION)window->x0 / block, end = (JDIMENSION)window->x1 + block;
    JDIMENSION x = first > 0 ? (first - 1) * block : 0;
    JDIMENSION width = (end < cinfo->output_width ? end : cinfo->output_width) - x;
    jpeg_crop_scanline(cinfo, &x, &width);
    jpeg->x = (int)x;
}

static void skip_rows(struct jpeg_decompress_struct *cinfo, const struct firn_window *window)
{
    const JDIMENSION block = (JDIMENSION)(cinfo->min_DCT_scaled_size * cinfo->max_v_samp_factor);
    const JDIMENSION rows = (JDIMENSION)window->y0 / block * block;
    if (rows > 0)
        jpeg_skip_scanlines(cinfo, rows);
}

#if FIRN_WITH_ENTROPY
static const void *object_of(const void *address)
{
    Dl_info found;
    return dladdr(address, &found) ? found.dli_fbase : NULL;
}

/*
 * The table of modules is no part of what the library promises. Its version and the size of its
 * structures have been compared by jpeg_create_decompress(); this tells a table of another order.
 */
static bool table_fits(struct jpeg *jpeg)
{
    const struct jpeg_decompress_struct *cinfo = &jpeg->cinfo;
    if (!jpeg->fits_known) {
        const void *library = object_of((const void *)cinfo->mem->alloc_small);
        jpeg->fits = library && cinfo->entropy &&
                     object_of((const void *)cinfo->entropy->start_pass) == library &&
                     object_of((const void *)cinfo->entropy->decode_mcu) == library;
        jpeg->fits_known = true;
    }
    return jpeg->fits;
}

static boolean on_mcu(j_decompress_ptr cinfo, JBLOCKROW *blocks)
{
    struct jpeg *jpeg = cinfo->client_data;
    struct jpeg_source_mgr *source = cinfo->src;
    const JDIMENSION x = jpeg->column;
    if (x < jpeg->first_column || x >= jpeg->end_column)
        blocks = NULL;
    jpeg->column = x + 1 < cinfo->MCUs_per_row ? x + 1 : 0;
    if (!firn_entropy_mcu(&jpeg->entropy, blocks))
        longjmp(jpeg->escape, 1);
    source->bytes_in_buffer -= (size_t)(jpeg->entropy.in.next - source->next_input_byte);
    source->next_input_byte = jpeg->entropy.in.next;
    return TRUE;
}

static bool give_table(struct firn_entropy_table *table, const JHUFF_TBL *from)
{
    return from && firn_entropy_table(table, from->bits, from->huffval);
}

static bool give_blocks(struct firn_entropy *e, const struct jpeg_decompress_struct *cinfo)
{
    e->n_blocks = cinfo->blocks_in_MCU;
    e->leaps = cinfo->src->bytes_in_buffer >= FIRN_ENTROPY_LONG;
    for (int i = 0; i < e->n_blocks; i++) {
        const int member = cinfo->MCU_membership[i];
        const jpeg_component_info *c = cinfo->cur_comp_info[member];
        e->block[i].dc = &e->dc_table[c->dc_tbl_no];
        e->block[i].ac = &e->ac_table[c->ac_tbl_no];
        e->block[i].component = member;
        e->block[i].dc_only = c->DCT_scaled_size == 1;
        if (!give_table(e->block[i].dc, cinfo->dc_huff_tbl_ptrs[c->dc_tbl_no]) ||
            !give_table(e->block[i].ac, cinfo->ac_huff_tbl_ptrs[c->ac_tbl_no]))
            return false;
    }
    return true;
}

/*
 * Puts entropy in the place of the library's decoder, which has checked the tables by now. Only
 * where the one scan is decoded as it is read; collecting several is not what takes the time.
 */
static void take_over(struct jpeg *jpeg)
{
    struct jpeg_decompress_struct *cinfo = &jpeg->cinfo;
    const JDIMENSION block = (JDIMENSION)(cinfo->min_DCT_scaled_size * cinfo->max_h_samp_factor);
    if (cinfo->progressive_mode || cinfo->arith_code || jpeg_has_multiple_scans(cinfo) ||
        !table_fits(jpeg) || !give_blocks(&jpeg->entropy, cinfo))
        return;
    firn_entropy_begin(&jpeg->entropy, cinfo->src->next_input_byte, cinfo->src->bytes_in_buffer,
                       cinfo->restart_interval);
    jpeg->column = 0;
    jpeg->first_column = (JDIMENSION)jpeg->x / block;
    jpeg->end_column = ((JDIMENSION)jpeg->x + cinfo->output_width + block - 1) / block;
    cinfo->entropy->decode_mcu = on_mcu;
}
#else
static void take_over(struct jpeg *jpeg)
{
    (void)jpeg;
}
#endif

static int start(void *self, const struct firn_window *window, bool partial,
                 struct firn_error *err)
{
    struct jpeg *jpeg = self;
    struct jpeg_decompress_struct *cinfo = &jpeg->cinfo;
    if (setjmp(jpeg->escape))
        return failed(jpeg, err);
    if (!jpeg_start_decompress(cinfo))
        return truncated(jpeg, err);
    jpeg->x = 0;
    jpeg->stop = (JDIMENSION)window->y1;
    jpeg->partial =
        partial && common_sampling(cinfo) && !may_smooth(cinfo) && !cinfo->arith_code;
    if (jpeg->partial) {
        crop_columns(jpeg, window);
        take_over(jpeg);
        skip_rows(cinfo, window);
    }
    jpeg->stride = (size_t)cinfo->output_width * cinfo->output_components + FIRN_ROW_SLACK;
    if (!firn_buffer_need(&jpeg->rows, jpeg->stride * BATCH))
        return firn_fail_nomem(err, "rows of the JPEG decoder");
    return 0;
}

/* Pillow takes every CMYK JPEG for inverted, as Adobe writes them, and uses no colour profile. */
static const struct firn_layout cmyk = {
    .kind = FIRN_PIXEL_CMYK_INV, .bits = 32, .at = {0, 1, 2, 3}};

static int rows(void *self, struct firn_rows *out, struct firn_error *err)
{
    struct jpeg *jpeg = self;
    struct jpeg_decompress_struct *cinfo = &jpeg->cinfo;
    uint8_t *const pixels = jpeg->rows.bytes;
    JSAMPROW line[BATCH];
    const JDIMENSION now = cinfo->output_scanline;
    const JDIMENSION end = now < jpeg->stop ? jpeg->stop : cinfo->output_height;
    if (setjmp(jpeg->escape))
        return failed(jpeg, err);
    *out = (struct firn_rows){pixels, jpeg->stride, jpeg->x, (int)now, 0};
    for (int i = 0; i < BATCH; i++)
        line[i] = pixels + i * jpeg->stride;
    while (out->n < BATCH && cinfo->output_scanline < end) {
        const JDIMENSION got = jpeg_read_scanlines(cinfo, line + out->n, BATCH - out->n);
        if (got == 0)
            return truncated(jpeg, err);
        out->n += (int)got;
    }
    if (cinfo->out_color_space == JCS_CMYK)
        for (int i = 0; i < out->n; i++)
            firn_unpack(&cmyk, line[i], 0, (int)cinfo->output_width, line[i]);
    return 0;
}

/*
 * When the last row has come, Pillow looks for the end in the portion that it has handed over, and
 * does not hand over another one for that: faults further on do not spoil the photograph.
 */
static void hide_later_portions(struct jpeg *jpeg)
{
    struct jpeg_source_mgr *source = &jpeg->source;
    const size_t at = (size_t)(source->next_input_byte - jpeg->photograph.bytes);
    const size_t left = (PORTION - at % PORTION) % PORTION;
    if (source->bytes_in_buffer > left)
        source->bytes_in_buffer = left;
}

static bool end_is_sound(const struct jpeg_decompress_struct *cinfo)
{
    return firn_jpeg_ends(cinfo->src->next_input_byte, cinfo->src->bytes_in_buffer,
                          cinfo->unread_marker);
}

static int finish(void *self, struct firn_image_info *info, struct firn_error *err)
{
    struct jpeg *jpeg = self;
    struct jpeg_decompress_struct *cinfo = &jpeg->cinfo;
    struct firn_rows rest;
    int rc = 0;
    info->warnings = (unsigned)cinfo->err->num_warnings;
    if (jpeg->partial) /* several scans were all read before the first row came out */
        return jpeg_has_multiple_scans(cinfo) || end_is_sound(cinfo) ? 0 : -EAGAIN;
    while (!rc && cinfo->output_scanline < cinfo->output_height)
        rc = rows(jpeg, &rest, err);
    if (rc)
        return rc;
    if (setjmp(jpeg->escape))
        return failed(jpeg, err);
    hide_later_portions(jpeg);
    jpeg_finish_decompress(cinfo); /* a missing end is forgiven, a broken one is not */
    info->warnings = (unsigned)cinfo->err->num_warnings;
    return 0;
}

const struct firn_codec firn_codec_jpeg = {"JPEG", create, destroy, open_jpeg,
                                           start,  rows,   finish,  close_jpeg};

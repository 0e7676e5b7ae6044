/* SPDX-License-Identifier: MIT */
#include "cache/codec.h"

#include <stdbool.h>
#include <stdlib.h>
#define ZSTD_STATIC_LINKING_ONLY /* for the name of ZSTD_c_literalCompressionMode alone */
#include <zstd.h>

/*
 * In a byte plane every match is an accident, and coding an accident costs more than it saves. So
 * the planes get zstd's entropy stage alone: a strongly negative level looks for next to no
 * matches, and literals are compressed in spite of the level. Measured (FORMAT.md): 2% smaller and
 * four times as fast as level 1, as small as level 19.
 */
enum { LEVEL_NOISE = -1000, LEVEL_TEXT = 3, LEVEL_PLAIN = 1 };

struct firn_codec {
    ZSTD_CCtx *noise, *text;
    ZSTD_DCtx *d;
};

static bool set(ZSTD_CCtx *c, ZSTD_cParameter parameter, int value)
{
    return !ZSTD_isError(ZSTD_CCtx_setParameter(c, parameter, value));
}

struct firn_codec *firn_codec_create(void)
{
    struct firn_codec *codec = calloc(1, sizeof *codec);
    if (!codec)
        return NULL;
    codec->noise = ZSTD_createCCtx();
    codec->text = ZSTD_createCCtx();
    codec->d = ZSTD_createDCtx();
    if (!codec->noise || !codec->text || !codec->d) {
        firn_codec_destroy(codec);
        return NULL;
    }
    set(codec->text, ZSTD_c_compressionLevel, LEVEL_TEXT);
    /* A libzstd without the experimental parameter would leave the literals as they are. */
    if (!set(codec->noise, ZSTD_c_literalCompressionMode, ZSTD_ps_enable) ||
        !set(codec->noise, ZSTD_c_compressionLevel, LEVEL_NOISE))
        set(codec->noise, ZSTD_c_compressionLevel, LEVEL_PLAIN);
    return codec;
}

void firn_codec_destroy(struct firn_codec *codec)
{
    if (!codec)
        return;
    ZSTD_freeCCtx(codec->noise);
    ZSTD_freeCCtx(codec->text);
    ZSTD_freeDCtx(codec->d);
    free(codec);
}

size_t firn_squeeze_plane(struct firn_codec *codec, const void *bytes, size_t n, void *out,
                          size_t room)
{
    size_t size = ZSTD_compress2(codec->noise, out, room, bytes, n);
    return ZSTD_isError(size) ? 0 : size;
}

/* A frame is a sequence of blocks, each with a table of its own: a flush ends a block. */
size_t firn_squeeze_parts(struct firn_codec *codec, const void *bytes, size_t n,
                          const size_t *part, size_t n_part, void *out, size_t room)
{
    ZSTD_CCtx *c = codec->text;
    ZSTD_outBuffer to = {out, room, 0};
    const char *at = bytes;
    size_t left = 0;
    ZSTD_CCtx_reset(c, ZSTD_reset_session_only);
    ZSTD_CCtx_setPledgedSrcSize(c, n);
    for (size_t k = 0; k < n_part && left == 0; at += part[k], k++) {
        ZSTD_inBuffer from = {at, part[k], 0};
        left = ZSTD_compressStream2(c, &to, &from, k + 1 < n_part ? ZSTD_e_flush : ZSTD_e_end);
    }
    ZSTD_CCtx_reset(c, ZSTD_reset_session_only);
    return left == 0 ? to.pos : 0; /* an error is not 0 either */
}

int firn_expand(struct firn_codec *codec, const void *frame, size_t size, void *out, size_t n)
{
    /* Expanding straight into a buffer of known size needs no window, so a frame cannot ask for
     * memory; it must still say its size, be the only one, and end with the input. */
    if (ZSTD_getFrameContentSize(frame, size) != n ||
        ZSTD_findFrameCompressedSize(frame, size) != size)
        return -1;
    return ZSTD_decompressDCtx(codec->d, out, n, frame, size) == n ? 0 : -1;
}

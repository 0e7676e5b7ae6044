/* SPDX-License-Identifier: MIT */
/** zstd, and nothing else that knows it. */
#ifndef FIRN_SRC_CACHE_CODEC_H
#define FIRN_SRC_CACHE_CODEC_H

#include <stddef.h>
#include <stdint.h>

/** Working memory of one thread for both directions. */
struct firn_codec;

/** NULL when memory is out. */
struct firn_codec *firn_codec_create(void);
void firn_codec_destroy(struct firn_codec *codec);

/** What the bytes are like. */
enum firn_matter {
    FIRN_MATTER_NOISE, /* skewed bytes that never repeat as words: byte planes of features */
    FIRN_MATTER_TEXT   /* names and records, which do */
};

/**
 * Compresses n bytes into out[0..room). The number of bytes written; 0 when they would not fit:
 * then the caller stores them as they are.
 */
size_t firn_squeeze(struct firn_codec *codec, enum firn_matter matter, const void *bytes, size_t n,
                    void *out, size_t room);

/** Expands one frame that must hold exactly n bytes. 0, or -1 when it is anything else. */
int firn_expand(struct firn_codec *codec, const void *frame, size_t size, void *out, size_t n);

#endif

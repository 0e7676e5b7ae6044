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

/**
 * Both compress into one frame at out[0..room). The number of bytes written; 0 when they would not
 * fit: then the caller stores what he has as it is.
 */

/** n skewed bytes that never repeat as words: a byte plane of features. */
size_t firn_squeeze_plane(struct firn_codec *codec, const void *bytes, size_t n, void *out,
                          size_t room);

/** n bytes of names and records, which do. part[k] bytes each are of one kind: the parts are coded
 * with statistics of their own. */
size_t firn_squeeze_parts(struct firn_codec *codec, const void *bytes, size_t n,
                          const size_t *part, size_t n_part, void *out, size_t room);

/** Expands one frame that must hold exactly n bytes. 0, or -1 when it is anything else. */
int firn_expand(struct firn_codec *codec, const void *frame, size_t size, void *out, size_t n);

#endif

/* SPDX-License-Identifier: MIT */
/** Bytes of a photograph in, uint8 RGB crop out. Knows nothing of files or threads. */
#ifndef FIRN_SRC_IMAGE_IMAGE_H
#define FIRN_SRC_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "firn/error.h"
#include "firn/fingerprint.h"
#include "firn/image.h"

/** One thread's decoder with its working memory, reused from photograph to photograph. */
struct firn_decoder;

int firn_decoder_create(struct firn_decoder **out, const struct firn_image_spec *spec,
                        struct firn_error *err);
void firn_decoder_destroy(struct firn_decoder *decoder);

/**
 * How the same pixels are made: with no more than `level` of the processor (as create: the best it
 * has), and with `partial` (as create: true) decoding only what the crop needs of a photograph.
 */
void firn_decoder_tune(struct firn_decoder *decoder, enum firn_cpu level, bool partial);

/**
 * Decodes `bytes`, resizes and crops into `rgb` (crop * crop * 3 for each view, one behind
 * another); `info` may be NULL. Bytes are untrusted: any input ends in crops or in a failure, in
 * bounded time and memory. The text of a failure is the reason alone; the caller knows the name.
 * FIRN_DATA: corrupt (the same bytes will fail again); FIRN_CONFIG: refused by a limit; FIRN_NOMEM.
 */
int firn_decode(struct firn_decoder *decoder, const uint8_t *bytes, size_t size, uint8_t *rgb,
                struct firn_image_info *info, struct firn_error *err);

/**
 * The preprocess part of the fingerprint, with a hash of the pixels that this build's decoder and
 * resize give for a few embedded probe images, so that a library update that changes pixels is
 * noticed and one that changes nothing refuses nothing.
 */
int firn_image_fingerprint(const struct firn_image_spec *spec, struct firn_fingerprint *fp,
                           struct firn_error *err);

#endif

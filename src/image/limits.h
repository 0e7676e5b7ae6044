/* SPDX-License-Identifier: MIT */
/** What one photograph may cost; beyond it is a refusal (FIRN_CONFIG), not an attempt. */
#ifndef FIRN_SRC_IMAGE_LIMITS_H
#define FIRN_SRC_IMAGE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/** Twice Pillow's MAX_IMAGE_PIXELS: where Pillow refuses as well. */
#define FIRN_MAX_PIXELS (2 * (int64_t)89478485)

/** Bytes a decoder may hold for one photograph. */
#define FIRN_MAX_DECODER_MEMORY ((size_t)256 << 20)

/** Scans of one progressive photograph; encoders write about ten. */
#define FIRN_MAX_SCANS 100

/**
 * Pixels times scans: a scan without data costs a few bytes of file and a pass over all pixels of
 * memory, about 250 million a second. A count instead of a clock keeps the verdict repeatable.
 */
#define FIRN_MAX_SCAN_PIXELS (int64_t)1500000000

/** Processor time of one photograph, for what no count above catches. */
#define FIRN_MAX_SECONDS 10

/** Bytes of one file. */
#define FIRN_MAX_FILE_BYTES ((size_t)256 << 20)

#endif

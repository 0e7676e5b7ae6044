/* SPDX-License-Identifier: MIT */
/**
 * Where the blocks of a baseline scan lie, found ahead of decoding them.
 *
 * For photographs of which little more is wanted than the first coefficient of each block. The
 * scan has no restart markers. What is found is what a decoder would find that reads the scan from
 * its beginning; how it is found faster than that is told in skim.c.
 */
#ifndef FIRN_SRC_IMAGE_SKIM_H
#define FIRN_SRC_IMAGE_SKIM_H

#include <stddef.h>
#include <stdint.h>

struct firn_entropy;
struct firn_skim;

/** NULL when memory is out: less than 2 MiB, for one scan after another. */
struct firn_skim *firn_skim_create(void);
void firn_skim_destroy(struct firn_skim *skim);

/** Begins a scan whose tables and blocks are those of `e`, which stay as they are meanwhile. */
void firn_skim_begin(struct firn_skim *skim, const struct firn_entropy *e, const uint8_t *bytes,
                     size_t size);

/** The next MCU. */
struct firn_skimmed {
    const uint32_t *blocks; /**< of each, the bit where it begins, in the bits of FIRN_SKIM_PLACE */
    const uint8_t *bytes;   /**< that these bits are counted in: without the zeros behind 0xFF */
    const uint8_t *past;    /**< the last of these; eight more may be read */
    const uint8_t *next;    /**< as far as the scan itself has been read: up to a marker */
};
#define FIRN_SKIM_PLACE 0x7FFFFFu

/** `blocks` is NULL when this MCU is not plainly sound or not there; nor is the next one, then. */
struct firn_skimmed firn_skim_next(struct firn_skim *skim);

#endif

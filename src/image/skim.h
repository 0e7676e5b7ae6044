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

/** NULL when memory is out: less than 5 MiB, for one scan after another. */
struct firn_skim *firn_skim_create(void);
void firn_skim_destroy(struct firn_skim *skim);

/** Begins a scan whose tables and blocks are those of `e`, which stay as they are meanwhile. */
void firn_skim_begin(struct firn_skim *skim, const struct firn_entropy *e, const uint8_t *bytes,
                     size_t size);

/** The next MCUs, which stay until more are asked for. */
struct firn_skimmed {
    int n_mcus;             /**< 0: there is no whole one any more */
    const uint32_t *blocks; /**< where each begins; at last, where the last one ends */
    const uint8_t *bytes;   /**< the scan without the zeros behind 0xFF */
    const uint8_t *past;    /**< the last of these; eight more may be read */
    const uint8_t *next;    /**< as far as the scan itself has been read: up to a marker */
};

/** Where a block begins: these bits of an entry are a bit of `bytes`. */
#define FIRN_SKIM_PLACE 0x7FFFFFu

/** Set where a block ends that is none: with it, all is guessed. */
#define FIRN_SKIM_BAD 0x80000000u

struct firn_skimmed firn_skim_next(struct firn_skim *skim);

#endif

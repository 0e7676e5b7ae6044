/* SPDX-License-Identifier: MIT */
/**
 * Huffman decoding of a baseline JPEG's only scan, for sound data and fast.
 *
 * It takes over one part of the library's work, the longest: where nothing of a block is wanted but
 * its length, whole groups of symbols are passed over with one look into a table. Whatever is not
 * plainly sound is left to the library, which then decodes the photograph from its beginning.
 */
#ifndef FIRN_SRC_IMAGE_ENTROPY_H
#define FIRN_SRC_IMAGE_ENTROPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/skim.h"

#define FIRN_ENTROPY_BLOCKS 10  /**< of an MCU, at most: the standard's limit */
#define FIRN_ENTROPY_LOOK 11    /**< bits of one look: a symbol with its value, mostly */
#define FIRN_ENTROPY_LEAP 13    /**< bits of a look that passes over several symbols */

/** Bytes of coded data from which on larger tables are sooner made than done without. */
#ifndef FIRN_ENTROPY_LONG
#define FIRN_ENTROPY_LONG ((size_t)512 << 10)
#endif

/** A Huffman table as it stands in the file, and what is looked up instead. */
struct firn_entropy_table {
    uint8_t bits[17], values[256]; /**< codes of each length; symbols in the order of codes */
    unsigned made;                 /**< how often look, end and first were made of these; 0: not */
    bool pairs, leaps;             /**< pair is of these, too; leap */
    uint32_t look[1 << FIRN_ENTROPY_LOOK], pair[1 << FIRN_ENTROPY_LOOK];
    uint16_t leap[1 << FIRN_ENTROPY_LEAP];
    int32_t end[18];    /**< of the codes of a length, as 16 bits from the left */
    int32_t first[17];  /**< place in `values` of a length's code 0 */
};

/** The bytes to come. */
struct firn_entropy_bits {
    const uint8_t *next, *past; /**< those that are not in `bits`, up to a marker */
    uint64_t bits;              /**< from the left */
    int n, n_false;             /**< how many; of these, made up behind the last byte */
};

struct firn_entropy {
    struct firn_entropy_table dc_table[4], ac_table[4];
    struct {
        struct firn_entropy_table *dc, *ac;
        int component;
        bool dc_only; /**< no other coefficient is wanted */
    } block[FIRN_ENTROPY_BLOCKS];
    int n_blocks;              /**< of an MCU */
    bool leaps;                /**< the scan is long enough to pay for larger tables */
    bool skims;                /**< skim finds the blocks */
    struct firn_skim *skim;    /**< made when it is needed first */
    struct firn_skimmed found; /**< what of it is still to come */
    unsigned restart_interval; /**< MCUs; 0: none */

    struct firn_entropy_bits in;
    int dc[4];
    unsigned to_restart, restart;
};

/** Not zero when there is an 0xFF among these bytes; the lowest bit set is in the first of them. */
static inline uint64_t firn_entropy_ff(uint64_t v)
{
    return (~v - 0x0101010101010101u) & v & 0x8080808080808080u;
}

/**
 * Gives a table its content; what it holds already costs nothing. False, and nothing given, when
 * there are more codes than their lengths have room for.
 */
bool firn_entropy_table(struct firn_entropy_table *table, const uint8_t bits[17],
                        const uint8_t *values);

/**
 * Begins the scan whose coded bytes are these; n_blocks, block[] and leaps are set. `interval`:
 * MCUs from one restart marker to the next, 0 without.
 */
void firn_entropy_begin(struct firn_entropy *e, const uint8_t *bytes, size_t size,
                        unsigned interval);

/** Frees what firn_entropy_begin() has made; `e` was all zero once. */
void firn_entropy_free(struct firn_entropy *e);

/**
 * The symbol that these bits begin with, from the left: bits of code and value, 0 if it is none,
 * and from bit 6 on how many coefficients it makes, 0 if it ends the block.
 */
uint32_t firn_entropy_symbol(uint64_t bits, const struct firn_entropy_table *table);

/**
 * The next MCU, into blocks of zeros in natural order; NULL passes over it. False when its data are
 * not plainly sound; then nothing more can be had.
 */
bool firn_entropy_mcu(struct firn_entropy *e, int16_t (*const *blocks)[64]);

#endif

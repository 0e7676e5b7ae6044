/* SPDX-License-Identifier: MIT */
/** What skim.c looks up: how far the symbols among the next bits lead. */
#ifndef FIRN_SRC_IMAGE_SKIM_TABLE_H
#define FIRN_SRC_IMAGE_SKIM_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "image/entropy.h"

/**
 * Bits of one look, and the most that its entry may take; so many looks have 57 bits to go on. 13
 * to 15 bits save looks, but with larger tables these take as much longer.
 */
#define FIRN_SKIM_LOOK 12
#define FIRN_SKIM_MOST 22
#define FIRN_SKIM_LOOKS 3

/**
 * An entry:
 *
 *      31 .. 24         23       5 .. 0
 *      coefficients     ends     bits
 *
 * for as many whole symbols as fit, of which the codes must be among the bits looked up, the values
 * need not. Coefficients are counted from the end of one to the end of the next, one more for the
 * end of the block. Where not one code fits, they are FIRN_SKIM_NONE.
 */
#define FIRN_SKIM_ENDS 0x800000u
#define FIRN_SKIM_NONE (127u << 24)

struct firn_skim_table {
    const struct firn_entropy_table *dc, *ac; /**< `dc` is NULL within a block */
    unsigned dc_made, ac_made;                /**< contents that `entry` is of */
    bool used;                                /**< in this scan */
    uint32_t entry[1 << FIRN_SKIM_LOOK];
};

/** All zero at first. */
struct firn_skim_tables {
    struct firn_skim_table table[2 * 4]; /**< two for each component */
    uint16_t first[2][1 << FIRN_SKIM_LOOK];
};

/** Before those of a scan are asked for. */
void firn_skim_tables_begin(struct firn_skim_tables *tables);

/**
 * Entries for a block's beginning, a symbol of `dc` and what follows it, or, with NULL, for what is
 * within it. They stay while the scan and the two tables do; the same ones as in the scan before
 * cost nothing.
 */
const uint32_t *firn_skim_table(struct firn_skim_tables *tables,
                                const struct firn_entropy_table *dc,
                                const struct firn_entropy_table *ac);

#endif

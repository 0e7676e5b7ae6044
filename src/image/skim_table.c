/* SPDX-License-Identifier: MIT */
#include "image/skim_table.h"

#include <stddef.h>
#include <string.h>

#define LOOK FIRN_SKIM_LOOK
#define TABLES (sizeof((struct firn_skim_tables *)0)->table / sizeof(struct firn_skim_table))

/*
 * For the bits of a look the first symbol: bits of its code in 3 .. 0, of code and value in 8 .. 4,
 * coefficients from 9 on. Zero where the code is longer.
 */
static void fill_first(uint16_t *first, const struct firn_entropy_table *t, bool dc)
{
    unsigned code = 0;
    int place = 0;
    memset(first, 0, sizeof *first << LOOK);
    for (unsigned length = 1; length <= LOOK; length++, code <<= 1)
        for (int i = 0; i < t->bits[length]; i++, code++, place++) {
            const unsigned run = t->values[place] >> 4, size = t->values[place] & 15;
            const unsigned n = dc ? 1 : size || run == 15 ? run + 1 : 0;
            for (unsigned j = 0; j < 1u << (LOOK - length); j++)
                first[(code << (LOOK - length)) + j] =
                    (uint16_t)(n << 9 | (length + size) << 4 | length);
        }
}

/* The first symbol is out of `first`, the others are out of `then`. */
static uint32_t make_entry(const uint16_t *first, const uint16_t *then, unsigned bits)
{
    unsigned used = 0, coefficients = 0, symbol = first[bits];
    while (symbol) {
        const unsigned more = symbol >> 9, n = symbol >> 4 & 31;
        if (used + (symbol & 15) > LOOK || used + n > FIRN_SKIM_MOST || coefficients + more > 63)
            break;
        used += n;
        coefficients += more;
        if (more == 0)
            return (coefficients + 1) << 24 | FIRN_SKIM_ENDS | used;
        symbol = used < LOOK ? then[bits << used & ((1u << LOOK) - 1)] : 0;
    }
    return used ? coefficients << 24 | used : FIRN_SKIM_NONE;
}

static bool is_of(const struct firn_skim_table *t, const struct firn_entropy_table *dc,
                  const struct firn_entropy_table *ac)
{
    return t->dc == dc && t->ac == ac && t->ac_made == ac->made &&
           t->dc_made == (dc ? dc->made : 0);
}

void firn_skim_tables_begin(struct firn_skim_tables *tables)
{
    for (size_t i = 0; i < TABLES; i++)
        tables->table[i].used = false;
}

const uint32_t *firn_skim_table(struct firn_skim_tables *tables,
                                const struct firn_entropy_table *dc,
                                const struct firn_entropy_table *ac)
{
    struct firn_skim_table *t = NULL;
    for (size_t i = 0; i < TABLES && !(t && is_of(t, dc, ac)); i++)
        if (is_of(&tables->table[i], dc, ac) || !tables->table[i].used)
            t = &tables->table[i];
    t->used = true;
    if (is_of(t, dc, ac))
        return t->entry;
    fill_first(tables->first[0], ac, false);
    if (dc)
        fill_first(tables->first[1], dc, true);
    for (unsigned i = 0; i < 1u << LOOK; i++)
        t->entry[i] = make_entry(tables->first[dc != NULL], tables->first[0], i);
    t->dc = dc;
    t->ac = ac;
    t->dc_made = dc ? dc->made : 0;
    t->ac_made = ac->made;
    return t->entry;
}

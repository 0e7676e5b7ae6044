/* SPDX-License-Identifier: MIT */
/**
 * ITU-T T.81, annex F.2.2.
 *
 * An entry of `look`, for the next FIRN_ENTROPY_LOOK bits:
 *
 *      31 .. 16       15        11 .. 6         5 .. 0
 *      value or size  is size   coefficients    bits        (0 bits: the code is longer)
 *
 * Coefficients count the zeros in front and the value itself; 0 of them end the block. Bits are
 * those of code and value. Where these do not fit together, the entry has the size of the value,
 * which is the last of the bits.
 *
 * An entry of `pair`, for the same bits, has up to two whole symbols and an end behind the last:
 *
 *      31 .. 22      21 .. 16    15 .. 9             8 .. 5          4       3 .. 0
 *      first value   second      coefficients,       place of the    ends    bits
 *                                and 1 if it ends    first, from 0
 *
 * With one symbol, the second is of no account and has the place of the first. An entry of `leap`,
 * for the next FIRN_ENTROPY_LEAP bits, has the lower half of this alone and sums up as many symbols
 * as fit. Where there is not one whole symbol, the coefficients are NONE, which no block has.
 */
#include "image/entropy.h"

#include <string.h>

#define LOOK FIRN_ENTROPY_LOOK
#define LEAP FIRN_ENTROPY_LEAP

#define IS_SIZE 0x8000u
#define ENDS 0x10u
#define NONE 127u

/* Bits that a refill guarantees. */
#define FULL 56

static const uint8_t natural[64] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

/* ---- tables ---- */

/* F.2.2.1: the upper half of the numbers of a size is positive, the lower one negative. */
static int extend(unsigned v, int size)
{
    return v >> (size - 1) ? (int)v : (int)v - (1 << size) + 1;
}

static unsigned coefficients_of(unsigned symbol)
{
    const unsigned run = symbol >> 4, size = symbol & 15;
    return size || run == 15 ? run + 1 : 0;
}

/* All entries that begin with `code` of `length` bits. */
static void fill_look(uint32_t *look, unsigned code, int length, unsigned symbol)
{
    const int size = symbol & 15, rest = LOOK - length;
    const uint32_t head = coefficients_of(symbol) << 6 | (uint32_t)(length + size);
    for (unsigned i = 0; i < 1u << rest; i++) {
        uint32_t value = 0;
        if (size > 0)
            value = size <= rest ? (uint32_t)extend(i >> (rest - size), size) << 16
                                 : (uint32_t)size << 16 | IS_SIZE;
        look[(code << rest) + i] = value | head;
    }
}

static uint32_t make_entry(unsigned used, unsigned ends, unsigned place, unsigned coefficients)
{
    return (coefficients + ends) << 9 | place << 5 | ends << 4 | used;
}

static uint16_t make_leap(const uint32_t *look, unsigned bits)
{
    unsigned used = 0, coefficients = 0;
    for (;;) {
        const uint32_t entry = look[(bits << used & ((1u << LEAP) - 1)) >> (LEAP - LOOK)];
        const unsigned n = entry & 63, more = entry >> 6 & 63;
        if (n == 0 || used + n > LEAP || coefficients + more > 63)
            return (uint16_t)make_entry(used, 0, 0, used ? coefficients : NONE);
        used += n;
        coefficients += more;
        if (more == 0)
            return (uint16_t)make_entry(used, 1, 0, coefficients);
    }
}

static uint32_t make_pair(const uint32_t *look, unsigned bits)
{
    const uint32_t a = look[bits], used = a & 63, n = a >> 6 & 63;
    const int first = (int16_t)(a >> 16);
    if (used == 0 || used > LOOK || (n > 0 && (first < -512 || first > 511)))
        return make_entry(0, 0, 0, NONE);
    if (n == 0) /* 1 coefficient: a zero for the next place, which is free */
        return make_entry(used, 1, 0, 1);
    const uint32_t b = look[bits << used & ((1u << LOOK) - 1)], more = b & 63, m = b >> 6 & 63;
    const int second = (int16_t)(b >> 16);
    const uint32_t values = (uint32_t)first << 22 | ((uint32_t)second & 63) << 16;
    if (more == 0 || used + more > LOOK || second < -32 || second > 31)
        return values | make_entry(used, 0, n - 1, n);
    return values | make_entry(used + more, m == 0, n - 1, n + m);
}

static bool overfull(const uint8_t bits[17])
{
    unsigned code = 0, n = 0;
    for (int length = 1; length <= 16; length++) {
        code = (code << 1) + bits[length];
        n += bits[length];
        if (code > 1u << length)
            return true;
    }
    return n > 256;
}

bool firn_entropy_table(struct firn_entropy_table *t, const uint8_t bits[17], const uint8_t *values)
{
    unsigned code = 0;
    int32_t place = 0;
    if (overfull(bits))
        return false;
    if (t->made && !memcmp(t->bits, bits, sizeof t->bits) &&
        !memcmp(t->values, values, sizeof t->values))
        return true;
    memcpy(t->bits, bits, sizeof t->bits);
    memcpy(t->values, values, sizeof t->values);
    memset(t->look, 0, sizeof t->look);
    for (int length = 1; length <= 16; length++, code <<= 1) {
        t->first[length] = place - (int32_t)code;
        for (int i = 0; i < bits[length]; i++, code++, place++)
            if (length <= LOOK)
                fill_look(t->look, code, length, values[place]);
        t->end[length] = (int32_t)(code << (16 - length));
    }
    t->made++;
    t->pairs = t->leaps = false;
    return true;
}

static void add_pairs(struct firn_entropy_table *t)
{
    for (unsigned i = 0; i < 1u << LOOK; i++)
        t->pair[i] = make_pair(t->look, i);
    t->pairs = true;
}

static void add_leaps(struct firn_entropy_table *t)
{
    for (unsigned i = 0; i < 1u << LEAP; i++)
        t->leap[i] = make_leap(t->look, i);
    t->leaps = true;
}

/* ---- bits ---- */

/*
 * The bits go from function to function as values: one that is reached by a pointer would live in
 * memory, and every symbol would wait for the store of the one before.
 */
typedef struct firn_entropy_bits bits_t;

/* Byte by byte, without the zeros behind 0xFF; zeros for what a marker or the end withholds. */
static __attribute__((noinline)) bits_t refill_slowly(bits_t b)
{
    for (; b.n < FULL; b.n += 8) {
        uint64_t byte = 0;
        if (b.next < b.past && *b.next != 0xFF) {
            byte = *b.next++;
        } else if (b.past - b.next >= 2 && b.next[1] == 0) {
            byte = 0xFF;
            b.next += 2;
        } else {
            b.n_false += 8;
        }
        b.bits |= byte << (56 - b.n);
    }
    return b;
}

/*
 * FULL to 63 bits. What lies below the n bits is the beginning of the next byte, or zeros. In
 * `plain` bytes no zero follows 0xFF.
 */
static inline bits_t refill(bits_t b, bool plain)
{
    uint64_t v;
    if (b.past - b.next >= 8) {
        memcpy(&v, b.next, 8);
        if (plain || !firn_entropy_ff(v)) {
            const int n = (63 - b.n) >> 3;
            b.bits |= __builtin_bswap64(v) >> b.n;
            b.next += n;
            b.n += 8 * n;
            return b;
        }
    }
    return refill_slowly(b);
}

static inline bits_t drop(bits_t b, int n)
{
    b.bits <<= n;
    b.n -= n;
    return b;
}

/* An entry as of `look`, for a code longer than that; 0 for no code at all. */
static __attribute__((noinline)) uint32_t look_longer(uint64_t bits,
                                                      const struct firn_entropy_table *t)
{
    const int32_t next = (int32_t)(bits >> 48);
    for (int length = LOOK + 1; length <= 16; length++)
        if (next < t->end[length]) {
            const int32_t place = t->first[length] + (next >> (16 - length));
            const unsigned symbol = t->values[place & 255], size = symbol & 15;
            return size << 16 | (size ? IS_SIZE : 0) | coefficients_of(symbol) << 6 |
                   ((unsigned)length + size);
        }
    return 0;
}

static inline uint32_t look(uint64_t bits, const struct firn_entropy_table *t)
{
    const uint32_t entry = t->look[bits >> (64 - LOOK)];
    return entry & 63 ? entry : look_longer(bits, t);
}

uint32_t firn_entropy_symbol(uint64_t bits, const struct firn_entropy_table *table)
{
    return look(bits, table) & 0xFFF;
}

/* ---- blocks ---- */

static inline int value_of(uint64_t bits, uint32_t entry)
{
    const int size = (int)(entry >> 16), before = (int)(entry & 63) - size;
    return entry & IS_SIZE ? extend((unsigned)(bits << before >> (64 - size)), size)
                           : (int16_t)size;
}

/* These are false for what is not plainly sound; else `in` is behind the part of the block. */
static inline bool direct(bits_t *in, const struct firn_entropy_table *t, bool plain, int *dc)
{
    bits_t b = *in;
    if (b.n < 32) /* a code of 16, a value of 15 */
        b = refill(b, plain);
    const uint32_t entry = look(b.bits, t);
    *dc += value_of(b.bits, entry);
    *in = drop(b, entry & 63);
    return (entry & 63) && *dc >= INT16_MIN && *dc <= INT16_MAX;
}

/* The next symbol, whatever it is; *k is 64 when the block ends. */
static inline bool one_symbol(bits_t *in, const struct firn_entropy_table *t, bool plain,
                              unsigned *k, int16_t *block)
{
    const bits_t b = refill(*in, plain);
    const uint32_t entry = look(b.bits, t);
    const unsigned n = entry >> 6 & 63;
    if ((entry & 63) == 0 || *k + n > 64)
        return false;
    if (block && n > 0)
        block[natural[*k + n - 1]] = (int16_t)value_of(b.bits, entry);
    *k = n > 0 ? *k + n : 64;
    *in = drop(b, entry & 63);
    return true;
}

/*
 * Into `block`, or past it. Refilling by a fixed number of looks leaves only the end of the block
 * to the luck of branch prediction.
 */
static inline __attribute__((always_inline)) bool
alternating(bits_t *in, const struct firn_entropy_table *t, bool plain, bool leap, int16_t *block)
{
    bits_t b = *in;
    unsigned k = 1;
    while (k < 64) {
        b = refill(b, plain);
        for (int looks = FULL / (leap ? LEAP : LOOK); looks > 0; looks--) {
            const uint32_t entry = leap ? t->leap[b.bits >> (64 - LEAP)]
                                        : t->pair[b.bits >> (64 - LOOK)];
            const unsigned ends = entry >> 4 & 1, next = k + (entry >> 9 & 127);
            if (next > 64) {
                if (!one_symbol(&b, t, plain, &k, block))
                    return false;
                break;
            }
            if (block) {
                block[natural[next - ends - 1]] = (int16_t)((int32_t)(entry << 10) >> 26);
                block[natural[k + (entry >> 5 & 15)]] = (int16_t)((int32_t)entry >> 22);
            }
            b = drop(b, entry & 15);
            k = ends ? 64 : next;
            if (k == 64)
                break;
        }
    }
    *in = b;
    return true;
}

/* ---- the scan ---- */

static void restart(struct firn_entropy *e)
{
    e->in.bits = 0;
    e->in.n = e->in.n_false = 0;
    memset(e->dc, 0, sizeof e->dc);
    e->to_restart = e->restart_interval;
}

/* The expected marker, with nothing but the filling of a byte in front. */
static bool pass_restart(struct firn_entropy *e)
{
    bits_t b = e->in;
    if (b.n < FULL)
        b = refill(b, false);
    if (b.n - b.n_false >= 8 || b.past - b.next < 2 || b.next[0] != 0xFF ||
        b.next[1] != 0xD0 + e->restart)
        return false;
    e->in.next = b.next + 2;
    e->restart = (e->restart + 1) % 8;
    restart(e);
    return true;
}

/* Only where no coefficient but the first is wanted of some blocks. */
static void begin_skimming(struct firn_entropy *e, const uint8_t *bytes, size_t size)
{
    e->skims = false;
    for (int i = 0; i < e->n_blocks; i++)
        e->skims |= e->leaps && e->restart_interval == 0 && e->block[i].dc_only;
    if (e->skims && !e->skim)
        e->skim = firn_skim_create();
    e->skims = e->skims && e->skim;
    if (e->skims)
        firn_skim_begin(e->skim, e, bytes, size);
    e->found.n_mcus = 0;
}

void firn_entropy_begin(struct firn_entropy *e, const uint8_t *bytes, size_t size,
                        unsigned interval)
{
    e->in.next = bytes;
    e->in.past = bytes + size;
    e->restart_interval = interval;
    e->restart = 0;
    restart(e);
    begin_skimming(e, bytes, size);
    for (int i = 0; i < e->n_blocks; i++) {
        if (!e->block[i].ac->pairs)
            add_pairs(e->block[i].ac);
        if (e->leaps && !e->skims && !e->block[i].ac->leaps)
            add_leaps(e->block[i].ac);
    }
}

void firn_entropy_free(struct firn_entropy *e)
{
    firn_skim_destroy(e->skim);
    e->skim = NULL;
}

static inline bits_t bits_at(const struct firn_skimmed *found, uint32_t bit)
{
    const bits_t b = {found->bytes + bit / 8, found->past + 8, 0, 0, 0};
    return drop(refill(b, true), bit % 8);
}

static bool find_more(struct firn_entropy *e)
{
    e->found = firn_skim_next(e->skim);
    e->in.next = e->found.next;
    return e->found.n_mcus > 0;
}

static bool skimmed_mcu(struct firn_entropy *e, int16_t (*const *blocks)[64])
{
    if (e->found.n_mcus == 0 && !find_more(e))
        return false;
    const uint32_t *const places = e->found.blocks;
    for (int i = 0; i < e->n_blocks; i++) {
        int *dc = &e->dc[e->block[i].component];
        bits_t b = bits_at(&e->found, places[i] & FIRN_SKIM_PLACE);
        if ((places[i + 1] & FIRN_SKIM_BAD) || !direct(&b, e->block[i].dc, true, dc))
            return false;
        if (!blocks)
            continue;
        (*blocks[i])[0] = (int16_t)*dc;
        if (!e->block[i].dc_only && !alternating(&b, e->block[i].ac, true, false, *blocks[i]))
            return false;
    }
    e->found.blocks += e->n_blocks;
    e->found.n_mcus--;
    return true;
}

bool firn_entropy_mcu(struct firn_entropy *e, int16_t (*const *blocks)[64])
{
    if (e->skims)
        return skimmed_mcu(e, blocks);
    if (e->restart_interval && e->to_restart-- == 0) {
        if (!pass_restart(e))
            return false;
        e->to_restart--;
    }
    bits_t b = e->in;
    for (int i = 0; i < e->n_blocks; i++) {
        int *dc = &e->dc[e->block[i].component];
        if (!direct(&b, e->block[i].dc, false, dc))
            return false;
        if (blocks)
            (*blocks[i])[0] = (int16_t)*dc;
        const struct firn_entropy_table *ac = e->block[i].ac;
        if (!(blocks && !e->block[i].dc_only ? alternating(&b, ac, false, false, *blocks[i])
              : e->leaps ? alternating(&b, ac, false, true, NULL)
                         : alternating(&b, ac, false, false, NULL)))
            return false;
    }
    e->in = b;
    return b.n >= b.n_false;
}

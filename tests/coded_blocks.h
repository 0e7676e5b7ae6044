/* SPDX-License-Identifier: MIT */
/** Codes blocks of random symbols as a baseline JPEG has them, for tests that read them again. */
#ifndef FIRN_TESTS_CODED_BLOCKS_H
#define FIRN_TESTS_CODED_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define CODED_BLOCKS 2000 /**< that a struct out has room for */

/* Huffman tables of odd code lengths. The last code stays unused. */
static const struct table {
    uint8_t bits[17], values[256];
    int n;
} tables[] = {
    /* Symbols of 2 to 16 bits, EOB and runs of 16 zeros among them. */
    {{0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3},
     {0x00, 0x01, 0x02, 0x11, 0x03, 0x21, 0x04, 0x31, 0x05, 0xF0, 0x12, 0x06, 0x41, 0x07, 0x51,
      0x08, 0x13, 0x09, 0x22, 0x0A, 0x61, 0x0B, 0x0C, 0x71, 0x0D, 0x14, 0x0F, 0x0E, 0xE5},
     29},
    /* A bit for the code of a value of ten, then two for EOB. */
    {{0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
     {0x0A, 0x00, 0x01, 0xF1, 0x02, 0x03, 0x04, 0x05, 0xF0, 0x06, 0x07, 0x08, 0x09, 0x31, 0x0F,
      0x21},
     16},
    /* Two or three symbols of a few bits to a look. */
    {{0, 0, 3, 0, 0, 4, 4, 6},
     {0x01, 0x02, 0x00, 0x11, 0x03, 0x12, 0x04, 0x21, 0x05, 0x06, 0xF0, 0x07, 0x31, 0x08, 0x09,
      0x0A, 0xF1},
     17},
};
#define TABLES (sizeof tables / sizeof *tables)

struct out {
    uint8_t bytes[CODED_BLOCKS * 400];
    size_t n, bits; /**< bits without the zeros behind 0xFF */
    unsigned pending, n_bits;
};

static uint8_t zigzag[64];

static int chance(void)
{
    static unsigned long long state = 1;
    return (int)(check_random(&state) >> 33);
}

static void put(struct out *o, unsigned v, int n)
{
    o->bits += (unsigned)n;
    for (int i = n - 1; i >= 0; i--) {
        o->pending = o->pending << 1 | (v >> i & 1);
        if (++o->n_bits == 8) {
            o->bytes[o->n++] = (uint8_t)o->pending;
            if ((o->pending & 0xFF) == 0xFF)
                o->bytes[o->n++] = 0;
            o->n_bits = 0;
        }
    }
}

static void fill_up(struct out *o)
{
    while (o->n_bits)
        put(o, 1, 1);
}

static void put_symbol(struct out *o, const struct table *table, unsigned symbol, int value)
{
    unsigned code = 0;
    const int size = symbol & 15;
    int place = 0;
    for (int length = 1; length <= 16; length++, code <<= 1)
        for (int i = 0; i < table->bits[length]; i++, code++, place++)
            if (table->values[place] == symbol) {
                put(o, code, length);
                put(o, (unsigned)(value < 0 ? value - 1 : value) & ((1u << size) - 1), size);
                return;
            }
    abort();
}

static int draw(int size)
{
    const int v = size ? 1 << (size - 1) | (chance() & ((1 << (size - 1)) - 1)) : 0;
    return chance() & 1 ? -v : v;
}

/* One block of up to `most` random symbols, whose first coefficient is not far from `last`. */
static void code_block(struct out *o, const struct table *table, int most, int16_t *block,
                       int last)
{
    unsigned k = 1;
    const int size = chance() % 10, dc = last > 0 ? -abs(draw(size)) : abs(draw(size));
    put_symbol(o, table, (unsigned)size, dc);
    memset(block, 0, 64 * sizeof *block);
    block[0] = (int16_t)(last + dc);
    for (int left = chance() % (most + 1); left > 0; left--) {
        const unsigned symbol = table->values[chance() % table->n], run = symbol >> 4;
        if (symbol == 0 || k + run > 63)
            continue;
        const int value = draw(symbol & 15);
        put_symbol(o, table, symbol, value);
        k += run;
        block[zigzag[k++]] = (int16_t)value;
        if (k == 64)
            return;
    }
    put_symbol(o, table, 0, 0);
}

/* The standard's zigzag, walked. */
static void walk_zigzag(void)
{
    int x = 0, y = 0;
    for (int i = 0; i < 64; i++) {
        zigzag[i] = (uint8_t)(8 * y + x);
        const bool up = (x + y) % 2 == 0;
        if (up ? x == 7 : y == 7)
            *(up ? &y : &x) += 1;
        else if (up ? y == 0 : x == 0)
            *(up ? &x : &y) += 1;
        else
            x += up ? 1 : -1, y += up ? -1 : 1;
    }
}

#endif

/* SPDX-License-Identifier: MIT */
/** Blocks that are coded here, with tables of odd code lengths, must come out again. */
#include "check.h"
#include "image/entropy.h"

#include <stdlib.h>
#include <string.h>

#define MCUS 2000

/* The last code stays unused. */
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
static const struct table *table = &tables[0];

struct out {
    uint8_t bytes[MCUS * 400];
    size_t n;
    unsigned pending, n_bits;
};

static struct firn_entropy e;
static bool leaps;
static int16_t want[MCUS][64];
static uint8_t zigzag[64];

static int chance(void)
{
    static unsigned long long state = 1;
    return (int)(check_random(&state) >> 33);
}

static void put(struct out *o, unsigned v, int n)
{
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

static void put_symbol(struct out *o, unsigned symbol, int value)
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

/* One block of random symbols; its direct current is `dc` more than `last`. */
static void code_block(struct out *o, int16_t *block, int last)
{
    unsigned k = 1;
    const int size = chance() % 10, dc = last > 0 ? -abs(draw(size)) : abs(draw(size));
    put_symbol(o, (unsigned)size, dc);
    memset(block, 0, 64 * sizeof *block);
    block[0] = (int16_t)(last + dc);
    for (int left = chance() % 70; left > 0; left--) {
        const unsigned symbol = table->values[chance() % table->n], run = symbol >> 4;
        if (symbol == 0 || k + run > 63)
            continue;
        const int value = draw(symbol & 15);
        put_symbol(o, symbol, value);
        k += run;
        block[zigzag[k++]] = (int16_t)value;
        if (k == 64)
            return;
    }
    put_symbol(o, 0, 0);
}

static void code_all(struct out *o, unsigned interval)
{
    memset(o, 0, sizeof *o);
    for (int i = 0, last = 0; i < MCUS; i++) {
        if (interval && i && i % interval == 0) {
            fill_up(o);
            o->bytes[o->n++] = 0xFF;
            o->bytes[o->n++] = (uint8_t)(0xD0 + (i / interval - 1) % 8);
            last = 0;
        }
        code_block(o, want[i], last);
        last = want[i][0];
    }
    fill_up(o);
}

static void begin(const struct out *o, size_t size, unsigned interval, bool dc_only)
{
    CHECK(firn_entropy_table(&e.dc_table[0], table->bits, table->values));
    CHECK(firn_entropy_table(&e.ac_table[0], table->bits, table->values));
    e.block[0].dc = &e.dc_table[0];
    e.block[0].ac = &e.ac_table[0];
    e.block[0].component = 0;
    e.block[0].dc_only = dc_only;
    e.n_blocks = 1;
    e.leaps = leaps;
    firn_entropy_begin(&e, o->bytes, size, interval);
}

/* MCUs that came out right, some of them passed over. */
static int decode_all(bool dc_only, int every)
{
    for (int i = 0; i < MCUS; i++) {
        int16_t block[64] = {0};
        int16_t (*const blocks[1])[64] = {&block};
        const bool look = every == 0 || i % every == 0;
        if (!firn_entropy_mcu(&e, look ? blocks : NULL))
            return i;
        if (look && memcmp(block, want[i], dc_only ? sizeof block[0] : sizeof block))
            return i;
    }
    return MCUS;
}

static void test_blocks(struct out *o)
{
    for (unsigned interval = 0; interval < 40; interval += 13) {
        code_all(o, interval);
        for (int every = 0; every < 8; every += 7)
            for (int dc_only = 0; dc_only < 2; dc_only++) {
                begin(o, o->n, interval, dc_only);
                CHECK_INT(decode_all(dc_only, every), MCUS);
                CHECK(e.in.next == o->bytes + o->n);
            }
    }
}

static void test_unsound(struct out *o)
{
    int16_t block[64];
    int16_t (*const blocks[1])[64] = {&block};
    code_all(o, 13);
    for (int every = 0; every < 8; every += 7) {
        begin(o, o->n - 3, 13, false); /* the end is missing */
        CHECK(decode_all(false, every) < MCUS);
        begin(o, o->n, 12, false); /* no marker where one is due */
        CHECK_INT(decode_all(false, every), 12);
        begin(o, o->n, 14, false); /* one where none is */
        CHECK_INT(decode_all(false, every), 13);
        begin(o, 0, 0, false);
        CHECK_INT(decode_all(false, every), 0);
    }
    memset(o->bytes, 0, 64);
    for (int i = 0; i < 64; i++) /* a code that no symbol has */
        o->bytes[i] = i % 2 ? 0 : 0xFF;
    begin(o, 64, 0, false);
    CHECK(!firn_entropy_mcu(&e, blocks));
    begin(o, 64, 0, false);
    CHECK(!firn_entropy_mcu(&e, NULL));
}

/* Those not taken yet; how far the bytes have been read ahead is of no account. */
static size_t bits_left(void)
{
    size_t n = (size_t)(e.in.n - e.in.n_false);
    for (const uint8_t *p = e.in.next; p < e.in.past; p += 1 + (*p == 0xFF))
        n += 8;
    return n;
}

/* Damaged, they may be blocks or not; each way must come as far and end in the same place. */
static void test_damaged(struct out *o)
{
    int16_t block[64] = {0};
    int16_t (*const blocks[1])[64] = {&block};
    code_all(o, 0);
    for (int round = 0; round < 300; round++) {
        uint8_t *const byte = &o->bytes[(size_t)chance() % o->n], was = *byte;
        const size_t size = round % 4 ? o->n : (size_t)chance() % o->n;
        int got[3] = {0};
        size_t left[3] = {0};
        *byte = (uint8_t)chance();
        for (int way = 0; way < 3; way++) {
            leaps = way == 1;
            begin(o, size, 0, false);
            while (got[way] < MCUS && firn_entropy_mcu(&e, way == 2 ? blocks : NULL)) {
                memset(block, 0, sizeof block);
                got[way]++;
            }
            left[way] = got[way] == MCUS ? bits_left() : 0;
            CHECK_INT(got[way], got[0]);
            CHECK_INT(left[way], left[0]);
        }
        *byte = was;
    }
}

int main(void)
{
    struct out *o = calloc(1, sizeof *o);
    int x = 0, y = 0;
    for (int i = 0; i < 64; i++) { /* the standard's zigzag, walked */
        zigzag[i] = (uint8_t)(8 * y + x);
        const bool up = (x + y) % 2 == 0;
        if (up ? x == 7 : y == 7)
            *(up ? &y : &x) += 1;
        else if (up ? y == 0 : x == 0)
            *(up ? &x : &y) += 1;
        else
            x += up ? 1 : -1, y += up ? -1 : 1;
    }
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        table = &tables[i];
        for (int way = 0; way < 2; way++) {
            leaps = way;
            test_blocks(o);
        }
        test_unsound(o);
        test_damaged(o);
    }
    free(o);
    CHECK_DONE();
}

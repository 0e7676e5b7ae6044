/* SPDX-License-Identifier: MIT */
/** Blocks that are coded here, with tables of odd code lengths, must come out again. */
#include "check.h"
#include "coded_blocks.h"
#include "image/entropy.h"

#define MCUS CODED_BLOCKS

static const struct table *table = &tables[0];
static struct firn_entropy e;
static bool leaps;
static int16_t want[MCUS][64];

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
        code_block(o, table, 69, want[i], last);
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
    walk_zigzag();
    for (size_t i = 0; i < TABLES; i++) {
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

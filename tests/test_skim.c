/* SPDX-License-Identifier: MIT */
/**
 * Blocks must be found where they were put, and damage must end the scan in the same MCU as it does
 * for a decoder that goes from block to block.
 */
#include "check.h"
#include "coded_blocks.h"
#include "image/entropy.h"
#include "image/skim.h"

static const int shapes[] = {1, 3, 4, 6, 10}; /* blocks of an MCU */
#define SHAPES (sizeof shapes / sizeof *shapes)

static struct firn_entropy plain, skimming;
static struct firn_skim *skim;
static int n_blocks, n_mcus, most;
static const struct table *table[FIRN_ENTROPY_BLOCKS]; /* of each block */
static int16_t coded[CODED_BLOCKS][64];
static size_t begins[CODED_BLOCKS + 1]; /* bit of each block */

static int component(int block)
{
    return block < n_blocks - 2 ? 0 : block - (n_blocks > 2 ? n_blocks - 3 : 0);
}

static void code_all(struct out *o)
{
    int last[4] = {0};
    memset(o, 0, sizeof *o);
    for (int i = 0; i < n_mcus * n_blocks; i++) {
        const int which = component(i % n_blocks);
        begins[i] = o->bits;
        code_block(o, table[i % n_blocks], most, coded[i], last[which]);
        last[which] = coded[i][0];
    }
    begins[n_mcus * n_blocks] = o->bits;
    fill_up(o);
}

static void set_up(struct firn_entropy *e, bool skims)
{
    e->n_blocks = n_blocks;
    e->leaps = skims;
    for (int i = 0; i < n_blocks; i++) {
        const int which = component(i);
        CHECK(firn_entropy_table(&e->dc_table[which], table[i]->bits, table[i]->values));
        CHECK(firn_entropy_table(&e->ac_table[which], table[i]->bits, table[i]->values));
        e->block[i].dc = &e->dc_table[which];
        e->block[i].ac = &e->ac_table[which];
        e->block[i].component = which;
        e->block[i].dc_only = skims && i % 2 == 0;
    }
}

static uint64_t bits_at(const uint8_t *bytes, size_t bit)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | bytes[bit / 8 + (size_t)i];
    return v << bit % 8 >> 8;
}

/* Where it is is told by how long its blocks are and by what lies there. */
static void check_mcu(const struct firn_skimmed *found, int mcu, const uint8_t *bytes,
                      const size_t *begin)
{
    const uint32_t *const blocks = found->blocks + mcu * n_blocks;
    for (int k = 0; k <= n_blocks && !check_failed; k++) {
        const uint32_t bit = blocks[k] & FIRN_SKIM_PLACE;
        CHECK(k == 0 || !(blocks[k] & FIRN_SKIM_BAD));
        CHECK(bit / 8 <= (size_t)(found->past - found->bytes));
        CHECK_INT(bit - (blocks[0] & FIRN_SKIM_PLACE), begin[k] - begin[0]);
        if (bit / 8 + 8 <= (size_t)(found->past - found->bytes))
            CHECK(bits_at(found->bytes, bit) == bits_at(bytes, begin[k]));
    }
}

static bool is_bad(const struct firn_skimmed *found, int mcu)
{
    uint32_t all = 0;
    for (int k = 1; k <= n_blocks; k++)
        all |= found->blocks[mcu * n_blocks + k];
    return all & FIRN_SKIM_BAD;
}

/* All MCUs, and then at most some that are bad. */
static void test_places(const struct out *o)
{
    static uint8_t bytes[sizeof o->bytes + 8];
    size_t n = 0;
    int mcus = 0;
    for (size_t i = 0; i < o->n; i += 1 + (o->bytes[i] == 0xFF))
        bytes[n++] = o->bytes[i];
    memset(bytes + n, 0, 8);
    firn_skim_begin(skim, &skimming, o->bytes, o->n);
    for (struct firn_skimmed found; (found = firn_skim_next(skim)).n_mcus > 0;) {
        CHECK(found.next >= o->bytes && found.next <= o->bytes + o->n);
        for (int i = 0; i < found.n_mcus && !check_failed; i++, mcus++)
            if (mcus < n_mcus)
                check_mcu(&found, i, bytes, begins + mcus * n_blocks);
            else
                CHECK(mcus > n_mcus || is_bad(&found, i));
    }
    CHECK(mcus >= n_mcus);
    CHECK_INT(firn_skim_next(skim).n_mcus, 0);
}

/* MCUs until one is not sound, which the two must agree on, as on what is wanted of the others. */
static int decode_both(const uint8_t *bytes, size_t size)
{
    firn_entropy_begin(&plain, bytes, size, 0);
    firn_entropy_begin(&skimming, bytes, size, 0);
    CHECK(skimming.skims && !plain.skims);
    for (int i = 0; i < n_mcus; i++) {
        int16_t got[2][FIRN_ENTROPY_BLOCKS][64] = {0}, (*at[2][FIRN_ENTROPY_BLOCKS])[64];
        const bool look = i % 5 < 3;
        for (int k = 0; k < 2 * FIRN_ENTROPY_BLOCKS; k++)
            at[k % 2][k / 2] = &got[k % 2][k / 2];
        const bool sound = firn_entropy_mcu(&plain, look ? at[0] : NULL);
        CHECK_INT(firn_entropy_mcu(&skimming, look ? at[1] : NULL), sound);
        if (!sound || check_failed)
            return i;
        for (int k = 0; look && k < n_blocks; k++)
            CHECK(!memcmp(got[0][k], got[1][k], k % 2 ? sizeof got[0][k] : sizeof(int16_t)));
    }
    return n_mcus;
}

static void test_damaged(struct out *o)
{
    int cut = 0;
    CHECK_INT(decode_both(o->bytes, o->n), n_mcus);
    CHECK(decode_both(o->bytes, o->n - 9) < n_mcus);
    for (int round = 0; round < 20 && !check_failed; round++) {
        uint8_t *const byte = &o->bytes[(size_t)chance() % o->n], was = *byte;
        const size_t size = round % 4 ? o->n : (size_t)chance() % o->n;
        *byte = (uint8_t)(round % 5 ? chance() : 0xFF);
        cut += decode_both(o->bytes, size) < n_mcus;
        *byte = was;
    }
    CHECK(cut > 0);
}

/* Walkers may never be in step here, or be so at once. */
static void test_monotonous(struct out *o)
{
    for (int pattern = 0; pattern < 8; pattern++) {
        for (size_t i = 0; i < 60000; i++)
            o->bytes[i] = (uint8_t)(pattern < 4 ? pattern * 85 & 0x7F : i % 7 * 31 + 3);
        decode_both(o->bytes, 60000 - (size_t)pattern);
    }
}

int main(void)
{
    static struct out o;
    walk_zigzag();
    skim = firn_skim_create();
    if (!skim)
        return 1;
    for (size_t i = 0; i < SHAPES * TABLES * 2 && !check_failed; i++) {
        n_blocks = shapes[i % SHAPES];
        n_mcus = CODED_BLOCKS / n_blocks;
        most = i / SHAPES % 2 ? 69 : 5;
        for (int k = 0; k < n_blocks; k++)
            table[k] = &tables[(i / 2 / SHAPES + (size_t)component(k)) % TABLES];
        code_all(&o);
        set_up(&plain, false);
        set_up(&skimming, true);
        test_places(&o);
        test_damaged(&o);
        test_monotonous(&o);
    }
    firn_skim_destroy(skim);
    firn_entropy_free(&skimming);
    CHECK_DONE();
}

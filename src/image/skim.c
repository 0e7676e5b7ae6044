/* SPDX-License-Identifier: MIT */
/**
 * Several walkers through one scan.
 *
 * A Huffman decoder is a chain: where a symbol begins is known when the one before is decoded. A
 * processor that could do four such steps at once waits for one. So WALKERS of them go through
 * different sections of the scan side by side, in one loop of one thread. All but the first begin
 * in the middle of nowhere and take that for the beginning of an MCU. What they read there is
 * wrong, but seldom for long: wrong codes have other lengths than right ones, and as soon as a
 * walker happens to end an MCU where one ends, it is in step for good, because from there on it
 * does what the right one would do:
 *
 *     section       0                   1                       2
 *     bytes    |--------------------|-----------------------|---------------------- ...
 *     walker 0 |==|===|=|==|===|==|==|=|==|===|
 *                                   .    .  ^ the same end of an MCU in both lists: behind it,
 *     walker 1                      |~~|~|~~~~|===|==|=|=|==|===|==|===|==|    walker 1 is right
 *                                                           .      ^ and so on
 *     walker 2                                              |~~~|~|==|=|==|==|= ...
 *
 * Each writes a list of the places where its blocks end, and goes MARGIN bytes into the next
 * section. Then the lists are joined. Behind the first place that two of them share as the end of
 * an MCU, the latter is right if the former is, and the first is right from its beginning. Where
 * they share none, the former walks on through the latter's section alone. Thus nothing in the
 * joined list is guessed; only the time it takes depends on luck.
 *
 * The gain would be lost to mispredicted branches, each of which stops all walkers, if a step were
 * not free of them. It looks LOOK bits up, which sum up as many symbols as fit, and what is next is
 * chosen by loads. A walker's state is one number, to which the entry is added:
 *
 *      31 .. 24         23       22 .. 0
 *      coefficients     ends     bits from the beginning of the strip
 *
 * Coefficients are those of the block so far, its first included, and one more if it ends; above 64
 * of them something is not as it should be, and step_slowly() takes one symbol instead. The first
 * coefficient's table goes on with the others' symbols behind it, since most blocks are short.
 *
 * A strip of some hundred kilobytes at a time is copied without the zeros behind 0xFF, walked and
 * joined, so that all of it stays in the second level of cache.
 */
#include "image/skim.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "image/entropy.h"
#include "image/skim_table.h"

#define WALKERS 4
#define LOOK FIRN_SKIM_LOOK
#define LOOKS FIRN_SKIM_LOOKS

/* Bytes of a section, and behind it; tests make them few. */
#ifndef SECTION
#define SECTION (16 << 10)
#define MARGIN 384
#endif
#define SECTIONS 16
#define STRIP (SECTION * SECTIONS)

/* Bits of the longest code; where they are not all there yet, a code may only seem to be none. */
#define AHEAD 16

/* Bytes that may be read behind a strip, all of them zero. */
#define SLACK 64

/* Entries of a section's list: for a block to every two bits. Lists begin in different sets. */
#define LENGTH (4 * SECTION + 16 * (LOOKS + 1))

/* Bits of the longest step: a code of 16 and a value of 15. */
#define MOST_BITS 31

#define PLACE FIRN_SKIM_PLACE
#define ENDS FIRN_SKIM_ENDS
#define FULL (64u << 24)
#define OVER (65u << 24)
#define BAD FIRN_SKIM_BAD

/* Where a walker is: within this block of an MCU, its first coefficient known. */
struct place {
    const uint32_t *table[2]; /* of the next look; [1]: if the block ends */
    const struct place *next[2];
    const struct firn_entropy_table *dc, *ac;
};

struct walker {
    uint32_t at;
    const uint32_t *table;
    const struct place *place; /* of the block that `table` belongs to */
    uint32_t *out;
    uint64_t bits; /* at `at`, within one round of looks */
};

struct section {
    uint32_t *list; /* [0]: where it begins; then, the ends of blocks */
    struct walker walker;
    uint32_t target; /* as far as it is to go */
};

/* A run of MCUs in the joined list. */
struct run {
    const uint32_t *blocks;
    int n_mcus;
};

struct firn_skim {
    struct firn_skim_tables tables;
    struct place places[FIRN_ENTROPY_BLOCKS];
    int n_blocks;
    const uint8_t *next, *past; /* of the scan */
    uint32_t n;                 /* bytes of the strip */
    uint32_t limit;             /* bits of it that can be judged: what follows them is there */
    uint32_t begin, end;        /* bits where its first MCU begins, its last one ends */
    struct section sections[SECTIONS];
    int n_sections;
    struct run runs[SECTIONS];
    int run, n_runs;
    uint8_t bytes[STRIP + SLACK];
    uint32_t lists[SECTIONS][LENGTH];
};

_Static_assert((STRIP + SLACK) * 8 <= PLACE, "bits of a strip");

struct firn_skim *firn_skim_create(void)
{
    return firn_alloc(1, sizeof(struct firn_skim));
}

void firn_skim_destroy(struct firn_skim *skim)
{
    firn_free(skim);
}

static void make_places(struct firn_skim *s, const struct firn_entropy *e)
{
    s->n_blocks = e->n_blocks;
    firn_skim_tables_begin(&s->tables);
    for (int i = 0; i < e->n_blocks; i++) {
        struct place *const p = &s->places[i], *const before = i ? p - 1 : p + e->n_blocks - 1;
        p->dc = e->block[i].dc;
        p->ac = e->block[i].ac;
        p->table[0] = firn_skim_table(&s->tables, NULL, p->ac);
        before->table[1] = firn_skim_table(&s->tables, p->dc, p->ac);
        p->next[0] = before->next[1] = p;
    }
}

/* ---- walking ---- */

static inline uint64_t bits_at(const uint8_t *bytes, uint32_t at)
{
    uint64_t v;
    memcpy(&v, bytes + (at >> 3), 8);
    return __builtin_bswap64(v) << (at & 7);
}

static inline struct walker look_up(const uint8_t *bytes, struct walker w)
{
    w.bits = bits_at(bytes, w.at & PLACE);
    return w;
}

/*
 * One symbol, whatever it is. The walker comes in pieces, or it would be put together in memory
 * for every step, slow or not.
 */
static __attribute__((noinline)) struct walker
step_slowly(const uint8_t *bytes, uint32_t state, const struct place *place, uint32_t *out)
{
    const uint32_t at = state & PLACE, k = state >> 24;
    const uint32_t symbol =
        firn_entropy_symbol(bits_at(bytes, at), k ? place->ac : place->dc);
    const uint32_t n = symbol & 63, more = k ? symbol >> 6 & 63 : 1;
    const bool bad = n == 0 || k + more > 64, ended = bad || more == 0 || k + more == 64;
    const uint32_t next = at + (bad ? 1 : n);
    *out = next | (bad ? BAD : 0);
    return look_up(bytes, (struct walker){next | (ended ? 0 : (k + more) << 24),
                                          place->table[ended], place->next[ended], out + ended, 0});
}

static inline __attribute__((always_inline)) struct walker step(const uint8_t *bytes,
                                                                struct walker w)
{
    static const uint32_t kept[2] = {~0u, PLACE};
    const uint32_t entry = w.table[w.bits >> (64 - LOOK)], at = w.at + entry;
    if (__builtin_expect(at >= OVER, 0))
        return step_slowly(bytes, w.at, w.place, w.out);
    const size_t ended = (at & (FULL | ENDS)) != 0;
    *w.out = at;
    w.out += ended;
    w.at = at & kept[ended];
    w.bits <<= entry & 63;
    w.table = w.place->table[ended];
    w.place = w.place->next[ended];
    return w;
}

/* So many rounds of LOOKS steps of each. In variables of their own, their state is in registers. */
static __attribute__((noinline)) void walk(const uint8_t *bytes, struct walker w[WALKERS],
                                           uint32_t rounds)
{
    struct walker a = w[0], b = w[1], c = w[2], d = w[3];
    for (; rounds > 0; rounds--) {
        a = look_up(bytes, a);
        b = look_up(bytes, b);
        c = look_up(bytes, c);
        d = look_up(bytes, d);
        for (int i = 0; i < LOOKS; i++) {
            a = step(bytes, a);
            b = step(bytes, b);
            c = step(bytes, c);
            d = step(bytes, d);
        }
    }
    w[0] = a;
    w[1] = b;
    w[2] = c;
    w[3] = d;
}

/* Of no block and no bits: for a walker that has nothing to do. */
static struct walker idle(const struct firn_skim *s, uint32_t *nowhere)
{
    static const uint32_t still[1] = {0};
    static const struct place place = {{still, still}, {&place, &place}, NULL, NULL};
    return (struct walker){s->n * 8 + 8, still, &place, nowhere, 0};
}

/* Rounds until this one may have reached its target or filled its list; 0 when it has. */
static uint32_t rounds_left(const struct section *x)
{
    const uint32_t at = x->walker.at & PLACE;
    const uint32_t room = (uint32_t)(x->list + LENGTH - x->walker.out) / (LOOKS + 1);
    const uint32_t rounds = at < x->target ? (x->target - at) / (LOOKS * MOST_BITS) + 1 : 0;
    return rounds < room ? rounds : room;
}

/* All of `x` to their targets; whoever arrives makes room for the next. */
static void walk_all(const struct firn_skim *s, struct section *x, int n)
{
    struct section *at[WALKERS] = {0};
    struct walker walkers[WALKERS];
    uint32_t nowhere[WALKERS];
    for (int next = 0;;) {
        uint32_t rounds = UINT32_MAX;
        for (int i = 0; i < WALKERS; i++) {
            if (at[i])
                at[i]->walker = walkers[i];
            while (!(at[i] && rounds_left(at[i])) && next < n)
                at[i] = &x[next++];
            if (at[i] && !rounds_left(at[i]))
                at[i] = NULL;
            walkers[i] = at[i] ? at[i]->walker : idle(s, &nowhere[i]);
            if (at[i] && rounds_left(at[i]) < rounds)
                rounds = rounds_left(at[i]);
        }
        if (rounds == UINT32_MAX)
            return;
        walk(s->bytes, walkers, rounds);
    }
}

/* ---- joining ---- */

static uint32_t place_of(const uint32_t *entry)
{
    return *entry & PLACE;
}

/*
 * From *p and *q on, ends of MCUs, to the first that both lists have. False when one of them comes
 * to its end without.
 */
static bool meet(const struct section *x, const uint32_t **p, const struct section *y,
                 const uint32_t **q, int n_blocks)
{
    while (*p < x->walker.out && *q < y->walker.out) {
        if (place_of(*p) == place_of(*q))
            return true;
        if (place_of(*p) < place_of(*q))
            *p += n_blocks;
        else
            *q += n_blocks;
    }
    return false;
}

/* As above, walking on in `x` until it has met `y` or is past it. */
static bool walk_to_meet(const struct firn_skim *s, struct section *x, const uint32_t **p,
                         const struct section *y, const uint32_t **q)
{
    const uint32_t end = y->walker.at & PLACE;
    while (!meet(x, p, y, q, s->n_blocks)) {
        const uint32_t at = x->walker.at & PLACE;
        if (at >= end)
            return false;
        x->target = at + 8 * MARGIN < end ? at + 8 * MARGIN : end;
        if (!rounds_left(x))
            return false;
        walk_all(s, x, 1);
    }
    return true;
}

/* Of these MCUs, those whose bits are all there. */
static void add_run(struct firn_skim *s, const uint32_t *blocks, const uint32_t *end)
{
    while (end > blocks && place_of(end) > s->limit)
        end -= s->n_blocks;
    if (end == blocks)
        return;
    s->runs[s->n_runs++] = (struct run){blocks, (int)(end - blocks) / s->n_blocks};
    s->end = place_of(end);
}

/* The runs of MCUs that are known, from the first section on. */
static void join(struct firn_skim *s)
{
    struct section *x = &s->sections[0];
    const uint32_t *from = x->list, *p = from;
    s->run = s->n_runs = 0;
    s->end = s->begin;
    for (struct section *y = x + 1; y < s->sections + s->n_sections; y++) {
        const uint32_t *q = y->list;
        if (walk_to_meet(s, x, &p, y, &q)) {
            add_run(s, from, p);
            x = y;
            from = p = q;
        }
    }
    add_run(s, from, from + (x->walker.out - 1 - from) / s->n_blocks * s->n_blocks);
}

/* ---- strips ---- */

/* More of the scan behind what is left of the strip. */
static void fill(struct firn_skim *s)
{
    uint8_t *to = s->bytes + s->n;
    const uint8_t *from = s->next;
    while (s->bytes + STRIP - to >= 16 && s->past - from > 16) {
        uint64_t v[2];
        memcpy(v, from, 16);
        memcpy(to, from, 16);
        const uint64_t ff[2] = {firn_entropy_ff(v[0]), firn_entropy_ff(v[1])};
        if (!(ff[0] | ff[1])) {
            to += 16;
            from += 16;
            continue;
        }
        const int n = ff[0] ? __builtin_ctzll(ff[0]) / 8 + 1 : __builtin_ctzll(ff[1]) / 8 + 9;
        if (from[n] != 0)
            break;
        to += n;
        from += n + 1;
    }
    while (to < s->bytes + STRIP && from < s->past &&
           (*from != 0xFF || (s->past - from > 1 && from[1] == 0))) {
        *to++ = *from;
        from += 1 + (*from == 0xFF);
    }
    s->next = from;
    s->n = (uint32_t)(to - s->bytes);
    memset(to, 0, SLACK);
    s->limit = s->n * 8 - (s->n == STRIP ? AHEAD : 0);
}

static void make_sections(struct firn_skim *s)
{
    const struct place *last = &s->places[s->n_blocks - 1];
    s->n_sections = 0;
    do {
        const int i = s->n_sections++;
        const uint32_t begin = i ? (uint32_t)i * SECTION * 8 : s->begin;
        const uint32_t target = ((uint32_t)(i + 1) * SECTION + MARGIN) * 8;
        s->lists[i][0] = begin;
        s->sections[i] = (struct section){
            s->lists[i],
            {begin, last->table[1], last->next[1], s->lists[i] + 1, 0},
            target < s->limit ? target : s->limit};
    } while ((uint32_t)s->n_sections * SECTION < s->n);
}

static void next_strip(struct firn_skim *s)
{
    const uint32_t done = s->end / 8;
    memmove(s->bytes, s->bytes + done, s->n - done);
    s->n -= done;
    s->begin = s->end % 8;
    fill(s);
    make_sections(s);
    walk_all(s, s->sections, s->n_sections);
    join(s);
}

void firn_skim_begin(struct firn_skim *s, const struct firn_entropy *e, const uint8_t *bytes,
                     size_t size)
{
    make_places(s, e);
    s->next = bytes;
    s->past = bytes + size;
    s->n = s->begin = s->end = 0;
    s->run = s->n_runs = 0;
}

struct firn_skimmed firn_skim_next(struct firn_skim *s)
{
    if (s->run == s->n_runs)
        next_strip(s);
    const struct run run = s->run < s->n_runs ? s->runs[s->run++] : (struct run){NULL, 0};
    return (struct firn_skimmed){run.n_mcus, run.blocks, s->bytes, s->bytes + s->n, s->next};
}

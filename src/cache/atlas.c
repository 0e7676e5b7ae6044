/* SPDX-License-Identifier: MIT */
/** Asking an atlas. What is damaged shows here, piece by piece, and is no answer. */
#include "cache/atlas.h"

#include "base/hash.h"
#include "cache/index.h"

/* FIRN_LEAF photographs or fewer; their strings lie behind the entries. */
struct firn_leaf {
    size_t n;
    struct firn_entry entry[];
};

const uint32_t firn_atlas_width[FIRN_TABLES] = {
    [FIRN_TABLE_HOLE] = 4, [FIRN_TABLE_START] = 4,  [FIRN_TABLE_SPOT] = 12,
    [FIRN_TABLE_KEY] = 8,  [FIRN_TABLE_NAME] = 8,   [FIRN_TABLE_EXTRA] = 12,
    [FIRN_TABLE_PLACE] = 20, [FIRN_TABLE_LEAF] = 12,
};

uint32_t firn_atlas_key(const uint8_t *content)
{
    return (uint32_t)(firn_key_prefix(content) >> 32);
}

uint32_t firn_atlas_name(const char *name, size_t n)
{
    const char *slash = memrchr(name, '/', n);
    size_t dir = slash ? (size_t)(slash + 1 - name) : 0;
    return (uint32_t)firn_checksum(name + dir, n - dir);
}

uint32_t firn_atlas_sum(const uint8_t *content)
{
    return (uint32_t)firn_checksum(content, FIRN_KEY);
}

/* ---- photographs ---- */

/* Where the copies of strings go. */
struct filling {
    struct firn_leaf *leaf;
    char *text;
};

static int fill(void *user, const struct firn_entry *entry)
{
    struct filling *f = user;
    struct firn_entry *e = f->leaf->entry + f->leaf->n++;
    *e = *entry;
    e->name = memcpy(f->text, entry->name, entry->name_size + 1u);
    f->text += entry->name_size + 1;
    e->reason = memcpy(f->text, entry->reason, entry->reason_size + 1u);
    f->text += entry->reason_size + 1;
    return 0;
}

/* 0, or what the trouble is. */
static int decode(const uint8_t *raw, const struct firn_block *b, struct firn_leaf **out)
{
    size_t fixed = (size_t)b->count * FIRN_ENTRY, entries = b->count * sizeof(struct firn_entry);
    if (fixed > b->raw)
        return FIRN_DAMAGED;
    struct firn_leaf *leaf = malloc(sizeof *leaf + entries + (b->raw - fixed) + 1);
    if (!leaf)
        return FIRN_OUT_OF_MEMORY;
    leaf->n = 0;
    struct filling f = {leaf, (char *)(leaf->entry + b->count)};
    int result = firn_ledger_get(raw, b->raw, b->count, NULL, fill, &f);
    if (result == 0)
        *out = leaf;
    else
        free(leaf);
    return result == 0 ? 0 : result == -2 ? FIRN_OUT_OF_MEMORY : FIRN_DAMAGED;
}

/* The LEDGER block of leaf k into scratch->memory; 0, or what the trouble is. */
static int read_leaf(const struct firn_atlas *a, size_t k, struct firn_scratch *scratch,
                     struct firn_block *b)
{
    const uint8_t *p = firn_table_at(a->table + FIRN_TABLE_LEAF, k);
    uint64_t left = a->head.photos - k * FIRN_LEAF;
    if (!p)
        return atomic_load(&a->table[FIRN_TABLE_LEAF].trouble);
    struct firn_segment file = {.fd = a->fd, .cache = a->cache, .id = a->id};
    struct firn_extent e = {.offset = firn_get(p, 8), .stored = (uint32_t)firn_get(p + 8, 4),
                            .count = (uint32_t)(left < FIRN_LEAF ? left : FIRN_LEAF),
                            .type = FIRN_BLOCK_LEDGER};
    int result = firn_segment_read(&file, &e, scratch, b, NULL);
    return result == -FIRN_NOMEM                ? FIRN_OUT_OF_MEMORY
           : result != 0 || b->sequence != k ? FIRN_DAMAGED
                                             : 0;
}

static struct firn_leaf *load_leaf(const struct firn_atlas *atlas, size_t k)
{
    struct firn_atlas *a = (struct firn_atlas *)atlas;
    struct firn_codec *codec = atomic_exchange(&a->codec, NULL), *none = NULL;
    struct firn_scratch scratch = {0};
    struct firn_leaf *leaf = NULL;
    struct firn_block b;
    uint8_t *raw = NULL;
    if (!codec)
        codec = firn_codec_create();
    int trouble = codec ? read_leaf(a, k, &scratch, &b) : FIRN_OUT_OF_MEMORY, result = 0;
    if (!trouble)
        result = firn_block_get(codec, &b, scratch.memory + FIRN_HEADER, &raw);
    if (!trouble)
        trouble = result == 0 ? decode(raw, &b, &leaf)
                  : result == -2 ? FIRN_OUT_OF_MEMORY : FIRN_DAMAGED;
    free(raw);
    free(scratch.memory);
    if (!atomic_compare_exchange_strong(&a->codec, &none, codec))
        firn_codec_destroy(codec);
    atomic_fetch_or(&a->trouble, trouble);
    return leaf;
}

const struct firn_entry *firn_atlas_entry(const struct firn_atlas *a, size_t photo)
{
    size_t k = photo / FIRN_LEAF;
    if (photo >= a->head.photos)
        return NULL;
    struct firn_leaf *leaf = atomic_load_explicit(a->leaf + k, memory_order_acquire), *none = NULL;
    if (leaf)
        return leaf->entry + photo % FIRN_LEAF;
    leaf = load_leaf(a, k);
    if (leaf && !atomic_compare_exchange_strong(a->leaf + k, &none, leaf)) {
        free(leaf);
        leaf = none;
    }
    return leaf ? leaf->entry + photo % FIRN_LEAF : NULL;
}

struct firn_leaf *firn_atlas_leaf(const struct firn_atlas *a, size_t k)
{
    return k < a->head.n[FIRN_TABLE_LEAF] ? load_leaf(a, k) : NULL;
}

const struct firn_entry *firn_leaf_entry(const struct firn_leaf *leaf, size_t i)
{
    return leaf->entry + i;
}

void firn_atlas_forget(struct firn_atlas *a)
{
    for (size_t k = 0; a->leaf && k < a->head.n[FIRN_TABLE_LEAF]; k++)
        free(atomic_exchange_explicit(a->leaf + k, NULL, memory_order_relaxed));
    for (int i = 0; i < FIRN_TABLES; i++)
        if (i != FIRN_TABLE_HOLE && i != FIRN_TABLE_START) /* these are to stay: atlas_open.c */
            firn_table_forget(a->table + i);
    atomic_fetch_and(&a->trouble, ~FIRN_OUT_OF_MEMORY);
}

/* ---- numbers ---- */

/* Record i, or NULL: there is none, or its page is damaged. */
static const uint8_t *record_at(const struct firn_atlas *a, enum firn_atlas_table table, size_t i)
{
    return i < a->table[table].n ? firn_table_at(a->table + table, i) : NULL;
}

static uint32_t number_at(const struct firn_atlas *a, enum firn_atlas_table table, size_t i,
                          uint32_t otherwise)
{
    const uint8_t *p = firn_table_at(a->table + table, i);
    return p ? (uint32_t)firn_get(p, 4) : otherwise;
}

/* How many of the first numbers of a sorted table are below `limit`; `slope`: of number - index. */
static size_t count_below(const struct firn_atlas *a, enum firn_atlas_table table, uint64_t limit,
                          unsigned slope)
{
    size_t low = 0, high = a->table[table].n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint64_t number = number_at(a, table, middle, UINT32_MAX);
        if (number - slope * middle < limit)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int firn_atlas_label(const struct firn_atlas *a, size_t photo)
{
    return (int)count_below(a, FIRN_TABLE_START, photo + 1, 0) - 2;
}

size_t firn_atlas_rows_before(const struct firn_atlas *a, size_t photo, bool *has_row)
{
    size_t holes = count_below(a, FIRN_TABLE_HOLE, photo, 0);
    *has_row = photo < a->head.photos &&
               (holes == a->table[FIRN_TABLE_HOLE].n ||
                number_at(a, FIRN_TABLE_HOLE, holes, (uint32_t)photo) != photo);
    return photo - holes;
}

size_t firn_atlas_photo(const struct firn_atlas *a, size_t row)
{
    return row + count_below(a, FIRN_TABLE_HOLE, row + 1, 1);
}

bool firn_atlas_spot(const struct firn_atlas *a, enum firn_atlas_table table, size_t i,
                     struct firn_atlas_spot *spot)
{
    const uint8_t *p = record_at(a, table, i);
    if (p)
        *spot = (struct firn_atlas_spot){(uint32_t)firn_get(p, 4), (uint32_t)firn_get(p + 4, 4),
                                         (uint32_t)firn_get(p + 8, 4)};
    return p != NULL;
}

bool firn_atlas_place(const struct firn_atlas *a, uint32_t place, const struct firn_head *head,
                      struct firn_extent *extent, size_t *segment)
{
    const uint8_t *p = record_at(a, FIRN_TABLE_PLACE, place);
    size_t covered = p ? firn_get(p + 16, 4) : SIZE_MAX;
    if (covered >= a->n_covered)
        return false;
    *extent = (struct firn_extent){
        .offset = firn_get(p, 8), .stored = (uint32_t)firn_get(p + 8, 4),
        .count = (uint32_t)firn_get(p + 12, 4), .width = head->dim, .type = FIRN_BLOCK_ROWS,
        .store = (uint8_t)head->store};
    *segment = a->covered[covered].segment;
    return true;
}

size_t firn_atlas_search(const struct firn_atlas *a, enum firn_atlas_table table, uint32_t key)
{
    return count_below(a, table, key, 0);
}

bool firn_atlas_match(const struct firn_atlas *a, enum firn_atlas_table table, size_t i,
                      uint32_t key, uint32_t *target)
{
    const uint8_t *p = record_at(a, table, i);
    if (!p || firn_get(p, 4) != key)
        return false;
    *target = (uint32_t)firn_get(p + 4, 4);
    return true;
}

int firn_atlas_trouble(const struct firn_atlas *a)
{
    int trouble = a ? atomic_load_explicit(&a->trouble, memory_order_relaxed) : 0;
    for (int i = 0; a && i < FIRN_TABLES; i++)
        trouble |= atomic_load_explicit(&a->table[i].trouble, memory_order_relaxed);
    return trouble;
}

int firn_atlas_check(const struct firn_atlas *a)
{
    struct firn_scratch scratch = {0};
    struct firn_block b;
    int result = 0;
    for (int i = 0; i < FIRN_TABLES && result == 0; i++)
        result = firn_table_check(a->table + i);
    for (size_t k = 0; k < a->head.n[FIRN_TABLE_LEAF] && result == 0; k++)
        result = read_leaf(a, k, &scratch, &b);
    free(scratch.memory);
    return result;
}

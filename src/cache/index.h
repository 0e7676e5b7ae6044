/* SPDX-License-Identifier: MIT */
/** What is where, in memory: photographs by name, rows by content, roots, runs. */
#ifndef FIRN_SRC_CACHE_INDEX_H
#define FIRN_SRC_CACHE_INDEX_H

#include "cache/records.h"

/** Where a ROWS block is. */
struct firn_place {
    uint32_t segment; /* index into the loaded segments */
    uint8_t checked;  /* the writer's: 0 not yet, 1 whole, 2 damaged */
    struct firn_extent extent;
};

/** A row of which only the first 8 bytes of the key are known; the block knows the rest. */
struct firn_row {
    uint64_t prefix;
    uint32_t place; /* index into place[], or FIRN_NO_PLACE */
    uint32_t row;   /* within the block */
};
#define FIRN_NO_PLACE UINT32_MAX

/** Strings that are freed together. */
struct firn_chunk;

struct firn_index {
    struct firn_entry *entry; /* newest of each (root, name), in order of first appearance */
    size_t n_entry, entry_room;
    uint32_t *by_name; /* hash table: entry + 1, 0 is empty */
    size_t name_slots;
    struct firn_row *row; /* rows in order of appearance */
    size_t n_row, row_room;
    uint32_t *by_prefix; /* hash table: row + 1, 0 is empty */
    size_t prefix_slots;
    struct firn_place *place;
    size_t n_place, place_room;
    struct firn_root *root; /* by id; path NULL where none was declared */
    size_t n_root;
    struct firn_run *run;
    uint32_t *run_segment; /* that each was read from */
    size_t n_run;
    const char **reason;  /* each once, however often a photograph fails for it */
    size_t n_reason, reason_room;
    uint32_t *by_reason;  /* hash table: reason + 1, 0 is empty */
    size_t reason_slots;
    struct firn_chunk *chunk;
    uint64_t secret; /* seeds the hash tables, so that no file can be made to fill one slot */
};

void firn_index_init(struct firn_index *index);
void firn_index_fini(struct firn_index *index);

/** The following return 0, or -1 when memory is out (or a number is beyond all sense). */

/** Remembers `entry` (strings are copied) in place of what was known under its root and name. */
int firn_index_entry(struct firn_index *index, const struct firn_entry *entry);
int firn_index_place(struct firn_index *index, uint32_t segment, const struct firn_extent *extent);
int firn_index_row(struct firn_index *index, uint64_t prefix, uint32_t place, uint32_t row);
/** Takes over what `root` owns, on failure too. */
int firn_index_root(struct firn_index *index, uint32_t id, struct firn_root *root);
int firn_index_run(struct firn_index *index, const struct firn_run *run, uint32_t segment);

/** The newest entry, or NULL. */
struct firn_entry *firn_index_find(const struct firn_index *index, uint32_t root,
                                   const char *name);

/**
 * The next row whose key may be `content`: start with *at = 0; NULL after the last. A key has at
 * most FIRN_MAX_TWINS candidates.
 */
const struct firn_row *firn_index_rows(const struct firn_index *index, const uint8_t *content,
                                       size_t *at);
enum { FIRN_MAX_TWINS = 16 };
/** Sets list[i] of all these candidates row[i]. */
void firn_index_mark(const struct firn_index *index, const uint8_t *content, bool *list);

/** The first 8 bytes of a key as rows are looked up by. */
uint64_t firn_key_prefix(const uint8_t *key);

#endif

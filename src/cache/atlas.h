/* SPDX-License-Identifier: MIT */
/**
 * The file INDEX of a cache: what a reader would otherwise gather from all footers and ledgers,
 * in the order of the photographs, to be looked at piece by piece. It is made from the segments,
 * says which state of them it is of, and is believed only while they still have it; without it
 * everything is read as before. FORMAT.md, section 11.
 */
#ifndef FIRN_SRC_CACHE_ATLAS_H
#define FIRN_SRC_CACHE_ATLAS_H

#include "cache/records.h"
#include "cache/segment.h"
#include "cache/table.h"

#define FIRN_ATLAS_NAME "INDEX"
#define FIRN_ATLAS_ASIDE FIRN_ATLAS_NAME ".new" /* while it is made */
enum {
    FIRN_ATLAS_VERSION = 1,
    FIRN_LEAF = 256 /* photographs that are compressed together */
};

/** Its tables, in the order in which they lie. */
enum firn_atlas_table {
    FIRN_TABLE_HOLE,  /* u32 photograph: those that have no feature, ascending */
    FIRN_TABLE_START, /* u32 photograph: where each label begins */
    FIRN_TABLE_SPOT,  /* u32 place, u32 row in it, u32 check: of each photograph with a feature */
    FIRN_TABLE_KEY,   /* u32 of the content, u32 photograph, or photographs + extra; ascending */
    FIRN_TABLE_NAME,  /* u32 of the last part of the name, u32 photograph; ascending */
    FIRN_TABLE_EXTRA, /* u32 place, u32 row, u32 of the content: rows that no photograph has */
    FIRN_TABLE_PLACE, /* u64 offset, u32 stored, u32 count, u32 segment: the ROWS blocks */
    FIRN_TABLE_LEAF,  /* u64 offset, u32 stored: the LEDGER blocks of this file */
    FIRN_TABLES
};

/** Bytes of a record of each table. */
extern const uint32_t firn_atlas_width[FIRN_TABLES];

/** A segment as it was. */
struct firn_covered {
    uint64_t id, end;
    uint64_t tie;         /* the 8 bytes before `end` of a closed segment, 0 of an adopted one */
    uint64_t last_footer;
    uint32_t number;
    uint32_t sequence;    /* of the block that would have come next */
    bool adopted;
    struct firn_extent *extent; /* blocks that are not of photographs */
    size_t n_extent;
    size_t segment;       /* index into the loaded segments */
};

/** Numbers that stand in the head. */
struct firn_atlas_head {
    uint64_t n[FIRN_TABLES]; /* records */
    uint64_t photos, rows;   /* photographs; distinct features */
    uint64_t skipped, corrupt, gone;
};

struct firn_leaf; /* photographs that were decoded */

struct firn_atlas {
    int fd;
    uint64_t cache, id, size;
    struct firn_atlas_head head;
    struct firn_covered *covered; /* by number, ascending */
    size_t n_covered;
    struct firn_root *root;
    size_t n_root;
    struct firn_run *run;
    uint32_t *run_segment; /* index into covered */
    size_t n_run;
    struct firn_table table[FIRN_TABLES];
    _Atomic(struct firn_leaf *) *leaf;
    _Atomic(struct firn_codec *) codec; /* for the next who decodes */
    atomic_int trouble; /* with leaves that were asked for */
};

/** Opens INDEX in `dir`; NULL when there is none that can be used. */
struct firn_atlas *firn_atlas_open(const char *dir);
void firn_atlas_close(struct firn_atlas *atlas);

/** Which segment of the atlas has this number, or NULL. */
struct firn_covered *firn_atlas_covers(const struct firn_atlas *atlas, uint32_t number);

/** Checks that an opened file is the segment as it was, and takes over its lists; blocks behind
 * that, which were appended since, are found as always. 0; 1: it is not so; else as
 * firn_segment_load(). */
int firn_atlas_adopt(const struct firn_atlas *atlas, const struct firn_covered *covered,
                     struct firn_segment *segment, struct firn_error *err);

/** Reads every byte. 0; -1: damaged. */
int firn_atlas_check(const struct firn_atlas *atlas);

/** What kept something that was asked for since it was opened from being read, FIRN_OUT_OF_MEMORY
 * or FIRN_DAMAGED or both; 0: nothing did. NULL is fine. */
int firn_atlas_trouble(const struct firn_atlas *atlas);

/**
 * The following return NULL, false or SIZE_MAX where there is trouble. Photographs, rows and
 * places are numbered as in the file.
 */

/** The entry of a photograph; lives until firn_atlas_forget(). */
const struct firn_entry *firn_atlas_entry(const struct firn_atlas *atlas, size_t photo);
/** Frees what was read since it was opened. No other thread may be at it. */
void firn_atlas_forget(struct firn_atlas *atlas);
/** One leaf for the caller alone: photographs k * FIRN_LEAF and on; free() it. */
struct firn_leaf *firn_atlas_leaf(const struct firn_atlas *atlas, size_t k);
const struct firn_entry *firn_leaf_entry(const struct firn_leaf *leaf, size_t i);

int firn_atlas_label(const struct firn_atlas *atlas, size_t photo);
/** How many photographs before `photo` have a feature, and whether it has one itself. */
size_t firn_atlas_rows_before(const struct firn_atlas *atlas, size_t photo, bool *has_row);
/** The photograph of a row. */
size_t firn_atlas_photo(const struct firn_atlas *atlas, size_t row);

/** Where a row is. */
struct firn_atlas_spot {
    uint32_t place, row, check;
};
/** Record i of SPOT (of a photograph with a feature) or EXTRA (of a row that none has). */
bool firn_atlas_spot(const struct firn_atlas *atlas, enum firn_atlas_table table, size_t i,
                     struct firn_atlas_spot *spot);
bool firn_atlas_place(const struct firn_atlas *atlas, uint32_t place, const struct firn_head *head,
                      struct firn_extent *extent, size_t *segment);

/** The first record of a sorted table (KEY, NAME) whose first number is at least `key`. */
size_t firn_atlas_search(const struct firn_atlas *atlas, enum firn_atlas_table table, uint32_t key);
/** Record i of such a table, if its first number is `key`; *target then. */
bool firn_atlas_match(const struct firn_atlas *atlas, enum firn_atlas_table table, size_t i,
                      uint32_t key, uint32_t *target);

/** What the tables are sorted by. */
uint32_t firn_atlas_key(const uint8_t *content);
uint32_t firn_atlas_name(const char *name, size_t n);
/** What a row's key is held against. */
uint32_t firn_atlas_sum(const uint8_t *content);

#endif

/* SPDX-License-Identifier: MIT */
/**
 * What a snapshot shows: the photographs of the atlas, and between them, or in their places, those
 * of the index, which came later. Without an atlas these are all.
 */
#ifndef FIRN_SRC_CACHE_VIEW_H
#define FIRN_SRC_CACHE_VIEW_H

#include "cache/load.h"
#include "cache/order.h"

/** Where a row most likely is. */
struct firn_spot {
    uint32_t photo; /* whose it is, where that is said */
    uint32_t place; /* in the index, or in the atlas: then with FIRN_OF_ATLAS */
    uint32_t row;   /* within the block */
    uint32_t check; /* of the atlas: firn_atlas_sum() of the key */
};
#define FIRN_OF_ATLAS 0x80000000u

/** Where a photograph of the index stands among those of the atlas. */
struct firn_mark {
    uint32_t at;           /* photograph of the atlas that it stands before, or in place of */
    uint32_t row_at;       /* its row, or that of the next which has one */
    uint32_t dropped;      /* photographs of the atlas that those before it replace */
    uint32_t dropped_rows; /* those of them with a row */
    uint32_t rows;         /* photographs of the index before it that have a row */
    bool replaces;
};

struct firn_view {
    const struct firn_loaded *loaded;
    struct firn_order order; /* of the index */
    struct firn_spot *spot;  /* of those that have a row, in order; `photo` counts in this order */
    struct firn_mark *mark;  /* one more than the index has entries; NULL without atlas */
    size_t n;                /* photographs */
    struct firn_cache_stat stat; /* records, skipped, corrupt, gone, rows */
};

/** 0; 1: the atlas is damaged; -1: memory is out. */
int firn_view_init(struct firn_view *view, const struct firn_loaded *loaded);
void firn_view_fini(struct firn_view *view);

/** Photograph i, or NULL: its part of the atlas is damaged. *label and *has_row may be NULL. */
const struct firn_entry *firn_view_entry(const struct firn_view *view, size_t i, int *label,
                                         bool *has_row);
/** A place in the atlas that somebody reads on from without keeping what is behind. */
struct firn_reel {
    struct firn_leaf *leaf;
    size_t k; /* its number */
};
/** firn_view_entry() that lives until the next call. Zero-initialise; free with the other. */
const struct firn_entry *firn_view_next(const struct firn_view *view, size_t i,
                                        struct firn_reel *reel);
void firn_reel_fini(struct firn_reel *reel);

/** The label of a photograph. */
int firn_view_label(const struct firn_view *view, size_t i);

/** The photograph of row r (below stat.records). */
size_t firn_view_photo(const struct firn_view *view, size_t r);
/** Where row r is, or false: its part of the atlas is damaged. */
bool firn_view_spot(const struct firn_view *view, size_t r, struct firn_spot *spot);
/** The row of a photograph, SIZE_MAX when it has none. */
size_t firn_view_row(const struct firn_view *view, size_t i);
/** The block of a spot. */
bool firn_view_place(const struct firn_view *view, uint32_t place, struct firn_extent *extent,
                     size_t *segment);

/** Rows whose key may be `content`, one after the other. Zero-initialise. */
struct firn_search {
    size_t at;        /* in the index */
    size_t record;    /* in the atlas */
    bool begun;
    struct firn_spot last;
};
bool firn_view_search(const struct firn_view *view, const uint8_t *content,
                      struct firn_search *search, struct firn_spot *spot);

/** The first photograph of these contents; SIZE_MAX: none. */
size_t firn_view_find(const struct firn_view *view, const uint8_t *content);

/**
 * Photographs whose name ends in the same part as `path`, one after the other, in no order:
 * begin with *at = 0; SIZE_MAX after the last.
 */
size_t firn_view_namesake(const struct firn_view *view, const char *path, size_t *at);

#endif

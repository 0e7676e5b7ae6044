/* SPDX-License-Identifier: MIT */
/** One segment file: finding its blocks, by its footers or by walking through it. */
#ifndef FIRN_SRC_CACHE_SEGMENT_H
#define FIRN_SRC_CACHE_SEGMENT_H

#include "cache/block.h"
#include "firn/error.h"

/** What one of a segment's own footers says, in short. */
struct firn_footed {
    uint64_t end; /* behind the footer */
    size_t blocks, photographs;
    bool root;    /* a directory is among them */
};

/** A segment as loaded. */
struct firn_segment {
    int fd;           /* -1 once closed */
    uint32_t number;  /* from its file name */
    uint64_t cache;   /* from its blocks; 0: not one whole block */
    uint64_t id;
    uint64_t size;    /* bytes of the file when it was opened */
    uint64_t end;     /* behind the last block that counts */
    uint64_t from;    /* what lies before is known from elsewhere; 0: nothing is */
    size_t n_known;   /* extents that are known from there */
    bool closed;      /* ends in a trailer and its footers are whole */
    bool broken;      /* ends in a trailer, but its footers are not whole */
    bool adopted;     /* a later segment holds its footer */
    bool old;         /* what counts of it is being written anew: its rows are no reason not to */
    bool leaving;     /* the next roster leaves it out: all in it that counts is elsewhere */
    bool has_head;
    struct firn_head head;
    struct firn_extent *extent; /* blocks in order */
    size_t n_extent, extent_room;
    bool needs;       /* a NEEDS block is among them */
    uint64_t *prefix; /* of the keys of its first n_prefix rows: earlier versions wrote them down */
    size_t n_prefix, n_row; /* as loaded */
    size_t n_footed;  /* on these lists, and in own footers */
    struct firn_footed *part; /* in own footers, and no longer on these lists */
    size_t n_part;
    uint64_t last_footer; /* offset of the last own footer, 0 without */
    uint32_t sequence;    /* of the next block */
    bool no_memory;       /* for all of it: what is on the lists says nothing */
    uint64_t damaged;     /* first byte of what a walk could not read and may be records */
};

/** "seg-00000001.firn"; room for 32 bytes. */
void firn_segment_name(char name[32], uint32_t number);
/** The number in such a name; 0 when it is none. */
uint32_t firn_segment_number(const char *name);

void firn_segment_init(struct firn_segment *segment, uint32_t number);
void firn_segment_fini(struct firn_segment *segment);

/** Puts a whole block that lies at `offset` on the lists. 0, or -1 when memory is out. */
int firn_segment_note(struct firn_segment *segment, uint64_t offset,
                      const struct firn_block *block);

/**
 * The footer that ends at segment->end says all that is on the lists: takes what no other said off
 * them. A writer that lives for years has no memory for it.
 */
void firn_segment_fold(struct firn_segment *segment);

/** Gives back the memory of lists that are empty. */
void firn_segment_trim(struct firn_segment *segment);

/** Puts that back on, as the footers say it. 0, or -1: they cannot be read, or memory is out. */
int firn_segment_unfold(struct firn_segment *segment);

/** Takes blocks that start at or behind `end` off the lists. */
void firn_segment_limit(struct firn_segment *segment, uint64_t end);

/** Reads exactly n bytes at `offset`. 0, -1 with errno, or -1 with errno 0 at the end of file. */
int firn_read_at(int fd, void *bytes, size_t n, uint64_t offset);

/** Kept from block to block; zero-initialise, free(memory) in the end. */
struct firn_scratch {
    uint8_t *memory;
    size_t room;
};

/**
 * Reads a block that an extent names, and checks that it is that one and whole. The payload is in
 * scratch->memory + FIRN_HEADER. FIRN_DATA, FIRN_IO, FIRN_NOMEM with a text without the file name.
 */
int firn_segment_read(const struct firn_segment *segment, const struct firn_extent *extent,
                      struct firn_scratch *scratch, struct firn_block *block,
                      struct firn_error *err);

/**
 * Reads the keys of a ROWS block alone, which the checksum of its payload does not vouch for: they
 * are a hint where to look. They are in the scratch memory. FIRN_DATA, FIRN_IO, FIRN_NOMEM.
 */
int firn_segment_read_keys(const struct firn_segment *segment, const struct firn_extent *extent,
                           struct firn_scratch *scratch, const uint8_t **keys);

/** Who wants to know what a walk through a segment finds. */
struct firn_walk {
    void *user;
    bool padding; /* what follows blocks is looked at too */
    /** A whole block. Non-zero ends the walk with that result. */
    int (*good)(void *user, uint64_t offset, const struct firn_block *block,
                const uint8_t *payload);
    /** Bytes that are no whole block; `block` is the header when that is whole, else NULL. Zeros
     * between blocks are not reported. May be NULL. */
    void (*bad)(void *user, uint64_t offset, uint64_t bytes, const struct firn_block *block,
                const char *what);
};

/**
 * Walks from segment->from to `size`, checking everything, resuming behind damage at the next whole
 * header of the same segment. Fills segment->cache and ->id from the first whole block when they
 * are 0. FIRN_CONFIG: a later format; FIRN_IO; FIRN_NOMEM.
 */
int firn_segment_walk(struct firn_segment *segment, uint64_t size, const struct firn_walk *walk,
                      struct firn_error *err);

/**
 * Fills in the lists: by the footers when the file ends in a trailer, else (and when they are
 * damaged) by walking. FIRN_CONFIG, FIRN_IO, FIRN_NOMEM.
 */
int firn_segment_load(struct firn_segment *segment, struct firn_error *err);

/** What is known of the first part of a segment. */
struct firn_resume {
    uint64_t end, last_footer;
    uint32_t sequence;                /* of the block behind */
    bool adopted;                     /* a later segment holds its footer: it has ended */
    const struct firn_extent *extent; /* blocks to put on the lists */
    size_t n_extent;
};

/** firn_segment_load() for what lies behind the part that is known. */
int firn_segment_resume(struct firn_segment *segment, uint64_t cache, uint64_t id,
                        const struct firn_resume *known, struct firn_error *err);

/** The same from a footer that lies in a later segment. */
int firn_segment_adopt(struct firn_segment *segment, const struct firn_footer *footer);

#endif

/* SPDX-License-Identifier: MIT */
/** The numbers and structures of the on-disk format; FORMAT.md is the normative text. */
#ifndef FIRN_SRC_CACHE_FORMAT_H
#define FIRN_SRC_CACHE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/cache.h"
#include "firn/fingerprint.h"

enum {
    FIRN_FORMAT = 1,            /* version of the format */
    FIRN_HEADER = 64,           /* bytes of a block header; blocks start on multiples of it */
    FIRN_PAGE = 4096,           /* a commit starts on a multiple of it */
    FIRN_TRAILER = 32,          /* last bytes of a closed segment */
    FIRN_ENTRY = 64,            /* fixed part of a ledger entry */
    FIRN_KEY = 32,              /* a content hash */
    FIRN_MAX_RAW = 32 << 20,    /* no block holds more bytes than this, decoded */
    FIRN_MAX_RATIO = 64,        /* nor more than this many times its stored bytes */
    FIRN_MAX_DIM = 1 << 16,     /* values of a row */
    FIRN_MAX_PLANES = 4,        /* bytes of a value */
    FIRN_RUN_BYTES = 104        /* a run record */
};

/* Bits of the first word of a HEAD: what a reader must know. */
#define FIRN_HEAD_VIEWS 1u /* a row holds several features */

/* Bits of a NEEDS block. */
#define FIRN_NEEDS_ROLL 1u /* ledger entries refer to keys of rows, footers have no prefixes */

/* In the state of a ledger record: the key is that of a row. */
#define FIRN_KEY_OF_ROW 0x80u

/* Bytes "F1 R N 1A" and "F1 E N D": F1 followed by ASCII is neither UTF-8 nor a likely number. */
#define FIRN_MAGIC_BLOCK 0x1A4E52F1u
#define FIRN_MAGIC_TRAILER 0x444E45F1u

/** Types below 128 must be understood by who reads the segment; others may be skipped. */
enum firn_block_type {
    FIRN_BLOCK_HEAD = 1,   /* first of a segment: whose it is */
    FIRN_BLOCK_ROWS = 2,   /* features with the content hashes they belong to */
    FIRN_BLOCK_LEDGER = 3, /* what became of photographs */
    FIRN_BLOCK_ROOT = 4,   /* a root and its classes */
    FIRN_BLOCK_RUN = 5,    /* a past run */
    FIRN_BLOCK_FOOTER = 6, /* derivable index of this or of an abandoned segment */
    FIRN_BLOCK_ROSTER = 7, /* which older segments belong to the cache */
    FIRN_BLOCK_NEEDS = 8,  /* what a reader must know besides what the HEAD says */
    FIRN_BLOCK_OPTIONAL = 128,
    FIRN_BLOCK_ATLAS = 128, /* head of the file INDEX; in no segment */
    FIRN_BLOCK_TABLE = 129  /* a page of its tables; in no segment */
};

/** A block header. */
struct firn_block {
    uint8_t type;
    uint8_t store;        /* of ROWS: enum firn_store */
    uint64_t cache;       /* random name of the cache */
    uint64_t segment;     /* random name of the segment: stale disk blocks never match */
    uint32_t sequence;    /* 0, 1, 2, ... within the segment */
    uint32_t count;       /* rows or entries */
    uint32_t stored;      /* bytes of payload in the file */
    uint32_t raw;         /* bytes of payload when decoded; equal to stored: not compressed */
    uint32_t width;       /* of ROWS: values a row */
    uint64_t payload_sum; /* XXH3-64 of the stored payload */
};

/** Where a block is and what its header says, enough to read it without searching. */
struct firn_extent {
    uint64_t offset;
    uint32_t stored, count, width;
    uint8_t type, store;
};

/** Contents of a HEAD block. */
struct firn_head {
    uint32_t number; /* of the segment, as in its file name */
    uint32_t dim;    /* values of a row: of all its views */
    uint32_t views;  /* features in a row */
    enum firn_store store;
    int64_t created; /* unix time, seconds */
    struct firn_fingerprint fp;
};

/** Contents of a FOOTER block. */
struct firn_footer {
    uint64_t segment;  /* the segment it describes */
    uint32_t number;   /* its number */
    uint64_t previous; /* offset of the footer before it in the same segment; 0: none */
    uint64_t end;      /* blocks at or behind this offset are no part of the segment */
    struct firn_extent *extent;
    size_t n_extent;
    uint64_t *prefix; /* as read: first 8 bytes of the keys of all rows of ROWS extents, in order */
    size_t n_prefix;  /* 0: it has none, or they are those of no rows */
};

/** A segment as a ROSTER names it. */
struct firn_member {
    uint64_t id;     /* its random name */
    uint64_t end;    /* its file is at least so long */
    uint32_t number;
};

/** Contents of a ROSTER block. */
struct firn_roster {
    struct firn_member *member;
    size_t n;
};

/** Rounds up to a multiple of a power of two. */
static inline uint64_t firn_round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) & ~(to - 1);
}

/** Bytes of a block with its header, up to where the next may start. */
static inline uint64_t firn_block_span(uint32_t stored)
{
    return firn_round_up(FIRN_HEADER + (uint64_t)stored, FIRN_HEADER);
}

/** Bytes of one stored value. */
static inline uint32_t firn_store_bytes(unsigned store)
{
    return store == FIRN_STORE_F16 ? 2 : 4;
}

#endif

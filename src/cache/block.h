/* SPDX-License-Identifier: MIT */
/** One block: its header, and its payload in each of the forms it can have. */
#ifndef FIRN_SRC_CACHE_BLOCK_H
#define FIRN_SRC_CACHE_BLOCK_H

#include "cache/bytes.h"
#include "cache/codec.h"
#include "cache/format.h"

/** Writes a header, checksum and all. */
void firn_header_encode(const struct firn_block *block, uint8_t bytes[FIRN_HEADER]);

/** What a header is worth. */
enum firn_header_state {
    FIRN_HEADER_GOOD,
    FIRN_HEADER_BAD,  /* no header, or a damaged one */
    FIRN_HEADER_NEWER /* a whole header of a later format */
};

/** Reads a header and checks it and its lengths; a bad one leaves *block undefined. */
enum firn_header_state firn_header_decode(const uint8_t bytes[FIRN_HEADER],
                                          struct firn_block *block);

/** Who a block is written for. */
struct firn_stamp {
    uint64_t cache, segment;
    uint32_t sequence; /* of the next block; counted on by the functions below */
};

/**
 * The following append one whole block (header, payload, padding to FIRN_HEADER) to `out`; out
 * of memory shows as out->failed.
 */

/** Any payload; compressed when that saves an eighth; a NULL codec stores it as it is. */
void firn_block_put(struct firn_buffer *out, struct firn_codec *codec, struct firn_stamp *stamp,
                    uint8_t type, uint32_t count, const void *payload, size_t size);

/**
 * The same of a payload in parts of different kinds: part[k] bytes each (see firn_squeeze_parts()).
 * False: it would shrink by more than a reader takes, and was stored as it is.
 */
bool firn_block_put_parts(struct firn_buffer *out, struct firn_codec *codec,
                          struct firn_stamp *stamp, uint8_t type, uint32_t count,
                          const void *payload, const size_t *part, size_t n_part);

/** n rows of `width` values; key[i] of row i. */
void firn_block_put_rows(struct firn_buffer *out, struct firn_codec *codec,
                         struct firn_stamp *stamp, enum firn_store store, uint32_t width,
                         const uint8_t (*key)[FIRN_KEY], const float *values, uint32_t n);

/** A payload that is stored already, from another segment, as it is. */
void firn_block_put_stored(struct firn_buffer *out, struct firn_stamp *stamp,
                           const struct firn_block *block, const uint8_t *payload);

/** Decodes a payload that firn_block_put() stored into *raw, malloc'ed, block->raw bytes. 0; -1:
 * damaged; -2: out of memory. */
int firn_block_get(struct firn_codec *codec, const struct firn_block *block,
                   const uint8_t *payload, uint8_t **raw);

/** A ROWS payload, taken apart. Zero-initialise; free with firn_rows_fini(). */
struct firn_rows {
    const uint8_t *key;      /* [count][FIRN_KEY], inside the payload */
    const uint8_t *plane[FIRN_MAX_PLANES]; /* inside the payload or in `memory` */
    bool sparse;             /* all planes but the last lack the bytes of zeros */
    uint32_t *start;         /* when sparse: where each row's bytes start in those planes */
    size_t start_room;
    uint8_t *memory;         /* kept from block to block, as is `start` */
    size_t room;
};

/** 0; -1: damaged; -2: out of memory. */
int firn_block_get_rows(struct firn_codec *codec, const struct firn_block *block,
                        const uint8_t *payload, struct firn_rows *rows);

/** The values of one row. */
void firn_rows_values(const struct firn_rows *rows, const struct firn_block *block, uint32_t row,
                      float *values);
/** The first of n values that is not finite, negative, or more than `store` takes; n: none is. */
size_t firn_rows_fault(const float *value, size_t n, enum firn_store store);
void firn_rows_fini(struct firn_rows *rows);

#endif

/* SPDX-License-Identifier: MIT */
/** A strict JSON reader (RFC 8259) for untrusted bytes: one token a call, no allocation. */
#ifndef FIRN_SRC_BASE_JSON_READ_H
#define FIRN_SRC_BASE_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIRN_JSON_DEPTH 64 /* deepest nesting that is read */

enum firn_json_token {
    FIRN_JSON_ERROR, /**< malformed; `problem` says how, and every later call gives it again */
    FIRN_JSON_END,   /**< the one value is complete, nothing but blanks follows */
    FIRN_JSON_OBJECT,
    FIRN_JSON_END_OBJECT,
    FIRN_JSON_ARRAY,
    FIRN_JSON_END_ARRAY,
    FIRN_JSON_KEY, /**< of an object; its value is the next token */
    FIRN_JSON_STRING,
    FIRN_JSON_NUMBER,
    FIRN_JSON_TRUE,
    FIRN_JSON_FALSE,
    FIRN_JSON_NULL
};

struct firn_json_reader {
    char *text;          /**< KEY, STRING: unescaped, terminated, may hold zero bytes; NUMBER: as it
                              is spelt, not terminated. In the caller's bytes */
    size_t size;         /**< of text */
    const char *problem; /**< after FIRN_JSON_ERROR: "a string without an end", ... */
    size_t at;           /**< offset of the token or the problem */
    char *begin, *p, *end;
    int depth;           /**< objects and arrays that are open */
    uint64_t objects;    /**< bit d: the container at depth d is an object */
    int expect;          /**< what may come next */
};

/** Begins to read `n` bytes, which are overwritten on the way (strings are unescaped in place). */
void firn_json_begin(struct firn_json_reader *r, char *bytes, size_t n);

/** The next token. Keys that repeat are the caller's to notice. */
enum firn_json_token firn_json_next(struct firn_json_reader *r);

/** After `token` began a value: reads up to its end. False when it is malformed. */
bool firn_json_skip(struct firn_json_reader *r, enum firn_json_token token);

/** After FIRN_JSON_NUMBER: true when it is spelt as a whole number from 0 to 2^64 - 1. */
bool firn_json_uint(const struct firn_json_reader *r, uint64_t *value);

#endif

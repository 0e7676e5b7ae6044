/* SPDX-License-Identifier: MIT */
/** Little-endian numbers in byte buffers, and a reader that cannot run over the end. */
#ifndef FIRN_SRC_CACHE_BYTES_H
#define FIRN_SRC_CACHE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline void firn_put(uint8_t *p, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

static inline uint64_t firn_get(const uint8_t *p, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

/** Bytes still to be read. Reading past the end gives zeros and sets `bad`. */
struct firn_cursor {
    const uint8_t *at;
    size_t left;
    bool bad;
};

/** The next n bytes, or NULL when there are fewer. */
static inline const uint8_t *firn_take(struct firn_cursor *c, size_t n)
{
    if (n > c->left) {
        c->bad = true;
        c->left = 0;
        return NULL;
    }
    const uint8_t *p = c->at;
    c->at += n;
    c->left -= n;
    return p;
}

static inline uint64_t firn_take_int(struct firn_cursor *c, int bytes)
{
    const uint8_t *p = firn_take(c, (size_t)bytes);
    return p ? firn_get(p, bytes) : 0;
}

/** A growing buffer. After a failed allocation it stays as it is and `failed` is set. */
struct firn_buffer {
    uint8_t *data;
    size_t size, room;
    bool failed;
};

/** Makes room for n more bytes and returns where they go (not counted yet), or NULL. */
static inline uint8_t *firn_buffer_room(struct firn_buffer *b, size_t n)
{
    if (b->failed)
        return NULL;
    if (n > b->room - b->size) {
        size_t room = b->room + b->room / 2 + n;
        uint8_t *data = realloc(b->data, room);
        if (!data) {
            b->failed = true;
            return NULL;
        }
        b->data = data;
        b->room = room;
    }
    return b->data + b->size;
}

static inline void firn_buffer_add(struct firn_buffer *b, const void *bytes, size_t n)
{
    uint8_t *p = firn_buffer_room(b, n);
    if (p && n)
        memcpy(p, bytes, n);
    if (p)
        b->size += n;
}

static inline void firn_buffer_int(struct firn_buffer *b, uint64_t value, int bytes)
{
    uint8_t *p = firn_buffer_room(b, (size_t)bytes);
    if (p) {
        firn_put(p, value, bytes);
        b->size += (size_t)bytes;
    }
}

/** Zeros up to a multiple of `to`. */
static inline void firn_buffer_pad(struct firn_buffer *b, size_t to)
{
    size_t n = (to - b->size % to) % to;
    uint8_t *p = firn_buffer_room(b, n);
    if (p) {
        memset(p, 0, n);
        b->size += n;
    }
}

#endif

/* SPDX-License-Identifier: MIT */
/** Working memory that is kept from photograph to photograph: it grows, and never shrinks. */
#ifndef FIRN_SRC_IMAGE_BUFFER_H
#define FIRN_SRC_IMAGE_BUFFER_H

#include <stddef.h>

#include "base/mem.h"

/** All zero is an empty one. */
struct firn_buffer {
    void *bytes; /**< owned, aligned to FIRN_ALIGN */
    size_t size; /**< of bytes */
};

/** At least `size` bytes, contents undefined but initialised; NULL when memory is out. */
static inline void *firn_buffer_need(struct firn_buffer *b, size_t size)
{
    if (size > b->size || !b->bytes) {
        firn_free(b->bytes);
        b->bytes = firn_alloc(size ? size : 1, 1);
        b->size = b->bytes ? size : 0;
    }
    return b->bytes;
}

static inline void firn_buffer_free(struct firn_buffer *b)
{
    firn_free(b->bytes);
    b->bytes = NULL;
    b->size = 0;
}

#endif

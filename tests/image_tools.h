/* SPDX-License-Identifier: MIT */
/** What the tests of the image module share. */
#ifndef FIRN_TESTS_IMAGE_TOOLS_H
#define FIRN_TESTS_IMAGE_TOOLS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image_golden.h"

#define GOLDEN_JPEGS (sizeof golden_jpegs / sizeof *golden_jpegs)

static inline uint64_t fnv(const uint8_t *bytes, size_t n)
{
    uint64_t h = 0xcbf29ce484222325ull;
    while (n--)
        h = (h ^ *bytes++) * 0x100000001b3ull;
    return h;
}

static inline int nibble(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/** The file's bytes, exactly as long as they are so that sanitizers see every step past the end. */
static inline uint8_t *golden_bytes(const struct golden_jpeg *g, size_t *size)
{
    *size = strlen(g->hex) / 2;
    uint8_t *bytes = malloc(*size);
    for (size_t i = 0; bytes && i < *size; i++)
        bytes[i] = (uint8_t)(nibble(g->hex[2 * i]) << 4 | nibble(g->hex[2 * i + 1]));
    return bytes;
}

#endif

/* SPDX-License-Identifier: MIT */
/** Little-endian numbers at any alignment. */
#ifndef FIRN_SRC_MODEL_LE_H
#define FIRN_SRC_MODEL_LE_H

#include <stdint.h>

static inline uint16_t firn_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t firn_le32(const uint8_t *p)
{
    return firn_le16(p) | (uint32_t)firn_le16(p + 2) << 16;
}

static inline uint64_t firn_le64(const uint8_t *p)
{
    return firn_le32(p) | (uint64_t)firn_le32(p + 4) << 32;
}

#endif

/* SPDX-License-Identifier: MIT */
/** The checksum of zip archives. */
#ifndef FIRN_SRC_MODEL_CRC32_H
#define FIRN_SRC_MODEL_CRC32_H

#include <stddef.h>
#include <stdint.h>

/** CRC-32 (IEEE 802.3, reflected) of what `crc` covers, 0 at first, followed by `n` bytes. */
uint32_t firn_crc32(uint32_t crc, const void *bytes, size_t n);

/**
 * For firn_crc32(), on processors with PCLMULQDQ and SSE4.1: reduces the first bytes, in the state
 * `crc`, to 16 that have the same effect in the state 0. Returns how many it took, maybe none.
 */
size_t firn_crc32_fold(uint32_t crc, const void *bytes, size_t n, uint8_t rest[16]);

#endif

/* SPDX-License-Identifier: MIT */
/** Numbers to byte planes and back: the high bytes of features repeat, the low ones are noise. */
#ifndef FIRN_SRC_CACHE_SHUFFLE_H
#define FIRN_SRC_CACHE_SHUFFLE_H

#include <stddef.h>
#include <stdint.h>

#include "firn/cache.h"

/**
 * Splits n values into firn_store_bytes(store) planes of n bytes each: plane k, at planes + k * n,
 * holds bits 8k..8k+7 of each stored value (for f16, rounded to nearest even).
 */
void firn_split(const float *values, size_t n, enum firn_store store, uint8_t *planes);

/** Puts n values back together; plane[k] holds byte k of each. */
void firn_join(const uint8_t *const plane[4], size_t n, enum firn_store store, float *values);

/**
 * Exact zeros need no more than their highest byte: takes the bytes of zeros out of all planes but
 * the last. Returns how many bytes each of those keeps (they stay at planes + k * n), or n with
 * nothing changed when a value other than zero has a zero for its highest byte.
 */
size_t firn_drop_zeros(uint8_t *planes, size_t n, enum firn_store store);

/** firn_join() of planes without their zeros: plane[k] begins with the first value's byte. */
void firn_join_sparse(const uint8_t *const plane[4], size_t n, enum firn_store store,
                      float *values);

/** How many of n bytes are not zero. */
size_t firn_count_nonzero(const uint8_t *bytes, size_t n);

/** Transposes n records of `width` bytes into `width` planes of n bytes, and back. */
void firn_transpose(const uint8_t *records, size_t n, size_t width, uint8_t *planes);
void firn_untranspose(const uint8_t *planes, size_t n, size_t width, uint8_t *records);

/** IEEE 754 binary16: round to nearest even; too large becomes infinity. */
uint16_t firn_to_half(float value);
float firn_from_half(uint16_t half);

#endif

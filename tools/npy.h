/* SPDX-License-Identifier: MIT */
/** numpy's array files: headers, and strings as numpy keeps them. */
#ifndef FIRN_TOOLS_NPY_H
#define FIRN_TOOLS_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "zip_write.h"

/**
 * The header of numpy's format 1.0 for an array of `descr` ("<f4") and `shape` ("(3, 4)"), padded
 * so that the data begin at a multiple of 64; returns its length.
 */
size_t firn_npy_header(char header[256], const char *descr, const char *shape);

/** Begins a member of a .npz whose `data` bytes firn_zip_write() then brings. */
void firn_npy_begin(struct firn_zip *zip, const char *name, const char *descr, const char *shape,
                    uint64_t data);

/** The same for `n` strings of at most `width` code points, as firn_npy_points() counts them. */
void firn_npy_begin_texts(struct firn_zip *zip, const char *name, const char *shape, size_t n,
                          size_t width);
size_t firn_npy_points(const char *text);

/** One string of a '<U' array: UTF-32, padded with zeros to `width` code points. */
void firn_npy_put_text(struct firn_zip *zip, const char *text, size_t width);

#endif

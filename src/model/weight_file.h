/* SPDX-License-Identifier: MIT */
/** A weight file as bytes: opened once, read by position, never mapped. */
#ifndef FIRN_SRC_MODEL_WEIGHT_FILE_H
#define FIRN_SRC_MODEL_WEIGHT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"

/**
 * Read and not mapped: a file that another process truncates gives an error here, but SIGBUS to
 * whoever has mapped it.
 */
struct firn_weight_file {
    const char *path; /**< the caller's; begins every message */
    uint64_t size;    /**< bytes when it was opened */
    int fd;
};

/** Opens a regular file; on failure nothing is open. */
int firn_weight_file_open(struct firn_weight_file *file, const char *path, struct firn_error *err);
void firn_weight_file_close(struct firn_weight_file *file);

/** Reads exactly `n` bytes at `pos`; FIRN_DATA where they lie outside the file. */
int firn_weight_file_read(const struct firn_weight_file *file, uint64_t pos, void *bytes, size_t n,
                          struct firn_error *err);

/**
 * `n` bytes of a name that a file made up, fit for a message: printable ASCII, at most `room` - 1
 * characters; longer ones end in "...". Returns `text`.
 */
const char *firn_printable(const void *name, size_t n, char *text, size_t room);

#endif

/* SPDX-License-Identifier: MIT */
/** A writer of zip archives whose members are stored as they are, with zip64 where needed. */
#ifndef FIRN_TOOLS_ZIP_WRITE_H
#define FIRN_TOOLS_ZIP_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "output.h"

#define FIRN_ZIP_MEMBERS 8

struct firn_zip_member {
    const char *name; /**< borrowed until firn_zip_end() */
    uint64_t offset;  /**< of its local header */
    uint64_t size;    /**< bytes */
    uint32_t crc;
};

/** Set `out` and `limit`, zero the rest. */
struct firn_zip {
    struct firn_output *out;
    uint64_t limit; /**< sizes and offsets from here on use zip64; FIRN_ZIP_LIMIT but in tests */
    struct firn_zip_member member[FIRN_ZIP_MEMBERS];
    int n;
};
#define FIRN_ZIP_LIMIT 0xFFFFFFFFu /* that value means "see the zip64 field" */

/** Begins a member of exactly `size` bytes, which firn_zip_write() then brings. */
void firn_zip_begin(struct firn_zip *zip, const char *name, uint64_t size);
void firn_zip_write(struct firn_zip *zip, const void *bytes, size_t n);
void firn_zip_finish(struct firn_zip *zip);

/** Writes the directory. Write errors are kept in `out`. */
void firn_zip_end(struct firn_zip *zip);

#endif

/* SPDX-License-Identifier: MIT */
/** The directory of a zip archive whose members are stored as they are. */
#ifndef FIRN_SRC_MODEL_ZIP_H
#define FIRN_SRC_MODEL_ZIP_H

#include "model/pool.h"
#include "model/weight_file.h"

struct firn_zip_member {
    const char *name;     /**< relative, without ".." */
    uint64_t header;      /**< position of the local header */
    uint64_t pos, size;   /**< of the bytes; inside the file, no two members overlap */
    uint32_t crc;         /**< CRC-32; 0 from a writer that computed none */
    uint16_t flags;
};

struct firn_zip {
    struct firn_zip_member *member; /**< in the pool; by name */
    size_t n;
};

/**
 * Reads and verifies the directory and all local headers. An archive that two programs could
 * understand differently is refused: two members of one name, bytes that belong to two members,
 * a local header that contradicts the directory, gaps, anything before or behind; so are
 * compression, encryption, several volumes, names that lead outside. zip64 is read.
 */
int firn_zip_read(struct firn_zip *zip, const struct firn_weight_file *file,
                  struct firn_pool *pool, struct firn_error *err);

/** The member called `name`, NULL if there is none. */
const struct firn_zip_member *firn_zip_find(const struct firn_zip *zip, const char *name);

#endif

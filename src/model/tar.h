/* SPDX-License-Identifier: MIT */
/** The members of a tar archive that hold nothing but plain files. */
#ifndef FIRN_SRC_MODEL_TAR_H
#define FIRN_SRC_MODEL_TAR_H

#include "model/weight_file.h"

#define FIRN_TAR_MEMBERS 8 /* torch wrote four */

struct firn_tar {
    struct firn_tar_member {
        char name[101];
        uint64_t pos, size; /**< of the bytes, inside the file */
    } member[FIRN_TAR_MEMBERS];
    int n;
};

/**
 * Reads all headers. Refused: checksums that are wrong, two members of one name, links, devices
 * and folders, extended headers that change a name or a size, anything but zeros behind the end.
 */
int firn_tar_read(struct firn_tar *tar, const struct firn_weight_file *file,
                  struct firn_error *err);

/** The member called `name`, NULL if there is none. */
const struct firn_tar_member *firn_tar_find(const struct firn_tar *tar, const char *name);

#endif

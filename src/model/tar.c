/* SPDX-License-Identifier: MIT */
#include "model/tar.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define BLOCK 512

/* Where a ustar header has its fields (POSIX.1-2017, pax, "ustar Interchange Format"). */
enum { NAME = 0, SIZE = 124, CHECKSUM = 148, TYPE = 156, MAGIC = 257, PREFIX = 345 };

static int refuse(const struct firn_weight_file *file, const char *reason, struct firn_error *err)
{
    return firn_fail(err, FIRN_DATA, "%s: tar archive: %s", file->path, reason);
}

/** An octal field of `n` characters, ended by a blank or zero; UINT64_MAX if it is malformed. */
static uint64_t octal(const uint8_t *field, size_t n)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; i < n && field[i] >= '0' && field[i] <= '7'; i++)
        value = value * 8 + (uint64_t)(field[i] - '0');
    return i > 0 && (i == n || field[i] == ' ' || field[i] == 0) ? value : UINT64_MAX;
}

static bool checksum_fits(const uint8_t *header)
{
    uint64_t sum = 0;
    for (int i = 0; i < BLOCK; i++)
        sum += i >= CHECKSUM && i < CHECKSUM + 8 ? ' ' : header[i];
    return octal(header + CHECKSUM, 8) == sum;
}

static bool all_zero(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i])
            return false;
    return true;
}

/** An extended header, of up to a block: it may say when and by whom, not what or how much. */
static int check_extended(const struct firn_weight_file *file, uint64_t pos, uint64_t size,
                          struct firn_error *err)
{
    char text[BLOCK + 1];
    if (size > BLOCK)
        return refuse(file, "a large extended header", err);
    int rc = firn_weight_file_read(file, pos, text, (size_t)size, err);
    if (rc)
        return rc;
    text[size] = 0;
    if (strlen(text) != size || strstr(text, "size=") || strstr(text, "path=") ||
        strstr(text, "GNU."))
        return refuse(file, "an extended header that changes a member", err);
    return 0;
}

/** Adds the member whose header this is. */
static int add_member(struct firn_tar *tar, const struct firn_weight_file *file,
                      const uint8_t *header, uint64_t pos, uint64_t size, struct firn_error *err)
{
    struct firn_tar_member *m = &tar->member[tar->n];
    if (header[TYPE] != '0' && header[TYPE] != 0)
        return refuse(file, "a member that is not a plain file", err);
    if (tar->n == FIRN_TAR_MEMBERS)
        return refuse(file, "more members than torch writes", err);
    if (header[PREFIX])
        return refuse(file, "a member in a folder", err);
    memcpy(m->name, header + NAME, 100);
    m->name[100] = 0;
    if (firn_tar_find(tar, m->name))
        return refuse(file, "two members of one name", err);
    m->pos = pos;
    m->size = size;
    tar->n++;
    return 0;
}

/** Behind the last member there are zeros, up to a round size. */
static int check_end(const struct firn_weight_file *file, uint64_t pos, struct firn_error *err)
{
    uint8_t block[BLOCK];
    if (file->size - pos > 1 << 20)
        return refuse(file, "bytes behind its end", err);
    for (size_t n; pos < file->size; pos += n) {
        n = file->size - pos < BLOCK ? (size_t)(file->size - pos) : BLOCK;
        int rc = firn_weight_file_read(file, pos, block, n, err);
        if (rc)
            return rc;
        if (!all_zero(block, n))
            return refuse(file, "bytes behind its end", err);
    }
    return 0;
}

int firn_tar_read(struct firn_tar *tar, const struct firn_weight_file *file,
                  struct firn_error *err)
{
    uint8_t header[BLOCK];
    tar->n = 0;
    for (uint64_t pos = 0;;) {
        int rc = firn_weight_file_read(file, pos, header, BLOCK, err);
        if (rc)
            return rc;
        if (all_zero(header, BLOCK))
            return check_end(file, pos, err);
        if (memcmp(header + MAGIC, "ustar", 5) != 0 || !checksum_fits(header))
            return refuse(file, "a damaged header", err);
        uint64_t size = octal(header + SIZE, 12);
        pos += BLOCK;
        if (size > file->size - pos)
            return refuse(file, "truncated: a member goes on beyond the end of the file", err);
        bool extended = header[TYPE] == 'x' || header[TYPE] == 'g';
        rc = extended ? check_extended(file, pos, size, err)
                      : add_member(tar, file, header, pos, size, err);
        if (rc)
            return rc;
        pos += (size + BLOCK - 1) / BLOCK * BLOCK;
    }
}

const struct firn_tar_member *firn_tar_find(const struct firn_tar *tar, const char *name)
{
    for (int i = 0; i < tar->n; i++)
        if (strcmp(tar->member[i].name, name) == 0)
            return &tar->member[i];
    return NULL;
}

/* SPDX-License-Identifier: MIT */
/**
 * Layout (PKWARE's APPNOTE 6.3): per member a local header and its bytes, then the directory with
 * one entry each, then the end record. The size of a member is known before its first byte and
 * its CRC after the last, so the CRC is patched into the header: no data descriptors, and nothing
 * is held in memory.
 */
#include "zip_write.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define LOCAL_HEADER 0x04034b50u
#define DIRECTORY_ENTRY 0x02014b50u
#define END64 0x06064b50u
#define END64_LOCATOR 0x07064b50u
#define END 0x06054b50u
#define CRC_AT 14           /* in the local header */
#define DATE_1980 0x0021    /* the earliest date: equal caches give equal archives */
#define UNIX_FILE (0100644u << 16)

struct bytes {
    uint8_t data[128];
    size_t n;
};

static void put(struct bytes *b, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        b->data[b->n++] = (uint8_t)(value >> (8 * i));
}

static uint32_t crc_table[8][256];

/** Eight tables, so that eight bytes go in one step (Intel's slicing-by-8). */
static void make_table(void)
{
    if (crc_table[0][1])
        return;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        crc_table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int k = 1; k < 8; k++) {
            uint32_t c = crc_table[k - 1][i];
            crc_table[k][i] = crc_table[0][c & 0xFF] ^ (c >> 8);
        }
    }
}

static uint32_t crc32_of(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        crc = crc_table[7][crc & 0xFF] ^ crc_table[6][crc >> 8 & 0xFF] ^
              crc_table[5][crc >> 16 & 0xFF] ^ crc_table[4][crc >> 24] ^ crc_table[3][p[4]] ^
              crc_table[2][p[5]] ^ crc_table[1][p[6]] ^ crc_table[0][p[7]];
    }
    for (; n; n--, p++)
        crc = crc_table[0][(crc ^ *p) & 0xFF] ^ (crc >> 8);
    return ~crc;
}

/** The value itself, or the mark that sends the reader to the zip64 field. */
static uint64_t small(const struct firn_zip *zip, uint64_t value)
{
    return value < zip->limit ? value : 0xFFFFFFFFu;
}

void firn_zip_begin(struct firn_zip *zip, const char *name, uint64_t size)
{
    assert(zip->n < FIRN_ZIP_MEMBERS);
    make_table();
    struct firn_zip_member *m = &zip->member[zip->n++];
    *m = (struct firn_zip_member){name, zip->out->offset, size, 0};
    bool big = size >= zip->limit;
    struct bytes b = {.n = 0};
    put(&b, LOCAL_HEADER, 4);
    put(&b, big ? 45 : 20, 2); /* version of the format that is needed */
    put(&b, 0, 2);             /* flags */
    put(&b, 0, 2);             /* stored */
    put(&b, 0, 2);             /* time */
    put(&b, DATE_1980, 2);
    put(&b, 0, 4); /* CRC, patched by firn_zip_finish() */
    put(&b, small(zip, size), 4);
    put(&b, small(zip, size), 4);
    put(&b, strlen(name), 2);
    put(&b, big ? 20 : 0, 2);
    firn_output_write(zip->out, b.data, b.n);
    firn_output_write(zip->out, name, strlen(name));
    if (big) {
        b.n = 0;
        put(&b, 1, 2); /* zip64 field */
        put(&b, 16, 2);
        put(&b, size, 8);
        put(&b, size, 8);
        firn_output_write(zip->out, b.data, b.n);
    }
}

void firn_zip_write(struct firn_zip *zip, const void *bytes, size_t n)
{
    struct firn_zip_member *m = &zip->member[zip->n - 1];
    m->crc = crc32_of(m->crc, bytes, n);
    firn_output_write(zip->out, bytes, n);
}

void firn_zip_finish(struct firn_zip *zip)
{
    struct firn_zip_member *m = &zip->member[zip->n - 1];
    struct bytes b = {.n = 0};
    put(&b, m->crc, 4);
    firn_output_patch(zip->out, m->offset + CRC_AT, b.data, b.n);
}

static void directory_entry(struct firn_zip *zip, const struct firn_zip_member *m)
{
    bool big = m->size >= zip->limit, far = m->offset >= zip->limit;
    struct bytes extra = {.n = 0}, b = {.n = 0};
    if (big) {
        put(&extra, m->size, 8);
        put(&extra, m->size, 8);
    }
    if (far)
        put(&extra, m->offset, 8);
    put(&b, DIRECTORY_ENTRY, 4);
    put(&b, 3 << 8 | 45, 2); /* made on Unix */
    put(&b, extra.n ? 45 : 20, 2);
    put(&b, 0, 2);
    put(&b, 0, 2);
    put(&b, 0, 2);
    put(&b, DATE_1980, 2);
    put(&b, m->crc, 4);
    put(&b, small(zip, m->size), 4);
    put(&b, small(zip, m->size), 4);
    put(&b, strlen(m->name), 2);
    put(&b, extra.n ? extra.n + 4 : 0, 2);
    put(&b, 0, 2); /* comment */
    put(&b, 0, 2); /* disk */
    put(&b, 0, 2); /* internal attributes */
    put(&b, UNIX_FILE, 4);
    put(&b, small(zip, m->offset), 4);
    firn_output_write(zip->out, b.data, b.n);
    firn_output_write(zip->out, m->name, strlen(m->name));
    if (extra.n) {
        b.n = 0;
        put(&b, 1, 2);
        put(&b, extra.n, 2);
        firn_output_write(zip->out, b.data, b.n);
        firn_output_write(zip->out, extra.data, extra.n);
    }
}

static void end64(struct firn_zip *zip, uint64_t start, uint64_t size)
{
    struct bytes b = {.n = 0};
    uint64_t at = zip->out->offset;
    put(&b, END64, 4);
    put(&b, 44, 8); /* bytes that follow in this record */
    put(&b, 3 << 8 | 45, 2);
    put(&b, 45, 2);
    put(&b, 0, 4);
    put(&b, 0, 4);
    put(&b, (uint64_t)zip->n, 8);
    put(&b, (uint64_t)zip->n, 8);
    put(&b, size, 8);
    put(&b, start, 8);
    put(&b, END64_LOCATOR, 4);
    put(&b, 0, 4);
    put(&b, at, 8);
    put(&b, 1, 4);
    firn_output_write(zip->out, b.data, b.n);
}

void firn_zip_end(struct firn_zip *zip)
{
    uint64_t start = zip->out->offset;
    for (int i = 0; i < zip->n; i++)
        directory_entry(zip, &zip->member[i]);
    uint64_t size = zip->out->offset - start;
    if (start >= zip->limit)
        end64(zip, start, size);
    struct bytes b = {.n = 0};
    put(&b, END, 4);
    put(&b, 0, 4); /* disks */
    put(&b, (uint64_t)zip->n, 2);
    put(&b, (uint64_t)zip->n, 2);
    put(&b, size, 4);
    put(&b, small(zip, start), 4);
    put(&b, 0, 2); /* comment */
    firn_output_write(zip->out, b.data, b.n);
}

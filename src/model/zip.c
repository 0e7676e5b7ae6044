/* SPDX-License-Identifier: MIT */
/**
 * Layout of what is accepted, and nothing else between or around:
 *
 *     local header, name, extra | bytes | [data descriptor]      once a member
 *     directory entry, name, extra, comment                      once a member
 *     [zip64 end record] [zip64 locator] end record              up to the last byte of the file
 *
 * Sizes and positions come from the directory; local headers only have to agree. Formats: PKWARE's
 * APPNOTE 6.3, sections 4.3.6 to 4.3.16 and 4.5.3.
 */
#include "model/zip.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "model/le.h"

#define END_SIZE 22
#define END64_SIZE 56
#define LOCATOR_SIZE 20
#define ENTRY_SIZE 46
#define LOCAL_SIZE 30
#define DESCRIPTOR_MAX 24 /* signature, CRC, two 64-bit sizes */
#define MAX_NAME 512
#define MAX_DIRECTORY ((size_t)32 << 20) /* some 300,000 members */

#define FLAG_ENCRYPTED 0x0001
#define FLAG_DESCRIPTOR 0x0008 /* CRC and sizes follow the bytes; the local header has zeros */
#define FLAG_UTF8 0x0800

struct reader {
    const struct firn_weight_file *file;
    struct firn_pool *pool;
    struct firn_error *err;
    uint64_t directory, directory_size, entries; /* where the directory is, says the end record */
};

__attribute__((format(printf, 2, 3)))
static int refuse(const struct reader *r, const char *fmt, ...)
{
    char reason[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof reason, fmt, ap);
    va_end(ap);
    return firn_fail(r->err, FIRN_DATA, "%s: zip archive: %s", r->file->path, reason);
}

/** As refuse(), about one member. */
static int refuse_member(const struct reader *r, const struct firn_zip_member *m,
                         const char *reason)
{
    char name[120];
    return refuse(r, "member %s %s", firn_printable(m->name, strlen(m->name), name, sizeof name),
                  reason);
}

/** The zip64 end record, when a locator points at one; takes over its larger fields. */
static int read_end64(struct reader *r, uint64_t end, bool *present)
{
    uint8_t locator[LOCATOR_SIZE], record[END64_SIZE];
    *present = false;
    if (end < LOCATOR_SIZE + END64_SIZE)
        return 0;
    int rc = firn_weight_file_read(r->file, end - LOCATOR_SIZE, locator, sizeof locator, r->err);
    if (rc || firn_le32(locator) != 0x07064B50)
        return rc;
    uint64_t at = end - LOCATOR_SIZE - END64_SIZE;
    if (firn_le32(locator + 4) != 0 || firn_le64(locator + 8) != at || firn_le32(locator + 16) > 1)
        return refuse(r, "the zip64 locator does not point at the record before it");
    rc = firn_weight_file_read(r->file, at, record, sizeof record, r->err);
    if (rc)
        return rc;
    if (firn_le32(record) != 0x06064B50 || firn_le64(record + 4) != END64_SIZE - 12 ||
        firn_le32(record + 16) != 0 || firn_le32(record + 20) != 0 ||
        firn_le64(record + 24) != firn_le64(record + 32))
        return refuse(r, "the zip64 end record is malformed or speaks of several volumes");
    r->entries = firn_le64(record + 32);
    r->directory_size = firn_le64(record + 40);
    r->directory = firn_le64(record + 48);
    *present = true;
    return 0;
}

/** A field of the end record against its zip64 twin: equal, or all ones. */
static bool agrees(uint64_t field, uint64_t all_ones, uint64_t twin)
{
    return field == twin || field == all_ones;
}

static int read_end(struct reader *r)
{
    uint8_t record[END_SIZE];
    if (r->file->size < END_SIZE)
        return refuse(r, "truncated");
    uint64_t end = r->file->size - END_SIZE;
    int rc = firn_weight_file_read(r->file, end, record, sizeof record, r->err);
    if (rc)
        return rc;
    if (firn_le32(record) != 0x06054B50 || firn_le16(record + 20) != 0)
        return refuse(r, "no end record at the end of the file: it is truncated, has more behind "
                      "it, or has a comment");
    uint16_t here = firn_le16(record + 8), entries = firn_le16(record + 10);
    uint32_t size = firn_le32(record + 12), at = firn_le32(record + 16);
    if (firn_le16(record + 4) != 0 || firn_le16(record + 6) != 0 || here != entries)
        return refuse(r, "it has several volumes");
    bool zip64;
    rc = read_end64(r, end, &zip64);
    if (rc)
        return rc;
    if (!zip64) {
        r->entries = entries;
        r->directory_size = size;
        r->directory = at;
    } else if (!agrees(entries, 0xFFFF, r->entries) ||
               !agrees(size, 0xFFFFFFFF, r->directory_size) ||
               !agrees(at, 0xFFFFFFFF, r->directory)) {
        return refuse(r, "the zip64 end record contradicts the end record");
    }
    end -= zip64 ? LOCATOR_SIZE + END64_SIZE : 0;
    if (r->directory > end || r->directory_size != end - r->directory)
        return refuse(r, "the directory does not end where the end record begins");
    if (r->directory_size > MAX_DIRECTORY || r->entries > r->directory_size / ENTRY_SIZE)
        return refuse(r, "a directory of %llu entries in %llu bytes",
                      (unsigned long long)r->entries, (unsigned long long)r->directory_size);
    return 0;
}

/** The body of extra field `id`, NULL if it is not there; *size its length. */
static const uint8_t *find_extra(const uint8_t *extra, size_t n, uint16_t id, size_t *size)
{
    while (n >= 4) {
        size_t length = firn_le16(extra + 2);
        if (length > n - 4)
            return NULL;
        *size = length;
        if (firn_le16(extra) == id)
            return extra + 4;
        extra += 4 + length;
        n -= 4 + length;
    }
    return NULL;
}

/** Replaces each of `n` fields that is all ones by the next 64-bit number of the zip64 extra. */
static int widen(const uint8_t *extra, size_t size, uint64_t *field[], int n)
{
    size_t left = 0;
    const uint8_t *p = find_extra(extra, size, 1, &left);
    for (int i = 0; i < n; i++) {
        if (*field[i] != 0xFFFFFFFF)
            continue;
        if (!p || left < 8)
            return -1;
        *field[i] = firn_le64(p);
        p += 8;
        left -= 8;
    }
    return 0;
}

/** Names that could lead outside a folder, or that differ from what they look like. */
static bool name_is_safe(const char *name, size_t n)
{
    if (n == 0 || name[0] == '/' || memchr(name, 0, n) || memchr(name, '\\', n))
        return false;
    for (const char *p = name; p; p = strchr(p, '/')) {
        p += *p == '/';
        size_t part = strcspn(p, "/");
        if ((part == 2 && memcmp(p, "..", 2) == 0) || (part == 1 && *p == '.'))
            return false;
    }
    return true;
}

/** What a directory entry may say of how the bytes are kept. */
static int check_method(const struct reader *r, const struct firn_zip_member *m,
                        const uint8_t *entry)
{
    uint16_t method = firn_le16(entry + 10);
    if (m->flags & FLAG_ENCRYPTED)
        return refuse_member(r, m, "is encrypted");
    if (m->flags & ~(FLAG_DESCRIPTOR | FLAG_UTF8))
        return refuse_member(r, m, "has flags that a stored member does not need");
    if (method != 0)
        return refuse_member(r, m, "is compressed; torch.save() stores its members as they are");
    if (firn_le16(entry + 34) != 0)
        return refuse_member(r, m, "is on another volume");
    return 0;
}

/** One directory entry of `n` bytes or less; *used is its length. */
static int read_entry(struct reader *r, const uint8_t *entry, size_t n,
                      struct firn_zip_member *m, size_t *used)
{
    if (n < ENTRY_SIZE || firn_le32(entry) != 0x02014B50)
        return refuse(r, "the directory is damaged");
    size_t name = firn_le16(entry + 28), extra = firn_le16(entry + 30);
    size_t comment = firn_le16(entry + 32);
    *used = ENTRY_SIZE + name + extra + comment;
    if (*used > n || name > MAX_NAME)
        return refuse(r, "the directory is damaged: a name of %zu bytes", name);
    m->name = firn_pool_text(r->pool, entry + ENTRY_SIZE, name);
    if (!m->name)
        return firn_fail_nomem(r->err, "the zip directory");
    if (!name_is_safe(m->name, name))
        return refuse_member(r, m, "has a name that leads elsewhere");
    m->flags = firn_le16(entry + 8);
    int rc = check_method(r, m, entry);
    if (rc)
        return rc;
    m->crc = firn_le32(entry + 16);
    uint64_t packed = firn_le32(entry + 20);
    m->size = firn_le32(entry + 24);
    m->header = firn_le32(entry + 42);
    uint64_t *fields[] = {&m->size, &packed, &m->header}; /* in the order of the zip64 extra */
    if (widen(entry + ENTRY_SIZE + name, extra, fields, 3))
        return refuse_member(r, m, "lacks its zip64 sizes");
    if (packed != m->size)
        return refuse_member(r, m, "has two sizes");
    return 0;
}

/** Compares the sizes and the CRC in a local header with the directory. */
static bool local_agrees(const struct firn_zip_member *m, const uint8_t *header,
                         const uint8_t *extra, size_t extra_size)
{
    uint32_t crc = firn_le32(header + 14);
    uint64_t packed = firn_le32(header + 18), size = firn_le32(header + 22);
    uint64_t *fields[] = {&size, &packed};
    bool later = m->flags & FLAG_DESCRIPTOR;
    if (later && crc == 0 && packed == 0 && size == 0)
        return true;
    if (widen(extra, extra_size, fields, 2))
        return false;
    return crc == m->crc && packed == m->size && size == m->size;
}

/** Finds a member's bytes behind its local header, which has to agree with the directory. */
static int read_local(struct reader *r, struct firn_zip_member *m)
{
    uint8_t header[LOCAL_SIZE], rest[MAX_NAME + 65535];
    if (m->header > r->directory || r->directory - m->header < LOCAL_SIZE)
        return refuse_member(r, m, "begins outside the archive");
    int rc = firn_weight_file_read(r->file, m->header, header, sizeof header, r->err);
    if (rc)
        return rc;
    size_t name = firn_le16(header + 26), extra = firn_le16(header + 28);
    if (firn_le32(header) != 0x04034B50 || firn_le16(header + 6) != m->flags ||
        firn_le16(header + 8) != 0 || name != strlen(m->name))
        return refuse_member(r, m, "has a local header that contradicts the directory");
    m->pos = m->header + LOCAL_SIZE + name + extra;
    if (m->pos > r->directory || m->size > r->directory - m->pos)
        return refuse_member(r, m, "reaches outside the archive");
    rc = firn_weight_file_read(r->file, m->header + LOCAL_SIZE, rest, name + extra, r->err);
    if (rc)
        return rc;
    if (memcmp(rest, m->name, name) != 0 || !local_agrees(m, header, rest + name, extra))
        return refuse_member(r, m, "has a local header that contradicts the directory");
    return 0;
}

static int by_position(const void *a, const void *b)
{
    const struct firn_zip_member *x = a, *y = b;
    return (x->header > y->header) - (x->header < y->header);
}

static int by_name(const void *a, const void *b)
{
    const struct firn_zip_member *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/**
 * Reads the local headers, in order: each begins where the member before it ends, so that every
 * byte belongs to one member or to its data descriptor, and is read at most once.
 */
static int read_locals(struct reader *r, struct firn_zip *zip)
{
    qsort(zip->member, zip->n, sizeof *zip->member, by_position);
    uint64_t end = 0, slack = 0;
    for (size_t i = 0; i < zip->n; i++) {
        struct firn_zip_member *m = &zip->member[i];
        if (m->header < end)
            return refuse_member(r, m, "overlaps another");
        if (m->header - end > slack)
            return refuse_member(r, m, "comes after bytes that belong to no member");
        int rc = read_local(r, m);
        if (rc)
            return rc;
        end = m->pos + m->size;
        slack = m->flags & FLAG_DESCRIPTOR ? DESCRIPTOR_MAX : 0;
    }
    if (r->directory - end > slack)
        return refuse(r, "bytes before the directory belong to no member");
    return 0;
}

static int check_names(const struct reader *r, struct firn_zip *zip)
{
    qsort(zip->member, zip->n, sizeof *zip->member, by_name);
    for (size_t i = 1; i < zip->n; i++)
        if (strcmp(zip->member[i - 1].name, zip->member[i].name) == 0)
            return refuse_member(r, &zip->member[i], "occurs twice");
    return 0;
}

static int read_directory(struct reader *r, struct firn_zip *zip, const uint8_t *bytes)
{
    size_t left = (size_t)r->directory_size, used = 0;
    for (; zip->n < r->entries; zip->n++, bytes += used, left -= used) {
        int rc = read_entry(r, bytes, left, &zip->member[zip->n], &used);
        if (rc)
            return rc;
    }
    return left ? refuse(r, "the directory has more than its entries") : 0;
}

int firn_zip_read(struct firn_zip *zip, const struct firn_weight_file *file,
                  struct firn_pool *pool, struct firn_error *err)
{
    struct reader r = {.file = file, .pool = pool, .err = err};
    int rc = read_end(&r);
    if (rc)
        return rc;
    pool->limit += 16 * (size_t)r.directory_size + ((size_t)1 << 20); /* members and names */
    zip->n = 0;
    zip->member = firn_pool_alloc(pool, (size_t)r.entries * sizeof *zip->member);
    uint8_t *bytes = malloc((size_t)r.directory_size + 1);
    if (!zip->member || !bytes)
        rc = firn_fail_nomem(err, "the zip directory");
    if (rc == 0)
        rc = firn_weight_file_read(file, r.directory, bytes, (size_t)r.directory_size, err);
    if (rc == 0)
        rc = read_directory(&r, zip, bytes);
    free(bytes);
    if (rc == 0)
        rc = read_locals(&r, zip);
    return rc ? rc : check_names(&r, zip);
}

const struct firn_zip_member *firn_zip_find(const struct firn_zip *zip, const char *name)
{
    struct firn_zip_member key = {.name = name};
    return bsearch(&key, zip->member, zip->n, sizeof key, by_name);
}

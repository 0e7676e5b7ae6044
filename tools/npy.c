/* SPDX-License-Identifier: MIT */
#include "npy.h"

#include <stdio.h>
#include <string.h>

size_t firn_npy_header(char header[256], const char *descr, const char *shape)
{
    enum { PREFIX = 10 }; /* magic, version, length of the dictionary */
    int n = snprintf(header + PREFIX, 256 - PREFIX,
                     "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape);
    size_t total = (PREFIX + (size_t)n + 1 + 63) / 64 * 64;
    memset(header + PREFIX + n, ' ', total - PREFIX - (size_t)n);
    header[total - 1] = '\n';
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)((total - PREFIX) & 0xFF);
    header[9] = (char)((total - PREFIX) >> 8);
    return total;
}

void firn_npy_begin(struct firn_zip *zip, const char *name, const char *descr, const char *shape,
                  uint64_t data)
{
    char header[256];
    size_t n = firn_npy_header(header, descr, shape);
    firn_zip_begin(zip, name, n + data);
    firn_zip_write(zip, header, n);
}

/**
 * The next code point of a file name. A byte that is not UTF-8 becomes U+DC80..U+DCFF, Python's
 * "surrogateescape": os.fsencode() of what numpy reads gives the name's bytes back.
 */
static uint32_t next_point(const unsigned char **s)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = *s;
    int n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    uint32_t point = n == 1 ? p[0] : n ? p[0] & (0x7Fu >> n) : 0;
    for (int i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            n = 0;
            break;
        }
        point = point << 6 | (p[i] & 0x3F);
    }
    if (n == 0 || point < least[n] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) {
        n = 1;
        point = 0xDC00u + p[0];
    }
    *s += n;
    return point;
}

size_t firn_npy_points(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = 0;
    for (; *s; n++)
        next_point(&s);
    return n;
}

void firn_npy_put_text(struct firn_zip *zip, const char *text, size_t width)
{
    const unsigned char *at = (const unsigned char *)text;
    uint32_t chunk[256];
    while (width) {
        size_t n = width < 256 ? width : 256;
        for (size_t i = 0; i < n; i++)
            chunk[i] = *at ? next_point(&at) : 0;
        firn_zip_write(zip, chunk, n * sizeof(*chunk));
        width -= n;
    }
}

void firn_npy_begin_texts(struct firn_zip *zip, const char *name, const char *shape, size_t n,
                        size_t width)
{
    char descr[32];
    snprintf(descr, sizeof(descr), "<U%zu", width);
    firn_npy_begin(zip, name, descr, shape, (uint64_t)n * width * sizeof(uint32_t));
}

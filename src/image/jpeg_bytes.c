/* SPDX-License-Identifier: MIT */
#include "image/jpeg_bytes.h"

#include <string.h>

#include "image/turn.h"

enum { RST0 = 0xD0, RST7 = 0xD7, EOI = 0xD9, SOS = 0xDA, APP1 = 0xE1 };

/* The segment that EXIF lies in, in front of the coded data. */
int firn_jpeg_orientation(const uint8_t *bytes, size_t size)
{
    for (size_t at = 2; at + 10 < size && bytes[at] == 0xFF && bytes[at + 1] != SOS;) {
        if (bytes[at + 1] == 0xFF) { /* padding */
            at++;
            continue;
        }
        const size_t length = (size_t)(bytes[at + 2] << 8 | bytes[at + 3]);
        if (length < 2 || length + 2 > size - at)
            return 1;
        if (bytes[at + 1] == APP1 && length >= 8 && !memcmp(bytes + at + 4, "Exif\0", 6))
            return firn_exif_orientation(bytes + at + 10, length - 8);
        at += 2 + length;
    }
    return 1;
}

bool firn_jpeg_ends(const uint8_t *bytes, size_t size, int marker)
{
    const uint8_t *p = bytes, *const end = p + size;
    while (marker == 0 || (marker >= RST0 && marker <= RST7)) {
        p = p < end ? memchr(p, 0xFF, (size_t)(end - p)) : NULL;
        while (p && p < end && *p == 0xFF)
            p++;
        if (!p || p == end)
            return false;
        marker = *p++;
    }
    return marker == EOI;
}

int firn_jpeg_scale(int shorter, int width, int height)
{
    const int side = width < height ? width : height;
    int scale = 1;
    while (shorter > 0 && scale < 8 && side / (2 * scale) >= shorter)
        scale *= 2;
    return scale;
}

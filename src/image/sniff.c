/* SPDX-License-Identifier: MIT */
#include "image/sniff.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/** Files that begin with `magic` at `offset`; the first row that fits wins. */
static const struct signature {
    const char *name;
    size_t offset, length;
    const char *magic;
} signatures[] = {
    {"a PNG image", 0, 8, "\x89PNG\r\n\x1a\n"},
    {"a GIF image", 0, 4, "GIF8"},
    {"a WebP image", 8, 4, "WEBP"},
    {"a TIFF image", 0, 4, "II*\0"},
    {"a TIFF image", 0, 4, "MM\0*"},
    {"a BMP image", 0, 2, "BM"},
    {"an AVIF image", 4, 8, "ftypavif"},
    {"a HEIC image", 4, 7, "ftyphei"},
    {"a HEIC image", 4, 7, "ftyphev"},
    {"a HEIC image", 4, 8, "ftypmif1"},
    {"a HEIC image", 4, 8, "ftypmsf1"},
    {"a video", 4, 4, "ftyp"},
    {"a JPEG 2000 image", 4, 8, "jP  \r\n\x87\n"},
    {"a JPEG XL image", 4, 8, "JXL \r\n\x87\n"},
    {"a JPEG XL image", 0, 2, "\xff\x0a"},
    {"a Photoshop document", 0, 4, "8BPS"},
    {"a PDF document", 0, 5, "%PDF-"},
    {"a ZIP archive", 0, 4, "PK\3\4"},
    {"a gzip archive", 0, 2, "\x1f\x8b"},
    {"an empty JPEG", 0, 2, "\xff\xd8"},
    {"an icon", 0, 4, "\0\0\1\0"},
};

static bool is_text(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] == 127 || (bytes[i] < 32 && !memchr("\t\n\r\f", bytes[i], 4)))
            return false;
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

static bool is_html(const uint8_t *bytes, size_t size)
{
    while (size && memchr(" \t\n\r", *bytes, 4))
        bytes++, size--;
    return (size >= 5 && !strncasecmp((const char *)bytes, "<html", 5)) ||
           (size >= 9 && !strncasecmp((const char *)bytes, "<!doctype", 9));
}

const char *firn_sniff(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return "empty";
    const size_t head = size < 512 ? size : 512;
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        const struct signature *s = &signatures[i];
        if (size >= s->offset + s->length && !memcmp(bytes + s->offset, s->magic, s->length))
            return s->name;
    }
    if (size > 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '7' && bytes[2] <= ' ')
        return "a PPM image";
    if (is_zero(bytes, head))
        return "nothing but zero bytes";
    if (is_html(bytes, head))
        return "a web page";
    if (is_text(bytes, head))
        return "text";
    return "of an unknown type";
}

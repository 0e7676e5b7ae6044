/* SPDX-License-Identifier: MIT */
/** The tags of a TIFF's first image, read as Pillow reads them: libtiff mends what it finds. */
#ifndef FIRN_SRC_IMAGE_TIFF_TAGS_H
#define FIRN_SRC_IMAGE_TIFF_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Where the values of a tag are; count 0 is a tag that the file lacks. */
struct firn_tiff_tag {
    const uint8_t *values;
    uint32_t count;
    int bytes; /**< of one value: 1, 2, 4 or 8 */
};

struct firn_tiff_tags {
    bool big; /**< big-endian */
    struct firn_tiff_tag width, height, bits, compression, photometric, fill_order, samples,
        planar, colormap, extra, format, orientation, rows_per_strip, tile_width, tile_height,
        strips, tiles;
};

/** False when there is no first image with tags. */
bool firn_tiff_tags_read(struct firn_tiff_tags *tags, const uint8_t *bytes, size_t size);

/** Value `i` of a tag, or `otherwise` where it has no such value. */
int64_t firn_tiff_value(const struct firn_tiff_tags *tags, const struct firn_tiff_tag *tag,
                        uint32_t i, int64_t otherwise);

#endif

/* SPDX-License-Identifier: MIT */
#include "image/turn.h"

#include <string.h>

#include "image/tiff_tags.h"

bool firn_turns_across(int orientation)
{
    return orientation >= 5;
}

int firn_turn_need(struct firn_band *out, int orientation, int width, int height,
                   struct firn_error *err)
{
    const bool across = firn_turns_across(orientation);
    return firn_band_need(out, across ? height : width, across ? width : height, err);
}

/*
 *  1 as it is    2 flipped in x   3 in both   4 in y; and with rows and columns exchanged:
 *  5 exchanged   6 flipped in y first         7 in both first   8 in x first
 */
void firn_turn(struct firn_band *out, const struct firn_rows *rows, int o, int width, int height)
{
    const bool flip_x = o == 2 || o == 3 || o == 7 || o == 8;
    const bool flip_y = o == 3 || o == 4 || o == 6 || o == 7;
    for (int i = 0; i < rows->n; i++) {
        const uint8_t *in = rows->pixels + rows->stride * (size_t)i;
        const int y = flip_y ? height - 1 - (rows->y + i) : rows->y + i;
        for (int column = 0; column < width; column++, in += 3) {
            const int x = flip_x ? width - 1 - column : column;
            uint8_t *to = firn_turns_across(o) ? firn_band_row(out, x) + 3 * (size_t)y
                                               : firn_band_row(out, y) + 3 * (size_t)x;
            memcpy(to, in, 3);
        }
    }
}

int firn_exif_orientation(const uint8_t *exif, size_t size)
{
    struct firn_tiff_tags tags;
    if (size < 8 || (memcmp(exif, "II", 2) && memcmp(exif, "MM", 2)) ||
        !firn_tiff_tags_read(&tags, exif, size))
        return 1;
    const int64_t o = firn_tiff_value(&tags, &tags.orientation, 0, 1);
    return o < 1 || o > 8 ? 1 : (int)o;
}

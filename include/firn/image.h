/* SPDX-License-Identifier: MIT */
/** The pixels as the trunk gets them, for looking at. */
#ifndef FIRN_IMAGE_H
#define FIRN_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/error.h"

/** Which crops are made of a photograph. */
enum firn_view_kind {
    FIRN_VIEWS_CENTER = 0, /**< CenterCrop */
    FIRN_VIEWS_FLIP,       /**< CenterCrop, and its mirror image */
    FIRN_VIEWS_FIVE,       /**< FiveCrop: top left, top right, bottom left, bottom right, centre */
    FIRN_VIEWS_TEN,        /**< TenCrop: these, and the same five of the mirrored photograph */
    FIRN_VIEWS_RANDOM      /**< RandomResizedCrop and RandomHorizontalFlip, `count` times */
};

/** The most views of a photograph. */
#define FIRN_MAX_VIEWS 64

/** The largest sides that can be asked for, of the resized image and of the crop. */
#define FIRN_MAX_RESIZE 4096
#define FIRN_MAX_CROP 2048

/** All zero is the centre crop alone. */
struct firn_views {
    enum firn_view_kind kind;
    int count;     /**< how many; 0 means 1 */
    uint64_t seed; /**< of random views */
};

/**
 * Reads "center", "flip", "five", "ten" or "random:K[:SEED]" (seed 0 when it is not said); NULL is
 * "center". FIRN_USAGE.
 */
int firn_views_parse(struct firn_views *views, const char *text, struct firn_error *err);

static inline int firn_views_count(const struct firn_views *views)
{
    return views->count > 0 ? views->count : 1;
}

/**
 * How a photograph becomes crops: torchvision's Resize(resize) and CenterCrop(crop) via Pillow, or
 * the other views of torchvision.
 */
struct firn_image_spec {
    int resize; /**< length of the shorter side after resizing, pixels; not for random views */
    int crop;   /**< side of the square crop, pixels */
    bool turn;  /**< turn photographs as their EXIF orientation says; torchvision ignores it */
    bool fast;  /**< decode JPEGs at 1/2, 1/4 or 1/8 where that is still large enough: inexact */
    struct firn_views views;
};

/** Bytes of the pixels of one view. */
static inline size_t firn_crop_bytes(const struct firn_image_spec *spec)
{
    return (size_t)spec->crop * (size_t)spec->crop * 3;
}

/** What was found in the file. */
struct firn_image_info {
    int width, height;  /**< of the stored image, pixels */
    const char *format; /**< "JPEG", ...: a constant */
    unsigned warnings;  /**< warnings of the decoder that did not stop it */
    int orientation;    /**< as EXIF counts, 1 to 8; 1 is upright, or not said */
    int scale;          /**< sides were decoded at 1 / scale: 1, 2, 4 or 8 */
    int64_t decode_ns, resize_ns; /**< what it took, on the clock */
};

/** Where a view comes from. */
struct firn_view {
    int x, y, width, height; /**< the rectangle that is cut out, pixels */
    bool resized;  /**< true: of the resized photograph; false: of itself, and resized then */
    bool mirrored; /**< left and right are exchanged at last */
};

/**
 * View `number` (from 0) of a photograph that was decoded, in its pixels as they are turned where
 * the specification turns. `content`: the BLAKE2b-256 of the file, on which random views depend.
 */
void firn_view_at(const struct firn_image_spec *spec, const uint8_t content[32],
                  const struct firn_image_info *info, int number, struct firn_view *view);

/**
 * Reads and decodes one file; `rgb` has room for crop * crop * 3 bytes a view, rows from the top,
 * R G B, view after view. `content` (may be NULL) becomes the BLAKE2b-256 of the file.
 * FIRN_NOINPUT: unreadable; FIRN_DATA: not a photograph or corrupt.
 */
int firn_preview(const char *path, const struct firn_image_spec *spec, uint8_t *rgb,
                 struct firn_image_info *info, uint8_t content[32], struct firn_error *err);

#endif

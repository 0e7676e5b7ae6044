/* SPDX-License-Identifier: MIT */
/** Which samples of a photograph become which samples of the crop: arithmetic only. */
#ifndef FIRN_SRC_IMAGE_GEOMETRY_H
#define FIRN_SRC_IMAGE_GEOMETRY_H

#include "firn/image.h"

/** One axis of the way from photograph to crop. */
struct firn_axis {
    int from;  /**< first sample of the photograph that takes part: those before are cut off */
    int in;    /**< samples of the photograph that take part */
    int out;   /**< samples after resizing */
    int first; /**< first resized sample that lies in the crop */
    int count; /**< how many lie in it */
    int pad;   /**< where the first one lies in the crop; what no sample covers is zero */
};

/** Both axes. */
struct firn_geometry {
    struct firn_axis x, y;
};

/** torchvision's Resize(spec->resize) and CenterCrop(spec->crop) of a width x height photograph. */
void firn_geometry_center(struct firn_geometry *g, const struct firn_image_spec *spec, int width,
                          int height);

/**
 * View `number` of spec->views, as firn_view_at() has it. Returns true when the crop is to be
 * mirrored when it is made.
 */
bool firn_geometry_view(struct firn_geometry *g, const struct firn_image_spec *spec,
                        const uint8_t content[32], int width, int height, int number);

#endif

/* SPDX-License-Identifier: MIT */
/** The picture of `firn bn diff`. */
#ifndef FIRN_TOOLS_BN_SVG_H
#define FIRN_TOOLS_BN_SVG_H

#include "firn/bn.h"

/** Writes a bar chart of all layers to `path`. FIRN_CANTCREATE, FIRN_IO. */
int firn_bn_svg(const char *path, const char *const names[2], const struct firn_bn_shift *shift,
                int layers, struct firn_error *err);

#endif

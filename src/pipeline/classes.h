/* SPDX-License-Identifier: MIT */
/** A root as it is on the disk against what the cache knows of it. */
#ifndef FIRN_SRC_PIPELINE_CLASSES_H
#define FIRN_SRC_PIPELINE_CLASSES_H

#include "cache/writer.h"
#include "pipeline/roots.h"

/**
 * A directory without classes into which a sub-directory has come. For ImageFolder its photographs
 * lie beside a class now, and are none; but a stray mkdir must not make a daemon take thousands of
 * photographs for gone. So as long as some are there that the cache knows, the root is made one
 * without classes again; whoever means it moves them, or runs firn extract, which does as
 * ImageFolder. True when it was; `sub`: one of the sub-directories.
 */
bool firn_classes_hold(struct firn_scan_root *root, struct firn_writer *writer,
                       char sub[NAME_MAX + 1]);

/** True, and one line of news, when classes that the cache knows are about to get other numbers. */
bool firn_classes_shift(const struct firn_scan_root *root, struct firn_writer *writer,
                        char news[1024]);

#endif

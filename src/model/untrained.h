/* SPDX-License-Identifier: MIT */
/** Seeded random weights: a network for trying, tests and benchmarks that needs no file. */
#ifndef FIRN_SRC_MODEL_UNTRAINED_H
#define FIRN_SRC_MODEL_UNTRAINED_H

#include <stdint.h>

#include "model/family.h"

/**
 * Fills every parameter of a network whose memory is allocated. The same family and seed give the
 * same bits on every machine: untrained.c says how, and a later version may not change it.
 */
void firn_untrained_fill(struct firn_network *network, uint64_t seed);

#endif

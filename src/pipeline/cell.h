/* SPDX-License-Identifier: MIT */
/** Decoding in processes of their own: a photograph that kills its decoder kills nothing else. */
#ifndef FIRN_SRC_PIPELINE_CELL_H
#define FIRN_SRC_PIPELINE_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "firn/error.h"
#include "firn/image.h"

/**
 * The warden: a small process, split off before there are threads and weights, that starts the
 * decoders, one a cell, and notices when one dies. Cell and decoder share memory, and a decoder has
 * nothing else: no descriptor, and where seccomp is built in, hardly a system call.
 */
struct firn_warden;
struct firn_decode_config;

/**
 * Splits the warden off. Call it while the process has one thread. `cells`: decoders at a time at
 * most; `limit`: bytes of a photograph; `hang_ns`: how long one photograph may take.
 */
int firn_warden_create(struct firn_warden **out, int cells, size_t limit, int64_t hang_ns,
                       struct firn_error *err);

/** Ends it with all its decoders. NULL is fine. */
void firn_warden_destroy(struct firn_warden *warden);

struct firn_cell;

/** Takes a free cell for one thread, to decode as `config` says. FIRN_NOMEM when there is none. */
int firn_cell_take(struct firn_cell **out, struct firn_warden *warden,
                   const struct firn_decode_config *config, struct firn_error *err);

/** Ends its decoder. NULL is fine. */
void firn_cell_return(struct firn_cell *cell);

/**
 * As firn_decode(). A decoder that dies or hangs gets one more try with a new one; the second time
 * the photograph is corrupt (FIRN_DATA). info->format is "". FIRN_NOMEM: no decoder can be started.
 */
int firn_cell_decode(struct firn_cell *cell, const uint8_t *bytes, size_t size, uint8_t *rgb,
                     struct firn_image_info *info, struct firn_error *err);

/** True when decoders are under seccomp in this build. */
bool firn_cell_filtered(void);

#endif

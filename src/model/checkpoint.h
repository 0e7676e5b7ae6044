/* SPDX-License-Identifier: MIT */
/** From what a torch pickle holds to a list of tensors. */
#ifndef FIRN_SRC_MODEL_CHECKPOINT_H
#define FIRN_SRC_MODEL_CHECKPOINT_H

#include "model/pickle.h"
#include "model/weights.h"

/** Finds the storage a container keeps under `s->key`; *index into weights->storage. */
typedef int firn_storage_finder(void *context, const struct firn_pickled_storage *s, size_t *index,
                                struct firn_error *err);

/**
 * Looks for the dict of tensors in `root`: `root` itself, or what a training program wraps, under
 * "state_dict", "model" and the like. Fills in weights->tensor and checks each. FIRN_DATA when
 * there is none.
 */
int firn_checkpoint_tensors(struct firn_weights *weights, const struct firn_value *root,
                            firn_storage_finder *find, void *context, struct firn_error *err);

/** The memory that reading a pickle of `n` <= FIRN_MAX_PICKLE bytes may take. */
size_t firn_pickle_memory(size_t n);

/** A state_dict's pickle has 12 to 95 kB, with an optimizer's state 320 kB; beyond this, none. */
#define FIRN_MAX_PICKLE ((size_t)4 << 20)

#endif

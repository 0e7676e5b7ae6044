/* SPDX-License-Identifier: MIT */
/**
 * Photographs with the same bytes that are under way at the same time: the first is computed, the
 * others ("twins") wait at the sink and share its fate. Those that come later find its feature in
 * the cache.
 *
 *     decode:  claim(bytes) -> first: goes on to be decoded     -> sink: settle() ---.
 *                           -> twin: decided, but not known how -> sink: ask() <-----'
 *
 * The first never waits for a twin, so nobody waits for ever.
 */
#ifndef FIRN_SRC_PIPELINE_TWINS_H
#define FIRN_SRC_PIPELINE_TWINS_H

#include <stdbool.h>
#include <stddef.h>

#include "firn/error.h"
#include "pipeline/item.h"

struct firn_twins;

/** For `items` photographs under way at most. Free with firn_twins_destroy(); NULL is fine. */
int firn_twins_create(struct firn_twins **out, size_t items, struct firn_error *err);
void firn_twins_destroy(struct firn_twins *twins);

/** Marks a live item whose content is known as the first (true) or as a twin (false). */
bool firn_twins_claim(struct firn_twins *twins, struct firn_item *item);

/** The first's fate is decided and, if it is done, its feature has been handed to the cache. */
void firn_twins_settle(struct firn_twins *twins, const struct firn_item *first);

/** Gives a twin the fate of its first; false while that is not settled. */
bool firn_twins_ask(struct firn_twins *twins, struct firn_item *twin);

#endif

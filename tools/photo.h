/* SPDX-License-Identifier: MIT */
/** One photograph of a cache as the verbs show it. */
#ifndef FIRN_TOOLS_PHOTO_H
#define FIRN_TOOLS_PHOTO_H

#include "cli.h"
#include "firn/cache.h"

/**
 * Opens a cache for a verb, and warns on stderr when a part of it is missing. FIRN_OK, or the exit
 * status of a failure that has been said.
 */
int firn_open_cache(struct firn_cache **cache, const char *dir);

/** Warns on stderr of each part of an open cache that is missing. */
void firn_cache_tell_doubts(const struct firn_cache *cache, const char *dir);

/** "done", "skipped", "corrupt", "gone". */
const char *firn_photo_state(enum firn_state state);

/** The absolute path, malloc'ed; NULL when memory is out. */
char *firn_photo_path(const struct firn_photo *photo);

/** Members of the current JSON object: path, root, name, class, label, state, ... */
void firn_photo_json(struct firn_json *j, const struct firn_photo *photo);

/** The fingerprint as a JSON object of four strings. */
void firn_fingerprint_json(struct firn_json *j, const char *key, const struct firn_fingerprint *fp);

/** Leaves twelve digits and "..." of each long hexadecimal number in `text`. */
void firn_shorten_hashes(char *text);

/** The fingerprint as indented text on stdout, hashes shortened. */
void firn_fingerprint_print(const struct firn_fingerprint *fp);

#endif

/* SPDX-License-Identifier: MIT */
/** Caches written anew: without what nobody needs, without damage, several as one. */
#ifndef FIRN_UPKEEP_H
#define FIRN_UPKEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firn/cache.h"
#include "firn/error.h"

/** All fields may be zero. */
struct firn_upkeep_options {
    bool yes;              /**< firn_repair(): do it, do not only say what is to be done */
    bool requeue;          /**< firn_repair(): lost photographs are listed as skipped afterwards */
    bool allow_network_fs; /**< see firn_extract_options */
    const char *const *forget; /**< firn_compact(): directories of which nothing is kept */
    size_t n_forget;
    firn_finding_fn *on_finding; /**< firn_repair(): each damaged place */
    /** firn_repair(): a photograph whose feature is lost; firn_merge(): one that conflicts. */
    void (*on_photograph)(void *user, const char *path, const char *what);
    void *user;
};

/** What was done (or is to be done). */
struct firn_upkeep {
    size_t photographs;     /**< ledger entries written */
    size_t gone;            /**< photographs dropped because they are gone */
    size_t forgotten;       /**< ... because of options->forget */
    size_t rows_before, rows; /**< features stored */
    size_t lost;            /**< photographs whose feature is lost */
    size_t conflicts;       /**< photographs about which caches do not agree */
    size_t damaged;         /**< segments that are damaged, missing ones included */
    size_t unnamed;         /**< firn_repair(): features kept from them that no photograph names */
    bool ledger_damaged;    /**< firn_repair(): as firn_verify() found it */
    size_t segments_before, segments;
    uint64_t bytes_before, bytes;
};

/**
 * Writes the cache anew in the order of ImageFolder, without superseded and gone photographs and
 * the features that only they had; then the old segments are removed. At any moment before, also
 * after a power cut, the old ones are whole and count. Readers that have the cache open keep their
 * snapshot. FIRN_DATA: something is damaged, to be repaired first; FIRN_IO: among others when there
 * is no room for a second copy; FIRN_NOINPUT: a directory to forget that the cache does not know.
 * A cache with nothing to drop is left as it is.
 */
int firn_compact(const char *dir, const struct firn_upkeep_options *options,
                 struct firn_upkeep *result, struct firn_error *err);

/**
 * Writes what is whole in damaged segments into a new one, and renames these to NAME.damaged, which
 * no reader looks at. Without options->yes it only says what it would do. 0: nothing is lost (any
 * more); FIRN_DATA: cannot be repaired.
 */
int firn_repair(const char *dir, const struct firn_upkeep_options *options,
                struct firn_upkeep *result, struct firn_error *err);

/**
 * Adds what the caches in[0..n) hold to `out`, which is created when absent. Doing it again changes
 * nothing. Where two caches know different contents of a photograph of one name, the later one
 * wins; where they have different features of the same contents, that of `out` stays; both are
 * conflicts. FIRN_PARTIAL: there were some. FIRN_CONFIG: fingerprints differ.
 */
int firn_merge(const char *out, const char *const *in, size_t n,
               const struct firn_upkeep_options *options, struct firn_upkeep *result,
               struct firn_error *err);

#endif

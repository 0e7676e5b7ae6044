/* SPDX-License-Identifier: MIT */
/** Whether a cache keeps what was acknowledged, and says nothing but what is true. */
#ifndef FIRN_TESTS_CACHE_KEPT_H
#define FIRN_TESTS_CACHE_KEPT_H

#include "cache_util.h"

/**
 * Photographs 0..n-1 of test_record(), of which `acknowledged` must be there, each with its
 * feature; with `may_lose` they may be missing, or without a feature, but not have a wrong one.
 */
static inline void check_kept(const char *dir, const bool *acknowledged, unsigned n, bool may_lose,
                              const char *when)
{
    struct firn_cache *c;
    struct firn_error err = {0};
    bool there[1000] = {false};
    unsigned lost = 0, wanted = 0;
    for (unsigned id = 0; id < n; id++)
        wanted += acknowledged[id];
    int result = firn_cache_open(&c, dir, &err);
    if (result != 0) {
        CHECK(wanted == 0 && (result == -FIRN_NOINPUT || result == -FIRN_DATA), "%s: %d %s", when,
              result, err.text);
        return;
    }
    for (size_t i = 0; i < firn_cache_count(c); i++) {
        struct firn_photo p;
        float feature[DIM];
        firn_cache_photo(c, i, &p);
        unsigned id = (unsigned)atoi(strchr(p.name, '/') + 1);
        if (p.state == FIRN_GONE || (may_lose && p.state != FIRN_DONE))
            continue;
        CHECK(id < n && p.state == FIRN_DONE, "%s: photograph %s", when, p.name);
        result = firn_cache_features(c, &i, 1, feature, &err);
        CHECK(result == 0 || may_lose, "%s: %s", when, err.text);
        CHECK(result != 0 || same_feature(feature, id), "%s: photograph %u", when, id);
        there[id % 1000] = result == 0;
    }
    for (unsigned id = 0; id < n; id++)
        lost += acknowledged[id] && !there[id];
    CHECK(may_lose || lost == 0, "%s: %u photographs are lost", when, lost);
    firn_cache_close(c);
}

#endif

/* SPDX-License-Identifier: MIT */
/** A team of threads for loops whose turns do not depend on each other. */
#ifndef FIRN_SRC_BASE_TEAM_H
#define FIRN_SRC_BASE_TEAM_H

#include <stddef.h>

#include "firn/error.h"

struct firn_team;

/** One turn; `member` is below firn_team_size() and no two turns at once have the same. */
typedef void firn_team_fn(void *user, int member, size_t turn);

/**
 * A team of `members` threads, the caller of firn_team_run() being one of them. A thread that
 * cannot be had makes the team smaller, nothing else.
 */
int firn_team_create(struct firn_team **out, int members, struct firn_error *err);
/** NULL is fine. */
void firn_team_destroy(struct firn_team *team);

int firn_team_size(const struct firn_team *team);

/** Runs fn(user, member, 0 .. turns - 1), in rising order of their beginning; returns after all. */
void firn_team_run(struct firn_team *team, size_t turns, firn_team_fn *fn, void *user);

#endif

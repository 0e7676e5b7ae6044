/* SPDX-License-Identifier: MIT */
/** When not to compute: times of the day, battery, pressure. */
#ifndef FIRN_SRC_WATCH_GATE_H
#define FIRN_SRC_WATCH_GATE_H

#include <stdbool.h>
#include <stddef.h>

#include "firn/error.h"

/** Zeros: always open. */
struct firn_gate {
    bool timed;        /**< the next two mean something */
    int from, to;      /**< minutes since midnight, local time; may go over midnight */
    bool ac_only;      /**< not while the machine runs on battery */
    int max_pressure;  /**< percent of time that others wait for memory or disk; 0: any */
};

/** Reads "22:00-06:00" into from and to. FIRN_USAGE. */
int firn_gate_parse(struct firn_gate *gate, const char *text, struct firn_error *err);

/**
 * True when it is open at `minute` of the day; else `why` says what is waited for. `root` is put
 * before the paths below /sys and /proc: "" for this machine, a directory for tests.
 */
bool firn_gate_open(const struct firn_gate *gate, const char *root, int minute, char why[128]);

/** Minutes since midnight, now. */
int firn_gate_minute(void);

/** It is ever closed. */
static inline bool firn_gate_matters(const struct firn_gate *gate)
{
    return gate->timed || gate->ac_only || gate->max_pressure;
}

#endif

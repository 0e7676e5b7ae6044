/* SPDX-License-Identifier: MIT */
/** How `firn extract` tells what it is doing: a line redrawn, or a plain one now and then. */
#ifndef FIRN_TOOLS_PROGRESS_H
#define FIRN_TOOLS_PROGRESS_H

#include <stdbool.h>

#include "firn/extract.h"

/** State of the display; zeroed, then firn_progress_start(). */
struct firn_display {
    bool live;         /**< stderr is a terminal: one line, redrawn in place */
    bool drawn;        /**< that line stands there now */
    double next_plain; /**< seconds of the run at which the next plain line is due */
    const volatile int *stop; /**< the run has been asked to end */
    bool kept;         /**< the same command will go on from there */
    bool said_stop;    /**< ... and the user has been told */
};

void firn_progress_start(struct firn_display *d, const volatile int *stop, bool kept);

/** Shows where the run is. */
void firn_progress_show(struct firn_display *d, const struct firn_progress *p);

/** Shows `line` as the progress at `seconds`: redrawn on a terminal, else now and then. */
void firn_progress_line(struct firn_display *d, double seconds, const char *line);

/** Takes the line off the terminal, so that something else can be said. */
void firn_progress_clear(struct firn_display *d);

/** Two lines at the end, the stages too with -v. */
void firn_progress_summary(const struct firn_progress *p);

/** The same as JSON on stdout; returns the exit status of printing. */
int firn_progress_json(const struct firn_progress *p, int status);

#endif

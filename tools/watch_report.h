/* SPDX-License-Identifier: MIT */
/** The state of a daemon in words, as JSON, and as OpenMetrics text. */
#ifndef FIRN_TOOLS_WATCH_REPORT_H
#define FIRN_TOOLS_WATCH_REPORT_H

#include "firn/watch.h"

/** Each gives a malloc'ed text, its last line ended, or NULL when memory is out. */
char *firn_report_json(const struct firn_watch_status *status);
char *firn_report_text(const struct firn_watch_status *status, const char *cache);
char *firn_report_line(const struct firn_watch_status *status);
char *firn_report_metrics(const struct firn_watch_status *status);

#endif

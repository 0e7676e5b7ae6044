/* SPDX-License-Identifier: MIT */
/** What `firn watch` says on standard error, for people, for the journal, or for programs. */
#ifndef FIRN_TOOLS_WATCH_LOG_H
#define FIRN_TOOLS_WATCH_LOG_H

#include <stdbool.h>

enum firn_log_form { FIRN_LOG_TEXT, FIRN_LOG_JOURNAL, FIRN_LOG_JSON };

/** As syslog(3) and the journal number them. */
enum firn_log_level { FIRN_LOG_ERROR = 3, FIRN_LOG_WARNING = 4, FIRN_LOG_INFO = 6 };

/** Text, but the journal's form when systemd says that standard error is the journal. */
enum firn_log_form firn_log_default(void);
void firn_log_use(enum firn_log_form form);

/** One line; `path` (may be NULL) is the photograph it is about. Any thread may call. */
void firn_log(enum firn_log_level level, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define FIRN_LOG_KEPT 8

/** Calls for the last errors and warnings, the oldest first. */
void firn_log_recent(void (*each)(void *user, double time, const char *text), void *user);

#endif

/* SPDX-License-Identifier: MIT */
/** Filling in `struct firn_error`. */
#ifndef FIRN_SRC_BASE_ERROR_H
#define FIRN_SRC_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "firn/error.h"

/**
 * Describes a failure in `err` (may be NULL) and returns -code, so that a failing function ends in
 * `return firn_fail(err, FIRN_IO, "%s: %s", path, strerror(errno));`
 */
int firn_fail(struct firn_error *err, enum firn_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** Whether an errno says that this process is short of something: no fault of the file's. */
bool firn_is_shortage(int error);

/** "path: " and what errno says. A shortage is FIRN_NOMEM, whatever `code` is. */
int firn_fail_errno(struct firn_error *err, enum firn_code code, const char *path);

/** Printable ASCII alone: what others wrote, and a terminal obeys nothing in it. */
bool firn_is_plain(const void *text, size_t n);

/** Out of memory while allocating `what`. */
int firn_fail_nomem(struct firn_error *err, const char *what);

/** One line of news to a caller's function, which may be NULL: nobody listens. */
void firn_tell(void (*listener)(void *user, const char *text), void *user, const char *fmt,
               va_list ap);

/** Puts "context: " before the text of a failure that is passed on; returns `status`, its value. */
int firn_fail_in(struct firn_error *err, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif

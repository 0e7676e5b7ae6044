/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Names of files come from anywhere: a newline or a terminal's escape must not get through. */
static void make_one_line(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7F)
            *p = '?';
}

bool firn_is_plain(const void *text, size_t n)
{
    const unsigned char *p = text;
    for (size_t i = 0; i < n; i++)
        if (p[i] < 0x20 || p[i] > 0x7E)
            return false;
    return true;
}

static bool goes_on(char byte) /* a character of UTF-8 */
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/** What is too long loses its middle, which is in a path: the reason and the remedy come last. */
static void put(char *text, size_t room, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(text, room, fmt, ap);
    char *whole = n >= (int)room ? malloc((size_t)n + 1) : NULL;
    if (whole) {
        vsnprintf(whole, (size_t)n + 1, fmt, again);
        size_t head = room / 4, tail = (size_t)n - (room - head - 4);
        while (head > 0 && goes_on(whole[head]))
            head--;
        while (goes_on(whole[tail]))
            tail++;
        snprintf(text, room, "%.*s...%s", (int)head, whole, whole + tail);
    }
    free(whole);
    va_end(again);
}

int firn_fail(struct firn_error *err, enum firn_code code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        put(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
        make_one_line(err->text);
        err->code = code;
    }
    return -(int)code;
}

bool firn_is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}

int firn_fail_errno(struct firn_error *err, enum firn_code code, const char *path)
{
    return firn_fail(err, firn_is_shortage(errno) ? FIRN_NOMEM : code, "%s: %s%s", path,
                     strerror(errno), errno == EMFILE ? "; raise the limit (ulimit -n)" : "");
}

int firn_fail_nomem(struct firn_error *err, const char *what)
{
    return firn_fail(err, FIRN_NOMEM, "out of memory for %s", what);
}

int firn_fail_in(struct firn_error *err, int status, const char *fmt, ...)
{
    if (!err)
        return status;
    char context[sizeof err->text], old[sizeof err->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(context, sizeof context, fmt, ap);
    va_end(ap);
    memcpy(old, err->text, sizeof old);
    /* A context that fills the buffer by itself would push the reason out: keep room for it. */
    snprintf(err->text, sizeof err->text, "%.500s: %.500s", context, old);
    make_one_line(err->text);
    return status;
}

void firn_tell(void (*listener)(void *user, const char *text), void *user, const char *fmt,
               va_list ap)
{
    char text[1024];
    if (!listener)
        return;
    put(text, sizeof text, fmt, ap);
    listener(user, text);
}

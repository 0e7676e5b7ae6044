/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool firn_cli_quiet, firn_cli_verbose;

/** Length of the well-formed UTF-8 character at `s` (terminated), 0 when there is none. */
static int utf8_length(const unsigned char *s)
{
    int n = s[0] < 0x80 ? 1 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3
          : s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : 0;
    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    }
    return n;
}

/** C0, DEL, and the C1 controls, which some terminals obey too. */
static bool is_control(const unsigned char *s, int length)
{
    return (length == 1 && (s[0] < 0x20 || s[0] == 0x7F)) ||
           (length == 2 && s[0] == 0xC2 && s[1] < 0xA0);
}

static int put_escaped(FILE *out, unsigned char c)
{
    const char *at = c && c < 0x20 ? strchr("\tt\nn\rr", c) : NULL;
    return at ? fprintf(out, "\\%c", at[1]) : fprintf(out, "\\x%02x", c);
}

/** Prints `text`; bytes outside UTF-8 are escaped when `strict`, control characters always. */
static int put_visible(FILE *out, const char *text, bool strict)
{
    const unsigned char *s = (const unsigned char *)text;
    int columns = 0;
    while (*s) {
        int n = utf8_length(s);
        if (n ? is_control(s, n) : strict) {
            columns += put_escaped(out, *s);
            s++;
        } else {
            fwrite(s, 1, n ? (size_t)n : 1, out);
            s += n ? n : 1;
            columns++;
        }
    }
    return columns;
}

int firn_cli_put(FILE *out, const char *text)
{
    if (isatty(fileno(out)))
        return put_visible(out, text, true);
    fputs(text, out);
    return (int)strlen(text);
}

static void say(const char *fmt, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, fmt, args) >= 0) {
        fflush(stdout); /* so that both come in order where they end up in one place */
        fputs("firn: ", stderr);
        put_visible(stderr, text, isatty(STDERR_FILENO));
        fputc('\n', stderr);
        free(text);
    }
}

static _Thread_local char *caught;

void firn_cli_catch(char *text)
{
    caught = text;
    if (text)
        *text = '\0';
}

void firn_cli_warn(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (!caught)
        say(fmt, args);
    else if (!*caught)
        vsnprintf(caught, FIRN_CLI_CAUGHT, fmt, args);
    va_end(args);
}

void firn_cli_note(const char *fmt, ...)
{
    if (firn_cli_quiet)
        return;
    va_list args;
    va_start(args, fmt);
    say(fmt, args);
    va_end(args);
}

int firn_cli_fail(const struct firn_error *err)
{
    firn_cli_warn("%s", err->text);
    return (int)err->code;
}

int firn_cli_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return FIRN_OK;
    if (errno != EPIPE)
        firn_cli_warn("cannot write to standard output: %s", strerror(errno ? errno : EIO));
    return FIRN_IO;
}

int firn_cli_print_json(struct firn_json *json)
{
    if (json->failed) {
        firn_cli_warn("out of memory");
        free(json->text);
        return FIRN_NOMEM;
    }
    puts(json->text ? json->text : "null");
    free(json->text);
    return FIRN_OK;
}

bool firn_cli_obeys(FILE *out)
{
    const char *term = getenv("TERM");
    return term && strcmp(term, "dumb") != 0 && isatty(fileno(out));
}

const char *firn_cli_colour(FILE *out, enum firn_colour colour)
{
    static const char *const codes[] = {
        "\033[0m", "\033[31m", "\033[33m", "\033[32m", "\033[1m", "\033[2m",
    };
    const char *no = getenv("NO_COLOR");
    if ((no && *no) || !firn_cli_obeys(out))
        return "";
    return codes[colour];
}

const char *firn_cli_bytes(char text[32], double bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB"};
    if (bytes < 1000) {
        snprintf(text, 32, "%.0f bytes", bytes);
        return text;
    }
    size_t unit = 0;
    for (bytes /= 1000; bytes >= 999.95 && unit + 1 < sizeof(units) / sizeof(*units); unit++)
        bytes /= 1000;
    snprintf(text, 32, "%.1f %s", bytes, units[unit]);
    return text;
}

const char *firn_cli_s(uint64_t n)
{
    return n == 1 ? "" : "s";
}

const char *firn_cli_clock(char text[32], double seconds)
{
    long s = isfinite(seconds) && seconds > 0 ? (long)fmin(seconds + 0.5, 3.6e8) : 0;
    if (s >= 3600)
        snprintf(text, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, 32, "%ld:%02ld", s / 60, s % 60);
    return text;
}

/* SPDX-License-Identifier: MIT */
#include "firn/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct firn_json *j, const char *bytes, size_t n)
{
    if (j->failed)
        return;
    if (n >= j->room - j->size || !j->text) {
        size_t room = j->room ? j->room : 256;
        while (n >= room - j->size && room <= SIZE_MAX / 2)
            room *= 2;
        char *text = n < room - j->size ? realloc(j->text, room) : NULL;
        if (!text) {
            j->failed = true;
            return;
        }
        j->text = text;
        j->room = room;
    }
    memcpy(j->text + j->size, bytes, n);
    j->size += n;
    j->text[j->size] = '\0';
}

/**
 * Length of the well-formed UTF-8 sequence at `s`, or minus the number of bytes that one U+FFFD
 * stands for (the maximal subpart of Unicode 15, section 3.9). The terminator of the string is no
 * continuation byte, so this never reads past it.
 */
static int utf8_length(const unsigned char *s)
{
    unsigned low = 0x80, high = 0xBF; /* of the second byte: no overlong forms, no surrogates */
    int length;
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        length = 2;
    else if (s[0] >= 0xE0 && s[0] <= 0xEF)
        length = 3;
    else if (s[0] >= 0xF0 && s[0] <= 0xF4)
        length = 4;
    else
        return -1;
    if (s[0] == 0xE0)
        low = 0xA0;
    else if (s[0] == 0xED)
        high = 0x9F;
    else if (s[0] == 0xF0)
        low = 0x90;
    else if (s[0] == 0xF4)
        high = 0x8F;
    for (int i = 1; i < length; i++) {
        if (s[i] < low || s[i] > high)
            return -i;
        low = 0x80;
        high = 0xBF;
    }
    return length;
}

static void put_escaped(struct firn_json *j, unsigned char c)
{
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    char text[8];
    for (const char *p = named; *p; p += 2)
        if (c == (unsigned char)p[0]) {
            put(j, text, (size_t)sprintf(text, "\\%c", p[1]));
            return;
        }
    put(j, text, (size_t)sprintf(text, "\\u%04x", c));
}

static void put_string(struct firn_json *j, const char *value)
{
    put(j, "\"", 1);
    for (const unsigned char *s = (const unsigned char *)value; *s;) {
        int n = utf8_length(s);
        if (n < 0)
            put(j, "\xEF\xBF\xBD", 3);
        else if (*s < 0x20 || *s == '"' || *s == '\\')
            put_escaped(j, *s);
        else
            put(j, (const char *)s, (size_t)n);
        s += abs(n);
    }
    put(j, "\"", 1);
}

/** What comes before every value: the comma of the one before it, and its key. */
static void begin(struct firn_json *j, const char *key)
{
    if (j->comma)
        put(j, ",", 1);
    if (key) {
        put_string(j, key);
        put(j, ":", 1);
    }
    j->comma = true;
}

static void put_value(struct firn_json *j, const char *key, const char *text)
{
    begin(j, key);
    put(j, text, strlen(text));
}

void firn_json_object(struct firn_json *j, const char *key)
{
    put_value(j, key, "{");
    j->comma = false;
}

void firn_json_array(struct firn_json *j, const char *key)
{
    put_value(j, key, "[");
    j->comma = false;
}

void firn_json_end_object(struct firn_json *j)
{
    put(j, "}", 1);
    j->comma = true;
}

void firn_json_end_array(struct firn_json *j)
{
    put(j, "]", 1);
    j->comma = true;
}

void firn_json_string(struct firn_json *j, const char *key, const char *value)
{
    begin(j, key);
    if (value)
        put_string(j, value);
    else
        put(j, "null", 4);
}

void firn_json_int(struct firn_json *j, const char *key, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    put_value(j, key, text);
}

void firn_json_bool(struct firn_json *j, const char *key, bool value)
{
    put_value(j, key, value ? "true" : "false");
}

/** The decimal point of the caller's locale, of one byte or several, becomes JSON's. */
static void unlocalise(char *text)
{
    size_t digits = strspn(text, "-0123456789e");
    size_t point = strcspn(text + digits, "-0123456789e");
    if (point == 0 || text[digits] == '+')
        return;
    text[digits] = '.';
    memmove(text + digits + 1, text + digits + point, strlen(text + digits + point) + 1);
}

void firn_json_number(struct firn_json *j, const char *key, double value)
{
    if (!isfinite(value)) {
        put_value(j, key, "null");
        return;
    }
    char text[48];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break; /* at the latest with 17 digits, which tell all doubles apart */
    }
    unlocalise(text);
    put_value(j, key, text);
}

/* SPDX-License-Identifier: MIT */
#include "base/json_read.h"

#include <string.h>

enum expect { VALUE, VALUE_OR_END, KEY, KEY_OR_END, COMMA_OR_END, NOTHING, FAILED };

void firn_json_begin(struct firn_json_reader *r, char *bytes, size_t n)
{
    *r = (struct firn_json_reader){.begin = bytes, .p = bytes, .end = bytes + n, .expect = VALUE};
}

static enum firn_json_token fail(struct firn_json_reader *r, const char *problem)
{
    r->expect = FAILED;
    r->problem = problem;
    r->at = (size_t)(r->p - r->begin);
    return FIRN_JSON_ERROR;
}

static bool in_object(const struct firn_json_reader *r)
{
    return r->depth > 0 && r->objects >> (r->depth - 1) & 1;
}

static void skip_blanks(struct firn_json_reader *r)
{
    while (r->p < r->end && *r->p && strchr(" \t\r\n", *r->p))
        r->p++;
    r->at = (size_t)(r->p - r->begin);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/** Four hexadecimal digits at r->p; -1 if they are not. */
static int32_t read_hex4(struct firn_json_reader *r)
{
    int32_t code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = r->end - r->p > i ? hex_digit(r->p[i]) : -1;
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    r->p += 4;
    return code;
}

/** Appends a code point in UTF-8; never longer than the escape it comes from. */
static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xC0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *out++ = (char)(0xE0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code & 0x3F));
    } else {
        *out++ = (char)(0xF0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3F));
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code & 0x3F));
    }
    return out;
}

/** What follows \u; a surrogate needs its other half. NULL if it is malformed. */
static char *read_unicode(struct firn_json_reader *r, char *out)
{
    int32_t code = read_hex4(r);
    if (code < 0 || (code >= 0xDC00 && code <= 0xDFFF))
        return NULL;
    if (code >= 0xD800 && code <= 0xDBFF) {
        if (r->end - r->p < 2 || r->p[0] != '\\' || r->p[1] != 'u')
            return NULL;
        r->p += 2;
        int32_t low = read_hex4(r);
        if (low < 0xDC00 || low > 0xDFFF)
            return NULL;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    return put_utf8(out, (uint32_t)code);
}

/** What follows a backslash, at r->p. NULL if it is malformed. */
static char *read_escape(struct firn_json_reader *r, char *out)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (r->p == r->end)
        return NULL;
    char c = *r->p++;
    if (c == 'u')
        return read_unicode(r, out);
    const char *found = c ? strchr(letters, c) : NULL;
    if (!found)
        return NULL;
    *out++ = meant[found - letters];
    return out;
}

/** Copies the UTF-8 sequence at r->p, whose first byte is not ASCII. NULL if it is malformed. */
static char *copy_utf8(struct firn_json_reader *r, char *out)
{
    const unsigned char *p = (const unsigned char *)r->p;
    size_t left = (size_t)(r->end - r->p);
    int n = 0;
    if (p[0] >= 0xC2 && p[0] <= 0xDF)
        n = 2;
    else if (p[0] >> 4 == 0xE)
        n = 3;
    else if (p[0] >= 0xF0 && p[0] <= 0xF4)
        n = 4;
    if (n == 0 || left < (size_t)n)
        return NULL;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return NULL;
    /* Overlong forms, surrogates and code points beyond U+10FFFF show in the second byte. */
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return NULL;
    memmove(out, p, (size_t)n);
    r->p += n;
    return out + n;
}

/** A string whose opening quote is at r->p, unescaped in place. */
static bool read_string(struct firn_json_reader *r)
{
    char *out = r->text = ++r->p;
    while (r->p < r->end && *r->p != '"') {
        unsigned char c = (unsigned char)*r->p;
        if (c < 0x20)
            return fail(r, "a control character in a string"), false;
        if (c == '\\') {
            r->p++;
            out = read_escape(r, out);
        } else if (c >= 0x80) {
            out = copy_utf8(r, out);
        } else {
            *out++ = *r->p++;
        }
        if (!out)
            return fail(r, c == '\\' ? "a malformed escape" : "a string that is not UTF-8"), false;
    }
    if (r->p == r->end)
        return fail(r, "a string without an end"), false;
    r->size = (size_t)(out - r->text);
    *out = '\0'; /* at the closing quote at the latest */
    r->p++;
    return true;
}

static size_t count_digits(const struct firn_json_reader *r)
{
    size_t n = 0;
    while (r->p + n < r->end && r->p[n] >= '0' && r->p[n] <= '9')
        n++;
    return n;
}

/** -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
static enum firn_json_token read_number(struct firn_json_reader *r)
{
    r->text = r->p;
    r->p += *r->p == '-';
    size_t n = count_digits(r);
    if (n == 0 || (n > 1 && *r->p == '0'))
        return fail(r, "a malformed number");
    r->p += n;
    if (r->p < r->end && *r->p == '.') {
        r->p++;
        if ((n = count_digits(r)) == 0)
            return fail(r, "a malformed number");
        r->p += n;
    }
    if (r->p < r->end && (*r->p | 0x20) == 'e') {
        r->p++;
        r->p += r->p < r->end && (*r->p == '+' || *r->p == '-');
        if ((n = count_digits(r)) == 0)
            return fail(r, "a malformed number");
        r->p += n;
    }
    r->size = (size_t)(r->p - r->text);
    return FIRN_JSON_NUMBER;
}

static void value_is_over(struct firn_json_reader *r)
{
    r->expect = r->depth ? COMMA_OR_END : NOTHING;
}

static enum firn_json_token open_container(struct firn_json_reader *r, bool object)
{
    if (r->depth == FIRN_JSON_DEPTH)
        return fail(r, "nested too deeply");
    uint64_t bit = (uint64_t)1 << r->depth++;
    r->objects = object ? r->objects | bit : r->objects & ~bit;
    r->expect = object ? KEY_OR_END : VALUE_OR_END;
    r->p++;
    return object ? FIRN_JSON_OBJECT : FIRN_JSON_ARRAY;
}

static enum firn_json_token close_container(struct firn_json_reader *r)
{
    bool object = in_object(r);
    if (r->depth == 0 || *r->p != (object ? '}' : ']'))
        return fail(r, "a bracket that closes nothing");
    r->depth--;
    r->p++;
    value_is_over(r);
    return object ? FIRN_JSON_END_OBJECT : FIRN_JSON_END_ARRAY;
}

static enum firn_json_token read_word(struct firn_json_reader *r)
{
    static const struct {
        const char *word;
        enum firn_json_token token;
    } words[] = {{"true", FIRN_JSON_TRUE}, {"false", FIRN_JSON_FALSE}, {"null", FIRN_JSON_NULL}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i].word);
        if ((size_t)(r->end - r->p) >= n && memcmp(r->p, words[i].word, n) == 0) {
            r->p += n;
            return words[i].token;
        }
    }
    return fail(r, "not a value");
}

static enum firn_json_token read_value(struct firn_json_reader *r)
{
    char c = *r->p;
    if (c == '{' || c == '[')
        return open_container(r, c == '{');
    enum firn_json_token token;
    if (c == '"')
        token = read_string(r) ? FIRN_JSON_STRING : FIRN_JSON_ERROR;
    else if (c == '-' || (c >= '0' && c <= '9'))
        token = read_number(r);
    else
        token = read_word(r);
    if (token != FIRN_JSON_ERROR)
        value_is_over(r);
    return token;
}

static enum firn_json_token read_key(struct firn_json_reader *r)
{
    if (*r->p != '"')
        return fail(r, "a key is missing");
    if (!read_string(r))
        return FIRN_JSON_ERROR;
    skip_blanks(r);
    if (r->p == r->end || *r->p != ':')
        return fail(r, "a colon is missing");
    r->p++;
    r->expect = VALUE;
    return FIRN_JSON_KEY;
}

enum firn_json_token firn_json_next(struct firn_json_reader *r)
{
    if (r->expect == FAILED)
        return FIRN_JSON_ERROR;
    skip_blanks(r);
    if (r->p == r->end)
        return r->expect == NOTHING ? FIRN_JSON_END : fail(r, "it ends too early");
    if (r->expect == NOTHING)
        return fail(r, "more than one value");
    bool closes = *r->p == '}' || *r->p == ']';
    if (r->expect == COMMA_OR_END && !closes) {
        if (*r->p != ',')
            return fail(r, "a comma is missing");
        r->p++;
        r->expect = in_object(r) ? KEY : VALUE;
        return firn_json_next(r);
    }
    if (closes && r->expect != VALUE && r->expect != KEY)
        return close_container(r);
    return r->expect == KEY || r->expect == KEY_OR_END ? read_key(r) : read_value(r);
}

bool firn_json_skip(struct firn_json_reader *r, enum firn_json_token token)
{
    if (token != FIRN_JSON_OBJECT && token != FIRN_JSON_ARRAY)
        return token != FIRN_JSON_ERROR;
    for (int outside = r->depth - 1; r->depth > outside;)
        if (firn_json_next(r) == FIRN_JSON_ERROR)
            return false;
    return true;
}

bool firn_json_uint(const struct firn_json_reader *r, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < r->size; i++) {
        char c = r->text[i];
        if (c < '0' || c > '9' || __builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(c - '0'), value))
            return false;
    }
    return r->size > 0;
}

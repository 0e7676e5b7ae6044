/* SPDX-License-Identifier: MIT */
/** The JSON writer: escapes, commas, numbers, and bytes that are not text. */
#include "check.h"

#include "firn/json.h"

#include <float.h>
#include <locale.h>
#include <math.h>

/** The text of one string value; the quotes are checked and left out. */
static void check_string(const char *value, const char *expected)
{
    struct firn_json j = {0};
    char quoted[256];
    snprintf(quoted, sizeof quoted, "\"%s\"", expected);
    firn_json_string(&j, NULL, value);
    CHECK_STR(j.text, quoted);
    free(j.text);
}

static void strings_are_escaped(void)
{
    check_string("", "");
    check_string("plain / text", "plain / text");
    check_string("a\"b\\c", "a\\\"b\\\\c");
    check_string("\b\f\n\r\t", "\\b\\f\\n\\r\\t");
    check_string("\x01\x1f\x7f", "\\u0001\\u001f\x7f");
    check_string("bn", "bn"); /* letters that name escapes stay letters */
}

#define U "\xEF\xBF\xBD" /* U+FFFD */

/* The expected texts are what Python's bytes.decode("utf-8", "replace") gives. */
static void bytes_that_are_not_utf8(void)
{
    check_string("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    check_string("\x80", U);
    check_string("a\xFFz", "a" U "z");
    check_string("\xC3", U);
    check_string("\xC3(", U "(");
    check_string("\xC0\xAF", U U);                 /* overlong */
    check_string("\xE0\x80\xAF", U U U);           /* overlong */
    check_string("\xED\xA0\x80", U U U);           /* surrogate */
    check_string("\xE2\x82", U);                   /* cut short: one mark */
    check_string("\xE2\x82z", U "z");
    check_string("\xF0\x9F\x98", U);
    check_string("\xF4\x90\x80\x80", U U U U);     /* beyond U+10FFFF */
    check_string("\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF");
    check_string("\xF5\x80", U U);
    check_string("\xE2\x82\n\"", U "\\n\\\"");
}

static void numbers(void)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"}, {-0.0, "-0"}, {1, "1"}, {-2.5, "-2.5"}, {0.1, "0.1"}, {1e20, "1e+20"},
        {1.0 / 3, "0.3333333333333333"}, {0.1 + 0.2, "0.30000000000000004"},
        {5e-324, "5e-324"}, {DBL_MAX, "1.7976931348623157e+308"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {123456789, "123456789"}, {NAN, "null"}, {INFINITY, "null"}, {-INFINITY, "null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct firn_json j = {0};
        firn_json_number(&j, NULL, cases[i].value);
        CHECK_STR(j.text, cases[i].text);
        free(j.text);
    }
}

static void numbers_read_back(void)
{
    unsigned long long seed = 7;
    for (int i = 0; i < 20000; i++) {
        unsigned long long bits = check_random(&seed);
        double value, back;
        memcpy(&value, &bits, sizeof value);
        struct firn_json j = {0};
        firn_json_number(&j, NULL, value);
        back = strtod(j.text, NULL);
        CHECK(!isfinite(value) || memcmp(&value, &back, sizeof value) == 0, "%a is %s", value,
              j.text);
        free(j.text);
    }
}

static void numbers_in_another_locale(void)
{
    static const char *const with_comma[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "ps_AF.UTF-8"};
    for (size_t i = 0; i < sizeof with_comma / sizeof *with_comma; i++) {
        if (!setlocale(LC_NUMERIC, with_comma[i]))
            continue;
        struct firn_json j = {0};
        firn_json_array(&j, NULL);
        firn_json_number(&j, NULL, 1.5);
        firn_json_number(&j, NULL, -2.5e-30);
        firn_json_number(&j, NULL, 1e20);
        firn_json_end_array(&j);
        CHECK_STR(j.text, "[1.5,-2.5e-30,1e+20]");
        free(j.text);
    }
    setlocale(LC_NUMERIC, "C");
}

static void nesting_and_commas(void)
{
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_json_array(&j, "empty");
    firn_json_end_array(&j);
    firn_json_object(&j, "none");
    firn_json_end_object(&j);
    firn_json_array(&j, "runs");
    for (int i = 0; i < 2; i++) {
        firn_json_object(&j, NULL);
        firn_json_int(&j, "i", i ? INT64_MIN : INT64_MAX);
        firn_json_bool(&j, "odd", i == 1);
        firn_json_array(&j, "list");
        firn_json_array(&j, NULL);
        firn_json_end_array(&j);
        firn_json_array(&j, NULL);
        firn_json_end_array(&j);
        firn_json_end_array(&j);
        firn_json_end_object(&j);
    }
    firn_json_end_array(&j);
    firn_json_string(&j, "k\"ey", NULL);
    firn_json_end_object(&j);
    CHECK_STR(j.text, "{\"empty\":[],\"none\":{},\"runs\":["
                      "{\"i\":9223372036854775807,\"odd\":false,\"list\":[[],[]]},"
                      "{\"i\":-9223372036854775808,\"odd\":true,\"list\":[[],[]]}],"
                      "\"k\\\"ey\":null}");
    CHECK_INT(j.size, strlen(j.text));
    free(j.text);
}

static void long_texts_grow(void)
{
    struct firn_json j = {0};
    char *big = malloc(100001);
    memset(big, 'x', 100000);
    big[100000] = '\0';
    firn_json_array(&j, NULL);
    for (int i = 0; i < 1000; i++)
        firn_json_int(&j, NULL, 7);
    firn_json_string(&j, NULL, big);
    firn_json_end_array(&j);
    CHECK(!j.failed && j.room > j.size);
    CHECK_INT(j.size, 1 + 2 * 1000 + 100002 + 1);
    CHECK_INT(strlen(j.text), j.size);
    free(j.text);
    free(big);
}

int main(void)
{
    strings_are_escaped();
    bytes_that_are_not_utf8();
    numbers();
    numbers_read_back();
    numbers_in_another_locale();
    nesting_and_commas();
    long_texts_grow();
    CHECK_DONE();
}

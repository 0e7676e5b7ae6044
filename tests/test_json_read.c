/* SPDX-License-Identifier: MIT */
#include "base/json_read.h"
#include "check.h"

/** The tokens of `text` as letters: O o A a K S N t f 0, then E (end) or ! (error). */
static const char *shape(const char *text)
{
    static const char letters[] = "!EOoAaKSNtf0";
    static char out[4096];
    static char bytes[4096];
    struct firn_json_reader r;
    size_t n = 0;
    enum firn_json_token token;
    strcpy(bytes, text);
    firn_json_begin(&r, bytes, strlen(text));
    do {
        token = firn_json_next(&r);
        out[n++] = letters[token];
    } while (token != FIRN_JSON_ERROR && token != FIRN_JSON_END);
    CHECK_INT(firn_json_next(&r), token);
    out[n] = 0;
    return out;
}

static void test_tokens(void)
{
    CHECK_STR(shape("{}"), "OoE");
    CHECK_STR(shape(" [ ] \n"), "AaE");
    CHECK_STR(shape("7"), "NE");
    CHECK_STR(shape("{\"a\":[1,-0.5e+3,\"x\",true,false,null],\"b\":{\"c\":{}}}"),
              "OKANNStf0aKOKOoooE");
    CHECK_STR(shape("[[],[[]],{}]"), "AAaAAaaOoaE");
}

static void test_malformed(void)
{
    static const char *const bad[] = {
        "", " ", "{", "[", "}", "]", "[}", "{]", "{,}", "[,]", "[1,]", "{\"a\"}", "{\"a\":}",
        "{\"a\":1,}", "{a:1}", "{1:1}", "[1 2]", "[1,,2]", "1 2", "[]]", "tru", "nul", "True", "+1",
        "01", "-", "1.", ".5", "1e", "1e+", "0x1", "NaN", "Infinity", "\"a", "\"\\\"", "\"\\x\"",
        "\"\\u12g4\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\t\"", "\"\x80\"",
        "\"\xc0\x80\"", "\"\xe0\x80\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xc3\"",
        "'a'", "[1]//", "/**/1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *got = shape(bad[i]);
        CHECK(got[strlen(got) - 1] == '!', "%s gave %s", bad[i], got);
    }
    char deep[200] = "";
    memset(deep, '[', FIRN_JSON_DEPTH);
    memset(deep + FIRN_JSON_DEPTH, ']', FIRN_JSON_DEPTH);
    CHECK(strchr(shape(deep), 'E'), " ");
    memset(deep, '[', FIRN_JSON_DEPTH + 1);
    CHECK(strchr(shape(deep), '!'), " ");
}

static void test_strings(void)
{
    char bytes[] = "[\"a\\n\\\"\\\\\\/\\u00e9\\u20ac\\ud83d\\ude00\\u0000z\", \"\xc3\xa9\", \"\"]";
    struct firn_json_reader r;
    firn_json_begin(&r, bytes, strlen(bytes));
    CHECK_INT(firn_json_next(&r), FIRN_JSON_ARRAY);
    CHECK_INT(firn_json_next(&r), FIRN_JSON_STRING);
    static const char expected[] = "a\n\"\\/\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\0z";
    CHECK_INT(r.size, sizeof expected - 1);
    CHECK(memcmp(r.text, expected, sizeof expected) == 0, " ");
    CHECK_INT(firn_json_next(&r), FIRN_JSON_STRING);
    CHECK_STR(r.text, "\xc3\xa9");
    CHECK_INT(firn_json_next(&r), FIRN_JSON_STRING);
    CHECK_INT(r.size, 0);
}

static void test_numbers(void)
{
    static const struct {
        const char *text;
        bool whole;
        uint64_t value;
    } cases[] = {
        {"0", true, 0}, {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0}, {"99999999999999999999", false, 0},
        {"-1", false, 0}, {"1.0", false, 0}, {"1e2", false, 0}, {"42", true, 42},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char bytes[32];
        struct firn_json_reader r;
        uint64_t value;
        strcpy(bytes, cases[i].text);
        firn_json_begin(&r, bytes, strlen(bytes));
        CHECK_INT(firn_json_next(&r), FIRN_JSON_NUMBER);
        CHECK_INT(firn_json_uint(&r, &value), cases[i].whole);
        CHECK(!cases[i].whole || value == cases[i].value, "%s", cases[i].text);
    }
}

static void test_skip(void)
{
    char bytes[] = "{\"a\": {\"b\": [1, {}, []]}, \"c\": 5}";
    struct firn_json_reader r;
    firn_json_begin(&r, bytes, strlen(bytes));
    CHECK_INT(firn_json_next(&r), FIRN_JSON_OBJECT);
    CHECK_INT(firn_json_next(&r), FIRN_JSON_KEY);
    CHECK(firn_json_skip(&r, firn_json_next(&r)), " ");
    CHECK_INT(firn_json_next(&r), FIRN_JSON_KEY);
    CHECK_STR(r.text, "c");
    CHECK(firn_json_skip(&r, firn_json_next(&r)), " ");
    CHECK_INT(firn_json_next(&r), FIRN_JSON_END_OBJECT);
    CHECK_INT(firn_json_next(&r), FIRN_JSON_END);
}

int main(void)
{
    test_tokens();
    test_malformed();
    test_strings();
    test_numbers();
    test_skip();
    CHECK_DONE();
}

/* SPDX-License-Identifier: MIT */
#include "cache/fingerprint.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *const firn_part_names[FIRN_PARTS] = {"trunk", "batchnorm", "preprocess", "numeric"};

/* A growing line that stops growing at the end of its room. */
struct text {
    char *at;
    size_t left;
};

static void say(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct text *t, const char *fmt, ...)
{
    va_list ap;
    if (t->left == 0)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(t->at, t->left, fmt, ap);
    va_end(ap);
    size_t used = n < 0 ? 0 : (size_t)n < t->left ? (size_t)n : t->left - 1;
    t->at += used;
    t->left -= used;
}

/* A word "key=value": length of the word and of its key. */
struct word {
    const char *at;
    int size, key;
};

static bool next_word(const char **at, struct word *w)
{
    *at += strspn(*at, " ");
    w->at = *at;
    w->size = (int)strcspn(*at, " ");
    const char *equals = memchr(w->at, '=', (size_t)w->size);
    w->key = equals ? (int)(equals - w->at) : w->size;
    *at += w->size;
    return w->size > 0;
}

static bool find_key(const char *part, const struct word *like, struct word *found)
{
    while (next_word(&part, found))
        if (found->key == like->key && memcmp(found->at, like->at, (size_t)like->key) == 0)
            return true;
    return false;
}

static void say_value(struct text *t, const struct word *w)
{
    if (w->key < w->size)
        say(t, "%.*s", w->size - w->key - 1, w->at + w->key + 1);
    else
        say(t, "set");
}

struct sides {
    const char *in_a, *in_b, *between;
};

/* Words of a that b has not or otherwise; with only_missing, just those that b has not. */
static int compare(struct text *t, const char *name, const char *a, const char *b,
                   const struct sides *sides, bool only_missing, int found)
{
    struct word w, other;
    while (next_word(&a, &w)) {
        bool there = find_key(b, &w, &other);
        if (there && (only_missing ||
                      (w.size == other.size && memcmp(w.at, other.at, (size_t)w.size) == 0)))
            continue;
        say(t, "%s%s: %.*s is ", found > 0 ? sides->between : "", name, w.key, w.at);
        say_value(t, &w);
        say(t, " %s and ", sides->in_a);
        if (there)
            say_value(t, &other);
        else
            say(t, "missing");
        say(t, " %s", sides->in_b);
        found++;
    }
    return found;
}

int firn_fingerprint_words(const struct firn_fingerprint *a, const struct firn_fingerprint *b,
                           const char *in_a, const char *in_b, const char *between, char *text,
                           size_t size)
{
    struct text t = {text, size};
    struct sides forth = {in_a, in_b, between}, back = {in_b, in_a, between};
    int found = 0;
    if (size > 0)
        text[0] = 0;
    for (int i = 0; i < FIRN_PARTS; i++) {
        const char *x = a->part[i], *y = b->part[i];
        int before = found;
        found = compare(&t, firn_part_names[i], x, y, &forth, false, found);
        found = compare(&t, firn_part_names[i], y, x, &back, true, found);
        if (found == before && strcmp(x, y) != 0) {
            say(&t, "%s%s: the same words stand in another order", found ? between : "",
                firn_part_names[i]);
            found++;
        }
    }
    return found;
}

int firn_fingerprint_diff(const struct firn_fingerprint *a, const struct firn_fingerprint *b,
                          char *text, size_t size)
{
    int found = firn_fingerprint_words(a, b, "in A", "in B", "\n", text, size);
    size_t n = size > 0 ? strlen(text) : 0;
    if (found > 0 && n + 1 < size)
        strcpy(text + n, "\n");
    return found;
}

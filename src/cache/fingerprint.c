/* SPDX-License-Identifier: MIT */
#include "cache/fingerprint.h"

#include <limits.h>
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

bool firn_fingerprint_value(const struct firn_fingerprint *fp, enum firn_part part,
                            const char *key, char *value, size_t size)
{
    struct word like = {.at = key, .key = (int)strlen(key)}, found;
    if (!find_key(fp->part[part], &like, &found) || found.key == found.size)
        return false;
    snprintf(value, size, "%.*s", found.size - found.key - 1, found.at + found.key + 1);
    return true;
}

/* How differences are told: names of the two sides, what stands between two differences. */
struct manner {
    const char *in_a, *in_b, *between;
    int most;   /* more than these are only counted */
    bool brief; /* hashes are cut short */
};

static void say_value(struct text *t, const struct word *w, bool brief)
{
    enum { HASH = 40, SHORT = 12 }; /* as many digits as git's hashes have, and as it shows */
    int size = w->size - w->key - 1;
    const char *value = w->at + w->key + 1;
    if (size < 0)
        say(t, "set");
    else if (brief && size >= HASH && strspn(value, "0123456789abcdef") >= (size_t)size)
        say(t, "%.*s...", SHORT, value);
    else
        say(t, "%.*s", size, value);
}

/* Words of a that b has not or otherwise; with only_missing, just those that b has not. */
static int compare(struct text *t, const char *name, const char *a, const char *b,
                   const struct manner *m, bool only_missing, int found)
{
    struct word w, other;
    while (next_word(&a, &w)) {
        bool there = find_key(b, &w, &other);
        if (there && (only_missing ||
                      (w.size == other.size && memcmp(w.at, other.at, (size_t)w.size) == 0)))
            continue;
        if (found++ >= m->most)
            continue;
        say(t, "%s%s: %.*s is ", found > 1 ? m->between : "", name, w.key, w.at);
        say_value(t, &w, m->brief);
        say(t, " %s and ", m->in_a);
        if (there)
            say_value(t, &other, m->brief);
        else
            say(t, "missing");
        say(t, " %s", m->in_b);
    }
    return found;
}

static int compare_all(struct text *t, const struct firn_fingerprint *a,
                       const struct firn_fingerprint *b, const struct manner *forth)
{
    struct manner back = *forth;
    int found = 0;
    if (t->left > 0)
        *t->at = 0;
    back.in_a = forth->in_b;
    back.in_b = forth->in_a;
    for (int i = 0; i < FIRN_PARTS; i++) {
        const char *x = a->part[i], *y = b->part[i];
        int before = found;
        found = compare(t, firn_part_names[i], x, y, forth, false, found);
        found = compare(t, firn_part_names[i], y, x, &back, true, found);
        if (found == before && strcmp(x, y) != 0 && found++ < forth->most)
            say(t, "%s%s: the same words stand in another order", found > 1 ? forth->between : "",
                firn_part_names[i]);
    }
    return found;
}

int firn_fingerprint_brief(const struct firn_fingerprint *a, const struct firn_fingerprint *b,
                           const char *in_a, const char *in_b, char *text, size_t size)
{
    struct text t = {text, size};
    struct manner m = {in_a, in_b, "; ", 3, true};
    int found = compare_all(&t, a, b, &m);
    if (found > m.most)
        say(&t, "; and %d more", found - m.most);
    return found;
}

int firn_fingerprint_diff(const struct firn_fingerprint *a, const struct firn_fingerprint *b,
                          char *text, size_t size)
{
    struct text t = {text, size};
    struct manner m = {"in A", "in B", "\n", INT_MAX, false};
    int found = compare_all(&t, a, b, &m);
    if (found > 0)
        say(&t, "\n");
    return found;
}

/* ---- options ---- */

#define VALUE 128

/* Where the part lacks the key, the value is "". */
static bool differs(const struct firn_fingerprint *want, const struct firn_fingerprint *other,
                    enum firn_part part, const char *key, char value[VALUE])
{
    char theirs[VALUE] = "";
    value[0] = '\0';
    firn_fingerprint_value(want, part, key, value, VALUE);
    firn_fingerprint_value(other, part, key, theirs, VALUE);
    return strcmp(value, theirs) != 0;
}

static int model_option(struct text *t, const struct firn_fingerprint *want,
                        const struct firn_fingerprint *other)
{
    char family[VALUE], tensors[VALUE], seed[VALUE];
    int n = differs(want, other, FIRN_PART_TRUNK, "family", family) +
            differs(want, other, FIRN_PART_TRUNK, "tensors", tensors) +
            differs(want, other, FIRN_PART_TRUNK, "untrained", seed);
    if (n == 0)
        return 0;
    if (!seed[0])
        say(t, " -m MODEL");
    else
        say(t, " -m untrained:%s%s%s", family, strcmp(seed, "0") ? ":" : "",
            strcmp(seed, "0") ? seed : "");
    return 1;
}

/* The statistics of a checkpoint are another matter: they come with -m. */
static int statistics_option(struct text *t, const struct firn_fingerprint *want,
                             const struct firn_fingerprint *other)
{
    char mode[VALUE], stats[VALUE], batch[VALUE], seed[VALUE];
    bool other_mode = differs(want, other, FIRN_PART_BATCHNORM, "mode", mode);
    bool other_stats = differs(want, other, FIRN_PART_BATCHNORM, "stats", stats);
    int other_batch = differs(want, other, FIRN_PART_BATCHNORM, "batch", batch) +
                      differs(want, other, FIRN_PART_BATCHNORM, "seed", seed);
    if (strcmp(mode, "batch") == 0 && (other_mode || other_batch))
        say(t, " --bn batch:%s%s%s", batch, strcmp(seed, "0") ? ":" : "",
            strcmp(seed, "0") ? seed : "");
    else if (strcmp(mode, "estimated") == 0 && (other_mode || other_stats))
        say(t, " --bn STATS");
    else if (strcmp(mode, "frozen") == 0 && other_mode)
        say(t, " --bn frozen");
    else
        return 0;
    return 1;
}

int firn_fingerprint_options(const struct firn_fingerprint *want,
                             const struct firn_fingerprint *other, char *text, size_t size)
{
    static const struct {
        enum firn_part part;
        const char *key; /* and the name of the option */
    } plain[] = {
        {FIRN_PART_PREPROCESS, "resize"}, {FIRN_PART_PREPROCESS, "crop"},
        {FIRN_PART_PREPROCESS, "exif"},   {FIRN_PART_PREPROCESS, "decode"},
        {FIRN_PART_PREPROCESS, "views"},  {FIRN_PART_NUMERIC, "store"},
    };
    struct text t = {text, size};
    char value[VALUE];
    if (size > 0)
        text[0] = '\0';
    int n = model_option(&t, want, other) + statistics_option(&t, want, other);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (differs(want, other, plain[i].part, plain[i].key, value) && value[0]) {
            say(&t, " --%s %.*s", plain[i].key, (int)strcspn(value, "/"), value);
            n++;
        }
    /* What no option changes, and a cache outlives. */
    if (differs(want, other, FIRN_PART_NUMERIC, "trunk", value))
        say(&t, "%s another version of firn", n++ ? " and" : "");
    if (n > 0)
        memmove(text, text + 1, strlen(text)); /* the first blank */
    return n;
}

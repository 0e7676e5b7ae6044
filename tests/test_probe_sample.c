/* SPDX-License-Identifier: MIT */
/** Who is held out and who is in which fold: stable, and copies together. */
#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"
#include "check.h"
#include "probe/fit.h"
#include "probe/minimise.h"
#include "probe/sample.h"

enum { DIM = 60 };

/* `distinct` contents, `copies` of each, with classes and features that have nothing in common. */
static struct firn_sample make_sample(unsigned distinct, unsigned copies, int classes)
{
    size_t n = (size_t)distinct * copies;
    uint64_t seed = 1;
    struct firn_sample s = {.n = n, .dim = DIM};
    s.index = calloc(n, sizeof *s.index);
    s.truth = calloc(n, sizeof *s.truth);
    s.y = calloc(n, sizeof *s.y);
    s.content = calloc(n, sizeof *s.content);
    s.x = firn_alloc(n * DIM, sizeof *s.x);
    for (unsigned i = 0; i < distinct; i++) {
        float x[DIM];
        int y = (int)(firn_random(&seed) % (uint64_t)classes);
        for (int d = 0; d < DIM; d++)
            x[d] = (float)firn_random_unit(&seed) - 0.5f;
        for (unsigned c = 0; c < copies; c++) {
            size_t at = c * (size_t)distinct + i;
            s.index[at] = at;
            s.truth[at] = s.y[at] = y;
            firn_hash(&i, sizeof i, s.content[at]);
            memcpy(s.x + at * DIM, x, sizeof x);
        }
    }
    return s;
}

static bool has(const struct firn_sample *s, unsigned content)
{
    uint8_t hash[32];
    firn_hash(&content, sizeof content, hash);
    for (size_t i = 0; i < s->n; i++)
        if (memcmp(s->content[i], hash, sizeof hash) == 0)
            return true;
    return false;
}

static void the_split_is_stable_and_keeps_copies_together(void)
{
    struct firn_sample few = make_sample(500, 1, 3), many = make_sample(2000, 2, 3), held[2];
    size_t shared;
    CHECK_INT(firn_sample_split(&few, &held[0], 20, NULL), 0);
    CHECK_INT(firn_sample_split(&many, &held[1], 20, NULL), 0);
    CHECK(few.n + held[0].n == 500 && many.n + held[1].n == 4000);
    CHECK(held[0].n > 60 && held[0].n < 140, "%zu of 500", held[0].n);
    CHECK(held[1].n > 600 && held[1].n < 1000, "%zu of 4000", held[1].n);
    for (unsigned i = 0; i < 500; i++)
        CHECK(has(&held[0], i) == has(&held[1], i) && has(&few, i) == !has(&held[0], i));
    CHECK_INT(firn_sample_shared(&held[1], &many, &shared, NULL), 0);
    CHECK_INT(shared, 0);
    CHECK_INT(firn_sample_shared(&held[0], &held[1], &shared, NULL), 0);
    CHECK_INT(shared, held[0].n);
    for (size_t i = 0; i < held[1].n; i++)
        CHECK(held[1].index[i] < 4000 && held[1].truth[i] < 3);
    firn_sample_fini(&few);
    firn_sample_fini(&many);
    firn_sample_fini(&held[0]);
    firn_sample_fini(&held[1]);
}

/* Where a copy of what is held out is learnt, even labels without reason would be known. */
static void copies_are_in_one_fold(void)
{
    struct firn_sample s = make_sample(90, 4, 3);
    struct firn_team *team = NULL;
    struct firn_probe probe = {0};
    CHECK_INT(firn_team_create(&team, 2, NULL), 0);
    CHECK_INT(firn_choose_c(&probe, &s, 3, 5, team, NULL, NULL), 0);
    CHECK(probe.trials > 2 && probe.folds == 5 && probe.cv_photographs == 360);
    for (int i = 0; i < probe.trials; i++)
        CHECK(probe.trial[i].accuracy < 0.6, "C = %g: %g", probe.trial[i].c,
              probe.trial[i].accuracy);
    firn_team_destroy(team);
    firn_sample_fini(&s);
}

static void one_photograph_of_each_class_validates_nothing(void)
{
    struct firn_sample s = make_sample(3, 1, 1);
    struct firn_team *team = NULL;
    struct firn_probe probe = {0};
    for (int i = 0; i < 3; i++)
        s.y[i] = i;
    CHECK_INT(firn_team_create(&team, 1, NULL), 0);
    CHECK_INT(firn_choose_c(&probe, &s, 3, 5, team, NULL, NULL), 0);
    CHECK(probe.trials == 0 && probe.c == 1);
    firn_team_destroy(team);
    firn_sample_fini(&s);
}

int main(void)
{
    the_split_is_stable_and_keeps_copies_together();
    if (firn_can_minimise) {
        copies_are_in_one_fold();
        one_photograph_of_each_class_validates_nothing();
    }
    CHECK_DONE();
}

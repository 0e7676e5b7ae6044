/* SPDX-License-Identifier: MIT */
#include "probe/score.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"

#define Z95 1.959963984540054 /* of the normal distribution, two-sided 95% */
#define NOTICEABLE 0.01       /* changes up to one percent are nobody's trouble */

struct firn_proportion firn_proportion(size_t right, size_t n)
{
    if (n == 0)
        return (struct firn_proportion){right, n, NAN, NAN, NAN};
    /* Wilson 1927: the p for which |right / n - p| is Z95 deviations of a binomial of p. */
    double m = (double)n, p = (double)right / m, zz = Z95 * Z95;
    double centre = (p + zz / (2 * m)) / (1 + zz / m);
    double half = Z95 / (1 + zz / m) * sqrt(p * (1 - p) / m + zz / (4 * m * m));
    return (struct firn_proportion){right, n, p, right == 0 ? 0 : centre - half,
                                    right == n ? 1 : centre + half};
}

static int compare_cells(const void *a, const void *b)
{
    const struct firn_probe_cell *x = a, *y = b;
    if (x->truth != y->truth)
        return x->truth < y->truth ? -1 : 1;
    return (x->said > y->said) - (x->said < y->said);
}

/* Pairs of every photograph, sorted; then equal ones become one. */
static int count_cells(struct firn_probe *probe, const struct firn_sample *val, const int *said,
                       struct firn_error *err)
{
    probe->cell = malloc((val->n + 1) * sizeof *probe->cell);
    if (!probe->cell)
        return firn_fail_nomem(err, "a confusion matrix");
    for (size_t i = 0; i < val->n; i++)
        probe->cell[i] = (struct firn_probe_cell){val->truth[i], said[i], 1};
    qsort(probe->cell, val->n, sizeof *probe->cell, compare_cells);
    for (size_t i = 0; i < val->n; i++) {
        struct firn_probe_cell *last = probe->cell + probe->cells - 1;
        if (probe->cells > 0 && compare_cells(last, probe->cell + i) == 0)
            last->n++;
        else
            probe->cell[probe->cells++] = probe->cell[i];
    }
    return 0;
}

int firn_score(struct firn_probe *probe, const struct firn_sample *train,
               const struct firn_sample *val, const int *said, struct firn_error *err)
{
    struct firn_probe_class *class = probe->per_class;
    size_t right = 0, common = 0;
    for (size_t i = 0; i < train->n; i++)
        class[train->truth[i]].train++;
    for (size_t i = 0; i < val->n; i++) {
        class[val->truth[i]].val.n++;
        class[val->truth[i]].val.right += said[i] == val->truth[i];
        right += said[i] == val->truth[i];
        probe->foreign += class[val->truth[i]].train == 0;
    }
    for (size_t k = 1; k < probe->classes; k++)
        common = class[k].train > class[common].train ? k : common;
    probe->majority = (double)class[common].val.n / (double)val->n;
    for (size_t k = 0; k < probe->classes; k++)
        class[k].val = firn_proportion(class[k].val.right, class[k].val.n);
    probe->accuracy = firn_proportion(right, val->n);
    return count_cells(probe, val, said, err);
}

static double largest_change(const struct firn_probe *probe, int first, int end)
{
    double most = NAN;
    for (int i = first; i < end; i++) {
        double change = fabs(probe->epoch[i].val_accuracy - probe->epoch[i - 1].val_accuracy);
        most = most >= change ? most : change;
    }
    return most;
}

void firn_score_epochs(struct firn_probe *probe, int step)
{
    struct firn_probe_steadiness *s = &probe->steadiness;
    int cut = step < probe->epochs ? step : probe->epochs;
    double half = (probe->accuracy.high - probe->accuracy.low) / 2;
    double limit = half > NOTICEABLE ? half : NOTICEABLE;
    /* The step from the first epoch to the second is learning. */
    s->early = largest_change(probe, 2, cut);
    s->late = largest_change(probe, cut > 2 ? cut : 2, probe->epochs);
    s->bounces = s->early > limit || s->late > limit;
}

/* SPDX-License-Identifier: MIT */
#include "probe/sgd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/random.h"
#include "probe/softmax.h"

struct training {
    const struct firn_sgd *how;
    const struct firn_rows *rows;
    int dim, classes;
    float *w, *v, *bias, *bias_v; /* [classes][dim] and [classes]: values and their momentum */
    float *z[2];                  /* [batch][classes]: scores of this batch and of the next */
    const float **x[2];           /* [batch]: their rows */
    size_t *order;                /* [n]: of this epoch */
    firn_sgd_step_fn *step;
    double loss; /* of this epoch, as training went */
    size_t right;
};

static bool allocate(struct training *t)
{
    size_t k = (size_t)t->classes, batch = (size_t)t->how->batch;
    t->w = firn_alloc(k * (size_t)t->dim, sizeof *t->w);
    t->v = firn_alloc(k * (size_t)t->dim, sizeof *t->v);
    t->bias = calloc(k, sizeof *t->bias);
    t->bias_v = calloc(k, sizeof *t->bias_v);
    t->order = calloc(t->rows->n + 1, sizeof *t->order);
    for (int i = 0; i < 2; i++) {
        t->z[i] = calloc(batch * k, sizeof *t->z[i]);
        t->x[i] = calloc(batch, sizeof *t->x[i]);
    }
    return t->w && t->v && t->bias && t->bias_v && t->order && t->z[0] && t->z[1] && t->x[0] &&
           t->x[1];
}

static void release(struct training *t)
{
    firn_free(t->w);
    firn_free(t->v);
    free(t->bias);
    free(t->bias_v);
    free(t->order);
    for (int i = 0; i < 2; i++) {
        free(t->z[i]);
        free(t->x[i]);
    }
}

/* nn.Linear: weights and biases uniform in +- 1 / sqrt(dim). */
static void initialise(struct training *t, uint64_t *random)
{
    double bound = 1 / sqrt((double)t->dim);
    for (size_t i = 0; i < (size_t)t->classes * (size_t)t->dim; i++)
        t->w[i] = (float)((2 * firn_random_unit(random) - 1) * bound);
    for (int i = 0; i < t->classes; i++)
        t->bias[i] = (float)((2 * firn_random_unit(random) - 1) * bound);
    for (size_t i = 0; i < t->rows->n; i++)
        t->order[i] = i;
}

static void shuffle(struct training *t, uint64_t *random)
{
    for (size_t i = t->rows->n; i > 1; i--) {
        size_t j = (size_t)firn_random_below(random, i), keep = t->order[i - 1];
        t->order[i - 1] = t->order[j];
        t->order[j] = keep;
    }
}

/* The rows of the batch that begins at `first`; how many there are. */
static int pick(const struct training *t, size_t first, const float **x)
{
    size_t n = first < t->rows->n ? t->rows->n - first : 0;
    n = n < (size_t)t->how->batch ? n : (size_t)t->how->batch;
    for (size_t i = 0; i < n; i++)
        x[i] = t->rows->x + t->order[first + i] * (size_t)t->dim;
    return (int)n;
}

/* From the scores of a batch to the derivatives of its mean loss, and the step of the biases. */
static void blame(struct training *t, size_t first, int n, float *z, float rate)
{
    int k = t->classes;
    for (int b = 0; b < n; b++, z += k) {
        int y = t->rows->y[t->order[first + (size_t)b]], best = 0;
        for (int i = 0; i < k; i++) {
            z[i] += t->bias[i];
            best = z[i] > z[best] ? i : best;
        }
        double truth = z[y];
        t->loss += firn_softmax(z, k) - truth;
        t->right += best == y;
        z[y] -= 1;
        for (int i = 0; i < k; i++)
            z[i] /= (float)n;
    }
    z -= n * k;
    for (int i = 0; i < k; i++) {
        float g = 0;
        for (int b = 0; b < n; b++)
            g += z[b * k + i];
        t->bias_v[i] = (float)t->how->momentum * t->bias_v[i] + g;
        t->bias[i] -= rate * t->bias_v[i];
    }
}

/* Each pass over the weights makes the step of one batch and the scores of the next. */
static void train_epoch(struct training *t, float rate)
{
    struct firn_sgd_step s = {.w = t->w, .v = t->v, .dim = t->dim, .classes = t->classes,
                              .rate = rate, .momentum = (float)t->how->momentum};
    int turn = 0;
    s.next = t->x[turn];
    s.z = t->z[turn];
    s.n_next = pick(t, 0, t->x[turn]);
    t->step(&s);
    t->loss = 0;
    t->right = 0;
    for (size_t first = 0; first < t->rows->n && !(t->how->stop && *t->how->stop);) {
        s.x = s.next;
        s.n = s.n_next;
        blame(t, first, s.n, s.z, rate);
        s.r = s.z;
        first += (size_t)s.n;
        turn = !turn;
        s.next = t->x[turn];
        s.z = t->z[turn];
        s.n_next = pick(t, first, t->x[turn]);
        t->step(&s);
    }
}

static int run(struct training *t, const struct firn_rows *val, struct firn_team *team,
               struct firn_probe_epoch *epoch, struct firn_error *err)
{
    const struct firn_head head = {t->w, t->bias, t->dim, t->classes};
    uint64_t random = t->how->seed;
    double rate = t->how->rate;
    initialise(t, &random);
    for (int i = 0; i < t->how->epochs; i++) {
        struct firn_verdict v;
        if (i > 0 && i % t->how->step == 0)
            rate *= t->how->gamma;
        shuffle(t, &random);
        train_epoch(t, (float)rate);
        if (t->how->stop && *t->how->stop)
            return firn_fail(err, FIRN_INTERRUPTED, "stopped");
        int status = firn_head_apply(&head, val, team, NULL, &v, err);
        if (status)
            return status;
        epoch[i] = (struct firn_probe_epoch){
            .rate = rate,
            .train_loss = t->loss / (double)t->rows->n,
            .train_accuracy = (double)t->right / (double)t->rows->n,
            .val_loss = v.known ? v.loss / (double)v.known : NAN,
            .val_accuracy = (double)v.right / (double)val->n,
        };
    }
    return 0;
}

int firn_sgd_train(const struct firn_sgd *how, const struct firn_rows *train,
                   const struct firn_rows *val, int dim, int classes, struct firn_team *team,
                   struct firn_probe_epoch *epoch, struct firn_error *err)
{
    struct training t = {.how = how, .rows = train, .dim = dim, .classes = classes,
                         .step = firn_sgd_choose(firn_cpu_best())};
    int status = allocate(&t) ? run(&t, val, team, epoch, err)
                              : firn_fail_nomem(err, "a head");
    release(&t);
    return status;
}

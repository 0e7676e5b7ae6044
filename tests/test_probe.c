/* SPDX-License-Identifier: MIT */
/** The arithmetic of the probe: gradient, minimum, scaling, SGD, intervals. */
#include <math.h>

#include "base/cpu.h"
#include "base/random.h"
#include "check.h"
#include "probe/fit.h"
#include "probe/logistic.h"
#include "probe/minimise.h"
#include "probe/scale.h"
#include "probe/score.h"
#include "probe/sgd.h"

static struct firn_team *team_of(int threads)
{
    struct firn_team *team = NULL;
    CHECK_INT(firn_team_create(&team, threads, NULL), 0);
    return team;
}

/* Rows around a centre per class. The caller frees x and y. */
static struct firn_rows make_rows(size_t n, int dim, int classes, uint64_t seed)
{
    float *x = calloc(n * (size_t)dim, sizeof *x);
    int *y = calloc(n, sizeof *y);
    for (size_t i = 0; i < n; i++) {
        y[i] = (int)(firn_random(&seed) % (uint64_t)classes);
        for (int d = 0; d < dim; d++)
            x[i * (size_t)dim + (size_t)d] =
                (float)(firn_random_unit(&seed) - 0.5) + (d % classes == y[i] ? 0.3f : 0);
    }
    return (struct firn_rows){x, y, n};
}

static void free_rows(struct firn_rows *rows)
{
    free((float *)rows->x);
    free((int *)rows->y);
}

static struct firn_logistic *problem_of(const struct firn_rows *run, int runs, int dim, int classes,
                                        struct firn_team *team)
{
    struct firn_logistic *p = NULL;
    CHECK_INT(firn_logistic_create(&p, run, runs, dim, classes, team, NULL), 0);
    return p;
}

/* Central differences: products are float32, so that steps must not be small. */
static void gradient_is_that_of_the_loss(void)
{
    enum { DIM = 7, K = 5, P = K * (DIM + 1) };
    struct firn_rows all = make_rows(300, DIM, K, 1);
    const struct firn_rows run[2] = {{all.x, all.y, 120}, {all.x + 150 * DIM, all.y + 150, 150}};
    struct firn_team *team = team_of(2);
    struct firn_logistic *p = problem_of(run, 2, DIM, K, team);
    double w[P], g[P], none[P];
    uint64_t seed = 2;
    for (int i = 0; i < P; i++)
        w[i] = 2 * firn_random_unit(&seed) - 1;
    firn_logistic_set_c(p, 0.02);
    firn_logistic_evaluate(p, w, g);
    for (int i = 0; i < P; i++) {
        double keep = w[i], h = 1e-2;
        w[i] = keep + h;
        double above = firn_logistic_evaluate(p, w, none);
        w[i] = keep - h;
        double below = firn_logistic_evaluate(p, w, none);
        w[i] = keep;
        CHECK(fabs((above - below) / (2 * h) - g[i]) < 1e-4, "parameter %d: %g, expected %g", i,
              g[i], (above - below) / (2 * h));
    }
    firn_logistic_destroy(p);
    firn_team_destroy(team);
    free_rows(&all);
}

static void bits_do_not_depend_on_threads(void)
{
    enum { DIM = 33, K = 7, P = K * (DIM + 1), N = 6000 };
    struct firn_rows rows = make_rows(N, DIM, K, 3);
    double w[P], g[2][P], loss[2];
    static int said[2][N];
    struct firn_verdict v[2];
    float head[P];
    uint64_t seed = 4;
    for (int i = 0; i < P; i++)
        head[i] = (float)(w[i] = firn_random_unit(&seed) - 0.5);
    for (int i = 0; i < 2; i++) {
        struct firn_team *team = team_of(i ? 4 : 1);
        struct firn_logistic *p = problem_of(&rows, 1, DIM, K, team);
        const struct firn_head layer = {head, head + K * DIM, DIM, K};
        loss[i] = firn_logistic_evaluate(p, w, g[i]);
        CHECK_INT(firn_head_apply(&layer, &rows, team, said[i], &v[i], NULL), 0);
        firn_logistic_destroy(p);
        firn_team_destroy(team);
    }
    CHECK(loss[0] == loss[1] && memcmp(g[0], g[1], sizeof g[0]) == 0);
    CHECK(v[0].loss == v[1].loss && v[0].right == v[1].right && v[0].known == N);
    CHECK(memcmp(said[0], said[1], sizeof said[0]) == 0);
    /* Without a penalty both say the same: the loss is a mean, the verdict a sum. */
    CHECK(fabs(v[0].loss / N - loss[0]) < 0.05);
    free_rows(&rows);
}

/* x = 1 and x = -1 of one class each: by symmetry w0 = -w1 = w and b = 0, where
 * d/dw [log(1 + exp(-2 w)) + w^2 / (2 C)] = 0 for the mean over both rows. */
static void a_small_problem_has_its_known_minimum(void)
{
    const float x[2] = {1, -1};
    const int y[2] = {0, 1};
    const struct firn_rows rows = {x, y, 2};
    const double c = 0.7;
    struct firn_team *team = team_of(1);
    struct firn_logistic *p = problem_of(&rows, 1, 1, 2, team);
    struct firn_fit fit;
    double low = 0, high = 10;
    for (int i = 0; i < 100; i++) {
        double w = (low + high) / 2;
        if (-2 / (1 + exp(2 * w)) + w / c > 0)
            high = w;
        else
            low = w;
    }
    CHECK_INT(firn_fit_init(&fit, 1, 2, NULL), 0);
    CHECK_INT(firn_fit_run(&fit, p, c, false, NULL, NULL), 0);
    CHECK(fabs(fit.w[0] - low) < 1e-4 && fabs(fit.w[1] + low) < 1e-4, "%g %g, expected %g",
          fit.w[0], fit.w[1], low);
    CHECK(fabs(fit.w[2]) < 1e-4 && fabs(fit.w[3]) < 1e-4, "biases %g %g", fit.w[2], fit.w[3]);
    CHECK(fit.converged && fit.head[0] == (float)fit.w[0]);
    firn_fit_fini(&fit);
    firn_logistic_destroy(p);
    firn_team_destroy(team);
}

static void fitting_can_be_stopped(void)
{
    struct firn_rows rows = make_rows(500, 9, 3, 5);
    const volatile int stop = 1;
    struct firn_team *team = team_of(1);
    struct firn_logistic *p = problem_of(&rows, 1, 9, 3, team);
    struct firn_fit fit;
    CHECK_INT(firn_fit_init(&fit, 9, 3, NULL), 0);
    CHECK_INT(firn_fit_run(&fit, p, 1, false, &stop, NULL), -FIRN_INTERRUPTED);
    firn_fit_fini(&fit);
    firn_logistic_destroy(p);
    firn_team_destroy(team);
    free_rows(&rows);
}

static void scaling_centres_and_divides(void)
{
    float x[4][3] = {{1, 5, 0}, {3, 5, 10}, {1, 5, 20}, {3, 5, 30}};
    struct firn_team *team = team_of(3);
    struct firn_scale s;
    CHECK_INT(firn_scale_init(&s, x[0], 4, 3, true, team, NULL), 0);
    CHECK(s.mean[0] == 2 && s.mean[1] == 5 && s.mean[2] == 15);
    CHECK(s.inverse[0] == 1 && s.inverse[1] == 0 && fabs(s.inverse[2] - 1 / sqrt(125)) < 1e-15);
    firn_scale_fini(&s);
    CHECK_INT(firn_scale_init(&s, x[0], 4, 3, false, team, NULL), 0);
    CHECK(fabs(s.inverse[0] - 1 / sqrt(42)) < 1e-15 && s.inverse[1] == 0 &&
          s.inverse[2] == s.inverse[0]);
    firn_scale_apply(&s, x[0], 4, team);
    CHECK(x[0][1] == 0 && x[3][1] == 0 && x[0][0] == -x[1][0]);
    firn_scale_fini(&s);
    firn_team_destroy(team);
}

/* The instruction sets and the plain sums, for batches and widths of all remainders. */
static void sgd_steps_are_the_same_everywhere(void)
{
    firn_sgd_step_fn *best = firn_sgd_choose(firn_cpu_best());
    for (int dim = 1; dim < 40; dim++) {
        enum { K = 3, N = 6, MOST = 40 };
        float w[2][K * MOST], v[2][K * MOST], z[2][N * K], x[N][MOST], r[N * K];
        const float *rows[N];
        uint64_t seed = (uint64_t)dim;
        for (int i = 0; i < N * MOST; i++)
            x[i / MOST][i % MOST] = (float)firn_random_unit(&seed);
        for (int i = 0; i < N * K; i++)
            r[i] = (float)firn_random_unit(&seed) - 0.5f;
        for (int i = 0; i < K * MOST; i++) {
            w[0][i] = w[1][i] = (float)firn_random_unit(&seed);
            v[0][i] = v[1][i] = (float)firn_random_unit(&seed);
        }
        for (int i = 0; i < N; i++)
            rows[i] = x[i];
        double first = w[0][0] - 0.1 * (0.9 * v[0][0]);
        int n = 1 + dim % N;
        for (int i = 0; i < n; i++)
            first -= 0.1 * r[i * K] * x[i][0];
        for (int i = 0; i < 2; i++) {
            struct firn_sgd_step s = {w[i], v[i], rows, r, n, rows, z[i], 1 + dim / 2 % N, dim, K,
                                      0.1f, 0.9f};
            (i ? best : firn_sgd_step_c)(&s);
        }
        CHECK(memcmp(w[0], w[1], sizeof w[0]) == 0 && memcmp(v[0], v[1], sizeof v[0]) == 0);
        CHECK(memcmp(z[0], z[1], sizeof(float) * (size_t)(1 + dim / 2 % N) * K) == 0);
        CHECK(fabs(w[0][0] - first) < 1e-6, "%g, expected %g", w[0][0], first);
        double sum = 0;
        for (int d = 0; d < dim; d++)
            sum += (double)w[0][d] * x[0][d];
        CHECK(fabs(z[0][0] - sum) < 1e-5, "%g, expected %g", z[0][0], sum);
    }
}

static void sgd_learns_and_repeats_itself(void)
{
    struct firn_rows rows = make_rows(203, 20, 4, 6);
    struct firn_probe_epoch epoch[3][9];
    for (int i = 0; i < 3; i++) {
        const struct firn_sgd how = {.epochs = 9, .batch = 4, .rate = 0.05, .momentum = 0.9,
                                     .step = 7, .gamma = 0.1, .seed = i == 2};
        struct firn_team *team = team_of(1 + i);
        CHECK_INT(firn_sgd_train(&how, &rows, &rows, 20, 4, team, epoch[i], NULL), 0);
        firn_team_destroy(team);
    }
    CHECK(memcmp(epoch[0], epoch[1], sizeof epoch[0]) == 0);
    CHECK(memcmp(epoch[0], epoch[2], sizeof epoch[0]) != 0);
    CHECK(epoch[0][8].val_accuracy > 0.9 && epoch[0][8].train_loss < epoch[0][0].train_loss / 2,
          "%g %g", epoch[0][8].val_accuracy, epoch[0][8].train_loss);
    CHECK(epoch[0][6].rate == 0.05 && fabs(epoch[0][7].rate - 0.005) < 1e-12);
    free_rows(&rows);
}

static bool about(double a, double b)
{
    return fabs(a - b) < 5e-5;
}

/* Figures of scipy: binomtest(147, 153).proportion_ci(method="wilson"). */
static void intervals_are_those_of_wilson(void)
{
    struct firn_proportion p = firn_proportion(147, 153);
    CHECK(about(p.value, 0.96078) && about(p.low, 0.91709) && about(p.high, 0.98191), "%g %g",
          p.low, p.high);
    p = firn_proportion(0, 10);
    CHECK(p.low == 0 && about(p.high, 0.27753), "%g", p.high);
    p = firn_proportion(10, 10);
    CHECK(p.high == 1 && about(p.low, 0.72247), "%g", p.low);
    p = firn_proportion(0, 0);
    CHECK(isnan(p.value) && isnan(p.low) && isnan(p.high));
}

static void bouncing_is_more_than_noise(void)
{
    struct firn_probe_epoch epoch[10];
    struct firn_probe p = {.epoch = epoch, .epochs = 10, .accuracy = {.low = 0.94, .high = 0.96}};
    for (int i = 0; i < 10; i++)
        epoch[i].val_accuracy = i == 0 ? 0.2 : 0.95;
    firn_score_epochs(&p, 7);
    CHECK(p.steadiness.early == 0 && p.steadiness.late == 0 && !p.steadiness.bounces);
    epoch[3].val_accuracy = 0.9;
    firn_score_epochs(&p, 7);
    CHECK(about(p.steadiness.early, 0.05) && p.steadiness.late == 0 && p.steadiness.bounces);
    p.epochs = 1;
    firn_score_epochs(&p, 7);
    CHECK(isnan(p.steadiness.early) && isnan(p.steadiness.late) && !p.steadiness.bounces);
}

int main(void)
{
    gradient_is_that_of_the_loss();
    bits_do_not_depend_on_threads();
    if (firn_can_minimise) {
        a_small_problem_has_its_known_minimum();
        fitting_can_be_stopped();
    }
    scaling_centres_and_divides();
    sgd_steps_are_the_same_everywhere();
    sgd_learns_and_repeats_itself();
    intervals_are_those_of_wilson();
    bouncing_is_more_than_noise();
    CHECK_DONE();
}

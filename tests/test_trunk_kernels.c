/* SPDX-License-Identifier: MIT */
/**
 * Every inner loop of the trunk on every instruction set against float64, over random sizes and
 * data made to be awkward. Whole convolutions: test_trunk_conv.c, which is also where the loops for
 * narrow groups are tested.
 */
#include <math.h>

#include "awkward.h"
#include "base/blis_products.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "trunk/state.h"
#include "trunk/strassen.h"
#include "trunk/wino.h"

#define UNTOUCHED -12345.0f

static float *filled(size_t n, enum fill how)
{
    float *p = firn_alloc(n * sizeof *p + FIRN_CONV_SLACK, 1);
    fill(p, n, how);
    return p;
}

static float *blank(size_t n)
{
    float *p = firn_alloc(n, sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = UNTOUCHED;
    return p;
}

/* ---- matrix products ---- */

/* What C[i][j] is and, in *scale, the sum of the absolute values of its terms. */
static double product(const struct firn_gemm *g, const float *b, const float *residual, int i,
                      int j, double *scale)
{
    double sum = 0;
    *scale = 0;
    for (int k = 0; k < g->k; k++) {
        double term = (double)g->a[i * g->lda + k] * b[k * g->n + j];
        sum += term;
        *scale += fabs(term);
    }
    const double more[4] = {g->add[0] ? g->add[0][i * g->ld_add + j] : 0,
                            g->add[1] ? g->add[1][i * g->ld_add + j] : 0,
                            g->bias ? g->bias[j] : 0, residual ? residual[i * g->ldc + j] : 0};
    for (int k = 0; k < 4; k++) {
        sum += more[k];
        *scale += fabs(more[k]);
    }
    return g->relu && sum < 0 ? 0 : sum;
}

static void check_product(const struct firn_kernels *kernels, const struct firn_gemm *g,
                          const float *b, const float *residual, const char *name, enum fill how)
{
    size_t bad = 0;
    double most = 0;
    for (int i = 0; i < g->m; i++)
        for (int j = 0; j < g->ldc; j++) {
            float got = g->c[i * g->ldc + j];
            double scale, want = j < g->n ? product(g, b, residual, i, j, &scale) : UNTOUCHED;
            double limit = j < g->n ? sum_error(g->k, scale) : 0;
            bad += !(fabs(got - want) <= limit);
            most = check_larger(most, limit > 0 ? fabs(got - want) / limit : 0);
        }
    CHECK(bad == 0, "(%s %s, %d x %d x %d, %s: %zu values, %.3g of what is allowed)", name,
          firn_cpu_name(kernels->cpu), g->m, g->n, g->k, fill_name[how], bad, most);
}

/* The same panels through BLIS: what our kernels and our packing are checked against. */
static void blis_product(const struct firn_gemm *g)
{
    float sum[20 * FIRN_PANEL] __attribute__((aligned(64)));
    for (int j = 0; j < g->n; j += FIRN_PANEL) {
        firn_blis_panel(g->m, g->k, g->a, g->lda, g->b + (ptrdiff_t)j * g->k, sum);
        for (int i = 0; i < g->m; i++)
            memcpy(g->c + i * g->ldc + j, sum + i * FIRN_PANEL, FIRN_PANEL * sizeof *sum);
    }
}

/* What the product writes beside C is the same without the second term and what follows it. */
static void check_sum(const struct firn_kernels *kernels, struct firn_gemm g, const float *b,
                      enum fill how)
{
    g.c = g.sum;
    g.ldc = g.ld_add;
    g.add[1] = g.bias = NULL;
    g.relu = false;
    check_product(kernels, &g, b, NULL, "sum of gemm", how);
}

static void test_gemm(const struct firn_kernels *kernels, enum fill how, bool blis)
{
    int m = 1 + below(20), n = FIRN_PANEL * (1 + below(4)), way = blis ? 0 : below(8);
    int k = 1 + below(below(2) ? 600 : 300);
    ptrdiff_t lda = k + 4 * below(3), ldc = n + 16 * below(2), ld_add = n + 16 * below(2);
    int adds = blis ? 0 : below(4);
    float *a = filled(m * lda, how), *b = filled((size_t)k * n, how == MIXED ? MIXED : NORMAL);
    float *panels = firn_alloc((size_t)k * n, sizeof *panels), *bias = filled(n, how);
    float *residual = filled(m * ldc, how), *c = blank(m * ldc);
    float *terms = filled(2 * m * ld_add, how), *sum = blank(m * ld_add);
    firn_gemm_pack(b, n, k, n, panels);
    struct firn_gemm g = {
        .m = m, .n = n, .k = k, .chain = 64 << below(3), .a = a, .lda = lda, .b = panels,
        .c = c, .ldc = ldc,
        .bias = way & 1 ? bias : NULL, .residual = way & 2 ? residual : NULL, .relu = way & 4,
        .add = {adds > 0 ? terms : NULL, adds > 1 ? terms + m * ld_add : NULL},
        .sum = adds > 2 ? sum : NULL, .ld_add = ld_add, .next_c = below(2) * FIRN_PANEL};
    if (g.residual && below(2)) { /* in place */
        for (int i = 0; i < m; i++)
            memcpy(c + i * ldc, residual + i * ldc, n * sizeof *c);
        g.residual = c;
    }
    unsigned long fpu = firn_fpu_flush();
    (blis ? blis_product : kernels->gemm)(&g);
    firn_fpu_restore(fpu);
    check_product(kernels, &g, b, way & 2 ? residual : NULL, blis ? "BLIS" : "gemm", how);
    if (g.sum)
        check_sum(kernels, g, b, how);
    firn_free(a);
    firn_free(b);
    firn_free(panels);
    firn_free(bias);
    firn_free(residual);
    firn_free(c);
    firn_free(terms);
    firn_free(sum);
}

/* The sums of halves: the same bits everywhere. */
static void test_strassen(const struct firn_kernels *kernels, enum fill how)
{
    int half = FIRN_STRASSEN_LANES * (1 + below(9));
    float *in = filled(4 * half, how), *out = blank(4 * half + 1);
    struct firn_kernels generic;
    float want[4][FIRN_STRASSEN_LANES * 9];
    struct firn_strassen t = {.pixel = {in, in + 2 * half}, .half = half};
    firn_kernels_choose(&generic, FIRN_CPU_GENERIC);
    for (int i = 0; i < 4; i++)
        t.sum[i] = want[i];
    generic.strassen(&t);
    for (int i = 0; i < 4; i++)
        t.sum[i] = out + i * half;
    kernels->strassen(&t);
    for (int i = 0; i < 4; i++)
        CHECK(!memcmp(out + i * half, want[i], half * sizeof *out), "(%s, S%d, %d channels, %s)",
              firn_cpu_name(kernels->cpu), i + 1, half, fill_name[how]);
    for (int c = 0; c < half; c++) {
        double s2 = (double)in[2 * half + c] + in[3 * half + c] - in[c];
        double scale = fabs(in[c]) + fabs(in[half + c]) + fabs(in[2 * half + c]) +
                       fabs(in[3 * half + c]);
        CHECK(fabs(want[1][c] - s2) <= sum_error(4, scale));
        CHECK(fabs(want[3][c] - (in[half + c] - s2)) <= sum_error(4, scale));
    }
    CHECK(out[4 * half] == UNTOUCHED);
    firn_free(in);
    firn_free(out);
}

/* ---- passes over a map ---- */

static void test_normalise(const struct firn_kernels *kernels)
{
    float table[3][256];
    uint8_t rgb[3 * 67 + 64];
    float got[3 * 67 + 16];
    fill(table[0], 3 * 256, NORMAL);
    for (size_t pixels = 1; pixels <= 67; pixels += 1 + (size_t)below(5)) {
        size_t bad = 0;
        for (size_t i = 0; i < sizeof rgb; i++)
            rgb[i] = (uint8_t)below(256);
        kernels->normalise(rgb, pixels, table, got);
        for (size_t i = 0; i < 3 * pixels; i++)
            bad += got[i] != table[i % 3][rgb[i]];
        CHECK(bad == 0, "(%s, %zu pixels)", firn_cpu_name(kernels->cpu), pixels);
    }
}

static float largest(const float *in, int h, int w, int c, int y, int x, int i)
{
    float most = -INFINITY;
    for (int iy = 2 * y - 1; iy <= 2 * y + 1; iy++)
        for (int ix = 2 * x - 1; ix <= 2 * x + 1; ix++)
            if (iy >= 0 && iy < h && ix >= 0 && ix < w && in[(iy * w + ix) * c + i] > most)
                most = in[(iy * w + ix) * c + i];
    return most;
}

static void test_max_pool(const struct firn_kernels *kernels, enum fill how)
{
    int h = 1 + below(9), w = 1 + below(9), c = 16 * (1 + below(5));
    int oh = (h + 1) / 2, ow = (w + 1) / 2;
    float *in = filled((size_t)h * w * c, how), *out = blank((size_t)oh * ow * c);
    size_t bad = 0;
    firn_max_pool(kernels, in, h, w, c, out);
    for (int y = 0; y < oh; y++)
        for (int x = 0; x < ow; x++)
            for (int i = 0; i < c; i++)
                bad += out[(y * ow + x) * c + i] != largest(in, h, w, c, y, x, i);
    CHECK(bad == 0, "(%s, %d x %d x %d, %s: %zu)", firn_cpu_name(kernels->cpu), h, w, c,
          fill_name[how], bad);
    firn_free(in);
    firn_free(out);
}

static void test_average(const struct firn_kernels *kernels, enum fill how)
{
    int pixels = 1 + below(60), c = 16 * (1 + below(5));
    float *in = filled((size_t)pixels * c, how), *out = blank(c);
    size_t bad = 0;
    unsigned long fpu = firn_fpu_flush();
    kernels->average(in, pixels, c, out);
    firn_fpu_restore(fpu);
    for (int i = 0; i < c; i++) {
        double sum = 0, scale = 0;
        for (int p = 0; p < pixels; p++) {
            sum += in[p * c + i];
            scale += fabs(in[p * c + i]);
        }
        bad += !(fabs(out[i] - sum / pixels) <= sum_error(pixels, scale) / pixels);
    }
    CHECK(bad == 0, "(%s, %d x %d, %s: %zu)", firn_cpu_name(kernels->cpu), pixels, c,
          fill_name[how], bad);
    firn_free(in);
    firn_free(out);
}

/* ---- Winograd's transforms ---- */

typedef double square[FIRN_WINO_MAX][FIRN_WINO_MAX];

/*
 * to = a from a' and, in *scale, the same of the absolute values, whose rounding errors both passes
 * of a transform have. a: `rows` of `depth`, the last `clip` row and column of `from` left out.
 */
static void both_axes(const double a[FIRN_WINO_MAX][FIRN_WINO_MAX], const int rows[2],
                      const int depth[2], square from, square to, square scale)
{
    for (int i = 0; i < rows[0]; i++)
        for (int j = 0; j < rows[1]; j++) {
            to[i][j] = scale[i][j] = 0;
            for (int y = 0; y < depth[0]; y++)
                for (int x = 0; x < depth[1]; x++) {
                    double term = a[i][y] * a[j][x] * from[y][x];
                    to[i][j] += term;
                    scale[i][j] += fabs(term);
                }
        }
}

static double transform_error(double scale)
{
    return sum_error(2 * FIRN_WINO_MAX, scale);
}

#define CHANNELS 16

static void test_input(const struct firn_kernels *kernels, enum fill how, int n)
{
    struct firn_wino_matrix w;
    bool clip[2] = {below(2), below(2)};
    const int size[2] = {n - clip[0], n - clip[1]};
    const ptrdiff_t plane = CHANNELS + 16, step = CHANNELS;
    float *map = filled(FIRN_WINO_MAX * FIRN_WINO_MAX * CHANNELS, how), *v = blank(64 * plane);
    struct firn_wino_input t = {.points = n, .clip_h = clip[0], .clip_w = clip[1],
                                .left = below(3), .channels = CHANNELS, .step = step, .v = v,
                                .plane = plane};
    t.right = size[1] - below(size[1] - t.left);
    for (int i = 0; i < n; i++)
        t.row[i] = map + i * FIRN_WINO_MAX * CHANNELS;
    unsigned long fpu = firn_fpu_flush();
    kernels->wino->input(&t);
    firn_fpu_restore(fpu);
    firn_wino_matrix(&w, n - 2, 3);
    size_t bad = 0;
    for (int c = 0; c < CHANNELS; c++) {
        square d, want, scale;
        for (int y = 0; y < n; y++)
            for (int x = 0; x < n; x++)
                d[y][x] = x < t.left || x >= t.right ? 0 : t.row[y][(x - t.left) * step + c];
        both_axes(w.bt, size, size, d, want, scale);
        for (int i = 0; i < size[0]; i++)
            for (int j = 0; j < size[1]; j++)
                bad += !(fabs(v[(i * n + j) * plane + c] - want[i][j]) <=
                         transform_error(scale[i][j]));
    }
    CHECK(bad == 0, "(%s, %d points, clip %d %d, columns %d to %d, %s: %zu)",
          firn_cpu_name(kernels->cpu), n, clip[0], clip[1], t.left, t.right, fill_name[how], bad);
    firn_free(map);
    firn_free(v);
}

static void test_output(const struct firn_kernels *kernels, enum fill how, int n, int m)
{
    struct firn_wino_matrix w;
    bool clip[2] = {below(2), below(2)};
    const int size[2] = {n - clip[0], n - clip[1]};
    const ptrdiff_t plane = CHANNELS + 16;
    float *v = filled(64 * plane, how), *bias = filled(CHANNELS, how), *out = blank(64 * CHANNELS);
    float *residual = filled(64 * CHANNELS, how);
    struct firn_wino_output t = {
        .points = n, .m = m, .clip_h = clip[0], .clip_w = clip[1], .channels = CHANNELS, .v = v,
        .plane = plane, .out = out, .row = 8 * CHANNELS, .step = CHANNELS, .bias = bias,
        .residual = below(2) ? residual : NULL, .relu = below(2)};
    t.rows = 1 + below(m - clip[0]);
    t.columns = 1 + below(m - clip[1]);
    unsigned long fpu = firn_fpu_flush();
    kernels->wino->output(&t);
    firn_fpu_restore(fpu);
    firn_wino_matrix(&w, m, n - m + 1);
    size_t bad = 0;
    for (int c = 0; c < CHANNELS; c++) {
        square product, want, scale;
        const int rows[2] = {t.rows, t.columns};
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                product[i][j] = v[(i * n + j) * plane + c];
        both_axes(w.at, rows, size, product, want, scale);
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 8; x++) {
                ptrdiff_t at = y * t.row + x * t.step + c;
                bool stored = y < t.rows && x < t.columns;
                double sum = stored ? want[y][x] + bias[c] : UNTOUCHED, allowed = 0;
                if (stored && t.residual)
                    sum += residual[at];
                if (stored)
                    allowed = transform_error(scale[y][x] + fabs(bias[c]) + fabs(residual[at]));
                if (stored && t.relu && sum < 0)
                    sum = 0;
                bad += !(fabs(out[at] - sum) <= allowed);
            }
    }
    CHECK(bad == 0, "(%s, F(%d,%d), clip %d %d, %d x %d, %s: %zu)", firn_cpu_name(kernels->cpu), m,
          n - m + 1, clip[0], clip[1], t.rows, t.columns, fill_name[how], bad);
    firn_free(v);
    firn_free(bias);
    firn_free(out);
    firn_free(residual);
}

/*
 * Kernels are transformed in double: what is left is the last rounding. Those of F(4,3) are in
 * float: on either axis a factor, its product and two sums are rounded.
 */
static void test_weights(const struct firn_kernels *kernels, enum fill how, int n, int m)
{
    enum { DEPTH = 3 };
    struct firn_wino_matrix w;
    int r = n - m + 1;
    double rounding = n == 6 && r == 3 ? 8 * (double)FLT_EPSILON / 2 : 1e-14;
    float *taps = filled(DEPTH * r * r * FIRN_PANEL, how);
    float *u = blank(64 * DEPTH * FIRN_PANEL);
    struct firn_wino_weights t = {.matrix = &w, .channels = DEPTH, .step = r * r * FIRN_PANEL};
    firn_wino_matrix(&w, m, r);
    for (int k = 0; k < r * r; k++)
        t.tap[k] = taps + k * FIRN_PANEL;
    for (int p = 0; p < n * n; p++)
        t.u[p] = u + p * DEPTH * FIRN_PANEL;
    kernels->wino->weights(&t);
    size_t bad = 0;
    for (int c = 0; c < DEPTH; c++)
        for (int o = 0; o < FIRN_PANEL; o++) {
            square g, want, scale;
            for (int k = 0; k < r * r; k++)
                g[k / r][k % r] = taps[c * t.step + k * FIRN_PANEL + o];
            both_axes(w.g, (int[2]){n, n}, (int[2]){r, r}, g, want, scale);
            for (int p = 0; p < n * n; p++) {
                double error = fabs(t.u[p][c * FIRN_PANEL + o] - want[p / n][p % n]);
                bad += !(error <= FLT_EPSILON / 2 * fabs(want[p / n][p % n]) +
                                      rounding * scale[p / n][p % n] + 0x1p-146);
            }
        }
    CHECK(bad == 0, "(%s, F(%d,%d), %s: %zu)", firn_cpu_name(kernels->cpu), m, r, fill_name[how],
          bad);
    firn_free(taps);
    firn_free(u);
}

static void test_wino(const struct firn_kernels *kernels, enum fill how)
{
    static const int f[][2] = {{4, 2}, {5, 3}, {6, 4}, {7, 5}, {8, 6}, {4, 3}, {5, 4}, {6, 5},
                               {7, 4}, {8, 5}};
    for (int n = 4; n <= FIRN_WINO_MAX; n++)
        test_input(kernels, how, n);
    for (size_t i = 0; i < sizeof f / sizeof *f; i++) {
        test_output(kernels, how, f[i][0], f[i][1]);
        test_weights(kernels, how, f[i][0], f[i][1]);
    }
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"generic", "sse4", "avx2", "neon"};
    int rounds = argc > 1 ? atoi(argv[1]) : 20;
    for (int i = 0; i < 4; i++) {
        struct firn_kernels kernels;
        int cpu = firn_cpu_choose(names[i]);
        if (cpu < 0)
            continue;
        firn_kernels_choose(&kernels, (enum firn_cpu)cpu);
        for (int k = 0; k < rounds * FILLS; k++) {
            enum fill how = (enum fill)(k % FILLS);
            test_strassen(&kernels, how);
            test_gemm(&kernels, how, firn_blis_has_panel() && k / FILLS % 4 == 0);
            test_max_pool(&kernels, how);
            test_average(&kernels, how);
            test_wino(&kernels, how);
        }
        test_normalise(&kernels);
    }
    CHECK_DONE();
}

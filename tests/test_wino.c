/* SPDX-License-Identifier: MIT */
/**
 * Winograd's parts: matrices against the definition, cuts of an axis, fast transforms against slow.
 */
#include <math.h>

#include "base/cpu.h"
#include "check.h"
#include "trunk/kernels.h"
#include "trunk/wino.h"

static unsigned long long seed = 7;

static float uniform(void)
{
    return (float)((double)(check_random(&seed) >> 11) * 0x1p-52 - 1);
}

/* AT [(G g) * (BT d)] is the filter, with all points and with the last one left out. */
static void check_matrix(int m, int r)
{
    struct firn_wino_matrix w;
    firn_wino_matrix(&w, m, r);
    CHECK_INT(w.n, m + r - 1);
    for (int clip = 0; clip < 2; clip++) {
        double d[FIRN_WINO_MAX], g[FIRN_WINO_MAX], product[FIRN_WINO_MAX];
        int n = w.n - clip;
        for (int i = 0; i < n; i++)
            d[i] = uniform();
        for (int i = 0; i < r; i++)
            g[i] = uniform();
        for (int i = 0; i < n; i++) {
            double u = 0, v = 0;
            for (int k = 0; k < r; k++)
                u += w.g[i][k] * g[k];
            for (int k = 0; k < n; k++)
                v += w.bt[i][k] * d[k];
            product[i] = u * v;
        }
        for (int k = 0; k < m - clip; k++) {
            double got = 0, want = 0;
            for (int i = 0; i < n; i++)
                got += w.at[k][i] * product[i];
            for (int i = 0; i < r; i++)
                want += g[i] * d[k + i];
            CHECK(fabs(got - want) < 1e-11, "F(%d,%d) output %d: %g, not %g", m, r, k, got, want);
        }
    }
}

static void check_cut(int size, int m, int full, int clipped)
{
    struct firn_wino_axis a = firn_wino_cut(size, 3, 2, 6);
    CHECK(a.m == m && a.full == full && a.clipped == clipped, "%d = %d x %d + %d x %d", size,
          a.full, a.m, a.clipped, a.m - 1);
}

/* Tiles cover every axis once, and only the last may reach over its end. */
static void check_cover(int size, int r)
{
    struct firn_wino_axis a = firn_wino_cut(size, r, 2, 6);
    int tiles = a.full + a.clipped;
    CHECK(tiles > 0);
    CHECK_INT(firn_wino_start(&a, 0), 0);
    CHECK(firn_wino_start(&a, tiles) >= size);
    CHECK(firn_wino_start(&a, tiles - 1) < size);
}

#define CHANNELS 24
#define PLANE (CHANNELS + 16)
#define MAP 40

static float map[MAP * MAP * CHANNELS], products[64 * PLANE], bias[CHANNELS];
static float got[MAP * MAP * CHANNELS], want[MAP * MAP * CHANNELS];

static void compare(size_t floats, const char *what, int n, int m, int clips)
{
    double error = 0, most = 0;
    for (size_t i = 0; i < floats; i++) {
        error = check_larger(error, fabs((double)got[i] - want[i]));
        most = check_larger(most, fabs((double)want[i]));
    }
    CHECK(error <= 1e-6 * most, "%s n %d m %d clips %d: %g of %g", what, n, m, clips, error, most);
}

static void check_input(const struct firn_kernels *fast, const struct firn_kernels *slow, int n,
                        int clips, int left, int right)
{
    struct firn_wino_input t = {.points = n, .clip_h = clips & 1, .clip_w = clips & 2,
                                .left = left, .right = right, .channels = CHANNELS,
                                .step = 2 * CHANNELS, .plane = PLANE};
    for (int i = 0; i < n; i++)
        t.row[i] = map + i * MAP * CHANNELS;
    memset(got, 0x55, sizeof got);
    memset(want, 0x55, sizeof want);
    t.v = got;
    fast->wino->input(&t);
    t.v = want;
    slow->wino->input(&t);
    compare(64 * PLANE, "input", n, 0, clips);
}

static void check_output(const struct firn_kernels *fast, const struct firn_kernels *slow, int n,
                         int m, int clips, bool residual, bool relu)
{
    struct firn_wino_output t = {
        .points = n, .m = m, .clip_h = clips & 1, .clip_w = clips & 2, .channels = CHANNELS,
        .v = products, .plane = PLANE, .row = MAP * CHANNELS, .step = CHANNELS, .bias = bias,
        .residual = residual ? map : NULL, .relu = relu,
    };
    t.rows = 1 + (int)(check_random(&seed) % (unsigned)(m - t.clip_h));
    t.columns = 1 + (int)(check_random(&seed) % (unsigned)(m - t.clip_w));
    memset(got, 0x55, sizeof got);
    memset(want, 0x55, sizeof want);
    t.out = got;
    fast->wino->output(&t);
    t.out = want;
    slow->wino->output(&t);
    compare(sizeof got / sizeof *got, "output", n, m, clips);
}

/* Kernels to points: equal to the specification, absent taps and points included. */
static void check_weights(const struct firn_kernels *fast, const struct firn_kernels *slow, int n,
                          int r)
{
    enum { DEPTH = 3 };
    static float u[2][FIRN_WINO_POINTS][DEPTH][FIRN_PANEL] __attribute__((aligned(64)));
    struct firn_wino_matrix matrix;
    struct firn_wino_weights t = {.matrix = &matrix, .channels = DEPTH, .step = 16 * FIRN_PANEL};
    firn_wino_matrix(&matrix, n - r + 1, r);
    for (int k = 0; k < r * r; k++)
        t.tap[k] = r == 3 || k % 5 ? map + k * FIRN_PANEL : NULL;
    memset(u, 0x55, sizeof u);
    for (int i = 0; i < 2; i++) {
        for (int p = 0; p < n * n; p++)
            t.u[p] = p % 7 == 6 ? NULL : u[i][p][0];
        (i ? fast : slow)->wino->weights(&t);
    }
    size_t unequal = 0;
    const float *a = u[0][0][0], *b = u[1][0][0];
    for (int i = 0; i < FIRN_WINO_POINTS * DEPTH * FIRN_PANEL; i++)
        unequal += a[i] != b[i];
    CHECK(unequal == 0, "weights n %d r %d %s", n, r, firn_cpu_name(fast->cpu));
}

/*
 * Products of four tiles with kernels as they are have the bits of those with their points. What
 * the clipped tiles do not have is NaN on one side, and is not looked at.
 */
static void check_few(const struct firn_kernels *k)
{
    enum { CIN = 2 * FIRN_WINO_CHAIN, TILES = FIRN_WINO_FEW };
    static float taps[CIN][9][FIRN_PANEL], v[36][TILES][CIN], m[36][TILES][FIRN_PANEL];
    static float u[36][CIN][FIRN_PANEL] __attribute__((aligned(64))), sum[TILES][FIRN_PANEL];
    static const bool clip_h[TILES] = {[2] = true, [3] = true};
    static const bool clip_w[TILES] = {[0] = true, [3] = true};
    struct firn_wino_matrix matrix;
    firn_wino_matrix(&matrix, 4, 3);
    struct firn_wino_weights t = {.matrix = &matrix, .channels = CIN, .step = 9 * FIRN_PANEL};
    for (int i = 0; i < CIN * 9; i++)
        for (int o = 0; o < FIRN_PANEL; o++)
            taps[i / 9][i % 9][o] = uniform();
    for (int i = 0; i < 9; i++)
        t.tap[i] = taps[0][i];
    for (int p = 0; p < 36; p++) {
        t.u[p] = u[p][0];
        for (int i = 0; i < TILES; i++)
            for (int c = 0; c < CIN; c++)
                v[p][i][c] = (p / 6 == 5 && clip_h[i]) || (p % 6 == 5 && clip_w[i]) ? NAN
                                                                                     : uniform();
    }
    k->wino->weights(&t);
    k->wino->few(&(struct firn_wino_few){
        .matrix = &matrix, .taps = taps[0][0], .channels = CIN, .v = v[0][0], .v_row = CIN,
        .v_plane = TILES * CIN, .m = m[0][0], .m_row = FIRN_PANEL, .m_plane = TILES * FIRN_PANEL,
    });
    for (int p = 0; p < 36; p++) {
        k->gemm(&(struct firn_gemm){.m = TILES, .n = FIRN_PANEL, .k = CIN,
                                    .chain = FIRN_WINO_CHAIN, .a = v[p][0], .lda = CIN,
                                    .b = u[p][0], .c = sum[0], .ldc = FIRN_PANEL});
        for (int i = 0; i < TILES; i++)
            CHECK(isnan(v[p][i][0]) || !memcmp(sum[i], m[p][i], sizeof sum[i]),
                  "few: point %d of tile %d", p, i);
    }
}

/* A NaN and an infinity are still there behind the ReLU. */
static void check_nan(const struct firn_kernels *k)
{
    float before = products[0];
    products[0] = NAN;
    struct firn_wino_output t = {.points = 6, .m = 4, .rows = 4, .columns = 4, .channels = CHANNELS,
                                 .v = products, .plane = PLANE, .out = got, .row = 4 * CHANNELS,
                                 .step = CHANNELS, .bias = bias, .relu = true};
    k->wino->output(&t);
    CHECK(isnan(got[0]) && !isnan(got[1]));
    products[0] = before;
}

static void check_kernels(const struct firn_kernels *fast, const struct firn_kernels *slow)
{
    static const int f[][2] = {{4, 2}, {5, 3}, {6, 4}, {7, 5}, {8, 6}, {4, 3}, {5, 4}, {6, 5},
                               {7, 4}, {8, 5}};
    for (int clips = 0; clips < 4; clips++) {
        for (int n = 4; n <= FIRN_WINO_MAX; n++)
            for (int left = 0; left < 2; left++)
                for (int right = n; right > n - 3; right--)
                    check_input(fast, slow, n, clips, left,
                                clips & 2 && right == n ? n - 1 : right);
        for (size_t i = 0; i < sizeof f / sizeof *f; i++)
            for (int how = 0; how < 4; how++)
                check_output(fast, slow, f[i][0], f[i][1], clips, how & 1, how & 2);
    }
    for (size_t i = 0; i < sizeof f / sizeof *f; i++)
        check_weights(fast, slow, f[i][0], f[i][0] - f[i][1] + 1);
    check_nan(fast);
    if (fast->wino->few)
        check_few(fast);
}

int main(void)
{
    for (int r = 2; r <= 4; r++)
        for (int m = 5 - r; m + r - 1 <= FIRN_WINO_MAX; m++)
            check_matrix(m, r);
    check_cut(56, 6, 6, 4);
    check_cut(28, 6, 3, 2);
    check_cut(14, 5, 2, 1);
    check_cut(7, 4, 1, 1);
    for (int size = 1; size <= 128; size++)
        for (int r = 2; r <= 4; r++)
            check_cover(size, r);

    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        map[i] = uniform();
    for (size_t i = 0; i < sizeof products / sizeof *products; i++)
        products[i] = uniform();
    for (int i = 0; i < CHANNELS; i++)
        bias[i] = uniform();
    struct firn_kernels slow, fast;
    firn_kernels_choose(&slow, FIRN_CPU_GENERIC);
    check_nan(&slow);
    static const char *const names[] = {"sse4", "avx2", "neon"};
    for (int i = 0; i < 3; i++) {
        int cpu = firn_cpu_choose(names[i]);
        if (cpu < 0)
            continue;
        firn_kernels_choose(&fast, (enum firn_cpu)cpu);
        check_kernels(&fast, &slow);
    }
    CHECK_DONE();
}

/* SPDX-License-Identifier: MIT */
/** What becomes of numbers: halves, and values that are small, to the bit. */
#include <math.h>

#include "cache_util.h"

static void test_half(void)
{
    for (unsigned h = 0; h < 0x7C00; h++) {
        float f = firn_from_half((uint16_t)h), g = firn_from_half((uint16_t)(h + 1));
        CHECK_INT(firn_to_half(f), h);
        CHECK_INT(firn_to_half(-f), h | 0x8000);
        if (h == 0x7BFF)
            break;
        float middle = (f + g) / 2; /* exact: one more bit */
        CHECK_INT(firn_to_half(middle), h + (h & 1));
        CHECK_INT(firn_to_half(nextafterf(middle, 0)), h);
        CHECK_INT(firn_to_half(nextafterf(middle, 1e9f)), h + 1);
    }
    CHECK_INT(firn_to_half(65519.0f), 0x7BFF);
    CHECK_INT(firn_to_half(65520.0f), 0x7C00);
    CHECK_INT(firn_to_half(INFINITY), 0x7C00);
    CHECK(isinf(firn_from_half(0x7C00)) && isnan(firn_from_half(firn_to_half(NAN))));
}

static void test_f16(void)
{
    char *dir = test_dir();
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_writer *w;
    struct firn_error err = {0};
    uint32_t root;
    CHECK_INT(firn_writer_open(&w, dir, &fp, DIM, FIRN_STORE_F16, &err), 0);
    CHECK_INT(test_root(w, &root, &err), 0);
    for (unsigned id = 0; id < 200; id++)
        CHECK_INT(test_add(w, id, root, &err), 0);
    CHECK_INT(firn_writer_close(w, &err), 0);
    struct firn_cache *c = open_reader(dir);
    struct firn_cache_stat stat;
    firn_cache_stat(c, &stat);
    CHECK_INT(stat.store, FIRN_STORE_F16);
    for (size_t i = 0; i < 200; i++) {
        struct firn_photo p;
        float got[DIM], want[DIM];
        firn_cache_photo(c, i, &p);
        test_feature((unsigned)atoi(strchr(p.name, '/') + 1), want);
        CHECK_INT(firn_cache_features(c, &i, 1, got, &err), 0);
        for (int k = 0; k < DIM; k++)
            CHECK(got[k] == firn_from_half(firn_to_half(want[k])));
    }
    firn_cache_close(c);
    check_clean(dir);
    remove_dir(dir);
    free(dir);
}

/* Zeros, values below the smallest normal one, and blocks of nothing else, to the bit. */
static void test_small_values(void)
{
    static const float kinds[4][4] = {
        {0, 0, 0, 0}, {0, 1e-41f, 1, 0}, {1e-41f, 1.5e-38f, 0, 3e-39f}, {0, 2, 0, 0}};
    for (int store = 0; store < 2; store++)
        for (int kind = 0; kind < 4; kind++) {
            char *dir = test_dir(), name[64];
            struct firn_fingerprint fp = test_fingerprint();
            struct firn_writer *w;
            struct firn_error err = {0};
            float feature[DIM], got[DIM];
            uint32_t root;
            CHECK_INT(firn_writer_open(&w, dir, &fp, DIM, store, &err), 0);
            CHECK_INT(test_root(w, &root, &err), 0);
            for (unsigned id = 0; id < 40; id++) {
                struct firn_record r = test_record(id, root, name, feature);
                for (int i = 0; i < DIM; i++)
                    feature[i] = kinds[kind][(i + id) % 4];
                CHECK_INT(firn_writer_add(w, &r, &err), 0);
            }
            CHECK_INT(firn_writer_close(w, &err), 0);
            struct firn_cache *c = open_reader(dir);
            for (size_t i = 0; i < 40; i++) {
                struct firn_photo p;
                firn_cache_photo(c, i, &p);
                unsigned id = (unsigned)atoi(strchr(p.name, '/') + 1);
                CHECK_INT(firn_cache_features(c, &i, 1, got, &err), 0);
                for (unsigned k = 0; k < DIM; k++) {
                    float want = kinds[kind][(k + id) % 4];
                    want = store ? firn_from_half(firn_to_half(want)) : want;
                    CHECK(memcmp(&got[k], &want, sizeof want) == 0, "%g, not %g", got[k], want);
                }
            }
            firn_cache_close(c);
            check_clean(dir);
            remove_dir(dir);
            free(dir);
        }
}

int main(void)
{
    test_half();
    test_f16();
    test_small_values();
    CHECK_DONE();
}

/* SPDX-License-Identifier: MIT */
/**
 * An example of include/firn/cache.h: prints the mean feature of each class.
 *
 *     cc example_reader.c -lfirn-cache -o example_reader && ./example_reader train.firn
 */
#include <stdio.h>
#include <stdlib.h>

#include "firn/cache.h"

enum { BATCH = 256 };

/* Adds the features of all rows to the sums of their classes, a batch at a time. */
static int add_up(const struct firn_cache *cache, int dim, const int64_t *label, double *sum,
                  size_t *count, struct firn_error *err)
{
    float *batch = malloc(BATCH * (size_t)dim * sizeof *batch);
    size_t rows = firn_cache_rows(cache);
    int result = batch ? 0 : -FIRN_NOMEM;
    for (size_t first = 0; first < rows && result == 0; first += BATCH) {
        size_t n = rows - first < BATCH ? rows - first : BATCH;
        result = firn_cache_range(cache, first, n, batch, err);
        for (size_t i = 0; i < n && result == 0; i++) {
            if (label[first + i] < 0)
                continue;
            count[label[first + i]]++;
            for (int k = 0; k < dim; k++)
                sum[label[first + i] * dim + k] += (double)batch[i * (size_t)dim + (size_t)k];
        }
    }
    free(batch);
    return result;
}

int main(int argc, char **argv)
{
    struct firn_error err = {0};
    struct firn_cache *cache;
    struct firn_cache_stat stat;
    if (argc != 2) {
        fprintf(stderr, "usage: %s CACHE\n", argv[0]);
        return FIRN_USAGE;
    }
    if (firn_cache_open(&cache, argv[1], &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return (int)err.code;
    }
    firn_cache_stat(cache, &stat);
    size_t dim = (size_t)stat.dim;
    int64_t *label = calloc(firn_cache_rows(cache) + 1, sizeof *label);
    double *sum = calloc(stat.classes * dim + 1, sizeof *sum);
    size_t *count = calloc(stat.classes + 1, sizeof *count);
    int result = label && sum && count ? 0 : -FIRN_NOMEM;
    if (result == 0) {
        firn_cache_labels(cache, label);
        result = add_up(cache, stat.dim, label, sum, count, &err);
    }
    for (size_t c = 0; c < stat.classes && result == 0; c++) {
        double total = 0;
        for (size_t k = 0; k < dim; k++)
            total += sum[c * dim + k];
        printf("%s: %zu photographs, mean %.6f\n", firn_cache_class(cache, c),
               count[c] / (size_t)stat.views,
               count[c] ? total / (double)(count[c] * dim) : 0.0);
    }
    if (result != 0)
        fprintf(stderr, "%s\n", err.text);
    free(label);
    free(sum);
    free(count);
    firn_cache_close(cache);
    return -result;
}

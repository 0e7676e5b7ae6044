/* SPDX-License-Identifier: MIT */
/** Prints what firn_bench_trunk() measures: trunk_bench [MODEL [CPU [SECONDS [BATCH [small]]]]] */
#include <stdio.h>
#include <stdlib.h>

#include "firn/bench.h"

int main(int argc, char **argv)
{
    static struct firn_bench_trunk b;
    struct firn_error err;
    struct firn_bench_trunk_spec spec = {
        .model = argc > 1 ? argv[1] : NULL, .cpu = argc > 2 && *argv[2] ? argv[2] : NULL,
        .seconds = argc > 3 ? atof(argv[3]) : 0, .batch = {argc > 4 ? atoi(argv[4]) : 0},
        .small = argc > 5,
    };
    if (firn_bench_trunk(&b, &spec, &err)) {
        fprintf(stderr, "trunk_bench: %s\n", err.text);
        return 1;
    }
    printf("%s on %s, %d cores, peak %.1f GFLOPS a core, read %.1f GB/s\n", b.model, b.cpu, b.cores,
           b.fma_peak_gflops, b.read_gbytes);
    printf("start %.0f ms (load %.0f, pack %.0f), weights %.0f MB, worker %.0f MB\n", b.start_ms,
           b.load_ms, b.pack_ms, (double)b.weight_bytes / 1e6, (double)b.worker_bytes / 1e6);
    for (int i = 0; i < b.n_runs; i++) {
        const struct firn_bench_run *r = &b.run[i];
        printf("batch %2d threads %d: %7.2f ms/image (best %7.2f, cpu %7.2f), %5.1f%% of peak, "
               "ratio %.2f\n", r->batch, r->threads, r->ms_per_image, r->best_ms_per_image,
               r->cpu_ms_per_image, r->rates.percent_of_peak, r->rates.ratio_to_direct_roof);
    }
    for (int i = 0; i < b.n_layers; i++) {
        const struct firn_bench_layer *l = &b.layer[i];
        printf("%-32s %-16s x%-2d %7.3f ms (%6.3f %6.3f %6.3f) %7.3f of %7.3f GFLOP %5.1f%% "
               "ratio %.2f\n", l->name, l->algorithm, l->count, l->ms_per_image, l->input_ms,
               l->products_ms, l->output_ms, l->executed_gflop, l->direct_gflop,
               l->rates.percent_of_peak, l->rates.ratio_to_direct_roof);
    }
    return 0;
}

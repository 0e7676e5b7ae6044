/* SPDX-License-Identifier: MIT */
/** `firn bench trunk`: the network, and how close it comes to what the processor can do. */
#include "firn/bench.h"

#include "bench.h"

/* The figures that runs and layers share; they end the object. */
static void rates_json(struct firn_json *j, double direct_gflop, double executed_gflop,
                       const struct firn_bench_rates *r)
{
    firn_json_number(j, "direct_gflop", direct_gflop);
    firn_json_number(j, "executed_gflop", executed_gflop);
    firn_json_number(j, "direct_gflops", r->direct_gflops);
    firn_json_number(j, "executed_gflops", r->executed_gflops);
    firn_json_number(j, "percent_of_peak", r->percent_of_peak);
    firn_json_number(j, "ratio_to_direct_roof", r->ratio_to_direct_roof);
    firn_json_end_object(j);
}

static void rates_text(const struct firn_bench_rates *r)
{
    printf(" %13.1f %9.1f %7.0f%%  x %.2f\n", r->direct_gflops, r->executed_gflops,
           r->percent_of_peak, r->ratio_to_direct_roof);
}

static void layers_json(struct firn_json *j, const struct firn_bench_trunk *t)
{
    firn_json_array(j, "layers");
    for (int i = 0; i < t->n_layers; i++) {
        const struct firn_bench_layer *l = &t->layer[i];
        firn_json_object(j, NULL);
        firn_json_string(j, "name", l->name);
        firn_json_string(j, "algorithm", l->algorithm);
        firn_json_int(j, "count", l->count);
        firn_json_number(j, "ms_per_image", l->ms_per_image);
        firn_json_number(j, "input_ms", l->input_ms);
        firn_json_number(j, "products_ms", l->products_ms);
        firn_json_number(j, "output_ms", l->output_ms);
        rates_json(j, l->direct_gflop, l->executed_gflop, &l->rates);
    }
    firn_json_end_array(j);
}

static void tell_json(struct firn_json *j, const struct firn_bench_trunk *t)
{
    firn_json_string(j, "cpu", t->cpu);
    firn_json_int(j, "cores", t->cores);
    firn_json_number(j, "fma_peak_gflops", t->fma_peak_gflops);
    firn_json_number(j, "read_gbytes_per_second", t->read_gbytes);
    firn_json_number(j, "load_ms", t->load_ms);
    firn_json_number(j, "pack_ms", t->pack_ms);
    firn_json_number(j, "start_ms", t->start_ms);
    firn_json_int(j, "weight_bytes", (int64_t)t->weight_bytes);
    firn_json_int(j, "worker_bytes", (int64_t)t->worker_bytes);
    firn_json_array(j, "runs");
    for (int i = 0; i < t->n_runs; i++) {
        const struct firn_bench_run *r = &t->run[i];
        firn_json_object(j, NULL);
        firn_json_string(j, "model", t->model);
        firn_json_int(j, "batch", r->batch);
        firn_json_int(j, "threads", r->threads);
        firn_json_number(j, "ms_per_image", r->ms_per_image);
        firn_json_number(j, "best_ms_per_image", r->best_ms_per_image);
        rates_json(j, t->direct_gflop, t->executed_gflop, &r->rates);
    }
    firn_json_end_array(j);
    layers_json(j, t);
}

static void tell_text(const struct firn_bench_trunk *t)
{
    char weights[32], worker[32];
    printf("trunk: %s, %s, %.1f GFLOP an image as plain convolutions, %.1f as run\n", t->model,
           t->cpu, t->direct_gflop, t->executed_gflop);
    printf("  limits  %.1f GFLOPS of one core, %.1f GB/s read by one core\n", t->fma_peak_gflops,
           t->read_gbytes);
    printf("  start   %.0f ms to the first feature: %.0f to load, %.0f to pack the weights\n",
           t->start_ms, t->load_ms, t->pack_ms);
    printf("  memory  %s of weights, %s for each thread\n",
           firn_cli_bytes(weights, (double)t->weight_bytes),
           firn_cli_bytes(worker, (double)t->worker_bytes));
    static const char rates[] = "direct GFLOPS  executed  of peak  direct roof";
    printf("\n  %-44s %10s %8s  %s\n", "batch x threads", "ms/image", "best", rates);
    for (int i = 0; i < t->n_runs; i++) {
        const struct firn_bench_run *r = &t->run[i];
        printf("  %5d x %-36d %10.3f %8.3f", r->batch, r->threads, r->ms_per_image,
               r->best_ms_per_image);
        rates_text(&r->rates);
    }
    printf("\n  %-22s %-15s %5s %10s %8s  %s\n", "layers", "algorithm", "count", "ms/image",
           "products", rates);
    for (int i = 0; i < t->n_layers; i++) {
        const struct firn_bench_layer *l = &t->layer[i];
        printf("  %-22s %-15s %5d %10.3f %8.3f", l->name, l->algorithm, l->count, l->ms_per_image,
               l->products_ms);
        rates_text(&l->rates);
    }
}

int firn_bench_show_trunk(const struct firn_bench *b, struct firn_error *err)
{
    const struct firn_bench_trunk_spec spec = {
        .model = b->model, .cpu = b->cpu, .threads = b->threads, .seconds = b->seconds};
    struct firn_bench_trunk t;
    int result = firn_bench_trunk(&t, &spec, err);
    if (result == 0 && b->json)
        tell_json(b->json, &t);
    else if (result == 0)
        tell_text(&t);
    return result;
}

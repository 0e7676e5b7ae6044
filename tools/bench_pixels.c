/* SPDX-License-Identifier: MIT */
/** `firn bench pixels`: from a JPEG file to the crop, one thread. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#include "firn/image.h"
#include "output.h"
#include "sample_set.h"

struct measure {
    struct firn_image_info info;
    double best; /* seconds for one photograph; the fastest run is the least disturbed one */
    int runs;
};

static int measure(const struct firn_bench *b, const char *path, struct measure *m,
                   struct firn_error *err)
{
    const struct firn_image_spec spec = {.resize = 256, .crop = 224};
    uint8_t rgb[224 * 224 * 3];
    double end = firn_bench_now() + b->seconds;
    *m = (struct measure){.best = 1e9};
    while (m->runs < 3 || firn_bench_now() < end) {
        double start = firn_bench_now();
        int result = firn_preview(path, &spec, rgb, &m->info, err);
        if (result) {
            return result;
        }
        double seconds = firn_bench_now() - start;
        m->best = seconds < m->best ? seconds : m->best;
        m->runs++;
    }
    return 0;
}

static void tell(const struct firn_bench *b, const struct measure *m)
{
    double pixels = (double)m->info.width * m->info.height;
    if (!b->json) {
        printf("  %-5s %5d x %-5d  %8.2f ms  %8.1f images/s  %7.1f megapixels/s\n",
               m->info.format, m->info.width, m->info.height, m->best * 1e3, 1 / m->best,
               pixels / m->best / 1e6);
        return;
    }
    firn_json_object(b->json, NULL);
    firn_json_string(b->json, "format", m->info.format);
    firn_json_int(b->json, "width", m->info.width);
    firn_json_int(b->json, "height", m->info.height);
    firn_json_number(b->json, "ms_per_image", m->best * 1e3);
    firn_json_number(b->json, "images_per_second", 1 / m->best);
    firn_json_number(b->json, "megapixels_per_second", pixels / m->best / 1e6);
    firn_json_end_object(b->json);
}

static int drawn(const struct firn_bench *b, struct firn_error *err)
{
    static const int sizes[][2] = {{320, 240}, {500, 375}, {1600, 1200}, {4000, 3000}};
    struct measure m;
    char *dir = firn_bench_directory(err), *path = NULL;
    int result = dir ? 0 : -(int)err->code;
    if (dir && asprintf(&path, "%s/sample.jpg", dir) < 0) {
        result = firn_output_fail(err, FIRN_NOMEM, "out of memory");
    }
    for (size_t i = 0; result == 0 && i < sizeof(sizes) / sizeof(*sizes); i++) {
        int written = firn_sample_write(path, sizes[i][0], sizes[i][1], (int)i, i);
        result = written ? firn_output_fail(err, FIRN_IO, "%s: %s", path, strerror(-written))
                         : measure(b, path, &m, err);
        if (result == 0) {
            tell(b, &m);
        }
    }
    free(path);
    firn_bench_remove(dir);
    return result;
}

int firn_bench_pixels(const struct firn_bench *b, struct firn_error *err)
{
    if (b->json) {
        firn_json_array(b->json, "runs");
    } else {
        printf("pixels: read, decode, resize to 256, crop 224; one thread\n");
    }
    struct measure m;
    int result = b->path ? measure(b, b->path, &m, err) : drawn(b, err);
    if (result == 0 && b->path) {
        tell(b, &m);
    }
    if (b->json) {
        firn_json_end_array(b->json);
    }
    return result;
}

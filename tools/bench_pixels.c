/* SPDX-License-Identifier: MIT */
/** `firn bench pixels`: from a JPEG file to the crop, one thread. */
#include "bench.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>

#include "firn/image.h"
#include "output.h"
#include "sample_set.h"
#include "scratch.h"

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
        int result = firn_bench_go_on(b, err);
        if (result || (result = firn_preview(path, &spec, rgb, &m->info, NULL, err)))
            return result;
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
    char *dir = firn_scratch_create(err), *path = NULL;
    int result = dir ? 0 : -(int)err->code;
    if (dir && asprintf(&path, "%s/sample.jpg", dir) < 0)
        result = firn_output_fail(err, FIRN_NOMEM, "out of memory");
    for (size_t i = 0; result == 0 && i < sizeof(sizes) / sizeof(*sizes); i++) {
        int written = firn_sample_write(path, sizes[i][0], sizes[i][1], (int)i, i);
        result = written ? firn_output_fail(err, FIRN_IO, "%s: %s", path, strerror(-written))
                         : measure(b, path, &m, err);
        if (result == 0)
            tell(b, &m);
    }
    free(path);
    firn_scratch_remove(dir);
    return result;
}

/* ---- a directory, beside Pillow ---- */

#define MOST 500 /* photographs of a directory: enough for a mean, few enough to wait for */

static struct {
    char *path[MOST];
    size_t n;
} found;

static int collect(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)where;
    if (kind == FTW_F && found.n < MOST && (found.path[found.n] = strdup(path)))
        found.n++;
    return found.n == MOST;
}

/* Decode, resize and both, milliseconds of the mean photograph. */
struct mean {
    double decode, resize, total;
    size_t n;
};

/* The best of three runs of each photograph; what does not decode is left out. */
static struct mean own_mean(const struct firn_bench *b)
{
    const struct firn_image_spec spec = {.resize = 256, .crop = 224};
    static uint8_t rgb[224 * 224 * 3];
    struct mean mean = {0};
    size_t kept = 0;
    for (size_t i = 0; i < found.n && !*b->stop; i++) {
        struct firn_image_info best = {.decode_ns = INT64_MAX / 2}, info;
        const char *path = found.path[i];
        for (int run = 0; run < 3 && !firn_preview(path, &spec, rgb, &info, NULL, NULL); run++)
            best = info.decode_ns + info.resize_ns < best.decode_ns + best.resize_ns ? info : best;
        if (!best.format) {
            free(found.path[i]);
            continue;
        }
        mean.decode += (double)best.decode_ns / 1e6;
        mean.resize += (double)best.resize_ns / 1e6;
        found.path[kept++] = found.path[i];
    }
    found.n = mean.n = kept;
    mean.total = mean.decode + mean.resize;
    return mean;
}

/* Reads paths (NUL between them) from standard input, prints the sums of its best of three runs. */
static const char pillow_script[] =
    "import sys, time\n"
    "from PIL import Image\n"
    "sums = [0.0, 0.0]\n"
    "for path in sys.stdin.buffer.read().split(b'\\0')[:-1]:\n"
    "    best = (1e9, 0)\n"
    "    for _ in range(3):\n"
    "        start = time.perf_counter()\n"
    "        image = Image.open(path).convert('RGB')\n"
    "        middle = time.perf_counter()\n"
    "        size = [int(256 * v / min(image.size)) for v in image.size]\n"
    "        left, top = (round((v - 224) / 2) for v in size)\n"
    "        image.resize(size, Image.BILINEAR).crop((left, top, left + 224, top + 224)).load()\n"
    "        end = time.perf_counter()\n"
    "        best = min(best, (middle - start, end - middle), key=sum)\n"
    "    sums = [sums[0] + best[0], sums[1] + best[1]]\n"
    "print(*sums)\n";

static const char pillow_command[] =
    "python3=/usr/bin/python3; [ -x $python3 ] || python3=python3; "
    "$python3 \"$FIRN_SCRATCH/pillow.py\" <\"$FIRN_SCRATCH/paths\" 2>/dev/null";

/* False where python3-pil is missing. */
static bool pillow_mean(const char *dir, struct mean *mean)
{
    char *script = NULL, line[128] = "";
    FILE *file = asprintf(&script, "%s/pillow.py", dir) < 0 ? NULL : fopen(script, "w");
    bool ok = file && fputs(pillow_script, file) >= 0;
    ok = file && fclose(file) == 0 && ok;
    /* By the environment, because a path may hold what a shell would read. */
    ok = ok && setenv("FIRN_SCRATCH", dir, 1) == 0;
    file = ok ? popen(pillow_command, "r") : NULL;
    ok = file && fgets(line, sizeof(line), file);
    ok = (file && pclose(file) == 0) && ok &&
         sscanf(line, "%lf %lf", &mean->decode, &mean->resize) == 2;
    mean->decode *= 1e3;
    mean->resize *= 1e3;
    mean->total = mean->decode + mean->resize;
    mean->n = found.n;
    free(script);
    return ok;
}

static void tell_mean(const struct firn_bench *b, const char *who, const struct mean *m)
{
    const double n = (double)m->n;
    if (!b->json) {
        printf("  %-8s %6.2f ms decode  %6.2f ms resize  %6.2f ms total\n", who, m->decode / n,
               m->resize / n, m->total / n);
        return;
    }
    firn_json_object(b->json, who);
    firn_json_number(b->json, "decode_ms", m->decode / n);
    firn_json_number(b->json, "resize_ms", m->resize / n);
    firn_json_number(b->json, "total_ms", m->total / n);
    firn_json_end_object(b->json);
}

static int write_paths(const char *dir, struct firn_error *err)
{
    char *path = NULL;
    FILE *file = asprintf(&path, "%s/paths", dir) < 0 ? NULL : fopen(path, "w");
    for (size_t i = 0; file && i < found.n; i++)
        fwrite(found.path[i], 1, strlen(found.path[i]) + 1, file);
    int result = file && fclose(file) == 0 ? 0 : firn_output_fail(err, FIRN_CANTCREATE, "%s: %s",
                                                                  dir, strerror(errno));
    free(path);
    return result;
}

static int directory(const struct firn_bench *b, struct firn_error *err)
{
    nftw(b->path, collect, 16, FTW_PHYS);
    const struct mean own = own_mean(b);
    if (own.n == 0 && !*b->stop)
        return firn_output_fail(err, FIRN_NOINPUT, "%s: no photograph decodes", b->path);
    char *dir = firn_scratch_create(err);
    int result = dir ? write_paths(dir, err) : -(int)err->code;
    if (result == 0 && (result = firn_bench_go_on(b, err)) == 0) {
        struct mean pillow;
        const bool beside = pillow_mean(dir, &pillow);
        if (!b->json)
            printf("  %zu photographs, mean of the best of three\n", own.n);
        else
            firn_json_int(b->json, "photographs", (int64_t)own.n);
        tell_mean(b, "firn", &own);
        if (beside)
            tell_mean(b, "pillow", &pillow);
        else if (!b->json)
            printf("  (python3-pil is not installed: nothing to compare with)\n");
        if (beside && !b->json)
            printf("  ratio    %6.2f            %6.2f            %6.2f\n",
                   pillow.decode / own.decode, pillow.resize / own.resize,
                   pillow.total / own.total);
    }
    for (size_t i = 0; i < found.n; i++)
        free(found.path[i]);
    firn_scratch_remove(dir);
    return result;
}

static bool is_directory(const char *path)
{
    struct stat st;
    return path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int firn_bench_pixels(const struct firn_bench *b, struct firn_error *err)
{
    if (!b->json)
        printf("pixels: read, decode, resize to 256, crop 224; one thread\n");
    if (is_directory(b->path))
        return directory(b, err);
    if (b->json)
        firn_json_array(b->json, "runs");
    struct measure m;
    int result = b->path ? measure(b, b->path, &m, err) : drawn(b, err);
    if (result == 0 && b->path)
        tell(b, &m);
    if (b->json)
        firn_json_end_array(b->json);
    return result;
}

/* SPDX-License-Identifier: MIT */
/** The small parts beneath the readers; whole files are the business of the check_*weights.py. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "model/crc32.h"
#include "model/pool.h"
#include "model/presets.h"
#include "model/tensors.h"

static void test_crc32(void)
{
    const char *text = "123456789"; /* the check value that every description of CRC-32 gives */
    CHECK_INT(firn_crc32(0, text, 9), 0xCBF43926);
    CHECK_INT(firn_crc32(0, "", 0), 0);
    for (size_t i = 0; i <= 9; i++)
        CHECK_INT(firn_crc32(firn_crc32(0, text, i), text + i, 9 - i), 0xCBF43926);
    unsigned char bytes[1000];
    unsigned long long state = 1;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)check_random(&state);
    uint32_t one = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        one = firn_crc32(one, bytes + i, 1);
    CHECK_INT(firn_crc32(0, bytes, sizeof bytes), one);
    for (size_t from = 0; from < 20; from++) /* all ways to be cut, of every beginning's place */
        for (size_t n = 0; from + n <= 300; n++) {
            uint32_t whole = firn_crc32(7, bytes + from, n), parts = 7;
            for (size_t i = 0; i < n; i++)
                parts = firn_crc32(parts, bytes + from + i, 1);
            CHECK_INT(whole, parts);
        }
}

static void test_printable(void)
{
    char text[8];
    CHECK_STR(firn_printable("ab\n\x1b", 4, text, sizeof text), "ab??");
    CHECK_STR(firn_printable("0123456789", 10, text, sizeof text), "0123...");
    CHECK_STR(firn_printable("", 0, text, sizeof text), "");
}

static void test_pool(void)
{
    struct firn_pool pool = {.limit = 200000};
    char *a = firn_pool_alloc(&pool, 10), *b = firn_pool_text(&pool, "abc", 3);
    CHECK(a && b && a != b, " ");
    CHECK_STR(b, "abc");
    CHECK(firn_pool_alloc(&pool, 100000), " ");
    CHECK(!firn_pool_alloc(&pool, 100000), " ");
    CHECK(!firn_pool_alloc(&pool, SIZE_MAX), " ");
    CHECK(!firn_pool_alloc(&pool, SIZE_MAX - 8), " ");
    CHECK(firn_pool_alloc(&pool, 100), " ");
    firn_pool_free(&pool);
    firn_pool_free(&pool);
}

static void test_shape_text(void)
{
    const int64_t shape[] = {64, 3, 7, 7};
    char text[40], little[6];
    CHECK_STR(firn_shape_text(4, shape, text, sizeof text), "[64, 3, 7, 7]");
    CHECK_STR(firn_shape_text(0, shape, text, sizeof text), "[]");
    CHECK_INT(strlen(firn_shape_text(4, shape, little, sizeof little)), 5);
}

static void expect_preset(const char *path, const char *family, const char *name, int resize)
{
    struct firn_preset preset = firn_preset_for(path, family);
    CHECK_STR(preset.name, name);
    CHECK_INT(preset.resize, resize);
    CHECK_INT(preset.crop, 224);
}

static void test_presets(void)
{
    expect_preset("/x/resnet50-11ad3fa6.pth", "resnet50", "IMAGENET1K_V2", 232);
    expect_preset("/x/resnet50-0676ba61.pth", "resnet50", "IMAGENET1K_V1", 256);
    expect_preset("resnet50-11ad3fa6 (1).pth", "resnet50", "IMAGENET1K_V2", 232);
    expect_preset("resnet50-11ad3fa6.pth", "resnet18", "IMAGENET1K_V1", 256);
    expect_preset("resnext101_64x4d-173b62eb.pth", "resnext101_64x4d", "IMAGENET1K_V1", 232);
    expect_preset("mine.v2.safetensors", "resnet50", "IMAGENET1K_V2", 232);
    expect_preset("x.v2/mine.pth", "resnet50", "IMAGENET1K_V1", 256);
    expect_preset("/11ad3fa6/11ad3fa6.pth", "resnet50", "IMAGENET1K_V1", 256);
}

static void touch(const char *folder, const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0, "%s", path);
    close(fd);
}

static void expect_path(const char *spec, const char *folder, const char *name)
{
    char expected[600], *path;
    struct firn_error err = {0};
    snprintf(expected, sizeof expected, "%s%s%s", folder, *folder ? "/" : "", name);
    int rc = firn_locate_weights(spec, &path, &err);
    CHECK(rc == 0, "%s: %s", spec, err.text);
    if (rc == 0)
        CHECK_STR(path, expected);
    free(path);
}

static void expect_refusal(const char *spec, int code, const char *part)
{
    char *path;
    struct firn_error err = {0};
    CHECK_INT(firn_locate_weights(spec, &path, &err), -code);
    CHECK(!path && strstr(err.text, part), "%s", err.text);
}

static void test_locate(void)
{
    char root[] = "/tmp/firn-test-XXXXXX", hub[100], own[100], command[240];
    CHECK(mkdtemp(root), " ");
    snprintf(hub, sizeof hub, "%s/torch/hub/checkpoints", root);
    snprintf(own, sizeof own, "%s/firn/models", root);
    snprintf(command, sizeof command, "mkdir -p %s %s", hub, own);
    CHECK_INT(system(command), 0);
    touch(hub, "resnet18-5c106cde.pth");
    touch(hub, "resnet50-11ad3fa6.pth");
    touch(own, "resnet50.safetensors");
    touch(own, "resnet34.v2.pth");
    setenv("XDG_CACHE_HOME", root, 1);
    unsetenv("TORCH_HOME");
    expect_path("resnet18", hub, "resnet18-5c106cde.pth");
    expect_path("resnet18.v1", hub, "resnet18-5c106cde.pth");
    expect_path("resnet50", own, "resnet50.safetensors");
    expect_path("resnet50.v2", hub, "resnet50-11ad3fa6.pth");
    expect_path("resnet34.v2", own, "resnet34.v2.pth");
    expect_path("some/where", "", "some/where");
    expect_path("resnet18.pth", "", "resnet18.pth");
    expect_refusal("resnet34", FIRN_NOINPUT, "download.pytorch.org/models/resnet34-b627a593.pth");
    expect_refusal("resnet34.v2x", FIRN_NOINPUT, "neither a file nor a model's name");
    expect_refusal("resnet18.v2", FIRN_USAGE, "no V2 weights");
    expect_refusal("vgg16", FIRN_NOINPUT, "neither a file nor");
    snprintf(command, sizeof command, "%s/torch", root);
    setenv("TORCH_HOME", command, 1);
    expect_path("resnet18", hub, "resnet18-5c106cde.pth");
    snprintf(command, sizeof command, "rm -r %s", root);
    CHECK_INT(system(command), 0);
}

static void test_open_nothing(void)
{
    struct firn_weights w;
    struct firn_error err;
    CHECK_INT(firn_weights_open(&w, "/no/such/file.pth", &err), -FIRN_NOINPUT);
    CHECK_STR(err.text, "/no/such/file.pth: No such file or directory");
    CHECK_INT(firn_weights_open(&w, "/", &err), -FIRN_NOINPUT);
    CHECK_STR(err.text, "/: not a regular file");
    CHECK_INT(firn_weights_open(&w, "/dev/zero", &err), -FIRN_NOINPUT);
}

/** A file that another process cuts short while it is being read: an error, not a signal. */
static void test_shrinking(void)
{
    static const char header[] =
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[100000],\"data_offsets\":[0,400000]}}";
    const uint64_t n = sizeof header - 1;
    char path[64];
    int fd = memfd_create("weights", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK_INT(pwrite(fd, &n, 8, 0), 8);
    CHECK_INT(pwrite(fd, header, n, 8), n);
    CHECK_INT(ftruncate(fd, (off_t)(8 + n + 400000)), 0);
    struct firn_weights w;
    struct firn_error err = {0};
    CHECK_INT(firn_weights_open(&w, path, &err), 0);
    float *numbers = malloc(400000);
    const struct firn_tensor *t = firn_weights_find(&w, "w");
    CHECK(t, " ");
    CHECK_INT(firn_tensor_read(&w, t, numbers, &err), 0);
    CHECK_INT(ftruncate(fd, (off_t)(8 + n + 300000)), 0);
    CHECK_INT(firn_tensor_read(&w, t, numbers, &err), -FIRN_IO);
    CHECK(strstr(err.text, "became shorter"), "%s", err.text);
    free(numbers);
    firn_weights_close(&w);
    close(fd);
}

int main(void)
{
    test_crc32();
    test_shrinking();
    test_printable();
    test_pool();
    test_shape_text();
    test_presets();
    test_locate();
    test_open_nothing();
    CHECK_DONE();
}

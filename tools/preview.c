/* SPDX-License-Identifier: MIT */
/** `firn preview`: the crop of one photograph exactly as the trunk gets it, as a PPM image. */
#include "cli.h"
#include "extract_options.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firn/image.h"
#include "firn/model.h"

#define LARGEST 4096 /* side of a crop, pixels: far above any use */

/** The sizes that the weights of `model` were trained for. */
static int preset_of(const char *model, struct firn_image_spec *spec, struct firn_error *err)
{
    struct firn_model *m;
    int result = firn_model_open(&m, model, err);
    if (result == 0) {
        spec->resize = firn_model_info(m)->resize;
        spec->crop = firn_model_info(m)->crop;
        firn_model_close(m);
    }
    return result;
}

static int write_ppm(const char *path, const uint8_t *rgb, int crop, struct firn_error *err)
{
    char header[64];
    size_t n = (size_t)snprintf(header, sizeof(header), "P6\n%d %d\n255\n", crop, crop);
    size_t size = (size_t)crop * (size_t)crop * 3;
    if (strcmp(path, "-") == 0) {
        fwrite(header, 1, n, stdout);
        fwrite(rgb, 1, size, stdout);
        return 0; /* failures are found when main() flushes */
    }
    struct firn_output out;
    int result = firn_output_open(&out, path, err);
    if (result == 0) {
        firn_output_write(&out, header, n);
        firn_output_write(&out, rgb, size);
        result = firn_output_commit(&out, err);
    }
    return result;
}

static int tell(const char *image, const struct firn_image_spec *spec,
                const struct firn_image_info *info, bool json)
{
    if (!json) {
        firn_cli_note("%s: %s, %d x %d, shorter side to %d, crop of %d%s", image, info->format,
                      info->width, info->height, spec->resize, spec->crop,
                      info->warnings ? "; the decoder warned" : "");
        return FIRN_OK;
    }
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_json_string(&j, "path", image);
    firn_json_string(&j, "format", info->format);
    firn_json_int(&j, "width", info->width);
    firn_json_int(&j, "height", info->height);
    firn_json_int(&j, "warnings", info->warnings);
    firn_json_int(&j, "orientation", info->orientation);
    firn_json_int(&j, "scale", info->scale);
    firn_json_int(&j, "resize", spec->resize);
    firn_json_int(&j, "crop", spec->crop);
    firn_json_end_object(&j);
    return firn_cli_print_json(&j);
}

static int make(const char *image, const char *path, const struct firn_image_spec *spec, bool json)
{
    struct firn_image_info info = {0};
    struct firn_error err = {0};
    uint8_t *rgb = calloc((size_t)spec->crop * (size_t)spec->crop, 3);
    if (!rgb) {
        firn_cli_warn("out of memory");
        return FIRN_NOMEM;
    }
    int result = firn_preview(image, spec, rgb, &info, NULL, &err);
    if (result == 0) {
        result = write_ppm(path, rgb, spec->crop, &err);
    }
    free(rgb);
    return result ? firn_cli_fail(&err) : tell(image, spec, &info, json);
}

static int preview(const struct firn_verb *verb, int argc, char **argv)
{
    const char *path = NULL, *model = NULL;
    struct firn_image_spec spec = {.resize = 256, .crop = 224}, typed = {0};
    int exif = 0, decode = 0;
    bool json = false;
    const struct firn_opt opts[] = {
        {FIRN_OPT_TEXT, 'o', "output", "OUT.ppm", "image to write; - is stdout", &path, NULL},
        {FIRN_OPT_TEXT, 'm', "model", "MODEL", "take the sizes that this model wants", &model,
         NULL},
        {FIRN_OPT_COUNT, 0, "resize", "N", "shorter side after resizing [256]", &typed.resize,
         NULL},
        {FIRN_OPT_COUNT, 0, "crop", "N", "side of the centre crop [224]", &typed.crop, NULL},
        FIRN_OPT_EXIF(exif),
        FIRN_OPT_DECODE(decode),
        {FIRN_OPT_FLAG, 0, "json", NULL, "print what was found as JSON", &json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO) {
        return status;
    }
    if (!path) {
        return firn_cli_usage(verb, "-o OUT.ppm is missing");
    }
    if (strcmp(path, "-") == 0 && (json || isatty(STDOUT_FILENO))) {
        return firn_cli_usage(verb, json ? "--json and -o - both want standard output"
                                         : "will not write an image to a terminal");
    }
    struct firn_error err = {0};
    if (model && preset_of(model, &spec, &err)) {
        return firn_cli_fail(&err);
    }
    spec.turn = exif == 2;
    spec.fast = decode == 2;
    spec.resize = typed.resize ? typed.resize : spec.resize;
    spec.crop = typed.crop ? typed.crop : spec.crop;
    if (spec.crop > LARGEST || spec.resize > LARGEST) {
        return firn_cli_usage(verb, "--resize and --crop go up to %d", LARGEST);
    }
    return make(argv[0], path, &spec, json);
}

const struct firn_verb firn_verb_preview = {
    .name = "preview",
    .args = "[options] IMAGE -o OUT.ppm",
    .summary = "write the crop of a photograph as the trunk gets it",
    .more = "The pixels are those of torchvision's Resize and CenterCrop through Pillow.\n",
    .min_args = 1,
    .max_args = 1,
    .run = preview,
};

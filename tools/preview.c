/* SPDX-License-Identifier: MIT */
/** `firn preview`: the crop of one photograph exactly as the trunk gets it, as a PPM image. */
#include "cli.h"
#include "extract_options.h"
#include "output.h"
#include "view.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firn/image.h"
#include "firn/model.h"

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
    int result = firn_output_begin(&out, path, err);
    if (result == 0) {
        firn_output_write(&out, header, n);
        firn_output_write(&out, rgb, size);
        result = firn_output_commit(&out, err);
    }
    return result;
}

/** What was asked for. */
struct wish {
    const char *image, *path;
    struct firn_image_spec spec;
    int view;
    bool json;
};

/** What of the file is unusual, and what was done about it. */
static void describe(const struct wish *w, const struct firn_image_info *info, char text[160])
{
    int n = 0;
    text[0] = '\0';
    if (info->orientation != 1)
        n = snprintf(text, 160, w->spec.turn ? "; turned by its EXIF orientation, %d"
                                             : "; not upright by its EXIF orientation, %d, which "
                                               "is ignored", info->orientation);
    if (info->scale > 1)
        n += snprintf(text + n, 160 - (size_t)n, "; decoded at 1/%d", info->scale);
    if (info->warnings)
        snprintf(text + n, 160 - (size_t)n, "; the decoder warned");
}

static void note(const struct wish *w, const struct firn_image_info *info,
                 const struct firn_view *view)
{
    char where[160] = "", words[96], more[160];
    int views = firn_views_count(&w->spec.views);
    describe(w, info, more);
    if (views > 1 || !view->resized) {
        firn_view_words(view, words);
        snprintf(where, sizeof(where), ", view %d of 0 to %d: %s", w->view, views - 1, words);
    }
    if (view->resized)
        firn_cli_note("%s: %s, %d x %d, shorter side to %d, crop of %d%s%s", w->image,
                      info->format, info->width, info->height, w->spec.resize, w->spec.crop, where,
                      more);
    else
        firn_cli_note("%s: %s, %d x %d%s, resized to %d%s", w->image, info->format, info->width,
                      info->height, where, w->spec.crop, more);
}

static int tell(const struct wish *w, const struct firn_image_info *info,
                const struct firn_view *view)
{
    if (!w->json) {
        note(w, info, view);
        return FIRN_OK;
    }
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_json_string(&j, "path", w->image);
    firn_json_string(&j, "format", info->format);
    firn_json_int(&j, "width", info->width);
    firn_json_int(&j, "height", info->height);
    firn_json_int(&j, "warnings", info->warnings);
    firn_json_int(&j, "orientation", info->orientation);
    firn_json_int(&j, "scale", info->scale);
    firn_json_int(&j, "resize", w->spec.resize);
    firn_json_int(&j, "crop", w->spec.crop);
    firn_json_int(&j, "views", firn_views_count(&w->spec.views));
    firn_json_int(&j, "view", w->view);
    firn_view_json(&j, "box", view);
    firn_json_end_object(&j);
    return firn_cli_print_json(&j);
}

static int make(const struct wish *w)
{
    struct firn_image_info info = {0};
    struct firn_error err = {0};
    struct firn_view view;
    uint8_t content[32];
    size_t one = firn_crop_bytes(&w->spec);
    uint8_t *rgb = calloc((size_t)firn_views_count(&w->spec.views), one);
    if (!rgb) {
        firn_cli_warn("out of memory");
        return FIRN_NOMEM;
    }
    int result = firn_preview(w->image, &w->spec, rgb, &info, content, &err);
    if (result == 0)
        result = write_ppm(w->path, rgb + (size_t)w->view * one, w->spec.crop, &err);
    free(rgb);
    if (result)
        return firn_cli_fail(&err);
    firn_view_at(&w->spec, content, &info, w->view, &view);
    return tell(w, &info, &view);
}

/** A PPM under such a name would be taken for something else. */
static bool wants_other_format(const char *path)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".webp",
                                          ".tif", ".tiff", ".bmp"};
    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
        if (firn_output_ends_in(path, endings[i]))
            return true;
    }
    return false;
}

static int preview(const struct firn_verb *verb, int argc, char **argv)
{
    const char *path = NULL, *model = NULL, *views = NULL;
    struct firn_image_spec spec = {.resize = 256, .crop = 224}, typed = {0};
    int view = 0, exif = 0, decode = 0;
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
        FIRN_OPT_VIEWS(views),
        {FIRN_OPT_WHOLE, 0, "view", "N", "which of them to write, from 0 on [0]", &view, NULL},
        {FIRN_OPT_FLAG, 0, "json", NULL, "print what was found as JSON", &json, NULL},
        {0},
    };
    int status = firn_cli_parse(verb, opts, &argc, &argv);
    if (status != FIRN_CLI_GO)
        return status;
    if (!path)
        return firn_cli_usage(verb, "-o OUT.ppm is missing");
    if (wants_other_format(path))
        return firn_cli_usage(verb, "-o %s: only a PPM can be written; give a name that ends in "
                                    ".ppm", path);
    if (strcmp(path, "-") == 0 && (json || isatty(STDOUT_FILENO)))
        return firn_cli_usage(verb, json ? "--json and -o - both want standard output"
                                         : "will not write an image to a terminal");
    if (strcmp(path, "-") != 0 &&
        (status = firn_cli_spare(verb, argv[0], path)) != FIRN_CLI_GO)
        return status;
    struct firn_error err = {0};
    if (model && preset_of(model, &spec, &err))
        return firn_cli_fail(&err);
    spec.turn = exif == 2;
    spec.fast = decode == 2;
    spec.resize = typed.resize ? typed.resize : spec.resize;
    spec.crop = typed.crop ? typed.crop : spec.crop;
    if (spec.resize > FIRN_MAX_RESIZE || spec.crop > FIRN_MAX_CROP)
        return firn_cli_usage(verb, "--resize goes up to %d and --crop to %d", FIRN_MAX_RESIZE,
                              FIRN_MAX_CROP);
    if (firn_views_parse(&spec.views, views, &err))
        return firn_cli_fail(&err);
    if (view >= firn_views_count(&spec.views))
        return firn_cli_usage(verb, "--view %d: the views are 0 to %d", view,
                              firn_views_count(&spec.views) - 1);
    return make(&(struct wish){argv[0], path, spec, view, json});
}

const struct firn_verb firn_verb_preview = {
    .name = "preview",
    .args = "[options] IMAGE -o OUT.ppm",
    .summary = "write the crop of a photograph as the trunk gets it",
    .more = "The pixels are those of torchvision's Resize and CenterCrop through Pillow, or of\n"
            "another view that firn extract makes.\n",
    .min_args = 1,
    .max_args = 1,
    .run = preview,
};

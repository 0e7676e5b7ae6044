/* SPDX-License-Identifier: MIT */
#include "view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void firn_view_words(const struct firn_view *view, char text[96])
{
    snprintf(text, 96, "%d x %d at %d,%d%s%s", view->width, view->height, view->x, view->y,
             view->resized ? " of the resized photograph" : "",
             view->mirrored ? ", mirrored" : "");
}

void firn_view_json(struct firn_json *j, const char *key, const struct firn_view *view)
{
    firn_json_object(j, key);
    firn_json_int(j, "x", view->x);
    firn_json_int(j, "y", view->y);
    firn_json_int(j, "width", view->width);
    firn_json_int(j, "height", view->height);
    firn_json_string(j, "of", view->resized ? "resized" : "photograph");
    firn_json_bool(j, "mirrored", view->mirrored);
    firn_json_end_object(j);
}

bool firn_view_spec(const struct firn_fingerprint *fp, struct firn_image_spec *spec)
{
    static const char *const keys[] = {"resize", "crop", "exif", "decode", "views"};
    char value[5][64], *views = value[4];
    for (int i = 0; i < 5; i++) {
        if (!firn_fingerprint_value(fp, FIRN_PART_PREPROCESS, keys[i], value[i], 64))
            return false;
    }
    char *version = strchr(views, '/');
    if (version && strcmp(version, "/1") != 0) {
        return false; /* another generator */
    }
    if (version)
        *version = '\0';
    *spec = (struct firn_image_spec){.resize = atoi(value[0]), .crop = atoi(value[1]),
                                     .turn = strcmp(value[2], "apply") == 0,
                                     .fast = strcmp(value[3], "fast") == 0};
    return firn_views_parse(&spec->views, views, NULL) == 0;
}

bool firn_view_all(const char *path, const uint8_t content[32], const struct firn_image_spec *spec,
                   struct firn_view *view)
{
    struct firn_image_info info;
    struct firn_image_spec one = {.resize = spec->resize, .crop = 1};
    uint8_t rgb[3], found[32];
    if (firn_preview(path, &one, rgb, &info, found, NULL) != 0 ||
        memcmp(found, content, sizeof(found)) != 0)
        return false;
    for (int i = 0; i < firn_views_count(&spec->views); i++)
        firn_view_at(spec, content, &info, i, &view[i]);
    return true;
}

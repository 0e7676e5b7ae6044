/* SPDX-License-Identifier: MIT */
#include "model/recognise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "model/tensors.h"

#define STEM "conv1.weight"

/** A ResNet of torchvision's begins with this convolution, and has no other of this shape. */
static bool is_stem(const struct firn_tensor *t)
{
    size_t n = strlen(t->name), m = strlen(STEM);
    return n >= m && strcmp(t->name + n - m, STEM) == 0 && (n == m || t->name[n - m - 1] == '.') &&
           t->ndim == 4 && t->shape[0] == 64 && t->shape[1] == 3 && t->shape[2] == 7 &&
           t->shape[3] == 7;
}

/** What `firn bn estimate` writes: means and variances, and nothing else. */
static bool is_statistics(const struct firn_weights *w)
{
    for (size_t i = 0; i < w->n_tensor; i++) {
        const char *last = strrchr(w->tensor[i].name, '.');
        if (!last || (strcmp(last, ".running_mean") != 0 && strcmp(last, ".running_var") != 0))
            return false;
    }
    return w->n_tensor > 0;
}

/** The refusal of a file without a stem: what it has instead. */
static int refuse_stem(const struct firn_weights *w, struct firn_error *err)
{
    const struct firn_tensor *t = firn_weights_find(w, STEM);
    char names[300] = "", shape[160], name[60];
    size_t n = 0;
    if (is_statistics(w))
        return firn_fail(err, FIRN_DATA, "%s: BatchNorm statistics without weights; 'firn bn diff' "
                         "shows them, and --bn gives them to a model", w->file.path);
    if (t)
        return firn_fail(err, FIRN_DATA, "%s: not a ResNet that firn knows: %s is %s, and not "
                         "[64, 3, 7, 7]", w->file.path, STEM,
                         firn_shape_text(t->ndim, t->shape, shape, sizeof shape));
    for (size_t i = 0; i < w->n_tensor && i < 4 && n < sizeof names; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "",
                              firn_printable(w->tensor[i].name, strlen(w->tensor[i].name), name,
                                             sizeof name));
    return firn_fail(err, FIRN_DATA, "%s: not a ResNet that firn knows: no tensor " STEM " of "
                     "[64, 3, 7, 7] among its %zu (%s%s)", w->file.path, w->n_tensor, names,
                     w->n_tensor > 4 ? ", ..." : "");
}

/** Index of the stem; the names before its "conv1.weight" are the prefix of all. */
static int find_stem(const struct firn_weights *w, const struct firn_tensor **stem,
                     struct firn_error *err)
{
    *stem = NULL;
    const struct firn_tensor *plain = firn_weights_find(w, STEM);
    if (plain && is_stem(plain)) {
        *stem = plain;
        return 0;
    }
    for (size_t i = 0; i < w->n_tensor; i++) {
        const struct firn_tensor *t = &w->tensor[i];
        char a[120], b[120];
        if (!is_stem(t))
            continue;
        if (*stem)
            return firn_fail(err, FIRN_DATA, "%s: two networks in one file (%s, %s); save one "
                             "of them alone", w->file.path,
                             firn_printable((*stem)->name, strlen((*stem)->name), a, sizeof a),
                             firn_printable(t->name, strlen(t->name), b, sizeof b));
        *stem = t;
    }
    return *stem ? 0 : refuse_stem(w, err);
}

/** The tensor PREFIX + `name`; NULL if there is none. */
static const struct firn_tensor *find(const struct firn_weights *w, const char *prefix,
                                      const char *name)
{
    char full[600];
    if (strlen(prefix) + strlen(name) >= sizeof full)
        return NULL;
    strcpy(full, prefix);
    strcat(full, name);
    return firn_weights_find(w, full);
}

static int count_blocks(const struct firn_weights *w, const char *prefix, int layer)
{
    int n = 0;
    char name[48];
    do
        snprintf(name, sizeof name, "layer%d.%d.conv1.weight", layer, n++);
    while (n <= FIRN_MAX_BLOCKS && find(w, prefix, name));
    return n - 1;
}

/** Chooses the row of the table that has these blocks and this 3x3 in layer1. */
static int choose_family(const struct firn_weights *w, const char *prefix,
                         const struct firn_family **family, struct firn_error *err)
{
    int blocks[4];
    for (int i = 0; i < 4; i++)
        blocks[i] = count_blocks(w, prefix, i + 1);
    const struct firn_tensor *middle = find(w, prefix, "layer1.0.conv2.weight");
    bool bottleneck = find(w, prefix, "layer1.0.conv3.weight") != NULL;
    int64_t width = middle && middle->ndim == 4 ? middle->shape[0] : 0;
    int64_t groups = width && middle->shape[1] ? width / middle->shape[1] : 0;
    for (int i = 0; i < FIRN_FAMILIES; i++) {
        *family = &firn_families[i];
        if (memcmp((*family)->blocks, blocks, sizeof blocks) == 0 &&
            (*family)->bottleneck == bottleneck && (*family)->groups == groups &&
            firn_family_width(*family, 0) == width)
            return 0;
    }
    return firn_fail(err, FIRN_DATA, "%s: not a ResNet that firn knows: %d, %d, %d, %d %s blocks, "
                     "width %lld in %lld groups; the ten are resnet18, 34, 50, 101, 152, "
                     "wide_resnet50_2, wide_resnet101_2, resnext50_32x4d, resnext101_32x8d, "
                     "resnext101_64x4d", w->file.path, blocks[0], blocks[1], blocks[2], blocks[3],
                     bottleneck ? "bottleneck" : "basic", (long long)width, (long long)groups);
}

static int check_param(const struct firn_weights *w, const struct firn_param *p,
                       const struct firn_tensor *t, const char *family, struct firn_error *err)
{
    if (!t)
        return firn_fail(err, FIRN_DATA, "%s: looks like %s, but %s is missing", w->file.path,
                         family, p->name);
    int64_t expected[4];
    bool equal = t->ndim == p->ndim;
    for (int i = 0; i < p->ndim; i++) {
        expected[i] = p->shape[i];
        equal = equal && t->shape[i] == expected[i];
    }
    char is[160], should[80];
    if (!equal)
        return firn_fail(err, FIRN_DATA, "%s: looks like %s, but %s is %s, and not %s",
                         w->file.path, family, p->name,
                         firn_shape_text(t->ndim, t->shape, is, sizeof is),
                         firn_shape_text(p->ndim, expected, should, sizeof should));
    return 0;
}

/** Part of a trunk by its name: if the trunk does not know it, this is another network. */
static bool names_trunk(const char *name)
{
    static const char *const starts[] = {"conv1.", "bn1.", "layer"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncmp(name, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/** Refuses tensors that the family has no use for where the trunk is; counts the others. */
static int sort_out_rest(const struct firn_weights *w, const char *prefix,
                         const struct firn_network *network, struct firn_recognised *found,
                         struct firn_error *err)
{
    const char *known[FIRN_MAX_PARAMS];
    size_t tracked = 0;
    for (int i = 0; i < network->n_param; i++)
        known[i] = network->param[i].name;
    qsort(known, (size_t)network->n_param, sizeof *known, by_name);
    for (size_t i = 0; i < w->n_tensor; i++) {
        const char *name = w->tensor[i].name;
        bool mine = strncmp(name, prefix, strlen(prefix)) == 0;
        name += mine ? strlen(prefix) : 0;
        if (mine && bsearch(&name, known, (size_t)network->n_param, sizeof *known, by_name))
            continue;
        if (mine && names_trunk(name) && ends_with(name, ".num_batches_tracked")) {
            tracked++;
            continue;
        }
        char text[120];
        if (mine && names_trunk(name))
            return firn_fail(err, FIRN_DATA, "%s: looks like %s, but %s has no place in one: this "
                             "is another network", w->file.path, network->family->name,
                             firn_printable(name, strlen(name), text, sizeof text));
        found->ignored += !(mine && strncmp(name, "fc.", 3) == 0);
    }
    found->zero_tracked = tracked < (size_t)network->net.n_conv;
    return 0;
}

int firn_recognise(const struct firn_weights *w, struct firn_network *network,
                   struct firn_recognised *found, struct firn_error *err)
{
    const struct firn_tensor *stem;
    const struct firn_family *family;
    memset(found, 0, sizeof *found);
    int rc = find_stem(w, &stem, err);
    if (rc)
        return rc;
    char prefix[512] = "";
    size_t n = strlen(stem->name) - strlen(STEM);
    if (n >= sizeof prefix)
        return firn_fail(err, FIRN_DATA, "%s: a prefix of %zu bytes", w->file.path, n);
    memcpy(prefix, stem->name, n);
    rc = choose_family(w, prefix, &family, err);
    if (rc)
        return rc;
    firn_network_init(network, family);
    for (int i = 0; rc == 0 && i < network->n_param; i++) {
        const struct firn_tensor *t = find(w, prefix, network->param[i].name);
        rc = check_param(w, &network->param[i], t, family->name, err);
        network->param[i].source = t;
    }
    if (rc == 0)
        rc = sort_out_rest(w, prefix, network, found, err);
    const struct firn_tensor *fc = find(w, prefix, "fc.weight");
    found->has_fc = fc != NULL;
    found->classes = fc && fc->ndim == 2 && fc->shape[0] <= INT32_MAX ? (int)fc->shape[0] : 0;
    return rc;
}

int firn_load_parameters(struct firn_weights *w, struct firn_network *network,
                         struct firn_network_hasher *hasher, struct firn_error *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < network->n_param; i++) {
        struct firn_param *p = &network->param[i];
        rc = firn_tensor_read(w, p->source, p->data, err);
        if (rc == 0)
            rc = firn_param_check(p, w->file.path, err);
        if (rc == 0)
            firn_network_hasher_add(hasher, p);
    }
    return rc;
}

/* SPDX-License-Identifier: MIT */
/**
 * .h5, in a module of its own: see export_hdf5.c. libhdf5 writes by a driver of ours: what the disk
 * says goes to firn_output, as from the other formats, and as far as the library knows nothing
 * fails. By its own driver it would neither say errno nor end in good order.
 */
#include "export.h"
#include "photo.h"

#include <errno.h>
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    REASON = 128,
    TEXTS = 256,       /* strings that are written together */
    CHUNK = 256 << 10, /* bytes, at most: what somebody reads who wants one row */
};

/* ---- the file ---- */

/** What the library takes for its file; begins as it demands. */
struct disk {
    H5FD_t base;
    struct firn_output *out;
    haddr_t end; /* of what it has taken for itself */
};

static H5FD_t *disk_open(const char *name, unsigned flags, hid_t access, haddr_t most)
{
    struct firn_output *const *out = H5Pget_driver_info(access);
    struct disk *d = calloc(1, sizeof(*d));
    (void)name, (void)flags, (void)most;
    if (!d || !out) {
        free(d);
        return NULL;
    }
    d->out = *out;
    return &d->base;
}

static herr_t disk_close(H5FD_t *file)
{
    free(file);
    return 0;
}

static herr_t disk_query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t disk_get_end(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const struct disk *)file)->end;
}

static herr_t disk_set_end(H5FD_t *file, H5FD_mem_t type, haddr_t end)
{
    (void)type;
    ((struct disk *)file)->end = end;
    return 0;
}

static haddr_t disk_get_size(const H5FD_t *file, H5FD_mem_t type)
{
    struct stat st;
    (void)type;
    return fstat(fileno(((const struct disk *)file)->out->file), &st) == 0 ? (haddr_t)st.st_size
                                                                           : HADDR_UNDEF;
}

/** Zeros where nothing is. */
static herr_t disk_read(H5FD_t *file, H5FD_mem_t type, hid_t how, haddr_t at, size_t n, void *to)
{
    struct firn_output *out = ((struct disk *)file)->out;
    char *p = to;
    (void)type, (void)how;
    memset(p, 0, n);
    while (n > 0 && !out->failure) {
        ssize_t got = pread(fileno(out->file), p, n, (off_t)at);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            out->failure = errno;
        p += got > 0 ? got : 0;
        at += got > 0 ? (haddr_t)got : 0;
        n -= got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static herr_t disk_write(H5FD_t *file, H5FD_mem_t type, hid_t how, haddr_t at, size_t n,
                         const void *bytes)
{
    (void)type, (void)how;
    firn_output_patch(((struct disk *)file)->out, at, bytes, n);
    return 0;
}

/** A file must be as long as the library says in it. */
static herr_t disk_truncate(H5FD_t *file, hid_t how, hbool_t closing)
{
    struct disk *d = (struct disk *)file;
    (void)how, (void)closing;
    if (!d->out->failure && ftruncate(fileno(d->out->file), (off_t)d->end))
        d->out->failure = errno;
    return 0;
}

static const H5FD_class_t driver = {
    .name = "firn",
    .maxaddr = ((haddr_t)1 << 62) - 1,
    .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(struct firn_output *),
    .open = disk_open,
    .close = disk_close,
    .query = disk_query,
    .get_eoa = disk_get_end,
    .set_eoa = disk_set_end,
    .get_eof = disk_get_size,
    .read = disk_read,
    .write = disk_write,
    .truncate = disk_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

/** A new file in `out`, negative when the library refuses. */
static hid_t create(struct firn_output *out)
{
    hid_t id = H5FDregister(&driver), access = H5Pcreate(H5P_FILE_ACCESS), file = -1;
    if (id >= 0 && H5Pset_driver(access, id, &out) >= 0)
        file = H5Fcreate(out->path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    H5FDunregister(id);
    return file;
}

/* ---- what is in it ---- */

/** A dataset that rows are appended to. */
struct column {
    hid_t set, type;
    int rank;
    hsize_t at, width; /* rows that are there; numbers in one */
    bool failed;
};

/**
 * Begins a dataset of `n` rows, of `width` numbers each or (0) of one. More could be appended by
 * others: without a limit the library keeps chunks, and takes a dataset without rows.
 */
static void begin(struct column *c, hid_t file, const char *name, hid_t type, size_t n, int width)
{
    hsize_t size[2] = {n, (hsize_t)width}, most[2] = {H5S_UNLIMITED, (hsize_t)width};
    hsize_t row = H5Tget_size(type) * (width ? (hsize_t)width : 1);
    hsize_t chunk[2] = {row < CHUNK ? CHUNK / row : 1, (hsize_t)width};
    hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    *c = (struct column){.type = type, .rank = width ? 2 : 1, .width = size[1]};
    if (n < chunk[0])
        chunk[0] = n ? n : 1;
    hid_t space = H5Screate_simple(c->rank, size, most);
    c->failed = H5Pset_chunk(how, c->rank, chunk) < 0 ||
                H5Pset_obj_track_times(how, false) < 0; /* the same export is the same bytes */
    c->set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT);
    c->failed = c->failed || c->set < 0;
    H5Sclose(space);
    H5Pclose(how);
}

static void append(struct column *c, const void *values, size_t n)
{
    hsize_t start[2] = {c->at, 0}, count[2] = {n, c->width};
    if (c->failed || n == 0)
        return;
    hid_t there = H5Dget_space(c->set), here = H5Screate_simple(c->rank, count, NULL);
    c->failed = H5Sselect_hyperslab(there, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
                H5Dwrite(c->set, c->type, here, there, H5P_DEFAULT, values) < 0;
    c->at += n;
    H5Sclose(here);
    H5Sclose(there);
}

/** 0, or -1: the library refused something. */
static int end(struct column *c)
{
    return H5Dclose(c->set) < 0 || c->failed ? -1 : 0;
}

static void put_rows(void *user, const float *features, size_t n)
{
    append(user, features, n);
}

static void put_numbers(void *user, const int64_t *numbers, size_t n)
{
    append(user, numbers, n);
}

static int put_numbers_of(const struct firn_export *e, hid_t file, const char *name,
                          void (*each)(const struct firn_export *e, firn_export_numbers_fn *put,
                                       void *user))
{
    struct column c;
    begin(&c, file, name, H5T_STD_I64LE, e->n, 0);
    each(e, put_numbers, &c);
    return end(&c);
}

/** Strings without a length: the bytes of names, which are UTF-8 unless a name is not. */
static hid_t text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    return H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0 ? -1 : type;
}

static int put_paths(const struct firn_export *e, hid_t file, hid_t type)
{
    struct firn_export_walk walk = {.e = e};
    struct column c;
    char *path[TEXTS];
    bool more = true;
    begin(&c, file, "paths", type, e->n, 0);
    while (more && !c.failed) {
        size_t n = 0;
        while (n < TEXTS && (more = firn_export_next(&walk))) {
            path[n] = firn_photo_path(&walk.photo);
            c.failed = c.failed || !path[n++];
        }
        append(&c, path, n);
        for (size_t k = 0; k < n; k++)
            free(path[k]);
    }
    return end(&c);
}

static int put_classes(const struct firn_export *e, hid_t file, hid_t type)
{
    struct column c;
    begin(&c, file, "classes", type, e->classes, 0);
    for (size_t i = 0; i < e->classes; i++) {
        const char *name = firn_cache_class(e->cache, i);
        append(&c, &name, 1);
    }
    return end(&c);
}

static int put_attribute(hid_t file, const char *name, hid_t type, const char *text)
{
    hid_t one = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(file, name, type, one, H5P_DEFAULT, H5P_DEFAULT);
    bool failed = H5Awrite(attribute, type, &text) < 0;
    H5Sclose(one);
    return H5Aclose(attribute) < 0 || failed ? -1 : 0;
}

static int put_names(const struct firn_export *e, hid_t file)
{
    hid_t type = text_type();
    int result = put_paths(e, file, type) || put_classes(e, file, type) ||
                         put_attribute(file, "firn", type, FIRN_VERSION) ||
                         put_attribute(file, "fingerprint", type, e->fingerprint)
                     ? -1
                     : 0;
    H5Tclose(type);
    return result;
}

/** 0; -1: the library refused something; else as firn_export_rows(). */
static int put_all(const struct firn_export *e, hid_t file, struct firn_error *err)
{
    struct column c;
    begin(&c, file, "features", H5T_IEEE_F32LE, e->n, e->dim);
    int result = firn_export_rows(e, put_rows, &c, err);
    if (end(&c) && result == 0)
        result = -1;
    if (result == 0)
        result = put_numbers_of(e, file, "labels", firn_export_labels);
    if (result == 0 && e->views > 1)
        result = put_numbers_of(e, file, "views", firn_export_views);
    return result ? result : put_names(e, file);
}

/** The first that went wrong, which the others follow from. */
static herr_t take_reason(unsigned n, const H5E_error2_t *error, void *text)
{
    if (n == 0)
        snprintf(text, REASON, "%s", error->desc ? error->desc : "");
    return 0;
}

/** The library would print. */
static herr_t on_error(hid_t stack, void *text)
{
    return *(char *)text ? 0 : H5Ewalk2(stack, H5E_WALK_UPWARD, take_reason, text);
}

int firn_hdf5_write(const struct firn_export *e, struct firn_output *out, struct firn_error *err)
{
    char reason[REASON] = "";
    H5Eset_auto2(H5E_DEFAULT, on_error, reason);
    hid_t file = create(out);
    int result = file < 0 ? -1 : put_all(e, file, err);
    if (file >= 0 && H5Fclose(file) < 0 && result == 0)
        result = -1;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (result == -1 && out->failure == 0)
        return firn_output_fail(err, FIRN_NOMEM, "%s: libhdf5 cannot go on: %s", out->path,
                                *reason ? reason : "out of memory");
    return result == -1 ? 0 : result;
}

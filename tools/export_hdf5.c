/* SPDX-License-Identifier: MIT */
/**
 * .h5 is written by a module (hdf5.c) that is loaded when it is needed: libhdf5 comes with thirty
 * other libraries, which would make every start of the program three times as long.
 */
#include "export.h"

#ifdef FIRN_HDF5

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define MODULE "firn-hdf5.so"

/** From beside the program, where it is built, or from where it is installed. Stays: libhdf5 has
 * something to do at exit. */
static void *load(void)
{
    char *program = realpath("/proc/self/exe", NULL), *path = NULL;
    void *module = NULL;
    if (program && asprintf(&path, "%.*s" MODULE, (int)(strrchr(program, '/') + 1 - program),
                            program) >= 0) {
        module = dlopen(path, RTLD_NOW);
        free(path);
    }
    free(program);
    return module ? module : dlopen(FIRN_MODULES "/" MODULE, RTLD_NOW);
}

int firn_export_hdf5(const struct firn_export *e, struct firn_output *out, struct firn_error *err)
{
    void *module = load();
    firn_export_fn *write = module ? (firn_export_fn *)dlsym(module, "firn_hdf5_write") : NULL;
    if (!write)
        return firn_output_fail(err, FIRN_CONFIG, "%s: what writes HDF5 cannot be loaded: %s",
                                out->path, dlerror());
    return write(e, out, err);
}

#else

int firn_export_hdf5(const struct firn_export *e, struct firn_output *out, struct firn_error *err)
{
    (void)e;
    return firn_output_fail(err, FIRN_CONFIG, "%s: this firn was built without libhdf5; install "
                            "Debian's libhdf5-dev and build again, or export as .npz", out->path);
}

#endif

/* SPDX-License-Identifier: MIT */
#include "extract_options.h"

#include <string.h>

static const char *const stores[] = {"f32", "f16", NULL};
static const char *const ios[] = {"uring", "threads", NULL};
static const char *const memories[] = {"normal", "small", NULL};

const char *const firn_exif_names[] = {"ignore", "apply", NULL};
const char *const firn_decode_names[] = {"exact", "fast", NULL};

void firn_extract_table(struct firn_extract_args *args, const struct firn_opt *own)
{
    struct firn_extract_options *o = &args->options;
    const struct firn_opt common[] = {
        {FIRN_OPT_TEXT, 'm', "model", "MODEL", "weights: file, name or untrained:FAMILY[:SEED]",
         &o->model, NULL},
        {FIRN_OPT_TEXT, 'o', "output", "CACHE", "directory of the cache, created if absent",
         &o->cache, NULL},
        {FIRN_OPT_TEXT, 0, "bn", "MODE", "BatchNorm statistics: frozen, STATS, batch:N [frozen]",
         &o->bn, NULL},
        {FIRN_OPT_COUNT, 0, "resize", "N", "shorter side after resizing [by the model: 256 or 232]",
         &o->resize, NULL},
        {FIRN_OPT_COUNT, 0, "crop", "N", "side of the centre crop [by the model: 224]", &o->crop,
         NULL},
        FIRN_OPT_EXIF(args->exif),
        FIRN_OPT_DECODE(args->decode),
        FIRN_OPT_VIEWS(o->views),
        {FIRN_OPT_FLAG, 0, "no-partial", NULL, "decode also what the crop does not need", &o->whole,
         NULL},
        {FIRN_OPT_CHOICE, 0, "store", "TYPE", "features as f32 or f16 [f32]", &args->store, stores},
        {FIRN_OPT_COUNT, 'j', "threads", "N", "worker threads [usable cores]", &o->threads, NULL},
        {FIRN_OPT_COUNT, 'b', "batch", "N", "photographs a batch [by the trunk]", &o->batch, NULL},
        {FIRN_OPT_CHOICE, 0, "io", "HOW", "read files by uring or threads [what works]", &args->io,
         ios},
        {FIRN_OPT_FLAG, 0, "keep-cache", NULL, "leave what was read in the page cache",
         &o->keep_cache, NULL},
        {FIRN_OPT_CHOICE, 0, "memory", "SIZE", "normal, or small where there is little [normal]",
         &args->memory, memories},
        {FIRN_OPT_TEXT, 0, "cpu", "NAME", "cap: generic, sse4, avx2, neon [best]", &o->cpu, NULL},
        {FIRN_OPT_FLAG, 0, "allow-network-fs", NULL, "write to NFS, CIFS or the like, too",
         &o->allow_network_fs, NULL},
    };
    size_t n = sizeof(common) / sizeof(*common), limit = FIRN_EXTRACT_OPTS - 1;
    memcpy(args->table, common, sizeof(common));
    for (; own && own->kind && n < limit; own++)
        args->table[n++] = *own;
    args->table[n] = (struct firn_opt){0};
}

void firn_extract_complete(struct firn_extract_args *args)
{
    struct firn_extract_options *o = &args->options;
    o->store = args->store == 2 ? FIRN_STORE_F16 : FIRN_STORE_F32;
    o->turn = args->exif == 2;
    o->fast = args->decode == 2;
    o->memory = args->memory == 2 ? FIRN_MEMORY_SMALL : FIRN_MEMORY_NORMAL;
    o->io = args->io == 0 ? FIRN_IO_PROBE : args->io == 1 ? FIRN_IO_URING : FIRN_IO_THREADS;
}

int firn_extract_parse(const struct firn_verb *verb, struct firn_extract_args *args, int argc,
                       char **argv)
{
    struct firn_extract_options *o = &args->options;
    int status = firn_cli_parse(verb, args->table, &argc, &argv);
    if (status != FIRN_CLI_GO)
        return status;
    if (!o->model || !o->cache)
        return firn_cli_usage(verb, "%s is missing", o->model ? "-o CACHE" : "-m MODEL");
    status = firn_cli_no_stdout(verb, o->cache);
    if (status != FIRN_CLI_GO)
        return status;
    o->paths = (const char *const *)argv;
    o->n_paths = (size_t)argc;
    firn_extract_complete(args);
    return FIRN_CLI_GO;
}

/* SPDX-License-Identifier: MIT */
#include "bn/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/thread.h"
#include "pipeline/read.h"
#include "trunk/trunk.h"

static int start_members(struct firn_bn_engine *e, enum firn_cpu cpu, struct firn_error *err)
{
    int status = 0;
    e->members = firn_team_size(e->team);
    e->member = calloc((size_t)e->members, sizeof *e->member);
    if (!e->member)
        return firn_fail_nomem(err, "threads");
    for (int i = 0; i < e->members && !status; i++) {
        struct firn_bn_member *m = &e->member[i];
        status = firn_decoder_create(&m->decoder, &e->spec, err);
        if (!status) {
            firn_decoder_tune(m->decoder, cpu, true);
            status = firn_layered_worker_create(&m->worker, e->layered, e->norms, err);
        }
        if (!status)
            e->memory += firn_layered_worker_bytes(m->worker);
    }
    return status;
}

int firn_bn_engine_open(struct firn_bn_engine *e, const struct firn_bn_setup *setup,
                        struct firn_error *err)
{
    *e = (struct firn_bn_engine){.stop = setup->stop};
    int cpu = firn_cpu_choose(setup->cpu), status;
    if (cpu < 0)
        return firn_fail(err, FIRN_USAGE, "%s: no such instruction set on this machine",
                         setup->cpu);
    if ((status = firn_cpu_check_threads(setup->threads, err)) ||
        (status = firn_model_open(&e->model, setup->model, err)))
        return status;
    const struct firn_model_info *info = firn_model_info(e->model);
    e->spec.resize = setup->resize ? setup->resize : info->resize;
    e->spec.crop = setup->crop ? setup->crop : info->crop;
    e->spec.turn = setup->turn;
    e->spec.fast = setup->fast;
    firn_model_fingerprint(e->model, &e->fp);
    if ((status = firn_image_fingerprint(&e->spec, &e->fp, err)) ||
        (status = firn_layered_create(&e->layered, e->model, e->spec.crop, (enum firn_cpu)cpu,
                                      err)) ||
        (status = firn_norms_create(&e->norms, e->layered, err)) ||
        (status = firn_team_create(
             &e->team, setup->threads ? setup->threads : firn_cpu_usable_cores(), err)))
        return status;
    const struct firn_net *net = firn_model_net(e->model);
    for (int i = 0; i < net->n_conv; i++) {
        e->offset[i] = e->channels;
        e->channels += net->conv[i].shape.cout;
    }
    e->memory = firn_layered_bytes(e->layered);
    return start_members(e, (enum firn_cpu)cpu, err);
}

void firn_bn_engine_close(struct firn_bn_engine *e)
{
    for (int i = 0; e->member && i < e->members; i++) {
        firn_decoder_destroy(e->member[i].decoder);
        firn_layered_worker_destroy(e->member[i].worker);
        free(e->member[i].bytes);
    }
    free(e->member);
    firn_team_destroy(e->team);
    firn_norms_destroy(e->norms);
    firn_layered_destroy(e->layered);
    firn_model_close(e->model);
    *e = (struct firn_bn_engine){0};
}

bool firn_bn_stopped(const struct firn_bn_engine *e)
{
    return firn_is_set(e->stop) || e->shortage;
}

int firn_bn_check_stop(const struct firn_bn_engine *e, const char *stopped, struct firn_error *err)
{
    errno = e->shortage;
    return e->shortage           ? firn_fail_errno(err, FIRN_NOMEM, "photographs cannot be read")
           : firn_is_set(e->stop) ? firn_fail(err, FIRN_INTERRUPTED, "%s", stopped)
                                  : 0;
}

int firn_bn_group(const struct firn_bn_engine *e, int pass, size_t n)
{
    size_t most = (size_t)firn_layered_pass(e->layered, pass)->images;
    size_t share = (n + (size_t)e->members - 1) / (size_t)e->members;
    return (int)(most < share ? most : share ? share : 1);
}

/* ---- files ---- */

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static const char *read_bytes(struct firn_bn_member *m, int fd, size_t size)
{
    if (size > m->room) {
        free(m->bytes);
        m->room = size + size / 2;
        m->bytes = malloc(m->room);
        if (!m->bytes) {
            m->room = 0;
            return "out of memory";
        }
    }
    for (size_t done = 0; done < size;) {
        ssize_t n = read(fd, m->bytes + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? strerror(errno) : "changed while it was read; run again";
        done += (size_t)n;
    }
    return NULL;
}

/* The file's bytes into the member's buffer, their hash into the photograph; NULL, or why not. */
static const char *read_photo(struct firn_bn_engine *e, int member, struct firn_bn_photo *p)
{
    struct firn_bn_member *m = &e->member[member];
    struct stat st;
    uint8_t content[32];
    int fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && firn_is_shortage(errno))
        e->shortage = errno;
    if (fd < 0)
        return strerror(errno);
    const char *reason = fstat(fd, &st)                              ? strerror(errno)
                         : !S_ISREG(st.st_mode)                      ? "not a regular file"
                         : (uint64_t)st.st_size > FIRN_READ_LIMIT    ? "larger than the limit"
                         : read_bytes(m, fd, (size_t)st.st_size);
    close(fd);
    if (reason)
        return reason;
    firn_hash(m->bytes, (size_t)st.st_size, content);
    if (p->known && memcmp(content, p->content, sizeof content) != 0)
        return "changed while the photographs were listed; run again";
    memcpy(p->content, content, sizeof content);
    p->size = (uint64_t)st.st_size;
    p->mtime_ns = nanoseconds(st.st_mtim);
    p->ctime_ns = nanoseconds(st.st_ctim);
    p->known = true;
    return NULL;
}

/* A shortage ends the work: no photograph is to blame. */
static bool is_read(struct firn_bn_engine *e, int member, struct firn_bn_photo *p)
{
    const char *reason = read_photo(e, member, p);
    if (reason && !e->shortage)
        firn_bn_photo_fail(p, FIRN_SKIPPED, reason);
    return !reason;
}

struct hashing {
    struct firn_bn_engine *engine;
    struct firn_bn_photo *photo;
};

static void hash_one(void *user, int member, size_t i)
{
    struct hashing *h = user;
    if (!firn_bn_stopped(h->engine))
        is_read(h->engine, member, &h->photo[i]);
}

void firn_bn_hash(struct firn_bn_engine *e, struct firn_bn_photo *photo, size_t n)
{
    struct hashing h = {e, photo};
    firn_team_run(e->team, n, hash_one, &h);
}

void firn_bn_load(struct firn_bn_engine *e, int member, struct firn_bn_photo *p, uint8_t *crop)
{
    struct firn_bn_member *m = &e->member[member];
    struct firn_error err;
    if (!is_read(e, member, p))
        return;
    int status = firn_decode(m->decoder, m->bytes, (size_t)p->size, crop, NULL, &err);
    if (status)
        firn_bn_photo_fail(p, status == -FIRN_DATA ? FIRN_CORRUPT : FIRN_SKIPPED, err.text);
}

void firn_bn_read_ahead(const struct firn_bn_photo *photo, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int fd = open(photo[i].path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
            continue;
        posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
        close(fd);
    }
}

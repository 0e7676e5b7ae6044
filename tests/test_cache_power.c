/* SPDX-License-Identifier: MIT */
/**
 * Power cuts on a simulated disk. A recorder notes every call that the writer makes on the real
 * file system; afterwards the machine "loses power" at any moment of the record, and the test
 * builds what the disk could then hold:
 *
 *   - what was synced is there;
 *   - each unsynced write is there whole, not at all, or in pieces of 512 bytes, in any
 *     combination, whatever the order of the calls was; a lost piece reads as zeros, or as what an
 *     earlier file left on the disk;
 *   - a file whose creation (or removal) no directory sync confirmed is there or not;
 *   - a sync that failed confirmed nothing, and no later sync makes up for it.
 */
#include "cache/upkeep.h"
#include "cache_util.h"

enum { PHOTOS = 400, FILES = 64, SECTOR = 512 };

enum what { CREATE, WRITE, SYNC, CUT, SYNC_DIR, UNLINK };

struct call {
    enum what what;
    int file;
    uint64_t offset, size;
    uint8_t *bytes;
    bool failed; /* a sync that failed, or a write that one failed to confirm */
};

struct ack {
    size_t calls;  /* made when the commit returned */
    unsigned last; /* photographs 0..last-1 are acknowledged */
};

struct recorder {
    struct call *call;
    size_t n, room;
    char path[FILES][300];
    int fd[FILES];
    int files;
    struct ack ack[PHOTOS];
    int acks;
    unsigned long long state;
    bool compacts;  /* now and then */
    bool finishes;  /* runs, now and then, so that gaps are closed */
    int sync_fails; /* one sync of so many; 0: none */
};

static struct call *record(struct recorder *r, enum what what, int file)
{
    if (r->n == r->room) {
        r->room = r->room ? r->room * 2 : 256;
        r->call = realloc(r->call, r->room * sizeof *r->call);
        if (!r->call)
            abort();
    }
    struct call *c = r->call + r->n++;
    *c = (struct call){.what = what, .file = file};
    return c;
}

static int file_of(const struct recorder *r, int fd)
{
    int i = r->files;
    while (i-- > 0 && r->fd[i] != fd)
        ;
    if (i < 0)
        abort();
    return i;
}

static void forget_fd(struct recorder *r, int fd)
{
    for (int i = 0; i < r->files; i++)
        if (r->fd[i] == fd)
            r->fd[i] = -1;
}

/* The number may have been that of a file which was closed behind the recorder's back. */
static void set_fd(struct recorder *r, int file, int fd)
{
    forget_fd(r, fd);
    r->fd[file] = fd;
}

static int sim_mkdir(void *user, const char *path)
{
    (void)user;
    return firn_disk_system.mkdir(NULL, path);
}

static int sim_create(void *user, const char *path)
{
    struct recorder *r = user;
    int fd = firn_disk_system.create(NULL, path);
    if (fd < 0 || r->files == FILES)
        return -1;
    snprintf(r->path[r->files], sizeof r->path[0], "%s", strrchr(path, '/') + 1);
    set_fd(r, r->files, fd);
    record(r, CREATE, r->files++);
    return fd;
}

static int sim_open(void *user, const char *path)
{
    struct recorder *r = user;
    int i = r->files, fd = firn_disk_system.open(NULL, path);
    while (i-- > 0 && strcmp(r->path[i], strrchr(path, '/') + 1) != 0)
        ;
    if (i >= 0)
        set_fd(r, i, fd);
    return fd;
}

static ssize_t sim_pwrite(void *user, int fd, const void *bytes, size_t n, uint64_t offset)
{
    struct recorder *r = user;
    struct call *c = record(r, WRITE, file_of(r, fd));
    c->offset = offset;
    c->size = n;
    c->bytes = malloc(n);
    if (!c->bytes)
        abort();
    memcpy(c->bytes, bytes, n);
    return firn_disk_system.pwrite(NULL, fd, bytes, n, offset);
}

static int sim_fdatasync(void *user, int fd)
{
    struct recorder *r = user;
    int file = file_of(r, fd);
    bool fails = r->sync_fails && check_random(&r->state) % (unsigned)r->sync_fails == 0;
    if (!fails) {
        record(r, SYNC, file);
        return 0;
    }
    /* What was dirty is clean now, and lost as far as later syncs go. */
    for (size_t i = r->n; i-- > 0 && !(r->call[i].file == file && r->call[i].what == SYNC);)
        if (r->call[i].file == file && r->call[i].what == WRITE)
            r->call[i].failed = true;
    errno = EIO;
    return -1;
}

static int sim_reserve(void *user, int fd, uint64_t offset, uint64_t n)
{
    (void)user, (void)fd, (void)offset, (void)n;
    errno = EOPNOTSUPP;
    return -1;
}

static int sim_truncate(void *user, int fd, uint64_t size)
{
    record(user, CUT, file_of(user, fd))->size = size;
    return firn_disk_system.truncate(NULL, fd, size);
}

static int sim_sync_dir(void *user, const char *path)
{
    (void)path;
    record(user, SYNC_DIR, -1);
    return 0;
}

static int sim_unlink(void *user, const char *path)
{
    struct recorder *r = user;
    int i = r->files;
    while (i-- > 0 && strcmp(r->path[i], strrchr(path, '/') + 1) != 0)
        ;
    record(r, UNLINK, i);
    return firn_disk_system.unlink(NULL, path);
}

static int sim_rename(void *user, const char *from, const char *to)
{
    (void)user, (void)from, (void)to;
    abort(); /* only repair renames */
}

static int sim_close(void *user, int fd)
{
    forget_fd(user, fd);
    return close(fd);
}

/* Several runs of a writer that adds photographs and notes what was acknowledged when. */
static void live(struct recorder *r, const char *dir)
{
    const struct firn_disk disk = {
        .user = r, .mkdir = sim_mkdir, .create = sim_create, .open = sim_open,
        .pwrite = sim_pwrite, .fdatasync = sim_fdatasync, .reserve = sim_reserve,
        .truncate = sim_truncate, .sync_dir = sim_sync_dir, .unlink = sim_unlink,
        .rename = sim_rename,
        .close = sim_close};
    struct firn_writer_settings settings = {.disk = &disk, .segment_bytes = 40 << 10,
                                            .footer_blocks = 5, .tidy_from = 1};
    struct firn_fingerprint fp = test_fingerprint();
    unsigned id = 0;
    while (id < PHOTOS && r->files < FILES - 14) {
        struct firn_error err = {0};
        struct firn_writer *w;
        uint32_t root;
        if (firn_writer_open_with(&w, dir, &fp, DIM, FIRN_STORE_F32, &settings, &err) != 0)
            continue;
        if (test_root(w, &root, &err) != 0)
            abort();
        unsigned commits = (unsigned)(check_random(&r->state) % 6);
        for (unsigned k = 0; k < commits && id < PHOTOS; k++) {
            unsigned n = (unsigned)(check_random(&r->state) % 30) + 1, old = id;
            for (; n > 0 && id < PHOTOS; n--, id++)
                if (test_add(w, id, root, &err) != 0)
                    abort();
            if (firn_writer_commit(w, &err) != 0) {
                id = old;
                break;
            }
            r->ack[r->acks++] = (struct ack){r->n, id};
        }
        bool compacts = r->compacts && check_random(&r->state) % 3 == 0 && id > 0 &&
                        test_add_gone(w, &err) == 0;
        struct firn_upkeep done;
        bool finishes = r->finishes && check_random(&r->state) % 2 == 0;
        int closed = finishes ? firn_writer_finish(w, &err) : firn_writer_close(w, &err);
        if (closed == 0 && compacts)
            firn_compact_with(dir, &settings, &done, &err);
    }
}

/* A file as the disk might hold it. */
struct image {
    uint8_t *bytes;
    uint64_t size, room;
};

static void image_write(struct image *m, uint64_t offset, const uint8_t *bytes, uint64_t n)
{
    if (offset + n > m->room) {
        uint64_t room = (offset + n) * 2;
        m->bytes = realloc(m->bytes, room);
        if (!m->bytes)
            abort();
        memset(m->bytes + m->room, 0, room - m->room);
        m->room = room;
    }
    if (offset + n > m->size)
        m->size = offset + n;
    if (bytes)
        memcpy(m->bytes + offset, bytes, n);
}

/* Sync of call i's file after call i and before the cut? */
static bool is_synced(const struct recorder *r, size_t i, size_t cut)
{
    if (r->call[i].failed)
        return false;
    for (size_t k = i + 1; k < cut; k++)
        if (r->call[k].what == SYNC && r->call[k].file == r->call[i].file)
            return true;
    return false;
}

static void torn_write(struct recorder *r, struct image *m, const struct call *c, unsigned luck,
                       const uint8_t *stale)
{
    for (uint64_t at = 0; at < c->size; at += SECTOR) {
        uint64_t n = c->size - at < SECTOR ? c->size - at : SECTOR;
        if (check_random(&r->state) % 4 < luck)
            image_write(m, c->offset + at, c->bytes + at, n);
        else if (stale && c->offset + at + n <= m->size && check_random(&r->state) % 4 == 0)
            image_write(m, c->offset + at, stale + at, n); /* an old tenant of these blocks */
    }
}

/* Builds file number `file` as of `cut`; false when it is not there. */
static bool build_file(struct recorder *r, int file, size_t cut, struct image *m)
{
    bool created = false, sure = false, there = true;
    unsigned luck = (unsigned)(check_random(&r->state) % 5);
    m->size = 0;
    if (m->bytes)
        memset(m->bytes, 0, m->room);
    for (size_t i = 0; i < cut; i++) {
        const struct call *c = r->call + i;
        if (c->what == SYNC_DIR && created)
            sure = true;
        if (c->file != file)
            continue;
        if (c->what == CREATE)
            created = true, sure = false;
        else if (c->what == WRITE && is_synced(r, i, cut))
            image_write(m, c->offset, c->bytes, c->size);
        else if (c->what == WRITE)
            torn_write(r, m, c, luck, i > 9 && r->call[i - 8].what == WRITE &&
                       r->call[i - 8].size >= c->size ? r->call[i - 8].bytes : NULL);
        else if (c->what == CUT && m->size > c->size)
            m->size = c->size;
        else if (c->what == UNLINK)
            there = false, sure = false;
    }
    if (!created)
        return false;
    return sure ? there : check_random(&r->state) % 2 == 0;
}

/* What was acknowledged can be read, and whatever is read is right. */
static void check_reading(const char *dir, size_t cut, unsigned acknowledged)
{
    struct firn_error err = {0};
    struct firn_cache *c;
    static bool there[PHOTOS];
    memset(there, 0, sizeof there);
    int result = firn_cache_open(&c, dir, &err);
    if (result != 0) {
        CHECK(acknowledged == 0, "cut at %zu: %s", cut, err.text);
    } else {
        for (size_t i = 0; i < firn_cache_count(c); i++) {
            struct firn_photo p;
            float feature[DIM];
            firn_cache_photo(c, i, &p);
            if (p.state == FIRN_GONE)
                continue;
            unsigned id = (unsigned)atoi(strchr(p.name, '/') + 1);
            if (firn_cache_features(c, &i, 1, feature, &err) != 0) {
                CHECK(id >= acknowledged, "cut at %zu: %s", cut, err.text);
                continue;
            }
            CHECK(id < PHOTOS && same_feature(feature, id), "cut at %zu: %s is wrong", cut,
                  p.name);
            there[id % PHOTOS] = true;
        }
        for (unsigned id = 0; id < acknowledged; id++)
            CHECK(there[id], "cut at %zu: photograph %u of %u is lost", cut, id, acknowledged);
        firn_cache_close(c);
    }
}

/* The next run finds its way, and believes of the old what is there. */
static void check_next_run(const char *dir, size_t cut, unsigned acknowledged)
{
    struct firn_fingerprint fp = test_fingerprint();
    struct firn_error err = {0};
    struct firn_writer *w;
    struct firn_cache *c;
    uint32_t root;
    CHECK(firn_writer_open(&w, dir, &fp, DIM, FIRN_STORE_F32, &err) == 0, "cut at %zu: %s", cut,
          err.text);
    CHECK_INT(test_root(w, &root, &err), 0);
    for (unsigned id = 0; id < PHOTOS; id++) {
        char name[64];
        float f[DIM];
        struct firn_record record = test_record(id, root, name, f);
        bool known = firn_writer_known(w, root, name, record.size, record.mtime_ns,
                                       record.ctime_ns) == FIRN_KNOWN_DONE;
        CHECK(known || id >= acknowledged, "cut at %zu: photograph %u is forgotten", cut, id);
        if (!known && id < acknowledged + 3)
            CHECK_INT(firn_writer_add(w, &record, &err), 0);
    }
    CHECK(firn_writer_close(w, &err) == 0, "cut at %zu: %s", cut, err.text);
    CHECK_INT(firn_cache_open(&c, dir, &err), 0);
    CHECK(firn_cache_count(c) >= acknowledged);
    firn_cache_close(c);
}

static void check_state(struct recorder *r, size_t cut, const char *dir)
{
    static struct image image;
    char path[4200];
    unsigned acknowledged = 0;
    for (int i = 0; i < r->acks; i++)
        if (r->ack[i].calls <= cut)
            acknowledged = r->ack[i].last;
    mkdir(dir, 0777);
    for (int i = 0; i < r->files; i++)
        if (build_file(r, i, cut, &image)) {
            snprintf(path, sizeof path, "%s/%s", dir, r->path[i]);
            spill(path, image.bytes, image.size);
        }
    check_reading(dir, cut, acknowledged);
    check_next_run(dir, cut, acknowledged);
    remove_dir(dir);
}

int main(void)
{
    int lives = test_times(25, 200), states = test_times(200, 500), done = 0;
    for (int life = 0; life < lives && check_failed == 0; life++) {
        struct recorder r = {.state = (unsigned long long)life,
                             .compacts = life % 2 == 1, .finishes = life % 4 == 2,
                             .sync_fails = life % 3 == 2 ? 9 : 0};
        char *base = test_dir(), *dir;
        if (asprintf(&dir, "%s/cache", base) < 0)
            abort();
        live(&r, dir);
        remove_dir(dir);
        for (int k = 0; k < states && check_failed == 0; k++, done++)
            check_state(&r, check_random(&r.state) % (r.n + 1), dir);
        for (size_t i = 0; i < r.n; i++)
            free(r.call[i].bytes);
        free(r.call);
        rmdir(base);
        free(dir);
        free(base);
    }
    printf("%d states after a power cut\n", done);
    CHECK_DONE();
}

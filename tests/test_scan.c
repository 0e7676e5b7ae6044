/* SPDX-License-Identifier: MIT */
/* The scan on trees that are usual, odd and hostile. The cache is a fake: it knows what we say. */
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "pipeline/roots.h"
#include "pipeline/scan.h"
#include "pipeline/imagefolder.h"
#include "test_pipeline.h"

static const char *known_done, *known_corrupt; /* ends of paths the fake knows */

static int ends(const char *text, const char *end)
{
    size_t n = strlen(text), k = end ? strlen(end) : 0;
    return end && n >= k && strcmp(text + n - k, end) == 0;
}

enum firn_known firn_writer_known(struct firn_writer *w, uint32_t root, const char *name,
                                  uint64_t size, int64_t mtime_ns, int64_t ctime_ns)
{
    (void)w, (void)root, (void)size;
    CHECK(mtime_ns > 1000000000 && ctime_ns > 1000000000, "(times are not of a real file)");
    return ends(name, known_done)      ? FIRN_KNOWN_DONE
           : ends(name, known_corrupt) ? FIRN_KNOWN_CORRUPT
                                       : FIRN_UNKNOWN;
}

const char *firn_writer_reason(struct firn_writer *w, uint32_t root, const char *name)
{
    (void)w, (void)root;
    CHECK(ends(name, known_corrupt), "(%s)", name);
    return "is a song";
}

static int met, sweeps;
static size_t gone_next;

void firn_writer_meet(struct firn_writer *w, uint32_t root, const char *name)
{
    (void)w, (void)root, (void)name;
    met++;
}

int firn_writer_sweep(struct firn_writer *w, uint32_t root, const char *below, size_t *gone,
                      struct firn_error *err)
{
    (void)w, (void)root, (void)below, (void)err;
    sweeps++;
    *gone = gone_next;
    gone_next = 0;
    return 0;
}

/* What one scan gave. */
struct seen {
    char line[BENCH_ITEMS][PATH_MAX + 300]; /* "root:name" or "root:name: reason", sorted */
    size_t n;
    char notice[16][512]; /* and failures that are no items: "path: text" */
    size_t n_notices;
    uint64_t found, known, known_corrupt, skipped;
    bool scan_done;
    int status;
    struct firn_error err;
};

static int by_line(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void collect(struct seen *seen, struct bench *b)
{
    struct firn_item *item;
    struct firn_news *news;
    while ((item = firn_ring_pop(b->out))) {
        snprintf(seen->line[seen->n++], sizeof seen->line[0], "%u:%s%s%s", item->root,
                 firn_item_name(item), item->fate == FIRN_SKIPPED ? ": " : "", item->reason);
        CHECK(item->fate == FIRN_LIVE || item->fate == FIRN_SKIPPED);
    }
    qsort(seen->line, seen->n, sizeof seen->line[0], by_line);
    while ((news = firn_ring_try_pop(b->board.news)) && seen->n_notices < 16)
        snprintf(seen->notice[seen->n_notices++], sizeof seen->notice[0], "%.200s%s%.290s",
                 news->path, news->path[0] ? ": " : "", news->text);
    seen->found = b->board.found;
    seen->known = b->board.known;
    seen->known_corrupt = b->board.known_corrupt;
    seen->skipped = b->board.skipped;
    seen->scan_done = b->board.scan_done;
}

static struct seen *scan(const char *const *paths, size_t n, const char *list, bool zero)
{
    static struct seen seen;
    struct bench b;
    struct firn_roots roots;
    memset(&seen, 0, sizeof seen);
    bench_create(&b, 1, 1);
    firn_slab_fill(&b.slab, b.in);
    seen.status = firn_roots_resolve(&roots, paths, n, &seen.err);
    for (size_t i = 0; i < roots.n; i++)
        roots.root[i].id = (uint32_t)i;
    roots.files_id = 9;
    struct firn_names *names = NULL;
    if (!seen.status && list)
        seen.status = firn_names_open(&names, list, zero, &seen.err);
    struct firn_scan_config config = {{b.in, b.out, &b.board, NULL, false}, &roots, names};
    if (!seen.status)
        seen.status = run_stage(&firn_scan_stage, &config, b.out, &seen.err);
    if (!seen.status)
        collect(&seen, &b);
    firn_names_close(names);
    firn_roots_clear(&roots);
    bench_destroy(&b);
    return &seen;
}

static struct seen *scan_one(const char *path)
{
    return scan(&path, 1, NULL, false);
}

#define CHECK_LINES(seen, ...)                                                                     \
    do {                                                                                           \
        const char *lines[] = {__VA_ARGS__};                                                       \
        size_t n_lines = sizeof lines / sizeof *lines;                                             \
        CHECK_INT((seen)->n, n_lines);                                                             \
        for (size_t k = 0; k < n_lines && k < (seen)->n; k++)                                      \
            CHECK_STR((seen)->line[k], lines[k]);                                                  \
    } while (0)

static void test_endings(void)
{
    static const char *const yes[] = {"a.jpg", "a.JPEG", "b.c.Png", ".ppm", "x.bmp", "x.pgm",
                                      "x.tif", "x.TIFF", "x.webp", "a b.jpg"};
    static const char *const no[] = {"jpg", "a.gif", "a.jpg~", "a.jpg.txt", "", ".", "a.jpe",
                                     "foowebp"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        CHECK(firn_is_photograph(yes[i]), "(%s)", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        CHECK(!firn_is_photograph(no[i]), "(%s)", no[i]);
}

static void test_classes(void)
{
    struct firn_roots roots;
    struct firn_error err;
    make_dir("t");
    make_dir("t/b");
    make_dir("t/a");
    make_dir("t/empty");
    make_dir("t/B");
    make_dir("t/a/deep");
    make_dir("t/a/deep/deeper.jpg");
    make_dir("t/.hidden");
    make_file("t/a/1.jpg", "x", 1);
    make_file("t/a/no.gif", "x", 1);
    make_file("t/a/deep/2.PNG", "x", 1);
    make_file("t/a/deep/deeper.jpg/3.webp", "x", 1);
    make_file("t/b/1.jpg", "x", 1);
    make_file("t/.hidden/.jpg", "x", 1);
    make_file("t/beside.jpg", "x", 1);
    make_file("t/beside.txt", "x", 1);
    CHECK(symlink("a", in_tree("t/link")) == 0);
    CHECK(symlink("nowhere", in_tree("t/broken")) == 0);

    const char *path = in_tree("t");
    CHECK_INT(firn_roots_resolve(&roots, &path, 1, &err), 0);
    static const char *const classes[] = {".hidden", "B", "a", "b", "empty", "link"};
    CHECK_INT(roots.n, 1);
    CHECK_INT(roots.root[0].n_classes, 6);
    for (size_t i = 0; i < 6 && i < roots.root[0].n_classes; i++)
        CHECK_STR(roots.root[0].classes[i], classes[i]);
    CHECK_INT(roots.root[0].ignored, 1);
    CHECK_STR(roots.root[0].path, path);
    firn_roots_clear(&roots);

    struct seen *seen = scan_one(path);
    CHECK_LINES(seen, "0:.hidden/.jpg", "0:a/1.jpg", "0:a/deep/2.PNG",
                "0:a/deep/deeper.jpg/3.webp", "0:b/1.jpg", "0:link/1.jpg", "0:link/deep/2.PNG",
                "0:link/deep/deeper.jpg/3.webp");
    CHECK_INT(seen->found, 8);
    CHECK(seen->scan_done);
    CHECK_INT(seen->n_notices, 1);
    CHECK(strstr(seen->notice[0], "1 photograph beside the classes ignored"), "(%s)",
          seen->notice[0]);
}

static void test_flat_and_doubled(void)
{
    make_dir("flat");
    make_file("flat/1.jpg", "x", 1);
    make_file("flat/2.jpg", "x", 1);
    CHECK(symlink("flat", in_tree("flat2")) == 0);
    const char *paths[] = {in_tree("flat"), in_tree("flat/"), in_tree("flat2"),
                           in_tree("flat/1.jpg")};
    struct seen *seen = scan(paths, 4, NULL, false);
    char named[PATH_MAX];
    snprintf(named, sizeof named, "9:%s", in_tree("flat/1.jpg"));
    CHECK_LINES(seen, "0:1.jpg", "0:2.jpg", named);
}

static void test_known(void)
{
    known_done = "1.jpg";
    known_corrupt = "2.jpg";
    struct seen *seen = scan_one(in_tree("flat"));
    CHECK_INT(seen->n, 0);
    CHECK_INT(seen->found, 2);
    CHECK_INT(seen->known, 1);
    CHECK_INT(seen->known_corrupt, 1);
    CHECK_INT(seen->skipped, 0);
    CHECK(ends(seen->notice[0], "/flat/2.jpg: is a song; not changed since"), "(%s)",
          seen->notice[0]);
    known_done = known_corrupt = NULL;
}

/* Only a walk that saw all of a root which holds something tells what is gone. */
static void test_sweep(void)
{
    make_dir("swept");
    make_dir("swept/a");
    make_dir("swept/b");
    sweeps = met = 0;
    scan_one(in_tree("swept"));
    CHECK_INT(sweeps, 0); /* empty: perhaps not mounted */
    make_file("swept/a/1.jpg", "x", 1);
    gone_next = 3;
    struct seen *seen = scan_one(in_tree("swept"));
    CHECK_INT(sweeps, 1);
    CHECK_INT(met, 1);
    CHECK_INT(seen->n_notices, 1);
    CHECK(strstr(seen->notice[0], "3 of what earlier runs found are gone"), "(%s)",
          seen->notice[0]);
    const char *file = in_tree("swept/a/1.jpg");
    scan(&file, 1, NULL, false);
    CHECK_INT(sweeps, 1); /* a file by name says nothing about its neighbours */
    CHECK(rmdir(in_tree("swept/b")) == 0 && symlink("nowhere", in_tree("swept/b")) == 0);
    scan_one(in_tree("swept"));
    CHECK_INT(sweeps, 2); /* a class that went away */
    make_dir("swept/c");
    CHECK(chmod(in_tree("swept/c"), 0) == 0);
    if (access(in_tree("swept/c"), R_OK) != 0) { /* not when root runs the test */
        scan_one(in_tree("swept"));
        CHECK_INT(sweeps, 2);
    }
    CHECK(chmod(in_tree("swept/c"), 0777) == 0);
}

static void test_loops(void)
{
    make_dir("loop");
    make_dir("loop/a");
    make_dir("loop/a/sub");
    make_file("loop/a/sub/1.jpg", "x", 1);
    CHECK(symlink("..", in_tree("loop/a/up")) == 0);
    CHECK(symlink("../../a", in_tree("loop/a/sub/up")) == 0);
    CHECK(symlink(".", in_tree("loop/self")) == 0);
    CHECK(symlink("me.jpg", in_tree("loop/a/me.jpg")) == 0);
    struct seen *seen = scan_one(in_tree("loop"));
    CHECK_LINES(seen, "0:a/me.jpg: Too many levels of symbolic links", "0:a/sub/1.jpg");
    CHECK_INT(seen->n_notices, 3);
    for (size_t i = 0; i < seen->n_notices; i++)
        CHECK(strstr(seen->notice[i], "leads back"), "(%s)", seen->notice[i]);
}

static void test_not_regular(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    make_dir("odd");
    CHECK(mkfifo(in_tree("odd/fifo.jpg"), 0666) == 0);
    CHECK(symlink("nowhere", in_tree("odd/broken.jpg")) == 0);
    CHECK(symlink("/dev/null", in_tree("odd/null.jpg")) == 0);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%.90s", in_tree("odd/socket.jpg"));
    CHECK(bind(s, (struct sockaddr *)&address, sizeof address) == 0);
    struct seen *seen = scan_one(in_tree("odd"));
    CHECK_LINES(seen, "0:broken.jpg: No such file or directory",
                "0:fifo.jpg: a FIFO, not a regular file",
                "0:null.jpg: a device, not a regular file",
                "0:socket.jpg: a socket, not a regular file");
    close(s);
}

static void test_hostile_names(void)
{
    char longest[300], wanted[310];
    memset(longest, 'n', 251);
    strcpy(longest + 251, ".jpg");
    make_dir("hostile");
    make_dir("hostile/\xff\xfe class\n");
    make_file("hostile/\xff\xfe class\n/\n\x80.jpg", "x", 1);
    make_file("hostile/\xff\xfe class\n/%s%n \"'.jpg", "x", 1);
    CHECK(strlen(longest) == 255);
    char name[600];
    snprintf(name, sizeof name, "hostile/\xff\xfe class\n/%s", longest);
    make_file(name, "x", 1);
    snprintf(wanted, sizeof wanted, "0:\xff\xfe class\n/%s", longest);
    CHECK_LINES(scan_one(in_tree("hostile")), "0:\xff\xfe class\n/\n\x80.jpg",
                "0:\xff\xfe class\n/%s%n \"'.jpg", wanted);
}

/* Deeper than a path can be long: made step by step, reported and left out. */
static void test_too_deep(void)
{
    char part[201];
    memset(part, 'd', 200);
    part[200] = '\0';
    make_dir("deep");
    int fd = open(in_tree("deep"), O_RDONLY | O_DIRECTORY), top = dup(fd);
    for (int i = 0; i < 25; i++) {
        CHECK(mkdirat(fd, part, 0777) == 0);
        int next = openat(fd, part, O_RDONLY | O_DIRECTORY);
        int file = openat(next, "1.jpg", O_WRONLY | O_CREAT, 0666);
        close(file);
        close(fd);
        fd = next;
    }
    close(fd);
    struct seen *seen = scan_one(in_tree("deep"));
    CHECK(seen->n > 15 && seen->n < 25, "(%zu)", seen->n);
    size_t named = 0;
    for (size_t i = 0; i < seen->n; i++)
        named += strstr(seen->line[i], ": this directory cannot be read: File name too long") != 0;
    CHECK_INT(named, 1);
    /* nftw() cannot remove what has no path: unfold it from above. */
    for (int i = 0; i < 24; i++) {
        char at[420];
        snprintf(at, sizeof at, "%s/%s", part, part);
        CHECK(renameat(top, at, top, "next") == 0);
        snprintf(at, sizeof at, "%s/1.jpg", part);
        unlinkat(top, at, 0);
        CHECK(unlinkat(top, part, AT_REMOVEDIR) == 0);
        CHECK(renameat(top, "next", top, part) == 0);
    }
    close(top);
}

static void unreadable(void)
{
    make_dir("shut");
    make_dir("shut/a");
    make_dir("shut/b");
    make_file("shut/a/1.jpg", "x", 1);
    make_file("shut/b/1.jpg", "x", 1);
    chmod(in_tree("shut/a"), 0);
    struct seen *seen = scan_one(in_tree("shut"));
    CHECK_LINES(seen, "0:a: this directory cannot be read: Permission denied; its photographs are "
                "missing", "0:b/1.jpg");
    chmod(in_tree("shut/a"), 0777);
    chmod(in_tree("shut"), 0);
    CHECK_INT(scan_one(in_tree("shut"))->status, -FIRN_NOINPUT);
    chmod(in_tree("shut"), 0777);
}

/* Root may read everything: the test then goes on as nobody. */
static void test_unreadable(void)
{
    int status = 0;
    if (geteuid() != 0) {
        unreadable();
        return;
    }
    chmod(tree, 0777);
    pid_t child = fork();
    if (child == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(2);
        unreadable();
        fflush(NULL);
        _exit(check_failed != 0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* A directory that cannot be opened because too much is open is not one that cannot be read. */
static void test_shortage(void)
{
    const char *path = in_tree("loop");
    struct rlimit usual, tight;
    make_file("list", "", 0);
    int next = open("/dev/null", O_RDONLY);
    close(next);
    CHECK(getrlimit(RLIMIT_NOFILE, &usual) == 0);
    tight = usual;
    tight.rlim_cur = (rlim_t)next + 1; /* one more, which the list takes */
    CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    struct seen *seen = scan(&path, 1, in_tree("list"), false);
    CHECK(setrlimit(RLIMIT_NOFILE, &usual) == 0);
    CHECK_INT(seen->status, -FIRN_NOMEM);
    CHECK(strstr(seen->err.text, "/loop/a: Too many open files; raise"), "(%s)", seen->err.text);
}

static void test_missing(void)
{
    const char *paths[] = {in_tree("flat"), in_tree("not there")};
    struct seen *seen = scan(paths, 2, NULL, false);
    CHECK_INT(seen->status, -FIRN_NOINPUT);
    CHECK(strstr(seen->err.text, "/not there: No such file"), "(%s)", seen->err.text);
    CHECK_INT(scan(NULL, 0, in_tree("no list"), false)->status, -FIRN_NOINPUT);
    CHECK_INT(scan(NULL, 0, in_tree("flat"), false)->status, -FIRN_NOINPUT);
}

static void test_list(void)
{
    char text[9000], wanted[4][PATH_MAX + 100], longest[5000];
    int n = snprintf(text, sizeof text, "%s\n\n%s/./flat/../flat/2.jpg\ngone/x.jpg\n%s",
                     in_tree("flat/1.jpg"), tree, in_tree("flat"));
    make_file("list", text, (size_t)n);
    snprintf(wanted[0], sizeof wanted[0], "9:%s", in_tree("flat/1.jpg"));
    snprintf(wanted[1], sizeof wanted[1], "9:%s", in_tree("flat/2.jpg"));
    snprintf(wanted[2], sizeof wanted[2],
             "9:%s: a directory; give it as an argument, not in a list", in_tree("flat"));
    snprintf(wanted[3], sizeof wanted[3], "9:%s: No such file or directory",
             in_tree("gone/x.jpg"));
    CHECK(chdir(tree) == 0);
    CHECK_LINES(scan(NULL, 0, in_tree("list"), false), wanted[0], wanted[1], wanted[2], wanted[3]);

    /* As programs of Windows write it, with an empty line. */
    n = snprintf(text, sizeof text, "\r\n%s\r\n\r\nflat/2.jpg\r", in_tree("flat/1.jpg"));
    make_file("list", text, (size_t)n);
    CHECK_LINES(scan(NULL, 0, in_tree("list"), false), wanted[0], wanted[1]);

    /* NUL ends names, a newline may be inside; a name that is too long is one failure. */
    memset(longest, 'x', sizeof longest);
    make_file("flat/new\nline.jpg", "x", 1);
    n = snprintf(text, sizeof text, "flat/new\nline.jpg");
    memcpy(text + n + 1, longest, sizeof longest);
    n += 1 + (int)sizeof longest;
    text[n++] = '\0';
    n += snprintf(text + n, sizeof text - (size_t)n, "flat/1.jpg");
    make_file("list0", text, (size_t)n);
    snprintf(wanted[1], sizeof wanted[1], "9:%s", in_tree("flat/new\nline.jpg"));
    struct seen *seen = scan(NULL, 0, "list0", true);
    CHECK_LINES(seen, wanted[0], wanted[1]);
    CHECK_INT(seen->skipped, 1);
    CHECK_INT(seen->found, 3);
    CHECK(strstr(seen->notice[0], "File name too long"));
}

static void test_halt(void)
{
    struct bench b;
    struct firn_roots roots;
    struct firn_error err;
    const char *path = in_tree("t");
    bench_create(&b, 1, 1);
    firn_slab_fill(&b.slab, b.in);
    firn_board_halt(&b.board);
    CHECK_INT(firn_roots_resolve(&roots, &path, 1, &err), 0);
    struct firn_scan_config config = {{b.in, b.out, &b.board, NULL, false}, &roots, NULL};
    CHECK_INT(run_stage(&firn_scan_stage, &config, b.out, &err), 0);
    CHECK(firn_ring_pop(b.out) == NULL);
    CHECK(!b.board.scan_done);
    firn_roots_clear(&roots);
    bench_destroy(&b);
}

int main(void)
{
    tree_create();
    test_endings();
    test_classes();
    test_flat_and_doubled();
    test_known();
    test_sweep();
    test_loops();
    test_not_regular();
    test_hostile_names();
    test_too_deep();
    test_unreadable();
    test_shortage();
    test_missing();
    test_list();
    test_halt();
    if (chdir("/") == 0)
        tree_remove();
    CHECK_DONE();
}

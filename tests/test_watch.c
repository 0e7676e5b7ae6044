/* SPDX-License-Identifier: MIT */
/**
 * The parts of the watcher that need no threads: names, settling, the gate, the table of watches.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "watch/gate.h"
#include "watch/ignore.h"
#include "watch/settle.h"
#include "watch/dirs.h"

static char dir[] = "/tmp/firn-test-watch-XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[4][256];
    static int i;
    char *p = path[i++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    for (char *slash = path + sizeof dir; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    FILE *f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0);
    if (f)
        fclose(f);
}

static void test_ignore(void)
{
    static const char *const own[] = {"skip-*", "*.raw.jpg"};
    static const char *const bad[] = {".a.jpg", ".a.jpg.Ab12", "~a.jpg", "a.jpg~", "#a.jpg#",
                                      "a.jpg.part", "@eaDir", "skip-1.jpg", "x.raw.jpg"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(firn_ignored(bad[i], own, 2), "%s", bad[i]);
    CHECK(!firn_ignored("a.jpg", own, 2));
    CHECK(!firn_ignored("a.raw.png", own, 2));
    CHECK(firn_ignored_path("/a/.b/c.jpg", own, 2));
    CHECK(firn_ignored_path("a/@eaDir/c.jpg", NULL, 0));
    CHECK(!firn_ignored_path("/a/b/c.jpg", own, 2));
    CHECK(!firn_ignored_path("", own, 2));
}

static int n_ready;
static bool take;

static bool on_ready(void *user, size_t root, const char *path, size_t name)
{
    CHECK_INT(root, 7);
    CHECK_STR(path + name, user);
    n_ready += take;
    return take;
}

static void test_settle(void)
{
    struct firn_settle *s;
    struct firn_error err;
    const char *path = in_dir("a.jpg");
    size_t name = sizeof dir;
    char user[] = "a.jpg";
    CHECK_INT(firn_settle_create(&s, 2, 100, &err), 0);
    CHECK_INT(firn_settle_due(s), INT64_MAX);
    write_file("a.jpg", "1");
    CHECK(firn_settle_note(s, 7, path, name, 1000));
    CHECK(firn_settle_note(s, 7, path, name, 1000));
    CHECK_INT(firn_settle_count(s), 1);
    CHECK_INT(firn_settle_due(s), 1100);
    take = true;
    firn_settle_step(s, 1099, on_ready, user);
    CHECK_INT(n_ready, 0);
    write_file("a.jpg", "22"); /* it grows: from the beginning, twice as long */
    firn_settle_step(s, 1100, on_ready, user);
    CHECK_INT(n_ready, 0);
    CHECK_INT(firn_settle_due(s), 1300);
    take = false; /* nobody has room */
    firn_settle_step(s, 1300, on_ready, user);
    CHECK(firn_settle_has(s, path));
    take = true;
    firn_settle_step(s, INT64_MAX, on_ready, user);
    CHECK_INT(n_ready, 1);
    CHECK_INT(firn_settle_count(s), 0);

    write_file("b.jpg", "");
    CHECK(firn_settle_note(s, 7, in_dir("b.jpg"), name, 0)); /* empty: nothing to wait for */
    CHECK(firn_settle_note(s, 7, in_dir("none.jpg"), name, 0));
    CHECK(firn_settle_note(s, 7, dir, name, 0));
    CHECK_INT(firn_settle_count(s), 0);
    write_file("b.jpg", "b");
    write_file("c.jpg", "c");
    CHECK(firn_settle_note(s, 7, path, name, 0));
    CHECK(firn_settle_note(s, 7, in_dir("b.jpg"), name, 0));
    CHECK(!firn_settle_note(s, 7, in_dir("c.jpg"), name, 0)); /* full, and it says so */
    unlink(path);
    unlink(in_dir("b.jpg"));
    firn_settle_step(s, INT64_MAX, on_ready, user);
    CHECK_INT(firn_settle_count(s), 0);
    firn_settle_destroy(s);
}

static bool is_open(const struct firn_gate *gate, int minute)
{
    char why[128];
    return firn_gate_open(gate, dir, minute, why) && !why[0];
}

static void test_gate(void)
{
    static const char *const bad[] = {"", "22:00", "22:00-", "25:00-01:00", "22:00-06:60",
                                      "22:00-06:00x", "a-b", "-1:00-02:00", "00:00-24:01",
                                      "22:00- 6:00", "+2:00-06:00"};
    struct firn_gate gate = {0};
    struct firn_error err;
    CHECK(is_open(&gate, 0));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_INT(firn_gate_parse(&gate, bad[i], &err), -FIRN_USAGE);
    CHECK_INT(firn_gate_parse(&gate, "22:00-06:30", &err), 0);
    CHECK(is_open(&gate, 22 * 60) && is_open(&gate, 0) && is_open(&gate, 6 * 60 + 29));
    CHECK(!is_open(&gate, 6 * 60 + 30) && !is_open(&gate, 22 * 60 - 1));
    CHECK_INT(firn_gate_parse(&gate, "08:00-24:00", &err), 0);
    CHECK(is_open(&gate, 24 * 60 - 1) && !is_open(&gate, 0));

    gate = (struct firn_gate){.ac_only = true};
    CHECK(is_open(&gate, 0)); /* no power supply is known: a machine without battery */
    write_file("sys/class/power_supply/BAT0/status", "Discharging\n");
    CHECK(!is_open(&gate, 0));
    write_file("sys/class/power_supply/AC/online", "1\n");
    CHECK(is_open(&gate, 0));
    write_file("sys/class/power_supply/AC/online", "0\n");
    CHECK(!is_open(&gate, 0));

    gate = (struct firn_gate){.max_pressure = 10};
    CHECK(is_open(&gate, 0)); /* a kernel that does not say */
    write_file("proc/pressure/memory", "some avg10=3.00 avg60=0.00 avg300=0.00 total=1\n");
    write_file("proc/pressure/io", "some avg10=10.00 avg60=0.00 avg300=0.00 total=1\n");
    CHECK(is_open(&gate, 0));
    write_file("proc/pressure/io", "some avg10=10.10 avg60=0.00 avg300=0.00 total=1\n");
    CHECK(!is_open(&gate, 0));
}

static int watch_of(struct firn_dirs *tree)
{
    _Alignas(struct inotify_event) char bytes[4096];
    ssize_t n = read(firn_dirs_fd(tree), bytes, sizeof bytes);
    return n > 0 ? ((struct inotify_event *)bytes)->wd : -1;
}

static void test_tree(void)
{
    struct firn_dirs *tree;
    struct firn_dirs_counts counts;
    struct firn_error err;
    char path[PATH_MAX];
    size_t root;
    write_file("t/a/x", "");
    write_file("t/b/x", "");
    write_file("t/ab/x", "");
    CHECK_INT(symlink("a", in_dir("t/link")), 0);
    CHECK_INT(firn_dirs_create(&tree, 2, &err), 0);
    CHECK_INT(firn_dirs_add(tree, 3, in_dir("t/a")), FIRN_DIRS_NEW);
    CHECK_INT(firn_dirs_add(tree, 3, in_dir("t/a")), FIRN_DIRS_KNOWN);
    CHECK_INT(firn_dirs_add(tree, 3, in_dir("t/link")), FIRN_DIRS_NEW); /* a name, not a watch */
    CHECK_INT(firn_dirs_add(tree, 3, in_dir("t/ab")), FIRN_DIRS_NEW);
    CHECK_INT(firn_dirs_add(tree, 3, in_dir("t/b")), FIRN_DIRS_UNWATCHED);
    CHECK_INT(firn_dirs_add(tree, 3, in_dir("t/none")), FIRN_DIRS_NEW); /* gone: no polling */
    firn_dirs_count(tree, &counts);
    CHECK_INT(counts.watched, 2);
    CHECK_INT(counts.unwatched, 1);
    watch_of(tree); /* the end of what was over the limit */
    write_file("t/b/y", "");
    CHECK_INT(watch_of(tree), -1);
    write_file("t/a/y", "");
    int wd = watch_of(tree), names = 0;
    for (size_t i = 0; firn_dirs_find(tree, wd, i, &root, path); i++, names++)
        CHECK(root == 3 && (strcmp(path, in_dir("t/a")) == 0 ||
                            strcmp(path, in_dir("t/link")) == 0));
    CHECK_INT(names, 2);
    firn_dirs_remove(tree, in_dir("t/a")); /* not t/ab, and not the other name */
    CHECK(firn_dirs_find(tree, wd, 0, &root, path) && !firn_dirs_find(tree, wd, 1, &root, path));
    firn_dirs_count(tree, &counts);
    CHECK_INT(counts.watched, 2);
    firn_dirs_forget(tree, wd);
    firn_dirs_count(tree, &counts);
    CHECK_INT(counts.watched, 1);
    CHECK_INT(firn_dirs_add(tree, 3, in_dir("t/b")), FIRN_DIRS_NEW);
    firn_dirs_destroy(tree);
}

int main(void)
{
    if (!mkdtemp(dir))
        CHECK_SKIP("no scratch directory");
    test_ignore();
    test_settle();
    test_gate();
    test_tree();
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK_INT(system(command), 0);
    CHECK_DONE();
}

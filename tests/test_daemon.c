/* SPDX-License-Identifier: MIT */
/*
 * firn/watch.h from inside one process, where a sanitizer sees all threads: photographs come and
 * go while others ask, pause, resume, look again and stop.
 */
#include <sys/stat.h>

#include "../tools/sample_set.h"
#include "firn/watch.h"
#include "test_pipeline.h"

static int failures;

static void on_failure(void *user, const char *path, enum firn_state state, const char *reason)
{
    (void)user;
    CHECK(state == FIRN_CORRUPT && strstr(path, "bad") && reason[0], "(%s: %s)", path, reason);
    failures++;
}

static void draw(const char *name, int i)
{
    if (firn_sample_write(in_tree("%s", name), 90 + i, 80, i % 4, (uint64_t)i))
        abort();
}

/* Asks again and again until the watch has nothing to do and has done `done`. */
static struct firn_watch_status settled(struct firn_watch *watch, uint64_t done)
{
    struct firn_watch_status s;
    for (int i = 0; i < 6000; i++) {
        firn_watch_status(watch, &s);
        if (s.state == FIRN_WATCH_IDLE && s.done >= done)
            return s;
        usleep(10000);
    }
    CHECK(0, "(%d done, %d queued, state %d: %s)", (int)s.done, (int)s.queued, (int)s.state,
          s.why);
    return s;
}

static struct firn_watch *start(struct firn_watch_options *o)
{
    struct firn_watch *watch;
    struct firn_error err;
    int status = firn_watch_start(&watch, o, &err);
    CHECK(status == 0, "(%s)", err.text);
    if (status)
        exit(1);
    return watch;
}

static void test_work(struct firn_watch_options *o)
{
    struct firn_error err;
    char name[64];
    struct firn_watch *watch = start(o);
    settled(watch, 4);
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "photos/a/new%d.jpg", i);
        draw(name, 10 + i);
        if (i == 6)
            firn_watch_rescan(watch);
        usleep(5000);
    }
    make_file("photos/a/bad.jpg", "nothing", 7);
    make_dir("photos/c");
    draw("photos/c/x.jpg", 50);
    struct firn_watch_status s = settled(watch, 17);
    /* A full look may meet one that is under way: then it is done twice, once by its content. */
    CHECK(s.done - s.reused == 17 && s.corrupt >= 1 && failures >= 1, "(%d - %d, %d)",
          (int)s.done, (int)s.reused, (int)s.corrupt);
    uint64_t before = s.done;
    CHECK_INT(unlink(in_tree("photos/c/x.jpg")), 0);
    firn_watch_pause(watch, true);
    draw("photos/a/late.jpg", 60);
    for (int i = 0; i < 1000 && s.queued == 0; i++, usleep(10000))
        firn_watch_status(watch, &s);
    CHECK(s.queued >= 1 && s.state == FIRN_WATCH_PAUSED, "(%d)", (int)s.queued);
    firn_watch_pause(watch, false);
    settled(watch, before + 1);
    usleep(1500000); /* beyond --idle-unload: the line is taken down */
    firn_watch_status(watch, &s);
    CHECK(!s.loaded && s.loads == 1);
    draw("photos/a/later.jpg", 61);
    s = settled(watch, before + 2);
    CHECK_INT(s.loads, 2);
    CHECK_INT(firn_watch_stop(watch, &err), 0);
}

/* Stopped in the middle: nothing hangs, and the next one goes on. */
static void test_stop(struct firn_watch_options *o)
{
    struct firn_error err;
    char name[64];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "photos/b/more%d.jpg", i);
        draw(name, 100 + i);
    }
    for (int i = 0; i < 3; i++) {
        struct firn_watch *watch = start(o);
        usleep(20000 * (useconds_t)i);
        CHECK_INT(firn_watch_stop(watch, &err), 0);
    }
    struct firn_watch *watch = start(o);
    settled(watch, 0);
    CHECK_INT(firn_watch_stop(watch, &err), 0);
    CHECK_INT(firn_watch_stop(NULL, NULL), 0);
}

static void test_refused(const struct firn_watch_options *good)
{
    struct firn_watch *watch;
    struct firn_error err;
    struct firn_watch_options o = *good;
    o.extract.bn = "batch:8";
    CHECK_INT(firn_watch_start(&watch, &o, &err), -FIRN_USAGE);
    o = *good;
    o.only_between = "now";
    CHECK_INT(firn_watch_start(&watch, &o, &err), -FIRN_USAGE);
    o = *good;
    o.extract.n_paths = 0;
    CHECK_INT(firn_watch_start(&watch, &o, &err), -FIRN_USAGE);
    const char *missing = "/nowhere/at/all";
    o = *good;
    o.extract.paths = &missing;
    CHECK_INT(firn_watch_start(&watch, &o, &err), -FIRN_NOINPUT);
    CHECK(watch == NULL);
}

int main(void)
{
    static char photos[PATH_MAX], cache[PATH_MAX];
    const char *paths[] = {photos};
    tree_create();
    make_dir("photos");
    make_dir("photos/a");
    make_dir("photos/b");
    snprintf(photos, sizeof photos, "%s", in_tree("photos"));
    snprintf(cache, sizeof cache, "%s", in_tree("cache"));
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "photos/%c/%d.jpg", i % 2 ? 'a' : 'b', i);
        draw(name, i);
    }
    struct firn_watch_options o = {
        .extract = {.model = "untrained:resnet18", .cache = cache, .paths = paths, .n_paths = 1,
                    .resize = 36, .crop = 32, .threads = 2, .on_failure = on_failure},
        .settle_ms = 20, .idle_unload_seconds = 1};
    test_refused(&o);
    test_work(&o);
    o.idle_unload_seconds = 60;
    test_stop(&o);
    tree_remove();
    CHECK_DONE();
}

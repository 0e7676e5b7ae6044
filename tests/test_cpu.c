/* SPDX-License-Identifier: MIT */
/** Instruction sets, and CPU quotas read from made-up machines. */
#include "check.h"

#include "base/cgroup.h"
#include "base/cpu.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/firn-test-cpu-XXXXXX";

/** Writes ROOT/path, with its directories. */
static void put(const char *path, const char *text)
{
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        CHECK(mkdir(full, 0700) == 0 || errno == EEXIST, "%s", full);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    CHECK(file, "%s", full);
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

static void clear(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s/*", root);
    CHECK_INT(system(command), 0);
}

#define V2 "41 31 0:29 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define HYBRID                                                                                     \
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"                                   \
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:1 master:2 - cgroup none rw,cpu,cpuacct\n"  \
    "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"                            \
    "41 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"

static void quota_v2(void)
{
    put("/proc/self/mountinfo", V2);
    put("/proc/self/cgroup", "0::/user/job\n");
    CHECK_INT(firn_cgroup_cores(root), INT_MAX);
    put("/sys/fs/cgroup/user/job/cpu.max", "max 100000\n");
    CHECK_INT(firn_cgroup_cores(root), INT_MAX);
    put("/sys/fs/cgroup/user/job/cpu.max", "350000 100000\n");
    CHECK_INT(firn_cgroup_cores(root), 3);
    put("/sys/fs/cgroup/user/cpu.max", "200000 100000\n"); /* the parent binds */
    CHECK_INT(firn_cgroup_cores(root), 2);
    put("/sys/fs/cgroup/user/job/cpu.max", "50000 100000\n"); /* less than one core is one */
    CHECK_INT(firn_cgroup_cores(root), 1);
    clear();
}

static void quota_v1_of_a_hybrid(void)
{
    put("/proc/self/mountinfo", HYBRID);
    put("/proc/self/cgroup", "9:name=systemd:/x\n3:cpuset:/set\n2:cpu,cpuacct:/a/b\n0::/u\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
    CHECK_INT(firn_cgroup_cores(root), INT_MAX);
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "500000\n");
    CHECK_INT(firn_cgroup_cores(root), INT_MAX); /* no period: nothing can be said */
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    CHECK_INT(firn_cgroup_cores(root), 5);
    put("/sys/fs/cgroup/unified/u/cpu.max", "400000 100000\n"); /* both count */
    CHECK_INT(firn_cgroup_cores(root), 4);
    put("/sys/fs/cgroup/cpuset/set/cpu.cfs_quota_us", "100000\n"); /* not asked: no "cpu" */
    put("/sys/fs/cgroup/cpuset/set/cpu.cfs_period_us", "100000\n");
    CHECK_INT(firn_cgroup_cores(root), 4);
    clear();
}

/** A container's mount begins at its own group, or its group lies outside of what is mounted. */
static void quota_in_a_container(void)
{
    put("/proc/self/mountinfo",
        "5 4 0:9 /docker/ab /sys/fs/c\\040group ro - cgroup cgroup rw,cpu\n");
    put("/proc/self/cgroup", "2:cpu:/docker/ab/inner\n");
    put("/sys/fs/c group/cpu.cfs_quota_us", "700000\n");
    put("/sys/fs/c group/cpu.cfs_period_us", "100000\n");
    CHECK_INT(firn_cgroup_cores(root), 7);
    put("/sys/fs/c group/inner/cpu.cfs_quota_us", "600000\n");
    put("/sys/fs/c group/inner/cpu.cfs_period_us", "100000\n");
    CHECK_INT(firn_cgroup_cores(root), 6);
    put("/proc/self/cgroup", "2:cpu:/docker/abc\n"); /* a name that only begins alike */
    CHECK_INT(firn_cgroup_cores(root), 7);
    put("/proc/self/cgroup", "2:cpu:/../other\n");
    CHECK_INT(firn_cgroup_cores(root), 7);
    clear();
}

static void nonsense_is_no_quota(void)
{
    static const char *const lines[] = {"",        "\n",        "0 100000\n", "100000\n",
                                        "5 0\n",   "-5 -1\n",   "max\n",      "x y\n",
                                        "100 -3\n", "99999999999999999 1\n"};
    CHECK_INT(firn_cgroup_cores(root), INT_MAX);
    put("/proc/self/mountinfo", "no fields\n\n - cgroup2 a b\n1 2 3 / - cgroup2\n" V2);
    put("/proc/self/cgroup", "::\nx\n0:\n0::/\n");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        put("/sys/fs/cgroup/cpu.max", lines[i]);
        CHECK(firn_cgroup_cores(root) == INT_MAX, "for \"%s\"", lines[i]);
    }
    put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
    CHECK_INT(firn_cgroup_cores(root), 3);
    clear();
}

static void levels(void)
{
    enum firn_cpu best = firn_cpu_best();
    CHECK_INT(firn_cpu_choose(NULL), best);
    CHECK_INT(firn_cpu_choose(firn_cpu_name(best)), best);
    CHECK_INT(firn_cpu_choose("generic"), FIRN_CPU_GENERIC);
    CHECK_INT(firn_cpu_choose("AVX2"), -1);
    CHECK_INT(firn_cpu_choose(""), -1);
    CHECK_INT(firn_cpu_choose("avx512"), -1);
#ifdef __x86_64__
    __builtin_cpu_init();
    CHECK_INT(firn_cpu_choose("sse4") >= 0, __builtin_cpu_supports("sse4.1") != 0);
    CHECK_INT(firn_cpu_choose("avx2") >= 0,
              __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
    CHECK_INT(firn_cpu_choose("neon"), -1);
#endif
}

static void affinity_counts(void)
{
    cpu_set_t all, one;
    CHECK_INT(sched_getaffinity(0, sizeof all, &all), 0);
    int cores = firn_cpu_usable_cores();
    CHECK(cores >= 1 && cores <= CPU_COUNT(&all), "%d", cores);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    CHECK_INT(sched_setaffinity(0, sizeof one, &one), 0);
    CHECK_INT(firn_cpu_usable_cores(), 1);
}

int main(void)
{
    if (!mkdtemp(root))
        CHECK_SKIP("no directory for temporary files");
    quota_v2();
    quota_v1_of_a_hybrid();
    quota_in_a_container();
    nonsense_is_no_quota();
    levels();
    affinity_counts();
    rmdir(root);
    CHECK_DONE();
}

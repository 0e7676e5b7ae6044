/* SPDX-License-Identifier: MIT */
#include "watch/gate.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"

int firn_gate_parse(struct firn_gate *gate, const char *text, struct firn_error *err)
{
    int h1, m1, h2, m2, end = 0;
    if (sscanf(text, "%2d:%2d-%2d:%2d%n", &h1, &m1, &h2, &m2, &end) != 4 || text[end] ||
        text[strspn(text, "0123456789:-")] ||
        h1 < 0 || h1 > 23 || h2 < 0 || h2 > 24 || m1 < 0 || m1 > 59 || m2 < 0 || m2 > 59 ||
        h2 * 60 + m2 > 24 * 60)
        return firn_fail(err, FIRN_USAGE, "'%s' is no time of the day such as 22:00-06:00", text);
    gate->timed = true;
    gate->from = h1 * 60 + m1;
    gate->to = h2 * 60 + m2;
    return 0;
}

int firn_gate_minute(void)
{
    time_t now = time(NULL);
    struct tm local = {0};
    localtime_r(&now, &local);
    return local.tm_hour * 60 + local.tm_min;
}

static bool in_time(const struct firn_gate *gate, int minute)
{
    if (gate->from <= gate->to)
        return minute >= gate->from && minute < gate->to;
    return minute >= gate->from || minute < gate->to;
}

static bool read_line(const char *path, char line[128])
{
    FILE *f = fopen(path, "re");
    bool good = f && fgets(line, 128, f);
    if (f)
        fclose(f);
    return good;
}

/* The mains are off, or there are none and a battery is being used up. */
static bool on_battery(const char *root)
{
    char path[PATH_MAX], line[128];
    bool mains = false, on = false, used = false;
    snprintf(path, sizeof path, "%s/sys/class/power_supply", root);
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%.3000s/sys/class/power_supply/%s/online", root,
                 entry->d_name);
        if (read_line(path, line)) {
            mains = true;
            on |= line[0] == '1';
        }
        snprintf(path, sizeof path, "%.3000s/sys/class/power_supply/%s/status", root,
                 entry->d_name);
        used |= read_line(path, line) && strncmp(line, "Discharging", 11) == 0;
    }
    if (dir)
        closedir(dir);
    return mains ? !on : used;
}

/* Percent of the last ten seconds that somebody has waited; 0 where the kernel does not say. */
static double pressure(const char *root, const char *of)
{
    char path[PATH_MAX], line[128];
    double percent;
    snprintf(path, sizeof path, "%.3000s/proc/pressure/%s", root, of);
    return read_line(path, line) && sscanf(line, "some avg10=%lf", &percent) == 1 ? percent : 0;
}

bool firn_gate_open(const struct firn_gate *gate, const char *root, int minute, char why[128])
{
    why[0] = '\0';
    if (gate->timed && !in_time(gate, minute)) {
        snprintf(why, 128, "until %d:%02d", gate->from / 60 % 24, gate->from % 60);
        return false;
    }
    if (gate->ac_only && on_battery(root)) {
        snprintf(why, 128, "for mains power");
        return false;
    }
    /* The processor is left out: our own work presses on it, and low priority yields it anyway. */
    double memory = gate->max_pressure ? pressure(root, "memory") : 0;
    double io = gate->max_pressure ? pressure(root, "io") : 0;
    if (memory > gate->max_pressure || io > gate->max_pressure) {
        snprintf(why, 128, "for less pressure on %s", memory > io ? "memory" : "disks");
        return false;
    }
    return true;
}

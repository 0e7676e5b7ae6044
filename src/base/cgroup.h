/* SPDX-License-Identifier: MIT */
/** The CPU quota that control groups leave to this process. */
#ifndef FIRN_SRC_BASE_CGROUP_H
#define FIRN_SRC_BASE_CGROUP_H

/**
 * Whole cores (at least 1) of the smallest quota on the way from this process's group up to the
 * root, in the v2 and the v1 hierarchy; INT_MAX without a quota or when nothing can be read. `root`
 * is put before every absolute path: "" for the machine itself, a directory for tests.
 */
int firn_cgroup_cores(const char *root);

#endif

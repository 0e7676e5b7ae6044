/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "pipeline/cell_state.h"

#ifdef FIRN_SECCOMP

#include <seccomp.h>

/*
 * Memory, the turn, the end, and a library's complaint to an output that is closed. A decoder that
 * wants more is ended, and its photograph has had one of its two tries.
 */
static const int allowed[] = {
    SCMP_SYS(futex), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
    SCMP_SYS(brk), SCMP_SYS(clock_gettime), SCMP_SYS(rt_sigreturn), SCMP_SYS(exit),
    SCMP_SYS(exit_group), SCMP_SYS(write)};

int firn_cell_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return -ENOMEM;
    int status = 0;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed && !status; i++)
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    if (!status)
        status = seccomp_load(filter);
    seccomp_release(filter);
    return status;
}

bool firn_cell_filtered(void)
{
    return true;
}

#else

int firn_cell_filter(void)
{
    return 0;
}

bool firn_cell_filtered(void)
{
    return false;
}

#endif

/* SPDX-License-Identifier: MIT */
/** Telling whoever has started a daemon how it goes: systemd, or a shell. */
#ifndef FIRN_TOOLS_NOTIFY_H
#define FIRN_TOOLS_NOTIFY_H

/** Sends a state such as "READY=1" to $NOTIFY_SOCKET (sd_notify(3)); without one, nothing. */
void firn_notify(const char *state);

/** Milliseconds between two signs of life that systemd wants; -1: none. */
int firn_notify_watchdog_ms(void);

/**
 * Goes on in a child; does not return in the parent, which waits for firn_background_ready() and
 * exits with 0, or with the child's status when that ends before. Returns 0, or errno.
 */
int firn_background(void);

/** Lets go of the terminal: the parent exits. Standard error stays when it is a file. */
void firn_background_ready(void);

#endif

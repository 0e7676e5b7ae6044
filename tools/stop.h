/* SPDX-License-Identifier: MIT */
/** Signals that ask long work for an orderly end. */
#ifndef FIRN_TOOLS_STOP_H
#define FIRN_TOOLS_STOP_H

/**
 * SIGINT, SIGTERM and SIGHUP make the flag non-zero from now on; a second one has its usual effect.
 * One that comes ignored stays so: 'nohup firn extract' survives the terminal. SIGPIPE is ignored:
 * a closed log must not end hours of work.
 */
const volatile int *firn_stop_on_signals(void);

/** From now on the first one has its usual effect, too. */
void firn_stop_at_once(void);

#endif

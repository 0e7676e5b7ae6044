/* SPDX-License-Identifier: MIT */
#include "stop.h"

#include <signal.h>

static volatile int stop;

/** The first signal asks for an orderly end, a second one has its usual effect. */
static void on_signal(int number)
{
    if (stop) {
        signal(number, SIG_DFL);
        raise(number); /* delivered when this handler returns */
    }
    stop = 1;
}

const volatile int *firn_stop_on_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, 0);
    sigaction(SIGTERM, &action, 0);
    sigaction(SIGHUP, &action, 0);
    signal(SIGPIPE, SIG_IGN);
    return &stop;
}

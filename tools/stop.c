/* SPDX-License-Identifier: MIT */
#include "stop.h"

#include <signal.h>
#include <stddef.h>

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

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

void firn_stop_at_once(void)
{
    struct sigaction before;
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == on_signal)
            signal(signals[i], SIG_DFL);
    }
}

const volatile int *firn_stop_on_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    return &stop;
}

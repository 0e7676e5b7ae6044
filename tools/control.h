/* SPDX-License-Identifier: MIT */
/** The control socket of `firn watch`: where it is, who serves it, who asks. */
#ifndef FIRN_TOOLS_CONTROL_H
#define FIRN_TOOLS_CONTROL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include "firn/error.h"

/** Programs that may talk to one daemon at a time. */
#define FIRN_CLIENTS 16

/** One program that talks to the daemon. */
struct firn_client {
    int fd;          /**< -1: none */
    bool following;  /**< gets an answer every second */
    size_t n;        /**< bytes of the request that have come */
    char line[256];
};

struct firn_control {
    int fd; /**< listens; -1 without one */
    bool deaf; /**< no descriptor was free for who calls: to be served again in a while */
    struct sockaddr_un address;
    struct firn_client client[FIRN_CLIENTS];
    void *user;
    /**
     * Answers `request` ("status", "pause", ...): a malloc'ed text, or NULL: it is not known.
     * *more: this is one of many, the next one in a second if the client follows; with NULL: the
     * answer comes with firn_control_done().
     */
    char *(*answer)(void *user, const char *request, bool *more);
};

/**
 * Listens (mode 0600, in the first of $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/firn, /run/firn and
 * /tmp/firn-UID that can be written; its name is made of the cache's real path).
 */
int firn_control_open(struct firn_control *control, const char *cache, struct firn_error *err);
void firn_control_close(struct firn_control *control);

/** Entries for poll(); returns how many of the FIRN_CLIENTS + 1 were filled in. */
int firn_control_poll(const struct firn_control *control, struct pollfd *fds);

/** Deals with whoever has something to say; never waits for anyone. May set `deaf`. */
void firn_control_serve(struct firn_control *control);

/** Somebody wants an answer every second. */
bool firn_control_followed(const struct firn_control *control);

/** Gives all followers their next answer. */
void firn_control_follow(struct firn_control *control);

/** Says to all who wait for `request` that it is done. */
void firn_control_done(struct firn_control *control, const char *request);

/**
 * Connects to the daemon that owns `cache`, one's own or that of the cache's owner: a descriptor,
 * or -FIRN_NOINPUT.
 */
int firn_control_connect(const char *cache, struct firn_error *err);

#endif

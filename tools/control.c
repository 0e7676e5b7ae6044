/* SPDX-License-Identifier: MIT */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"

/** Of a verb whose daemon may be stuck: a clean stop takes two seconds at most. */
#define PATIENCE_S 15

#define OWN_DIRECTORIES 4 /* $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/firn, /run/firn, /tmp/firn-UID */

static uint64_t hash_of(const char *text)
{
    uint64_t h = 0xcbf29ce484222325; /* FNV-1a: only a name */
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 0x100000001b3;
    return h;
}

/** A directory that `uid` alone writes to. */
static bool belongs_to(const char *dir, uid_t uid)
{
    struct stat st;
    /* In /tmp anybody may have put a link there; elsewhere systemd does. */
    int looked = strncmp(dir, "/tmp/", 5) == 0 ? lstat(dir, &st) : stat(dir, &st);
    return looked == 0 && S_ISDIR(st.st_mode) && st.st_uid == uid && !(st.st_mode & 022);
}

/** Where a daemon listens; behind these, where that of the cache's owner does. */
static bool directory(char dir[PATH_MAX], const char *cache, int i)
{
    const char *runtime = getenv("RUNTIME_DIRECTORY"), *xdg = getenv("XDG_RUNTIME_DIR");
    struct stat owner = {.st_uid = getuid()};
    int n = -1;
    switch (i) {
    case 0: /* of systemd: may be several, separated by colons */
        n = runtime && *runtime == '/'
                ? snprintf(dir, PATH_MAX, "%.*s", (int)strcspn(runtime, ":"), runtime) : 0;
        break;
    case 1:
        n = xdg && *xdg == '/' ? snprintf(dir, PATH_MAX, "%s/firn", xdg) : 0;
        break;
    case 2:
        n = snprintf(dir, PATH_MAX, "/run/firn");
        break;
    case 3:
        n = snprintf(dir, PATH_MAX, "/tmp/firn-%ld", (long)getuid());
        break;
    case OWN_DIRECTORIES:
    case OWN_DIRECTORIES + 1:
        n = stat(cache, &owner) != 0 || owner.st_uid == getuid() ? 0
            : snprintf(dir, PATH_MAX, i == OWN_DIRECTORIES ? "/run/user/%ld/firn"
                                                           : "/tmp/firn-%ld", (long)owner.st_uid);
        n = n > 0 && belongs_to(dir, owner.st_uid) ? n : 0;
        break;
    }
    if (n <= 0 || n >= PATH_MAX)
        dir[0] = '\0';
    return n >= 0;
}

/** The socket's address for a cache in the directory number `i`; false: no such. */
static bool address_of(struct sockaddr_un *address, const char *cache, int i)
{
    char dir[PATH_MAX], real[PATH_MAX];
    if (!directory(dir, cache, i))
        return false;
    if (!realpath(cache, real))
        snprintf(real, sizeof(real), "%s", cache);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(address->sun_path, sizeof(address->sun_path), "%.*s/%016llx.sock",
                     (int)sizeof(address->sun_path), dir, (unsigned long long)hash_of(real));
    if (!*dir || n < 0 || (size_t)n >= sizeof(address->sun_path)) {
        address->sun_path[0] = '\0'; /* not this one */
    }
    return true;
}

/** A directory that is ours alone, or that the system has given us. */
static bool prepare_directory(const struct sockaddr_un *address)
{
    char dir[sizeof(address->sun_path)];
    snprintf(dir, sizeof(dir), "%s", address->sun_path);
    *strrchr(dir, '/') = '\0';
    return (mkdir(dir, 0700) == 0 || errno == EEXIST) && belongs_to(dir, geteuid());
}

static int listen_at(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    unlink(address->sun_path); /* we hold the cache's lock: nobody else lives there */
    mode_t old = umask(0177);
    int bound = bind(fd, (const struct sockaddr *)address, sizeof(*address));
    umask(old);
    if (bound != 0 || listen(fd, FIRN_CLIENTS) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int firn_control_open(struct firn_control *c, const char *cache, struct firn_error *err)
{
    int error = ENOENT;
    c->fd = -1;
    for (int i = 0; i < FIRN_CLIENTS; i++)
        c->client[i].fd = -1;
    for (int i = 0; i < OWN_DIRECTORIES && address_of(&c->address, cache, i); i++) {
        if (!c->address.sun_path[0])
            continue;
        if (prepare_directory(&c->address))
            c->fd = listen_at(&c->address);
        if (c->fd >= 0)
            return 0;
        error = errno;
    }
    c->address.sun_path[0] = '\0';
    return firn_output_fail(err, FIRN_CANTCREATE, "no control socket: %s", strerror(error));
}

static void drop(struct firn_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    *client = (struct firn_client){.fd = -1};
}

void firn_control_close(struct firn_control *c)
{
    for (int i = 0; i < FIRN_CLIENTS; i++)
        drop(&c->client[i]);
    if (c->fd >= 0) {
        close(c->fd);
        unlink(c->address.sun_path);
    }
    c->fd = -1;
}

int firn_control_poll(const struct firn_control *c, struct pollfd *fds)
{
    int n = 0;
    if (c->fd >= 0 && !c->deaf) { /* who cannot be let in would be announced on and on */
        fds[n++] = (struct pollfd){.fd = c->fd, .events = POLLIN};
    }
    for (int i = 0; i < FIRN_CLIENTS; i++) {
        if (c->client[i].fd >= 0)
            fds[n++] = (struct pollfd){.fd = c->client[i].fd, .events = POLLIN};
    }
    return n;
}

/** Sends all of it at once, or nobody is listening. */
static bool send_text(int fd, const char *text)
{
    size_t n = strlen(text);
    return send(fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
}

static void give_answer(struct firn_control *c, struct firn_client *client, const char *request)
{
    bool more = false;
    char *text = c->answer(c->user, request, &more);
    if (!text && more) {
        return; /* later, by firn_control_done() */
    }
    bool sent = send_text(client->fd, text ? text : "{\"error\":\"no such request\"}\n");
    free(text);
    if (!sent || !more || !client->following)
        drop(client);
}

/**
 * {"do":"status"} or {"do":"status","follow":true}; the only shape there is, so that no parser is
 * needed for it.
 */
static void read_request(struct firn_control *c, struct firn_client *client)
{
    char request[16] = "";
    int end = 0;
    sscanf(client->line, " { \"do\" : \"%15[a-z]\" %n", request, &end);
    const char *rest = client->line + end;
    int used = 0;
    sscanf(rest, ", \"follow\" : true %n", &used);
    client->following = used > 0;
    int closed = 0;
    sscanf(rest + used, "} %n", &closed);
    if (!end || !closed || rest[used + closed])
        strcpy(request, "?");
    snprintf(client->line, sizeof(client->line), "%s", request); /* for those who follow */
    client->n = 0;
    give_answer(c, client, request);
}

static void hear(struct firn_control *c, struct firn_client *client)
{
    ssize_t n = recv(client->fd, client->line + client->n, sizeof(client->line) - 1 - client->n,
                     MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || client->following) { /* gone, or says more than it may */
        drop(client);
        return;
    }
    client->n += (size_t)n;
    client->line[client->n] = '\0';
    char *end = memchr(client->line, '\n', client->n);
    if (end) {
        *end = '\0';
        read_request(c, client);
    } else if (client->n == sizeof(client->line) - 1) {
        drop(client);
    }
}

/** The file's mode says it already; a socket that was passed on does not. */
static bool may_talk(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

/** Connected, and has not asked anything. */
static bool is_idle(const struct firn_client *client)
{
    return !client->following && (client->n > 0 || !client->line[0]);
}

/** A free place, or that of one who holds it for nothing; FIRN_CLIENTS when all are in use. */
static int find_place(struct firn_control *c)
{
    int i = 0;
    while (i < FIRN_CLIENTS && c->client[i].fd >= 0)
        i++;
    if (i < FIRN_CLIENTS)
        return i;
    for (i = 0; i < FIRN_CLIENTS && !is_idle(&c->client[i]); i++) {
    }
    if (i < FIRN_CLIENTS)
        drop(&c->client[i]);
    return i;
}

static void greet(struct firn_control *c)
{
    int fd;
    while ((fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        int i = may_talk(fd) ? find_place(c) : FIRN_CLIENTS;
        if (i == FIRN_CLIENTS)
            close(fd);
        else
            c->client[i] = (struct firn_client){.fd = fd};
    }
    c->deaf = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
}

void firn_control_serve(struct firn_control *c)
{
    if (c->fd >= 0)
        greet(c);
    for (int i = 0; i < FIRN_CLIENTS; i++) {
        if (c->client[i].fd >= 0)
            hear(c, &c->client[i]);
    }
}

bool firn_control_followed(const struct firn_control *c)
{
    for (int i = 0; i < FIRN_CLIENTS; i++) {
        if (c->client[i].fd >= 0 && c->client[i].following)
            return true;
    }
    return false;
}

void firn_control_follow(struct firn_control *c)
{
    for (int i = 0; i < FIRN_CLIENTS; i++) {
        if (c->client[i].fd >= 0 && c->client[i].following)
            give_answer(c, &c->client[i], c->client[i].line);
    }
}

void firn_control_done(struct firn_control *c, const char *request)
{
    for (int i = 0; i < FIRN_CLIENTS; i++) {
        struct firn_client *client = &c->client[i];
        if (client->fd >= 0 && strcmp(client->line, request) == 0) {
            send_text(client->fd, "{\"ok\":true}\n");
            drop(client);
        }
    }
}

/** Nobody holds the lock that every writer takes, as far as one may look. */
static bool is_free(const char *cache)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[PATH_MAX];
    int fd = snprintf(path, sizeof(path), "%s/LOCK", cache) < PATH_MAX
                 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return errno != EACCES;
    bool free = fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK;
    close(fd);
    return free;
}

int firn_control_connect(const char *cache, struct firn_error *err)
{
    struct sockaddr_un address;
    int error = ENOENT;
    if (access(cache, F_OK) != 0)
        return firn_output_fail(err, FIRN_NOINPUT, "%s: %s", cache, strerror(errno));
    for (int i = 0; address_of(&address, cache, i); i++) {
        int fd = address.sun_path[0] ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
        if (fd < 0)
            continue;
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
            const struct timeval patience = {.tv_sec = PATIENCE_S};
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
            return fd;
        }
        error = errno == ENOENT ? error : errno;
        close(fd);
    }
    if ((error == EACCES || error == EPERM) && !is_free(cache))
        return firn_output_fail(err, FIRN_NOINPUT, "%s: its daemon belongs to another user", cache);
    return firn_output_fail(err, FIRN_NOINPUT, "%s: no daemon is at work on it; start one with "
                                               "firn watch", cache);
}

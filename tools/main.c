/* SPDX-License-Identifier: MIT */
/**
 * The `firn` program: finds the verb and runs it.
 *
 *   main.c        the table of verbs, help, version
 *   cli.h         what verbs share: options.c (command line), terminal.c (messages, colour)
 *   VERB.c        one verb each: extract watch ls stat show verify repair compact merge
 *                 export why model preview bench probe (probe_*.c: text, JSON, the layer as a file)
 *   bn.c          the verbs behind `firn bn`, bn_*.c
 *   extract_options.c  what extract and watch have in common
 *   watch.c       the daemon: watch_log.c, watch_report.c (status, metrics), notify.c (systemd)
 *   control.c     its socket; status.c: the verbs that talk to it
 *   progress.c    extract's progress line and summary
 *   export_*.c    one output format each, on output.c (temporary file, then rename)
 *   npy.c, safetensors.c   what writers of these formats share
 *   samples.c     the sample photographs of tools/quickstart, with jpeg_encode.c
 */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct firn_verb *const verbs[] = {
    &firn_verb_extract, &firn_verb_watch,  &firn_verb_status, &firn_verb_pause,
    &firn_verb_resume,  &firn_verb_rescan, &firn_verb_stop,   &firn_verb_metrics,
    &firn_verb_ls,      &firn_verb_stat,   &firn_verb_show,   &firn_verb_verify,
    &firn_verb_repair,  &firn_verb_compact, &firn_verb_merge,
    &firn_verb_export,  &firn_verb_why,    &firn_verb_model,  &firn_verb_preview,
    &firn_verb_bench,   &firn_verb_probe,  &firn_verb_bn,
};
#define VERBS (sizeof(verbs) / sizeof(*verbs))

static void list_verbs(FILE *out)
{
    fprintf(out, "Usage: firn VERB [options] ...\n"
                 "Turns a directory of photographs into a durable cache of ResNet features.\n\n");
    for (size_t i = 0; i < VERBS; i++)
        fprintf(out, "  %-8s  %s\n", verbs[i]->name, verbs[i]->summary);
    fprintf(out, "\n'firn help VERB' shows the options of a verb, 'firn --version' the version.\n"
                 "First run:  firn extract -m untrained:resnet18 -o features.firn PHOTOGRAPHS\n");
}

static const struct firn_verb *find(const char *name)
{
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    }
    return NULL;
}

static int unknown_verb(const char *name)
{
    const char *names[VERBS + 1] = {NULL};
    for (size_t i = 0; i < VERBS; i++)
        names[i] = verbs[i]->name;
    const char *nearest = firn_cli_nearest(name, names);
    if (nearest)
        firn_cli_warn("'%s' is not a verb, did you mean '%s'?", name, nearest);
    else
        firn_cli_warn("'%s' is not a verb; 'firn help' lists them", name);
    return FIRN_USAGE;
}

static int run(const char *name, int argc, char **argv)
{
    const struct firn_verb *verb = find(name);
    if (!verb)
        return unknown_verb(name);
    int status = verb->run(verb, argc, argv);
    if (status == FIRN_IO && ferror(stdout)) {
        return status; /* the verb has flushed, and said so */
    }
    int flushed = firn_cli_flush();
    return status ? status : flushed;
}

static int help(int argc, char **argv)
{
    if (argc < 3 || strcmp(argv[2], "help") == 0) {
        list_verbs(stdout);
        return firn_cli_flush();
    }
    /* "help bn estimate": what is behind a verb's verb gets the question. */
    char *again[] = {argv[2], argc > 3 ? argv[3] : (char[]){"--help"}, (char[]){"--help"}, NULL};
    return run(argv[2], argc > 3 ? 3 : 2, again);
}

/**
 * A descriptor of the three that comes closed would be given to the first file that is opened:
 * messages would go into a cache, or its lock be read as a list of photographs. /dev/null the wrong
 * way round keeps the place, and reading and writing still fail.
 */
static void keep_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

/** Beyond its limit a stack ends in SIGSEGV, which says nothing; threads get as much. */
static bool has_stack(void)
{
    enum { NEEDED = 256 << 10 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= NEEDED)
        return true;
    firn_cli_warn("a stack of %llu kB is too small, %d kB are needed; raise the limit (ulimit -s)",
                  (unsigned long long)limit.rlim_cur >> 10, NEEDED >> 10);
    return false;
}

int main(int argc, char **argv)
{
    keep_standard_descriptors();
    if (!has_stack())
        return FIRN_NOMEM;
    signal(SIGPIPE, SIG_DFL); /* may come ignored; `firn ls | head` is to end quietly */
    /* a limit of file size is an error like a full disk, no reason to die */
    signal(SIGXFSZ, SIG_IGN);
    if (argc < 2) {
        list_verbs(stderr);
        return FIRN_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
        return help(argc, argv);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0 || strcmp(word, "version") == 0) {
        printf("firn %s\n", FIRN_VERSION);
        return firn_cli_flush();
    }
    if (word[0] == '-') {
        firn_cli_warn("unknown option '%s'; usage: firn VERB [options] ..., see 'firn help'", word);
        return FIRN_USAGE;
    }
    return run(word, argc - 1, argv + 1);
}

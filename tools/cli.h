/* SPDX-License-Identifier: MIT */
/** What the verbs of the `firn` program share: their shape, options, messages, the terminal. */
#ifndef FIRN_TOOLS_CLI_H
#define FIRN_TOOLS_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "firn/error.h"
#include "firn/json.h"

/** What an option's value is, and what `value` points to. */
enum firn_opt_kind {
    FIRN_OPT_END = 0, /**< ends a table */
    FIRN_OPT_FLAG,    /**< bool: given or not */
    FIRN_OPT_TEXT,    /**< const char *: as typed */
    FIRN_OPT_COUNT,   /**< int: a positive number */
    FIRN_OPT_WHOLE,   /**< int: 0 or a positive number */
    FIRN_OPT_REAL,    /**< double: finite, above 0 */
    FIRN_OPT_CHOICE,  /**< int: 1 + index into `choices`, 0 when not given */
    FIRN_OPT_LIST     /**< struct firn_opt_list: as typed, in the order given */
};

#define FIRN_OPT_LIST_MOST 64

/** What an option that may be repeated was given. */
struct firn_opt_list {
    const char *item[FIRN_OPT_LIST_MOST];
    size_t n;
};

/** One option of a verb; a table of them ends with a zeroed entry. */
struct firn_opt {
    enum firn_opt_kind kind;
    int letter;                 /**< short form, 0 for none */
    const char *name;           /**< long form */
    const char *arg;            /**< what the help calls the value; NULL for a flag */
    const char *help;           /**< one line, the default in brackets */
    void *value;                /**< filled in when the option is given */
    const char *const *choices; /**< NULL-terminated, for FIRN_OPT_CHOICE */
};

/** One verb of the program. */
struct firn_verb {
    const char *name;
    const char *args;    /**< behind the name in the usage line */
    const char *summary; /**< half a line for the list of verbs */
    const char *more;    /**< paragraphs for --help, each line ended; may be NULL */
    int min_args, max_args; /**< arguments that are not options; max -1: any number */
    int (*run)(const struct firn_verb *verb, int argc, char **argv); /**< gives the exit status */
};

extern const struct firn_verb firn_verb_extract, firn_verb_ls, firn_verb_stat, firn_verb_show,
    firn_verb_verify, firn_verb_export, firn_verb_why, firn_verb_model, firn_verb_preview,
    firn_verb_bench, firn_verb_watch, firn_verb_status, firn_verb_pause, firn_verb_resume,
    firn_verb_rescan, firn_verb_stop, firn_verb_metrics, firn_verb_probe, firn_verb_repair,
    firn_verb_compact, firn_verb_merge, firn_verb_bn;

/** The verbs behind `firn bn`. */
extern const struct firn_verb firn_verb_bn_estimate, firn_verb_bn_merge, firn_verb_bn_apply,
    firn_verb_bn_diff, firn_verb_bn_advise;

/**
 * Statistics and checkpoints are safetensors: FIRN_CLI_GO, or refuses torch.save()'s endings,
 * any of the `n` inputs (entries may be NULL), and what cannot be created.
 */
int firn_bn_check_output(const struct firn_verb *verb, const char *output,
                         const char *const *inputs, size_t n);

/** -q and -v, which every verb takes. */
extern bool firn_cli_quiet, firn_cli_verbose;

/** Nothing more to do but to run. */
#define FIRN_CLI_GO (-1)

/**
 * Reads the options of `verb` into the places that `opts` names (-h, -q and -v come by themselves)
 * and leaves the other arguments in (*argv)[0..*argc). FIRN_CLI_GO, or the exit status when the
 * help was shown or the usage is wrong (which has been said).
 */
int firn_cli_parse(const struct firn_verb *verb, const struct firn_opt *opts, int *argc,
                   char ***argv);

/**
 * Sets one option by its long name, as from a file: a flag by yes, true, on or 1. FIRN_CLI_GO, or
 * the exit status: what is wrong was said.
 */
int firn_cli_set(const struct firn_verb *verb, const struct firn_opt *opts, const char *name,
                 const char *text);

/** Reads a whole number, 0 to INT_MAX, of digits alone: no sign, no blanks. False: it is none. */
bool firn_cli_whole(const char *text, int *n);

/** Says on stderr what is wrong with the arguments and where help is; returns FIRN_USAGE. */
int firn_cli_usage(const struct firn_verb *verb, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** While options come from a file, complaints name it and the line; NULL: no longer. */
void firn_cli_reads(const char *file, const int *line);

/** FIRN_CLI_GO, or refuses an output that is the file `input` (may be NULL), by whatever name. */
int firn_cli_spare(const struct firn_verb *verb, const char *input, const char *output);

/** FIRN_CLI_GO, or refuses `-` as the name of an output that cannot be a pipe. */
int firn_cli_no_stdout(const struct firn_verb *verb, const char *output);

/** The entry of `names` (NULL-terminated) that is nearest to a mistyped `word`, or NULL. */
const char *firn_cli_nearest(const char *word, const char *const *names);

/** "firn: ..." on stderr, control characters escaped: one line whatever a path holds. */
void firn_cli_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** From here on the first warning of this thread comes to `text` instead; NULL: not any more. */
#define FIRN_CLI_CAUGHT 1024
void firn_cli_catch(char *text);

/** The same for news that -q silences. */
void firn_cli_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** Says what failed; returns the exit status. */
int firn_cli_fail(const struct firn_error *err);

/** Ends standard output: FIRN_OK, or FIRN_IO (said, unless the reader has gone away). */
int firn_cli_flush(void);

/** Prints the JSON with a newline on stdout and frees it. */
int firn_cli_print_json(struct firn_json *json);

/**
 * Prints text of unknown origin (a path, a reason). On a terminal, control characters and bytes
 * that are not UTF-8 come as \n, \x1b, ...: they cannot move the cursor or forge lines. Elsewhere
 * the bytes are raw. Returns the columns it takes, counting a character as one.
 */
int firn_cli_put(FILE *out, const char *text);

/** Whether `out` is a terminal that obeys escape sequences: none does that calls itself dumb. */
bool firn_cli_obeys(FILE *out);

/** Colours of `out`'s terminal, or "" where there is none or NO_COLOR is set. */
enum firn_colour { FIRN_PLAIN, FIRN_RED, FIRN_YELLOW, FIRN_GREEN, FIRN_BOLD, FIRN_DIM };
const char *firn_cli_colour(FILE *out, enum firn_colour colour);

/** "12 bytes", "3.4 kB", "1.2 GB" (decimal units). */
const char *firn_cli_bytes(char text[32], double bytes);

/** The ending of what is counted: "" behind 1, else "s". */
const char *firn_cli_s(uint64_t n);

/** "0:07", "12:34", "1:02:03". */
const char *firn_cli_clock(char text[32], double seconds);

#endif

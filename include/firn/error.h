/* SPDX-License-Identifier: MIT */
/** How every function of firn reports failure: a negative code and one clear line. */
#ifndef FIRN_ERROR_H
#define FIRN_ERROR_H

/**
 * Kinds of failure. The values are the exit statuses of the `firn` program (sysexits where one
 * fits). A function that can fail returns 0 on success and the negated kind on failure.
 */
enum firn_code {
    FIRN_OK = 0,
    FIRN_PARTIAL = 1,      /**< finished, but some photographs failed */
    FIRN_USAGE = 2,        /**< the caller's arguments make no sense */
    FIRN_DATA = 65,        /**< input bytes are corrupt or not of a supported form */
    FIRN_NOINPUT = 66,     /**< input not found or not readable */
    FIRN_INTERNAL = 70,    /**< a promise of firn itself is broken: a bug */
    FIRN_NOMEM = 71,       /**< out of memory, descriptors or threads */
    FIRN_CANTCREATE = 73,  /**< an output cannot be created */
    FIRN_IO = 74,          /**< read or write error, full disk */
    FIRN_LOCKED = 75,      /**< the cache has another writer */
    FIRN_CONFIG = 78,      /**< fingerprint or configuration conflict */
    FIRN_INTERRUPTED = 130 /**< stopped by the caller; everything acknowledged is kept */
};

/**
 * One failure. Owned by the caller, who may pass NULL wherever one is taken. Filled only on
 * failure; `text` is one line without a newline that names the file, the reason and, where there
 * is one, the remedy.
 */
struct firn_error {
    enum firn_code code; /**< what kind; equals minus the return value */
    char text[1024];     /**< one line, always terminated */
};

#endif

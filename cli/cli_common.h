/* cli_common.h - exit codes, messages, clocks, signals: what every verb of the command uses
 * layer C; uses: nigh_hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_CLI_COMMON_H
#define NIGH_CLI_COMMON_H
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1 /* glibc: POSIX.1-2008 and the terminal's width */
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nigh_hosted.h"

/* Exit codes, documented by every --help. Death by a signal gives the shell 128 + its number. */
enum {
    CLI_GO = -1, /* not an exit code: carry on */
    CLI_OK = 0,
    CLI_FAILED = 1, /* the check failed, or a key was not found */
    CLI_USAGE = 2,
    CLI_ERROR = 3 /* files, data, memory */
};

enum { CLI_MESSAGE = 512, CLI_CHUNK = 64, CLI_THREADS_MAX = 1024 };

#define CLI_PRINTF(text, first) __attribute__((format(printf, text, first)))

/* "nigh: text" on stderr, control characters made harmless, the progress bar wiped first. */
void cli_say(const char *format, ...) CLI_PRINTF(1, 2);
/* The same with a hint at `nigh VERB --help`; returns CLI_USAGE. */
int cli_usage(const char *verb, const char *format, ...) CLI_PRINTF(2, 3);
/* "nigh: what: reason", `message` (of nigh_hosted.h) being the reason if it is not empty; the exit
 * code that belongs to the status. */
int cli_failed(nigh_status status, const char *what, const char *message);
/* One sentence for a status of nigh.h or nigh_hosted.h. */
const char *cli_status_text(nigh_status status);

double cli_seconds(void);     /* monotonic */
double cli_cpu_seconds(void); /* of all threads of the process */

/* Ctrl-C and its like remove temporaries, then end the process as if nothing had been caught. */
void cli_signals(void);
/* A progress bar is on the terminal: whoever writes or dies wipes it first. */
void cli_bar_shown(bool shown);

/* Zeroed memory, or NULL after a message; nigh_close gives it back. bytes 0 counts as 1. */
void *cli_memory(uint64_t bytes);
/* The same in a file without a name beside `path`, unless that is NULL. */
void *cli_memory_at(const char *path, uint64_t bytes);
/* Flushes stdout: a full disk is CLI_ERROR, else `code`. */
int cli_flush(int code);
/* `value` threads, 0 = one for each processor. */
uint32_t cli_threads(uint32_t value);

#endif /* NIGH_CLI_COMMON_H */

/* cli_common.c - messages, clocks and signals of the command
 * layer C; uses: nigh_hosted.h, POSIX
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli_common.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t bar_shown;

void cli_bar_shown(bool shown) { bar_shown = shown; }

static void wipe_bar(void) {
    static const char wipe[] = "\r\033[K";
    if (bar_shown) {
        bar_shown = 0;
        ssize_t ignored = write(STDERR_FILENO, wipe, sizeof wipe - 1);
        (void)ignored;
    }
}

/* Keys and paths come from files: they may not steer the terminal. Newlines are ours. */
static void put_message(char *text) {
    for (char *at = text; *at != 0; at++) {
        if (((unsigned char)*at < 0x20 && *at != '\n') || *at == 0x7f) {
            *at = '?';
        }
    }
    wipe_bar();
    fprintf(stderr, "nigh: %s\n", text);
}

void cli_say(const char *format, ...) {
    char text[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    put_message(text);
}

int cli_usage(const char *verb, const char *format, ...) {
    char text[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    put_message(text);
    fprintf(stderr, "nigh: see nigh %s%s--help\n", verb, *verb != 0 ? " " : "");
    return CLI_USAGE;
}

const char *cli_status_text(nigh_status status) {
    switch (status) {
    case NIGH_E_IO:
        return "the operating system refused";
    case NIGH_E_NO_MEMORY:
        return "out of memory";
    case NIGH_E_CANCELLED:
        return "cancelled";
    default:
        return nigh_status_text(status);
    }
}

int cli_failed(nigh_status status, const char *what, const char *message) {
    if (message != NULL && *message != 0) {
        /* hosted messages mostly name the path already */
        cli_say("%s%s%s", strstr(message, what) != NULL ? "" : what,
                strstr(message, what) != NULL ? "" : ": ", message);
    } else {
        cli_say("%s: %s", what, cli_status_text(status));
    }
    return status == NIGH_E_NOT_FOUND ? CLI_FAILED : CLI_ERROR;
}

static double clock_seconds(clockid_t id) {
    struct timespec now;
    if (clock_gettime(id, &now) != 0) {
        return 0;
    }
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double cli_seconds(void) { return clock_seconds(CLOCK_MONOTONIC); }

double cli_cpu_seconds(void) { return clock_seconds(CLOCK_PROCESS_CPUTIME_ID); }

/* SA_RESETHAND and SA_NODEFER: raise() ends the process on the spot, and the shell sees the signal
 * itself (130 for Ctrl-C), not an exit that looks like a choice. */
static void on_signal(int number) {
    nigh_save_abort_all();
    wipe_bar();
    raise(number);
}

/* A mapped file was cut short by someone while it was read. */
static void on_bus_error(int number) {
    static const char text[] = "nigh: a mapped file was cut short or could not be read\n";
    (void)number;
    nigh_save_abort_all();
    wipe_bar();
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(CLI_ERROR);
}

void cli_signals(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT, SIGXCPU};
    struct sigaction action;
    struct sigaction before;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_flags = (int)((unsigned)SA_RESETHAND | (unsigned)SA_NODEFER);
    action.sa_handler = on_signal;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        /* what a parent ignores (nohup, `&` in a script) stays ignored */
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            sigaction(numbers[i], &action, NULL);
        }
    }
    action.sa_handler = on_bus_error;
    sigaction(SIGBUS, &action, NULL);
#ifdef SIGXFSZ
    signal(SIGXFSZ,
           SIG_IGN); /* a limit on file sizes is then an error of write, reported as such */
#endif
}

void *cli_memory(uint64_t bytes) {
    void *memory = NULL;
    if (nigh_memory_new(bytes != 0 ? bytes : 1, &memory) != NIGH_OK) {
        cli_say("out of memory: %llu bytes wanted", (unsigned long long)bytes);
        return NULL;
    }
    return memory;
}

void *cli_memory_at(const char *path, uint64_t bytes) {
    char message[CLI_MESSAGE] = "";
    void *memory = NULL;
    if (path == NULL) {
        return cli_memory(bytes);
    }
    nigh_status status =
        nigh_memory_file(path, bytes != 0 ? bytes : 1, &memory, message, sizeof message);
    if (status != NIGH_OK) {
        (void)cli_failed(status, path, message);
        return NULL;
    }
    return memory;
}

int cli_flush(int code) {
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cli_say("cannot write to standard output: %s",
                errno != 0 ? strerror(errno) : "an earlier write failed");
        return CLI_ERROR;
    }
    return code;
}

uint32_t cli_threads(uint32_t value) {
    uint32_t threads = value != 0 ? value : nigh_threads();
    return threads < CLI_THREADS_MAX ? threads : CLI_THREADS_MAX;
}

/* cli_progress.c - draws the bar ten times a second, from half a second on
 * layer C; uses: cli_common.h, POSIX
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli_progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TEXT_COLUMNS = 48, BAR_MAX = 40 };

static uint32_t terminal_columns(void) {
    struct winsize size;
    memset(&size, 0, sizeof size);
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return 80;
    }
    return size.ws_col;
}

void cli_progress_begin(cli_progress *progress, const char *label, const char *unit,
                        uint64_t total) {
    const char *term = getenv("TERM");
    const char *no_colour = getenv("NO_COLOR");
    memset(progress, 0, sizeof *progress);
    progress->label = label;
    progress->unit = unit;
    progress->total = total;
    progress->start = cli_seconds();
    progress->next = progress->start + 0.5;
    if (!isatty(STDERR_FILENO) || term == NULL || strcmp(term, "dumb") == 0 || total == 0) {
        return;
    }
    uint32_t columns = terminal_columns();
    progress->width = columns > TEXT_COLUMNS + 8 ? columns - TEXT_COLUMNS : 8;
    progress->width = progress->width < BAR_MAX ? progress->width : BAR_MAX;
    progress->colour = no_colour == NULL || *no_colour == 0;
}

static void draw(const cli_progress *progress, uint64_t done, double elapsed) {
    char full[BAR_MAX + 1];
    char left[BAR_MAX + 1];
    double share = (double)done / (double)progress->total;
    double rate = elapsed > 0 ? (double)done / elapsed : 0;
    double rest = rate > 0 ? (double)(progress->total - done) / rate : 0;
    uint32_t bars = (uint32_t)(share * progress->width);
    unsigned long seconds = (unsigned long)(rest + 0.5);
    memset(full, '#', sizeof full);
    memset(left, '-', sizeof left);
    full[bars] = 0;
    left[progress->width - bars] = 0;
    fprintf(stderr, "\r%-6s [%s%s%s%s] %3.0f%%  %.*f%s %s/s  %lu:%02lu left\033[K", progress->label,
            progress->colour ? "\033[32m" : "", full, progress->colour ? "\033[0m" : "", left,
            share * 100, rate < 1e6 ? 0 : 1, rate < 1e6 ? rate : rate / 1e6, rate < 1e6 ? "" : "M",
            progress->unit, seconds / 60, seconds % 60);
    fflush(stderr);
    cli_bar_shown(true);
}

void cli_progress_step(cli_progress *progress, uint64_t done) {
    if (progress->width == 0 || done > progress->total) {
        return;
    }
    double now = cli_seconds();
    if (now < progress->next) {
        return;
    }
    progress->next = now + 0.1;
    draw(progress, done, now - progress->start);
}

void cli_progress_end(cli_progress *progress) {
    if (progress->width != 0) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        cli_bar_shown(false);
    }
}

/* cli_progress.h - a progress bar on a terminal's stderr: share done, rate, time left
 * layer C; uses: cli_common.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_CLI_PROGRESS_H
#define NIGH_CLI_PROGRESS_H
#include "cli_common.h"

typedef struct cli_progress {
    const char *label;
    const char *unit; /* "/s" is added */
    uint64_t total;
    uint32_t width; /* of the bar; 0: stderr is no terminal, nothing is ever drawn */
    bool colour;
    double start;
    double next; /* when to draw again */
} cli_progress;

void cli_progress_begin(cli_progress *progress, const char *label, const char *unit,
                        uint64_t total);
/* Cheap enough for each few hundred microseconds of work; one thread at a time. */
void cli_progress_step(cli_progress *progress, uint64_t done);
/* Wipes the bar. */
void cli_progress_end(cli_progress *progress);

#endif /* NIGH_CLI_PROGRESS_H */

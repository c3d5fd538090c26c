/* folder.h - a fresh folder for a hosted test, small files in it, and what is left there
 * layer T; uses: t.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_FOLDER_H
#define NIGH_FOLDER_H
#include "hosted.h" /* first: it asks for all of the system's functions */

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t.h"

static char folder_path[64];

/* "<folder>/name", in one of eight rotating buffers. */
T_MAYBE const char *in_folder(const char *name) {
    static char paths[8][512];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder_path, name);
    return path;
}

T_MAYBE void folder_new(void) {
    strcpy(folder_path, "/tmp/nigh-test-XXXXXX");
    t_assert(mkdtemp(folder_path) != NULL);
}

T_MAYBE void folder_drop(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder_path);
    t_eq(system(command), 0);
}

T_MAYBE void file_put(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    t_assert(file != NULL);
    t_eq(fwrite(bytes, 1, count, file), count);
    t_eq(fclose(file), 0);
}

/* 1 when the file holds exactly these bytes. */
T_MAYBE int file_is(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "rb");
    int same = file != NULL;
    for (size_t i = 0; same && i < count; i++) {
        same = fgetc(file) == ((const unsigned char *)bytes)[i];
    }
    same = same && fgetc(file) == EOF;
    if (file != NULL) {
        fclose(file);
    }
    return same;
}

/* Entries of a folder; `temporaries` only those of unfinished saves. */
T_MAYBE int folder_count(const char *path, int temporaries) {
    DIR *folder = opendir(path);
    int count = 0;
    for (struct dirent *entry = NULL; folder != NULL && (entry = readdir(folder)) != NULL;) {
        int hidden = strncmp(entry->d_name, ".nigh-", 6) == 0;
        count += temporaries ? hidden : entry->d_name[0] != '.' || hidden;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count;
}

/* Runs `body` in a child (a failed assertion must not go on there) and returns its exit status. */
T_MAYBE int in_child(int (*body)(void)) {
    int status = 0;
    pid_t child = 0;
    fflush(stdout);
    child = fork();
    t_assert(child >= 0);
    if (child == 0) {
        _exit(body());
    }
    t_assert(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}
#endif

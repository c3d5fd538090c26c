/* replay.c - runs a fuzz target over its corpus and over mutations of it, without libFuzzer
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * usage: fuzz_<target> FOLDER. Each file goes in as it is, cut at some lengths, and again and
 * again with some of its bytes changed (always the same ones): 1,024 cuts and 12,288 changes are
 * shared by all files, so that a corpus may grow; NIGH_TEST_SCALE=small does an eighth of it. A bad
 * input ends the program: its name and the number of the mutation stand in the last line then.
 * Inputs lie at the end of an allocation, where the address sanitizer sees a read beyond. */
#include <dirent.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { CUTS = 1024, MUTATIONS = 12288, FILE_BYTES_MAX = 1 << 20 };

static uint64_t state;

static uint32_t below(uint32_t limit) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((state >> 32) * limit) >> 32);
}

static void one(const uint8_t *bytes, size_t size) {
    uint8_t *exact = malloc(size + 1); /* malloc(0) may be NULL */
    if (exact == NULL) {
        exit(1);
    }
    memcpy(exact + 1, bytes, size);
    (void)LLVMFuzzerTestOneInput(exact + 1, size);
    free(exact);
}

static void mutate(uint8_t *bytes, size_t size) {
    static const uint8_t odd[] = {0, 1, 0x7f, 0x80, 0xff, 0x10, '\n', '9'};
    uint32_t changes = 1 + below(4);
    for (uint32_t i = 0; i < changes && size > 0; i++) {
        uint32_t at = below((uint32_t)(below(2) == 0 && size > 64 ? 64 : size)); /* heads matter */
        bytes[at] = below(2) == 0 ? odd[below(sizeof odd)] : (uint8_t)(bytes[at] ^ 1u << below(8));
    }
}

/* A file's part of n, or of an eighth of it; at least one. */
static uint32_t share(uint32_t n, uint32_t files) {
    const char *scale = getenv("NIGH_TEST_SCALE");
    return (scale != NULL && strcmp(scale, "small") == 0 ? n / 8 : n) / files + 1;
}

static void replay(const char *name, const uint8_t *bytes, size_t size, uint32_t files,
                   uint8_t *copy) {
    one(bytes, size);
    const uint32_t cuts = share(CUTS, files), mutations = share(MUTATIONS, files);
    for (size_t cut = 0; cut < cuts; cut++) {
        one(bytes, size * cut / cuts);
    }
    for (uint32_t i = 0; i < mutations; i++) {
        state = i;
        memcpy(copy, bytes, size);
        mutate(copy, size);
        printf("\r%s %" PRIu32, name, i);
        fflush(stdout);
        one(copy, size);
    }
    printf("\r%s passed\n", name);
}

int main(int count, char **arguments) {
    static uint8_t bytes[FILE_BYTES_MAX];
    static uint8_t copy[FILE_BYTES_MAX];
    DIR *folder = count == 2 ? opendir(arguments[1]) : NULL;
    const struct dirent *entry = NULL;
    uint32_t files = 0, done = 0;
    if (folder == NULL) {
        printf("usage: %s FOLDER\n", arguments[0]);
        return 2;
    }
    one(bytes, 0);
    while (readdir(folder) != NULL) {
        files++;
    }
    rewinddir(folder);
    while ((entry = readdir(folder)) != NULL) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", arguments[1], entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (file != NULL) {
            size_t size = fread(bytes, 1, sizeof bytes, file);
            (void)fclose(file);
            replay(entry->d_name, bytes, size, files, copy);
            done++;
        }
    }
    (void)closedir(folder);
    printf("%" PRIu32 " passed, %d failed\n", done, done == 0);
    return done == 0;
}

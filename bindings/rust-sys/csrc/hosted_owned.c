/* hosted_owned.c - what was handed out and how it is given back: one close for all kinds
 * layer H; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A table from address to release function, not a header before each object: so memory keeps its
 * alignment, an index stays where the core wants it, and closing a stranger or closing twice is an
 * error status instead of undefined behaviour. */
#include "hosted.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_COUNT 1024u
#define PATH_SHOWN 120 /* the end of a longer path tells more than its beginning */

typedef struct owned {
    struct owned *next;
    const void *object;
    nighh_release_fn release;
    void *context;
} owned;

static owned *chains[CHAIN_COUNT];
static pthread_mutex_t chains_lock = PTHREAD_MUTEX_INITIALIZER;

static owned **chain_of(const void *object) {
    uint64_t hash = (uint64_t)(uintptr_t)object * 0x9e3779b97f4a7c15u;
    return &chains[hash >> 54];
}

nigh_status nighh_own(const void *object, nighh_release_fn release, void *context) {
    owned **chain = chain_of(object);
    owned *entry = malloc(sizeof *entry);
    if (entry == NULL) {
        return NIGH_E_NO_MEMORY;
    }
    entry->object = object;
    entry->release = release;
    entry->context = context;
    pthread_mutex_lock(&chains_lock);
    entry->next = *chain;
    *chain = entry;
    pthread_mutex_unlock(&chains_lock);
    return NIGH_OK;
}

/* Takes the entry of an object out of the table; release NULL: whatever its kind. */
static owned *take(const void *object, nighh_release_fn release) {
    owned **place = chain_of(object);
    owned *entry = NULL;
    pthread_mutex_lock(&chains_lock);
    while (*place != NULL && (*place)->object != object) {
        place = &(*place)->next;
    }
    entry = *place;
    if (entry != NULL && (release == NULL || entry->release == release)) {
        *place = entry->next;
    } else {
        entry = NULL;
    }
    pthread_mutex_unlock(&chains_lock);
    return entry;
}

void *nighh_disown(const void *object, nighh_release_fn release) {
    owned *entry = take(object, release);
    void *context = entry != NULL ? entry->context : NULL;
    free(entry);
    return context;
}

void *nighh_context(const void *object, nighh_release_fn release) {
    void *context = NULL;
    pthread_mutex_lock(&chains_lock);
    for (const owned *entry = *chain_of(object); entry != NULL; entry = entry->next) {
        if (entry->object == object && entry->release == release) {
            context = entry->context;
        }
    }
    pthread_mutex_unlock(&chains_lock);
    return context;
}

nigh_status nigh_close(const void *object) {
    owned *entry = NULL;
    nigh_status status = NIGH_OK;
    if (object == NULL) {
        return NIGH_OK;
    }
    entry = take(object, NULL);
    if (entry == NULL) {
        return NIGH_E_INVALID;
    }
    status = entry->release(entry->context);
    free(entry);
    return status;
}

/* ---- Messages ------------------------------------------------------------------------------- */

nighh_errors nighh_errors_begin(char *text, uint32_t bytes, const char *path) {
    nighh_errors errors = {text, text != NULL ? bytes : 0, path};
    if (errors.bytes > 0) {
        text[0] = 0;
    }
    return errors;
}

static const char *path_end(const nighh_errors *errors, const char **dots) {
    size_t length = errors->path != NULL ? strlen(errors->path) : 0;
    *dots = length > PATH_SHOWN ? "..." : "";
    if (length > PATH_SHOWN) {
        return errors->path + (length - PATH_SHOWN);
    }
    return length > 0 ? errors->path : "(no name)";
}

nigh_status nighh_fail(const nighh_errors *errors, nigh_status status, const char *format, ...) {
    const char *dots = "";
    const char *path = path_end(errors, &dots);
    va_list list;
    int used = 0;
    if (errors->bytes == 0) {
        return status;
    }
    used = snprintf(errors->text, errors->bytes, "%s%s: ", dots, path);
    if (used >= 0 && (uint32_t)used < errors->bytes) {
        va_start(list, format);
        (void)vsnprintf(errors->text + used, errors->bytes - (uint32_t)used, format, list);
        va_end(list);
    }
    return status;
}

const char *nighh_status_text(nigh_status status) {
    switch (status) {
    case NIGH_E_IO:
        return "the operating system refused";
    case NIGH_E_NO_MEMORY:
        return "no memory";
    case NIGH_E_CANCELLED:
        return "cancelled";
    default:
        return nigh_status_text(status);
    }
}

/* strerror_r comes in two kinds: POSIX's returns a number, GNU's the text. */
static const char *text_posix(int result, const char *buffer) {
    return result == 0 ? buffer : "unknown error";
}
static const char *text_gnu(const char *result, const char *buffer) {
    (void)buffer;
    return result;
}
#define TEXT_OF(call, buffer)                                                                      \
    _Generic((call), int: text_posix, char *: text_gnu, const char *: text_gnu)((call), (buffer))

nigh_status nighh_fail_system(const nighh_errors *errors, nigh_status status, const char *verb,
                              int error) {
    char buffer[128] = "unknown error";
    const char *dots = "";
    const char *path = path_end(errors, &dots);
    if (errors->bytes > 0) {
        (void)snprintf(errors->text, errors->bytes, "cannot %s %s%s: %s", verb, dots, path,
                       TEXT_OF(strerror_r(error, buffer, sizeof buffer), buffer));
    }
    return status;
}

/* hosted_index.c - an index or session with its memory in one call, index files opened and saved
 * layer H; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hosted.h"

#include <stdlib.h>
#include <string.h>

#define OPTIONS_BYTES_MIN 16u /* nigh_options of the first version */

typedef struct part {
    void *memory;
    uint64_t bytes;
} part;

/* All that belongs to an index made here. */
typedef struct holder {
    nigh_index *index;
    nighh_mapping image;
    part handle;
    part writer;
    part room;
    bool room_refused;
} holder;

static nigh_status part_new(part *made, uint64_t bytes) {
    made->bytes = bytes;
    return nighh_pages_new(bytes, &made->memory);
}

static nigh_status holder_release(void *context) {
    holder *held = context;
    nigh_status status = nighh_unmap(&held->image);
    nighh_pages_free(held->room.memory, held->room.bytes);
    nighh_pages_free(held->writer.memory, held->writer.bytes);
    nighh_pages_free(held->handle.memory, held->handle.bytes);
    free(held);
    return status;
}

nigh_status nighh_options_take(const nigh_options *given, nigh_options *options) {
    static const uint8_t zeros[256];
    uint32_t size = given != NULL ? given->struct_size : 0;
    memset(options, 0, sizeof *options);
    if (given != NULL) {
        uint32_t known = size < sizeof *options ? size : (uint32_t)sizeof *options;
        if (size < OPTIONS_BYTES_MIN || size - known > sizeof zeros ||
            memcmp((const uint8_t *)given + known, zeros, size - known) != 0) {
            return NIGH_E_INVALID;
        }
        memcpy(options, given, known);
    }
    options->struct_size = sizeof *options;
    if (options->features == 0) {
        options->features = nigh_features_hosted();
    }
    return NIGH_OK;
}

nigh_status nighh_room_slots(const nigh_index *index, uint64_t key_bytes, uint32_t *slots) {
    nigh_stats stats = {.struct_size = sizeof stats};
    nigh_status status = NIGH_OK;
    if (*slots == 0 && key_bytes != 0) {
        status = nigh_stats_get(index, &stats);
        *slots = stats.slot_count;
    }
    return status;
}

/* Writer state, and room for so many slots and bytes of keys. */
static nigh_status make_writable(holder *held, uint32_t slots, uint64_t key_bytes) {
    uint64_t bytes = 0;
    nigh_status status = nigh_writer_bytes(held->index, &bytes);
    status = status == NIGH_OK ? part_new(&held->writer, bytes) : status;
    status = status == NIGH_OK ? nigh_writer_init(held->index, held->writer.memory, bytes) : status;
    status = status == NIGH_OK ? nighh_room_slots(held->index, key_bytes, &slots) : status;
    if (status != NIGH_OK || slots == 0) {
        return status;
    }
    status = nigh_grow_bytes(held->index, slots, key_bytes, &bytes);
    if (status != NIGH_OK || bytes == 0) {
        return status;
    }
    if ((held->image.flags & NIGH_FILE_SHARED) != 0) {
        held->room_refused = true; /* it could never be sealed: the file does not grow */
        return NIGH_E_UNSUPPORTED;
    }
    status = part_new(&held->room, bytes);
    return status == NIGH_OK ? nigh_grow(held->index, slots, key_bytes, held->room.memory, bytes)
                             : status;
}

static nigh_status index_make(holder *held, const nigh_config *config, const nigh_options *options,
                              uint32_t slots, uint64_t key_bytes) {
    uint64_t bytes = 0;
    nigh_status status = nigh_index_bytes(config, options, &bytes);
    status = status == NIGH_OK ? part_new(&held->handle, bytes) : status;
    if (status == NIGH_OK) {
        status = nigh_index_init(config, options, held->handle.memory, bytes, &held->index);
    }
    return status == NIGH_OK ? make_writable(held, slots, key_bytes) : status;
}

nigh_status nigh_index_new(const nigh_config *config, const nigh_options *options, uint32_t slots,
                           uint64_t key_bytes, nigh_index **index) {
    nigh_options own;
    holder *held = NULL;
    nigh_status status = nighh_options_take(options, &own);
    if (status != NIGH_OK || config == NULL || index == NULL) {
        return NIGH_E_INVALID;
    }
    own.slot_max = own.slot_max != 0 ? own.slot_max : slots;
    held = calloc(1, sizeof *held);
    if (held == NULL) {
        return NIGH_E_NO_MEMORY;
    }
    status = index_make(held, config, &own, slots, key_bytes);
    if (status == NIGH_OK) {
        status = nighh_own(held->index, holder_release, held);
    }
    if (status != NIGH_OK) {
        (void)holder_release(held);
        return status;
    }
    *index = held->index;
    return NIGH_OK;
}

static nigh_status index_attach(holder *held, const nigh_options *options, uint32_t slots,
                                uint64_t key_bytes) {
    void *image = held->image.address;
    uint64_t bytes = 0;
    nigh_status status = nigh_attach_bytes(image, held->image.bytes, options, &bytes);
    status = status == NIGH_OK ? part_new(&held->handle, bytes) : status;
    if (status == NIGH_OK) {
        status = nigh_attach(image, held->image.bytes, options, held->handle.memory, bytes,
                             &held->index);
    }
    if (status == NIGH_OK && (options->flags & NIGH_OPEN_WRITABLE) != 0) {
        status = make_writable(held, slots, key_bytes);
    }
    return status;
}

nigh_status nigh_index_open(const char *path, uint32_t flags, const nigh_options *options,
                            uint32_t slots, uint64_t key_bytes, nigh_index **index, char *message,
                            uint32_t message_bytes) {
    const uint32_t writable = NIGH_FILE_PRIVATE | NIGH_FILE_SHARED;
    nighh_errors errors = nighh_errors_begin(message, message_bytes, path);
    nigh_options own;
    holder *held = NULL;
    nigh_status status = nighh_options_take(options, &own);
    if (status != NIGH_OK || path == NULL || index == NULL ||
        (flags & ~(writable | NIGHH_HINTS)) != 0 || (flags & writable) == writable ||
        ((flags & writable) == 0 &&
         (slots != 0 || key_bytes != 0 || (own.flags & NIGH_OPEN_WRITABLE) != 0))) {
        return nighh_fail(&errors, NIGH_E_INVALID, "wrong argument");
    }
    own.flags |= (flags & writable) != 0 ? (uint32_t)NIGH_OPEN_WRITABLE : 0;
    own.slot_max = slots > own.slot_max ? slots : own.slot_max;
    held = calloc(1, sizeof *held);
    if (held == NULL) {
        return nighh_fail(&errors, NIGH_E_NO_MEMORY, "no memory");
    }
    status = nighh_map(path, flags, &held->image, &errors);
    if (status == NIGH_OK) {
        status = index_attach(held, &own, slots, key_bytes);
        status = status == NIGH_OK ? nighh_own(held->index, holder_release, held) : status;
        if (status != NIGH_OK) {
            (void)nighh_fail(&errors, status, "%s",
                             held->room_refused ? "no room for more: open it private and save it"
                                                : nighh_status_text(status));
        }
    }
    if (status != NIGH_OK) {
        (void)holder_release(held);
        return status;
    }
    *index = held->index;
    return NIGH_OK;
}

/* ---- Session -------------------------------------------------------------------------------- */

static nigh_status session_release(void *context) {
    part *held = context;
    nighh_pages_free(held->memory, held->bytes);
    free(held);
    return NIGH_OK;
}

nigh_status nigh_session_new(const nigh_index *index, const nigh_session_options *options,
                             nigh_session **session) {
    nigh_session *made = NULL;
    uint64_t bytes = 0;
    part *held = NULL;
    nigh_status status = nigh_session_bytes(index, options, &bytes);
    if (status != NIGH_OK || session == NULL) {
        return status != NIGH_OK ? status : NIGH_E_INVALID;
    }
    held = calloc(1, sizeof *held);
    if (held == NULL) {
        return NIGH_E_NO_MEMORY;
    }
    status = part_new(held, bytes);
    status = status == NIGH_OK ? nigh_session_init(index, options, held->memory, bytes, &made)
                               : status;
    status = status == NIGH_OK ? nighh_own(made, session_release, held) : status;
    if (status != NIGH_OK) {
        (void)session_release(held);
        return status;
    }
    *session = made;
    return NIGH_OK;
}

/* ---- Save ----------------------------------------------------------------------------------- */

nigh_status nigh_save_file(const nigh_index *index, uint32_t flags, const char *path,
                           char *message, uint32_t message_bytes) {
    nighh_errors errors = nighh_errors_begin(message, message_bytes, path);
    nigh_saver *saver = NULL;
    nigh_status status = index != NULL ? NIGH_OK : NIGH_E_INVALID;
    if (status != NIGH_OK) {
        return nighh_fail(&errors, status, "wrong argument");
    }
    status = nigh_save_begin(path, &saver, message, message_bytes);
    if (status != NIGH_OK) {
        return status;
    }
    status = nigh_save(index, flags, nigh_save_write, saver);
    if (status != NIGH_OK && status != NIGH_E_WRITE) {
        (void)nigh_close(saver);
        return nighh_fail(&errors, status, "%s", nighh_status_text(status));
    }
    if (status == NIGH_E_WRITE) {
        nighh_saver_spoil(saver); /* keeps the first error, whose text commit gives */
    }
    return nigh_save_commit(saver, message, message_bytes);
}

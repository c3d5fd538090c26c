/* spi_nor.c - a driver for SPI NOR flash without address mapping, as nigh's callbacks want it
 * layer E; uses: spi_nor
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "spi_nor.h"

#include <stddef.h>

enum {
    READ = 0x03,
    PAGE_PROGRAM = 0x02,
    SECTOR_ERASE = 0x20,
    WRITE_ENABLE = 0x06,
    READ_STATUS = 0x05,
    READ_ID = 0x9f
};
enum { STATUS_BUSY = 1, STATUS_ENABLED = 2 };
enum { POLLS = 1000000, BYTES_MAX = 1 << 24 /* three bytes of address */ };

static nigh_status spi_nor_command(spi_nor *flash, uint8_t command, uint32_t offset,
                                   uint32_t address_bytes, const void *out, uint32_t out_count,
                                   void *in, uint32_t in_count) {
    const uint8_t head[4] = {command, (uint8_t)(offset >> 16), (uint8_t)(offset >> 8),
                             (uint8_t)offset};
    return flash->transfer(flash->user, head, 1 + address_bytes, out, out_count, in, in_count) == 0
               ? NIGH_OK
               : SPI_NOR_E_BUS;
}

static nigh_status spi_nor_status(spi_nor *flash, uint8_t *bits) {
    return spi_nor_command(flash, READ_STATUS, 0, 0, NULL, 0, bits, 1);
}

/* Until the chip is idle: while it is busy it ignores everything else, silently. */
static nigh_status spi_nor_wait(spi_nor *flash) {
    for (uint32_t i = 0; flash->pending != 0 && i < flash->polls_max; i++) {
        uint8_t bits = 0;
        const nigh_status status = spi_nor_status(flash, &bits);
        if (status != NIGH_OK) {
            return status;
        }
        flash->pending = bits & STATUS_BUSY;
    }
    return flash->pending == 0 ? NIGH_OK : SPI_NOR_E_TIMEOUT;
}

/* A chip that does not take the command, as one whose pin forbids writing, says so. */
static nigh_status spi_nor_enable(spi_nor *flash) {
    uint8_t bits = 0;
    nigh_status status = spi_nor_wait(flash);
    if (status == NIGH_OK) {
        status = spi_nor_command(flash, WRITE_ENABLE, 0, 0, NULL, 0, NULL, 0);
    }
    status = status == NIGH_OK ? spi_nor_status(flash, &bits) : status;
    return status == NIGH_OK && (bits & STATUS_ENABLED) == 0 ? SPI_NOR_E_CHIP : status;
}

static int spi_nor_inside(const spi_nor *flash, uint64_t offset, uint64_t count) {
    return count <= flash->bytes && offset <= flash->bytes - count;
}

nigh_status spi_nor_begin(spi_nor *flash) {
    uint8_t id[3] = {0, 0, 0}; /* maker, kind, log2 of bytes */
    if (flash->polls_max == 0) {
        flash->polls_max = POLLS;
    }
    flash->pending = 1; /* a reset of the processor alone leaves the chip at what it was doing */
    nigh_status status = spi_nor_wait(flash);
    if (status == NIGH_OK) {
        status = spi_nor_command(flash, READ_ID, 0, 0, NULL, 0, id, sizeof id);
    }
    if (status != NIGH_OK) {
        return status;
    }
    if (id[0] == 0x00 || id[0] == 0xff || id[2] < 12) {
        return SPI_NOR_E_CHIP; /* nobody drives the line */
    }
    const uint32_t bytes = id[2] >= 24 ? BYTES_MAX : 1u << id[2];
    if (flash->bytes == 0) {
        flash->bytes = bytes;
    }
    return flash->bytes <= bytes ? NIGH_OK : SPI_NOR_E_CHIP;
}

nigh_status spi_nor_read(spi_nor *flash, uint32_t offset, void *bytes, uint32_t count) {
    if (!spi_nor_inside(flash, offset, count)) {
        return SPI_NOR_E_RANGE;
    }
    const nigh_status status = spi_nor_wait(flash);
    return status != NIGH_OK
               ? status
               : spi_nor_command(flash, READ, offset, 3, NULL, 0, bytes, count);
}

static nigh_status spi_nor_same(spi_nor *flash, uint32_t offset, const uint8_t *bytes,
                                uint32_t count) {
    uint8_t part[32];
    for (uint32_t at = 0; at < count; at += sizeof part) {
        const uint32_t size = count - at < sizeof part ? count - at : (uint32_t)sizeof part;
        const nigh_status status = spi_nor_read(flash, offset + at, part, size);
        if (status != NIGH_OK) {
            return status;
        }
        for (uint32_t i = 0; i < size; i++) {
            if (part[i] != bytes[at + i]) {
                return SPI_NOR_E_VERIFY;
            }
        }
    }
    return NIGH_OK;
}

nigh_status spi_nor_program(spi_nor *flash, uint32_t offset, const void *bytes, uint32_t count) {
    const uint8_t *from = bytes;
    if (!spi_nor_inside(flash, offset, count)) {
        return SPI_NOR_E_RANGE;
    }
    while (count > 0) { /* a command stays within a page, else it would begin at its start again */
        const uint32_t room = SPI_NOR_PAGE_BYTES - offset % SPI_NOR_PAGE_BYTES;
        const uint32_t part = count < room ? count : room;
        nigh_status status = spi_nor_enable(flash);
        if (status == NIGH_OK) {
            flash->pending = 1;
            status = spi_nor_command(flash, PAGE_PROGRAM, offset, 3, from, part, NULL, 0);
        }
        if (status == NIGH_OK) {
            status = spi_nor_wait(flash);
        }
        if (status == NIGH_OK && flash->verify != 0) {
            status = spi_nor_same(flash, offset, from, part);
        }
        if (status != NIGH_OK) {
            return status;
        }
        offset += part;
        from += part;
        count -= part;
    }
    return NIGH_OK;
}

nigh_status spi_nor_erase(spi_nor *flash, uint32_t offset, uint32_t count) {
    if (offset % SPI_NOR_SECTOR_BYTES != 0 || count % SPI_NOR_SECTOR_BYTES != 0 ||
        !spi_nor_inside(flash, offset, count)) {
        return SPI_NOR_E_RANGE;
    }
    for (; count > 0; count -= SPI_NOR_SECTOR_BYTES, offset += SPI_NOR_SECTOR_BYTES) {
        nigh_status status = spi_nor_enable(flash);
        if (status == NIGH_OK) {
            flash->pending = 1;
            status = spi_nor_command(flash, SECTOR_ERASE, offset, 3, NULL, 0, NULL, 0);
        }
        if (status == NIGH_OK) {
            status = spi_nor_wait(flash);
        }
        if (status != NIGH_OK) {
            return status;
        }
    }
    return NIGH_OK;
}

/* ---- nigh's callbacks ----------------------------------------------------------------------- */

nigh_status spi_nor_store_read(void *user, uint64_t offset, void *bytes, uint64_t count) {
    spi_nor *flash = user;
    return spi_nor_inside(flash, offset, count)
               ? spi_nor_read(flash, (uint32_t)offset, bytes, (uint32_t)count)
               : SPI_NOR_E_RANGE;
}

nigh_status spi_nor_store_write(void *user, uint64_t offset, const void *bytes, uint64_t count) {
    spi_nor *flash = user;
    return spi_nor_inside(flash, offset, count)
               ? spi_nor_program(flash, (uint32_t)offset, bytes, (uint32_t)count)
               : SPI_NOR_E_RANGE;
}

nigh_status spi_nor_store_erase(void *user, uint64_t offset, uint64_t count) {
    spi_nor *flash = user;
    return spi_nor_inside(flash, offset, count)
               ? spi_nor_erase(flash, (uint32_t)offset, (uint32_t)count)
               : SPI_NOR_E_RANGE;
}

nigh_status spi_nor_store_sync(void *user) {
    (void)user;
    return NIGH_OK;
}

nigh_status spi_nor_fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                          void *scratch, const void **vectors) {
    const spi_nor_rows *rows = user;
    uint8_t *to = scratch;
    (void)keys;
    for (uint32_t i = 0; i < count; i++, to += rows->row_bytes) {
        const uint64_t offset = rows->offset + (uint64_t)slots[i] * rows->stride;
        const nigh_status status = spi_nor_store_read(rows->flash, offset, to, rows->row_bytes);
        if (status != NIGH_OK) {
            return status;
        }
        vectors[i] = to;
    }
    return NIGH_OK;
}

/* spi_nor.h - a driver for SPI NOR flash without address mapping, as nigh's callbacks want it
 * layer E; uses: nigh
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * For the chips of all makers that know JEDEC's commands with addresses of three bytes: read 0x03,
 * page program 0x02, erase 4 KiB 0x20. What is the board's own is one function, a transaction on
 * the bus. Failures come back from nigh as they are: NIGH_E_USER and below. */
#ifndef NIGH_SPI_NOR_H
#define NIGH_SPI_NOR_H
#include "nigh.h"
#ifdef __cplusplus
extern "C" {
#endif

enum {
    SPI_NOR_E_BUS = NIGH_E_USER - 1,     /* a transaction failed */
    SPI_NOR_E_TIMEOUT = NIGH_E_USER - 2, /* the chip stays busy */
    SPI_NOR_E_CHIP = NIGH_E_USER - 3,    /* there is none, or not such a one */
    SPI_NOR_E_VERIFY = NIGH_E_USER - 4,  /* what was written reads otherwise */
    SPI_NOR_E_RANGE = NIGH_E_USER - 5    /* beyond the chip's end */
};
enum { SPI_NOR_PAGE_BYTES = 256, SPI_NOR_SECTOR_BYTES = 4096 };

/* One transaction: selects the chip, sends `head`, then sends `out` or receives `in`, deselects.
 * 0, or what went wrong. */
typedef int32_t (*spi_nor_transfer_fn)(void *user, const uint8_t *head, uint32_t head_count,
                                       const uint8_t *out, uint32_t out_count, uint8_t *in,
                                       uint32_t in_count);

typedef struct spi_nor {
    spi_nor_transfer_fn transfer;
    void *user;
    uint32_t bytes;     /* of the chip; 0: spi_nor_begin asks it */
    uint32_t polls_max; /* of its status, until it counts as stuck; 0 = 1,000,000 */
    uint32_t verify;    /* 1: what was programmed is read back at once */
    uint32_t pending;   /* the driver's: an operation was begun and nobody has seen its end */
} spi_nor;

/* Finds the chip; transfer and user are set, the rest as wanted. */
nigh_status spi_nor_begin(spi_nor *flash);
/* Any place, any length. */
nigh_status spi_nor_read(spi_nor *flash, uint32_t offset, void *bytes, uint32_t count);
/* Clears bits of what was erased; pages are the driver's business. */
nigh_status spi_nor_program(spi_nor *flash, uint32_t offset, const void *bytes, uint32_t count);
/* Whole sectors. */
nigh_status spi_nor_erase(spi_nor *flash, uint32_t offset, uint32_t count);

/* Callbacks of nigh_store_open; user is a spi_nor. A chip answers when a write is done, so there is
 * nothing for a sync to do. */
nigh_status spi_nor_store_read(void *user, uint64_t offset, void *bytes, uint64_t count);
nigh_status spi_nor_store_write(void *user, uint64_t offset, const void *bytes, uint64_t count);
nigh_status spi_nor_store_erase(void *user, uint64_t offset, uint64_t count);
nigh_status spi_nor_store_sync(void *user);

/* Rows of vectors that lie on the chip, slot after slot. */
typedef struct spi_nor_rows {
    spi_nor *flash;
    uint32_t offset;    /* of slot 0 */
    uint32_t stride;    /* bytes from a row to the next */
    uint32_t row_bytes; /* nigh_row_bytes */
} spi_nor_rows;

/* The callback of nigh_index_fetch; user is a spi_nor_rows. */
nigh_status spi_nor_fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                          void *scratch, const void **vectors);

#ifdef __cplusplus
}
#endif
#endif

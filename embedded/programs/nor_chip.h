/* nor_chip.h - a simulated SPI NOR flash chip: commands, wear, failures, power cuts
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Programming clears bits only and stays within a page of 256 bytes, where it begins again at the
 * page's start; a sector of 4 KiB is erased to ones; either wants the write-enable latch set just
 * before and keeps the chip busy for some polls of its status. */
#ifndef NIGH_NOR_CHIP_H
#define NIGH_NOR_CHIP_H
#include <stdint.h>

typedef struct nor_chip {
    uint8_t *cells;
    uint32_t bytes; /* a power of two; of a read-only chip: any */
    uint32_t *wear; /* erases of each sector; NULL: a chip that is only read */
    uint32_t busy;  /* polls that an operation takes */
    uint64_t seed;  /* what a cut leaves */
    /* counted */
    uint32_t transactions;
    uint64_t moved; /* bytes on the bus */
    uint32_t programs;
    uint32_t erases;
    uint32_t lost; /* programs of a one where there is a zero: a broken driver or store */
    /* trouble */
    uint32_t fail_at; /* the transaction that fails, counted from 1; 0: none */
    uint32_t cut_at;  /* the program or erase at which the power goes, from 1; 0: none */
    uint32_t off;     /* 1: no power */
    uint32_t enabled;
    uint32_t polls_left;
} nor_chip;

/* A spi_nor_transfer_fn. */
int32_t nor_chip_transfer(void *user, const uint8_t *head, uint32_t head_count, const uint8_t *out,
                          uint32_t out_count, uint8_t *in, uint32_t in_count);
/* The power goes at the change-th program or erase from now, counted from 1. */
void nor_chip_cut(nor_chip *chip, uint32_t change);
/* The call-th transaction from now on fails, once. */
void nor_chip_fail(nor_chip *chip, uint32_t call);
/* The power is there again; 1 when it was gone. */
uint32_t nor_chip_power(nor_chip *chip);
#endif

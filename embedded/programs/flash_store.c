/* flash_store.c - an index kept on SPI NOR flash by the device: cuts, failures, wear
 * layer T; uses: board, board_index, nor_chip, spi_nor
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Blob: rows, of floats. A commit of inserted, updated and removed vectors is cut at each page
 * program and each sector erase of the chip: what opens afterwards is the index of before or that
 * of after, sound, and can be changed again. Then every transaction on the bus fails once. Then
 * many small commits: how sectors wear. */
#include <stddef.h>

#include "board.h"
#include "board_index.h"
#include "nor_chip.h"
#include "spi_nor.h"

BOARD_BLOB(rows);

enum { DIM = 25, SLOTS = 64, FIRST = 48, SECTORS = 32, SUPERS = 8, COMMITS = 200, ROUNDS = 8 };

static nor_chip chip;
static spi_nor flash;
static uint8_t *cells, *saved;
static uint8_t *converted;
static board_index b;
static nigh_store *store;
static void *empty_heap;

static nigh_config config_of(void) {
    const nigh_config config = {.struct_size = sizeof config,
                                .dim = DIM,
                                .metric = NIGH_METRIC_L2,
                                .dtype = NIGH_DTYPE_I8,
                                .m = 4,
                                .ef_build = 16,
                                .block_bytes = 1024,
                                .seed = 7};
    return config;
}

static void expect(int good, const char *what) {
    if (!good) {
        board_text("FAILED ");
        board_text(what);
        board_text("\n");
        board_exit(1);
    }
}

/* ---- The index ------------------------------------------------------------------------------ */

static nigh_status into_sum(void *user, const void *bytes, uint64_t count) {
    uint64_t sum = *(uint64_t *)user;
    for (uint64_t i = 0; i < count; i++) {
        sum = (sum ^ ((const uint8_t *)bytes)[i]) * 1099511628211u; /* FNV-1a */
    }
    *(uint64_t *)user = sum;
    return NIGH_OK;
}

/* A number for all bytes that nigh_save writes. */
static uint64_t sum_of(const nigh_index *index) {
    uint64_t sum = 14695981039346656037u;
    board_check(nigh_save(index, 0, into_sum, &sum), "nigh_save");
    return sum;
}

static nigh_status store_open(uint32_t flags) {
    const nigh_store_options options = {.struct_size = sizeof options,
                                        .flags = flags,
                                        .page_bytes = SPI_NOR_SECTOR_BYTES,
                                        .page_count = SECTORS,
                                        .super_count = SUPERS};
    uint64_t bytes = 0;
    board_memory_back(empty_heap);
    board_check(nigh_store_bytes(&options, &bytes), "nigh_store_bytes");
    return nigh_store_open(&options, spi_nor_store_read, spi_nor_store_write, spi_nor_store_erase,
                           spi_nor_store_sync, &flash, board_memory(bytes), bytes, &store);
}

/* Writer state, room for SLOTS and a session. */
static void make_writable(void) {
    uint64_t bytes = 0;
    board_check(nigh_writer_bytes(b.index, &bytes), "nigh_writer_bytes");
    board_check(nigh_writer_init(b.index, board_memory(bytes), bytes), "nigh_writer_init");
    board_check(nigh_grow_bytes(b.index, SLOTS, 0, &bytes), "nigh_grow_bytes");
    board_check(nigh_grow(b.index, SLOTS, 0, board_memory(bytes), bytes), "nigh_grow");
    board_session(&b, 16, 64, 0);
}

static void begin_index(void) {
    const nigh_config config = config_of();
    const nigh_options options = {.struct_size = sizeof options, .slot_max = SLOTS};
    uint64_t bytes = 0;
    board_check(nigh_index_bytes(&config, &options, &bytes), "nigh_index_bytes");
    board_check(nigh_index_init(&config, &options, board_memory(bytes), bytes, &b.index),
                "nigh_index_init");
    make_writable();
}

/* As after a reset: the store is found on the chip, the index read into RAM. */
static void reopen(void) {
    const nigh_options options = {
        .struct_size = sizeof options, .slot_max = SLOTS, .flags = NIGH_OPEN_WRITABLE};
    uint64_t bytes = 0, block_bytes = 0;
    nigh_report report = {.struct_size = sizeof report};
    board_check(store_open(0), "nigh_store_open");
    board_check(nigh_store_attach_bytes(store, &options, &bytes, &block_bytes),
                "nigh_store_attach_bytes");
    void *blocks = board_memory(block_bytes);
    board_check(nigh_store_attach(store, &options, board_memory(bytes), bytes, blocks, block_bytes,
                                  &b.index),
                "nigh_store_attach");
    make_writable();
    board_check(nigh_check(b.index, b.session, &report), "nigh_check");
    board_check(report.status, "the index");
}

static void set(uint64_t key, uint32_t row) {
    uint32_t done = 0;
    board_check(nigh_set(b.index, b.session, 0, &key, NULL, converted + row * b.row_bytes, 1,
                         &done),
                "nigh_set");
}

static void take_out(uint64_t key) {
    uint32_t done = 0;
    board_check(nigh_remove(b.index, b.session, &key, NULL, 1, &done), "nigh_remove");
}

/* Three inserted, one updated, two removed; others in each round. */
static void change(uint32_t round) {
    for (uint32_t i = 0; i < 3; i++) {
        set(1000 + i, FIRST + (round + i) % (SLOTS - FIRST));
    }
    set(round, FIRST + 9);
    take_out(11 + 2 * round);
    take_out(12 + 2 * round);
}

/* ---- The driver ----------------------------------------------------------------------------- */

static int32_t nobody(void *user, const uint8_t *head, uint32_t head_count, const uint8_t *out,
                      uint32_t out_count, uint8_t *in, uint32_t in_count) {
    (void)user, (void)head, (void)head_count, (void)out, (void)out_count;
    for (uint32_t i = 0; i < in_count; i++) {
        in[i] = 0xff; /* a line that nobody drives */
    }
    return 0;
}

static void driver(void) {
    uint8_t bytes[600], back[600];
    nor_chip locked = chip;
    spi_nor missing = {.transfer = nobody, .polls_max = 100};
    spi_nor forbidden = {.transfer = nor_chip_transfer, .user = &locked};
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    expect(spi_nor_begin(&missing) == SPI_NOR_E_TIMEOUT, "no chip");
    locked.wear = NULL;
    board_check(spi_nor_begin(&forbidden), "a chip that is only read");
    expect(spi_nor_program(&forbidden, 0, bytes, 1) == SPI_NOR_E_CHIP, "writing is forbidden");
    board_check(spi_nor_erase(&flash, 0, 2 * SPI_NOR_SECTOR_BYTES), "spi_nor_erase");
    board_check(spi_nor_program(&flash, 4000, bytes, sizeof bytes), "across pages and sectors");
    board_check(spi_nor_read(&flash, 4000, back, sizeof back), "spi_nor_read");
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        expect(back[i] == bytes[i], "what was written is read");
    }
    expect(cells[3999] == 0xff && cells[4000 + sizeof bytes] == 0xff, "and nothing beside it");
    bytes[0] = 0xf8; /* over a 7 */
    expect(spi_nor_program(&flash, 4001, bytes, 1) == SPI_NOR_E_VERIFY, "what was not erased");
    expect(spi_nor_erase(&flash, 1, SPI_NOR_SECTOR_BYTES) == SPI_NOR_E_RANGE &&
               spi_nor_read(&flash, flash.bytes, back, 1) == SPI_NOR_E_RANGE &&
               spi_nor_program(&flash, flash.bytes - 1, bytes, 2) == SPI_NOR_E_RANGE,
           "beyond the chip");
    chip.lost = 0;
}

/* ---- Checks --------------------------------------------------------------------------------- */

static void copy(uint8_t *to, const uint8_t *from) {
    for (uint32_t i = 0; i < SECTORS * SPI_NOR_SECTOR_BYTES; i++) {
        to[i] = from[i];
    }
}

/* A store with the first vectors in it, into `saved`. */
static uint64_t first_state(void) {
    board_check(store_open(NIGH_STORE_FORMAT), "format");
    begin_index();
    for (uint32_t i = 0; i < FIRST; i++) {
        set(i, i);
    }
    board_check(nigh_store_commit(store, b.index), "the first commit");
    copy(saved, cells);
    return sum_of(b.index);
}

/* One commit, cut at each program and erase. */
static void cuts(uint64_t before, uint32_t round, uint32_t *steps, uint32_t *olds,
                 uint32_t *news) {
    for (uint32_t step = 1, cut = 1; cut != 0; step += cut) {
        copy(cells, saved);
        reopen();
        expect(sum_of(b.index) == before, "the state that was saved");
        change(round);
        const uint64_t after = sum_of(b.index);
        nor_chip_cut(&chip, step);
        const nigh_status status = nigh_store_commit(store, b.index);
        cut = nor_chip_power(&chip);
        expect(cut ? status == SPI_NOR_E_BUS : status == NIGH_OK, "status of a commit cut short");
        reopen();
        const uint64_t now = sum_of(b.index);
        expect(now == before || now == after, "the index is neither the one before nor after");
        expect(cut || now == after, "a commit that was done is not there");
        *steps += cut;
        *olds += now == before;
        *news += cut && now == after;
        if (now == before) { /* and it goes on from there */
            change(round);
            board_check(nigh_store_commit(store, b.index), "a commit after a cut");
            reopen();
            expect(sum_of(b.index) == after, "a commit after a cut");
        }
    }
}

static void all_cuts(uint64_t before) {
    uint32_t steps = 0, olds = 0, news = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        chip.seed = round;
        cuts(before, round, &steps, &olds, &news);
    }
    board_line("cuts", steps);
    board_line("cuts before", olds);
    board_line("cuts after", news);
    expect(olds > 0 && news > 0, "no cut found either state");
}

/* The bus fails once, at each transaction of a commit; the next try succeeds. */
static void failures(uint64_t before) {
    uint32_t failed = 1, call = 1;
    for (; failed != 0; call += failed) {
        copy(cells, saved);
        reopen();
        change(0);
        const uint64_t after = sum_of(b.index);
        nor_chip_fail(&chip, call);
        const nigh_status status = nigh_store_commit(store, b.index);
        failed = chip.transactions >= chip.fail_at;
        chip.fail_at = 0;
        expect(status == (failed ? (nigh_status)SPI_NOR_E_BUS : NIGH_OK), "status of a failure");
        expect(sum_of(b.index) == after, "a failed commit changed the index");
        if (failed) {
            board_check(nigh_store_commit(store, b.index), "a commit after a failure");
        }
        reopen();
        expect(sum_of(b.index) == after && after != before, "a commit after a failure");
        call += call / 16; /* from 16 on not each, but still many of each kind */
    }
    board_line("failures", call);
}

static void wear(void) {
    nigh_store_stats stats = {.struct_size = sizeof stats};
    uint32_t least = UINT32_MAX, most = 0, most_super = 0, total = 0;
    copy(cells, saved);
    reopen();
    for (uint32_t i = 0; i < SECTORS; i++) {
        chip.wear[i] = 0;
    }
    chip.transactions = 0;
    chip.moved = 0;
    chip.programs = 0;
    for (uint32_t i = 0; i < COMMITS; i++) {
        set(i % FIRST, (7 * i + 3) % SLOTS);
        board_check(nigh_store_commit(store, b.index), "a small commit");
    }
    board_check(nigh_store_stats_get(store, &stats), "nigh_store_stats_get");
    for (uint32_t i = 0; i < SECTORS; i++) {
        const uint32_t worn = chip.wear[i];
        least = i >= SUPERS && worn < least ? worn : least;
        most = i >= SUPERS && worn > most ? worn : most;
        most_super = i < SUPERS && worn > most_super ? worn : most_super;
        total += chip.wear[i];
    }
    board_line("commits", COMMITS);
    board_line("pages used", stats.page_used);
    board_line("pages", stats.page_count);
    board_line("erases least", least);
    board_line("erases most", most);
    board_line("erases of a superblock", most_super);
    board_line("erases", total);
    board_line("programs", chip.programs);
    board_line("written", stats.written_bytes);
    board_line("transactions", chip.transactions);
    board_line("bus", chip.moved);
    expect(most - least <= 4, "some pages wear more than others");
    const uint64_t sum = sum_of(b.index);
    reopen();
    expect(sum_of(b.index) == sum, "many commits");
}

int main(void) {
    uint64_t row_bytes = 0;
    cells = board_memory(SECTORS * SPI_NOR_SECTOR_BYTES);
    saved = board_memory(SECTORS * SPI_NOR_SECTOR_BYTES);
    chip = (nor_chip){.cells = cells,
                      .bytes = SECTORS * SPI_NOR_SECTOR_BYTES,
                      .wear = board_memory(SECTORS * sizeof *chip.wear),
                      .busy = 3,
                      .seed = 1};
    flash = (spi_nor){.transfer = nor_chip_transfer, .user = &chip, .verify = 1};
    board_check(spi_nor_begin(&flash), "spi_nor_begin");
    board_check(nigh_row_bytes(DIM, NIGH_DTYPE_I8, &row_bytes), "nigh_row_bytes");
    converted = board_memory(SLOTS * row_bytes);
    board_check(nigh_convert(DIM, NIGH_DTYPE_I8, SLOTS, (const float *)(const void *)rows,
                             converted, NULL, NULL),
                "nigh_convert");
    empty_heap = board_memory(0);
    driver();
    const uint64_t before = first_state();
    board_line("ram index and store", board_memory_used() - 2 * SECTORS * SPI_NOR_SECTOR_BYTES);
    all_cuts(before);
    failures(before);
    wear();
    board_line("lost", chip.lost);
    expect(chip.lost == 0, "something was programmed that was not erased");
    board_line("stack used", board_stack_used());
    return 0;
}

/* insn.c - a plugin for qemu's translator that counts instructions
 * layer E; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * usage: -plugin libinsn.so,out=FILE[,begin=0xADDRESS,end=0xADDRESS][,fn=0xFIRST:0xLAST]...
 *
 * Writes lines to FILE when the machine stops: `all N`; `marked N`, what ran from each time that
 * the instruction at `begin` was reached to the next time at `end`; for each range `fn I N E`,
 * its number, instructions in it and times that its first one was reached, both while marked if
 * there are marks. What is counted is exact and the same in every run, since a block of the
 * translator ends where a jump does. An instruction that faults counts as if it had run.
 *
 * The interface is declared here, as no distribution ships its header (stable since qemu 4.2). */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*tb_trans_fn)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*exec_fn)(unsigned int vcpu, void *userdata);
typedef void (*exit_fn)(qemu_plugin_id_t id, void *userdata);
enum { NO_REGISTERS = 0 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_trans_fn call);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, exec_fn call,
                                                 int registers, void *userdata);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, exec_fn call,
                                                   int registers, void *userdata);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, exit_fn call, void *userdata);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
                                                        size_t index);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { RANGES_MAX = 16 };
typedef struct range {
    uint64_t first, last; /* the last one belongs to it */
    uint64_t count, entries;
} range;

/* What a block, or what is left of it behind a mark, adds when it runs. */
typedef struct block {
    uint32_t insns;
    uint32_t in[RANGES_MAX];
    uint32_t entered[RANGES_MAX];
} block;

static range ranges[RANGES_MAX];
static uint32_t range_count;
static uint64_t begin_at, end_at, all, marked;
static int marks, counting;
static const char *out_path;

static void ran(unsigned int vcpu, void *userdata) {
    const block *b = userdata;
    (void)vcpu;
    all += b->insns;
    if (marks && !counting) {
        return;
    }
    marked += b->insns;
    for (uint32_t i = 0; i < range_count; i++) {
        ranges[i].count += b->in[i];
        ranges[i].entries += b->entered[i];
    }
}

static void begins(unsigned int vcpu, void *userdata) {
    (void)vcpu, (void)userdata;
    counting = 1;
}

static void ends(unsigned int vcpu, void *userdata) {
    (void)vcpu, (void)userdata;
    counting = 0;
}

/* Without marks one call a block; a block with a mark in it is counted by the instruction. Blocks
 * are kept as long as qemu is. */
static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    const size_t count = qemu_plugin_tb_n_insns(tb);
    block *whole = calloc(1, sizeof *whole);
    int has_mark = 0;
    (void)id;
    for (size_t at = 0; at < count; at++) {
        const uint64_t address = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, at));
        has_mark |= marks && (address == begin_at || address == end_at);
        whole->insns++;
        for (uint32_t i = 0; i < range_count; i++) {
            whole->in[i] += address >= ranges[i].first && address <= ranges[i].last;
            whole->entered[i] += address == ranges[i].first;
        }
    }
    if (!has_mark) {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, ran, NO_REGISTERS, whole);
        return;
    }
    free(whole);
    for (size_t at = 0; at < count; at++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, at);
        const uint64_t address = qemu_plugin_insn_vaddr(insn);
        block *one = calloc(1, sizeof *one);
        one->insns = 1;
        for (uint32_t i = 0; i < range_count; i++) {
            one->in[i] = address >= ranges[i].first && address <= ranges[i].last;
            one->entered[i] = address == ranges[i].first;
        }
        if (address == begin_at || address == end_at) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, address == begin_at ? begins : ends,
                                                   NO_REGISTERS, NULL);
        }
        qemu_plugin_register_vcpu_insn_exec_cb(insn, ran, NO_REGISTERS, one);
    }
}

static void stopped(qemu_plugin_id_t id, void *userdata) {
    FILE *file = fopen(out_path, "w");
    (void)id, (void)userdata;
    if (file == NULL) {
        perror(out_path);
        return;
    }
    fprintf(file, "all %" PRIu64 "\n", all);
    if (marks) {
        fprintf(file, "marked %" PRIu64 "\n", marked);
    }
    for (uint32_t i = 0; i < range_count; i++) {
        fprintf(file, "fn %u %" PRIu64 " %" PRIu64 "\n", i, ranges[i].count, ranges[i].entries);
    }
    fclose(file);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
                                                               const qemu_info_t *info, int argc,
                                                               char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        char *rest = NULL;
        if (value == NULL) {
            return -1;
        }
        *value++ = 0;
        if (strcmp(argv[i], "out") == 0) {
            out_path = strdup(value);
        } else if (strcmp(argv[i], "begin") == 0) {
            begin_at = strtoull(value, NULL, 0);
        } else if (strcmp(argv[i], "end") == 0) {
            end_at = strtoull(value, NULL, 0);
        } else if (strcmp(argv[i], "fn") == 0 && range_count < RANGES_MAX) {
            ranges[range_count].first = strtoull(value, &rest, 0);
            ranges[range_count].last = *rest == ':' ? strtoull(rest + 1, NULL, 0) : 0;
            range_count++;
        } else {
            return -1;
        }
    }
    marks = begin_at != 0;
    if (out_path == NULL || (marks && end_at == 0)) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, stopped, NULL);
    return 0;
}

/* cli_options.h - one table per verb gives its options, their help and their parsing
 * layer C; uses: cli_common.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_CLI_OPTIONS_H
#define NIGH_CLI_OPTIONS_H
#include "cli_common.h"

/* What an option stores at its offset in the verb's settings. */
enum {
    CLI_FLAG, /* uint32_t 1 */
    CLI_U32,  /* uint32_t within low..high */
    CLI_U64,  /* uint64_t within low..high */
    CLI_TEXT, /* const char * into argv */
    CLI_NAME, /* uint32_t: place (from 1) in `value`, names separated by | */
    CLI_LIST, /* cli_list of numbers within low..high, separated by commas */
    CLI_REAL, /* float within low..high, in thousandths */
    CLI_REALS /* cli_reals of such numbers, separated by commas */
};

enum { CLI_LIST_MAX = 64 };
typedef struct cli_list {
    uint32_t count;
    uint32_t value[CLI_LIST_MAX];
} cli_list;

typedef struct cli_reals {
    uint32_t count;
    float value[CLI_LIST_MAX];
} cli_reals;

typedef struct cli_option {
    const char *name;
    char letter; /* 0: none */
    uint8_t kind;
    uint32_t offset;
    const char *value; /* FILE, N or the names; NULL for a flag */
    uint64_t low;
    uint64_t high;
    const char *help; /* ends with the default; lines separated by \n */
} cli_option;

typedef struct cli_verb cli_verb;
struct cli_verb {
    const char *name;
    const char *synopsis;
    const char *summary;  /* one line for `nigh --help` */
    const char *about;    /* paragraphs, "" for none */
    const char *examples; /* lines */
    const cli_option *options;
    uint32_t option_count;
    int args_min;
    int args_max;
    int (*run)(const cli_verb *verb, int argc, char **argv);
};

#define CLI_COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define CLI_AT(type, field) ((uint32_t)offsetof(type, field))

/* Names whose place is the value of nigh.h's (DTYPE and METRIC) or nigh_hosted.h's constant. */
#define CLI_METRICS "l2|ip|cosine|l1|hamming"
#define CLI_DTYPES "f32|f16|bf16|i8|u8|b1"
#define CLI_KERNELS "auto|scalar|sse4|avx2|avx512|neon"
#define CLI_FORMATS "auto|fvecs|bvecs|ivecs|npy|raw"
#define CLI_CODES "none|u7|b1" /* its place less 1 */
#define CLI_KEY_KINDS "u64|bytes|identity"

/* CLI_GO with *args and *arg_count the operands; else the exit code, help or error printed. */
int cli_parse(const cli_verb *verb, int argc, char **argv, void *settings, char ***args,
              int *arg_count);
/* A whole decimal number, digits only. */
bool cli_number(const char *text, size_t length, uint64_t *value);
/* Place of `name` in a list separated by |, from 1; 0: not there. */
uint32_t cli_name_place(const char *names, const char *name);
/* The name at a place, copied into text. */
const char *cli_name_at(const char *names, uint32_t place, char *text, size_t bytes);
/* nigh_options.features for a place in CLI_KERNELS. Says what the machine has if it lacks it. */
bool cli_kernel(uint32_t place, uint32_t *features);
/* Words for a feature word: "avx512 vnni". */
const char *cli_kernel_text(uint32_t features, char *text, size_t bytes);
void cli_exit_codes(void);

#endif /* NIGH_CLI_OPTIONS_H */

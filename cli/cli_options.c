/* cli_options.c - parses a verb's arguments by its table and prints its help from the same table
 * layer C; uses: cli_common.h, getopt_long
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MAX = 40, LONG_FIRST = 256, HELP_COLUMN = 27 };

bool cli_number(const char *text, size_t length, uint64_t *value) {
    uint64_t sum = 0;
    if (length == 0 || length > 20) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (sum > (UINT64_MAX - digit) / 10) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

uint32_t cli_name_place(const char *names, const char *name) {
    size_t length = strlen(name);
    uint32_t place = 1;
    for (const char *at = names; length != 0;) {
        size_t span = strcspn(at, "|");
        if (span == length && memcmp(at, name, length) == 0) {
            return place;
        }
        if (at[span] == 0) {
            break;
        }
        at += span + 1;
        place++;
    }
    return 0;
}

const char *cli_name_at(const char *names, uint32_t place, char *text, size_t bytes) {
    const char *at = names;
    for (uint32_t i = 1; i < place && at != NULL; i++) {
        at = strchr(at, '|');
        at = at != NULL ? at + 1 : NULL;
    }
    if (at == NULL || place == 0) {
        snprintf(text, bytes, "%u", place);
    } else {
        snprintf(text, bytes, "%.*s", (int)strcspn(at, "|"), at);
    }
    return text;
}

/* The words that one level needs; avx512 and neon take their extensions along where present. */
static const struct {
    uint32_t need;
    uint32_t extra;
} levels[] = {{NIGH_CPU_SCALAR, 0},
              {NIGH_CPU_SCALAR, 0},
              {NIGH_CPU_SCALAR | NIGH_CPU_SSE41, 0},
              {NIGH_CPU_SCALAR | NIGH_CPU_SSE41 | NIGH_CPU_AVX2, 0},
              {NIGH_CPU_SCALAR | NIGH_CPU_SSE41 | NIGH_CPU_AVX2 | NIGH_CPU_AVX512,
               NIGH_CPU_VNNI | NIGH_CPU_VPOPCNT},
              {NIGH_CPU_SCALAR | NIGH_CPU_NEON, NIGH_CPU_DOTPROD}};

const char *cli_kernel_text(uint32_t features, char *text, size_t bytes) {
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        {NIGH_CPU_VPOPCNT, " vpopcnt"}, {NIGH_CPU_VNNI, " vnni"}, {NIGH_CPU_DOTPROD, " dotprod"}};
    const char *level = "scalar";
    level = (features & NIGH_CPU_SSE41) != 0 ? "sse4" : level;
    level = (features & NIGH_CPU_AVX2) != 0 ? "avx2" : level;
    level = (features & NIGH_CPU_AVX512) != 0 ? "avx512" : level;
    level = (features & NIGH_CPU_NEON) != 0 ? "neon" : level;
    level = (features & NIGH_CPU_SIMD128) != 0 ? "simd128" : level;
    snprintf(text, bytes, "%s", level);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t used = strlen(text);
        if ((features & names[i].bit) != 0) {
            snprintf(text + used, bytes - used, "%s", names[i].name);
        }
    }
    return text;
}

bool cli_kernel(uint32_t place, uint32_t *features) {
    uint32_t have = nigh_features_hosted();
    char text[64];
    char name[16];
    if (place <= 1) {
        *features = have; /* auto: also what only the operating system knows of the machine */
        return true;
    }
    if ((have & levels[place - 1].need) != levels[place - 1].need) {
        cli_say("--kernel %s: this machine or build does not have it; its best is %s",
                cli_name_at(CLI_KERNELS, place, name, sizeof name),
                cli_kernel_text(have, text, sizeof text));
        return false;
    }
    *features = levels[place - 1].need | (have & levels[place - 1].extra);
    return true;
}

static void help_option(const cli_option *option) {
    char left[64];
    bool named = option->kind == CLI_NAME;
    snprintf(left, sizeof left, "  %c%c%s --%s%s%s", option->letter != 0 ? '-' : ' ',
             option->letter != 0 ? option->letter : ' ', option->letter != 0 ? "," : " ",
             option->name, option->value != NULL ? " " : "",
             named                   ? "NAME"
             : option->value != NULL ? option->value
                                     : "");
    printf("%-*s", HELP_COLUMN, left);
    if (strlen(left) >= HELP_COLUMN) {
        printf("\n%*s", HELP_COLUMN, "");
    }
    if (named) {
        printf("%s\n%*s", option->value, HELP_COLUMN, "");
    }
    for (const char *at = option->help; *at != 0;) {
        size_t span = strcspn(at, "\n");
        printf("%.*s\n", (int)span, at);
        at += span;
        if (*at == '\n') {
            at++;
            printf("%*s", HELP_COLUMN, "");
        }
    }
}

void cli_exit_codes(void) {
    printf("\nExit codes:\n"
           "  0    done\n"
           "  1    check: the index is broken; near, remove: a key is not there\n"
           "  2    wrong usage\n"
           "  3    a file, data or memory: nothing half-written is left\n"
           "  130  interrupted (143 terminated): nothing half-written is left\n");
}

static void help_verb(const cli_verb *verb) {
    printf("Usage: nigh %s\n\n%s\n", verb->synopsis, verb->summary);
    if (*verb->about != 0) {
        printf("\n%s\n", verb->about);
    }
    printf("\nOptions:\n");
    for (uint32_t i = 0; i < verb->option_count; i++) {
        help_option(&verb->options[i]);
    }
    printf("  -h, --help%*sprint this\n", HELP_COLUMN - 12, "");
    printf("\nExamples:\n%s\n", verb->examples);
    cli_exit_codes();
}

static bool store_list(const cli_option *option, const char *text, cli_list *list) {
    list->count = 0;
    for (const char *at = text; list->count < CLI_LIST_MAX; at++) {
        uint64_t value = 0;
        size_t span = strcspn(at, ",");
        if (!cli_number(at, span, &value) || value < option->low || value > option->high) {
            return false;
        }
        list->value[list->count++] = (uint32_t)value;
        at += span;
        if (*at == 0) {
            return true;
        }
    }
    return false;
}

static bool store_reals(const cli_option *option, const char *text, cli_reals *list) {
    double low = (double)option->low / 1000;
    double high = (double)option->high / 1000;
    list->count = 0;
    for (const char *at = text; list->count < CLI_LIST_MAX; at++) {
        char *end = NULL;
        double value = strtod(at, &end);
        if (end == at || (*end != 0 && *end != ',') || !(value >= low && value <= high)) {
            return false;
        }
        list->value[list->count++] = (float)value;
        at = end;
        if (*at == 0) {
            return true;
        }
    }
    return false;
}

static bool store_real(const cli_verb *verb, const cli_option *option, const char *text, void *to) {
    char *end = NULL;
    double low = (double)option->low / 1000;
    double high = (double)option->high / 1000;
    double value = strtod(text, &end);
    float stored = (float)value;
    if (end == text || *end != 0 || !(value >= low && value <= high)) {
        cli_usage(verb->name, "--%s: '%s' is not a number of %g..%g", option->name, text, low,
                  high);
        return false;
    }
    memcpy(to, &stored, sizeof stored);
    return true;
}

/* Stores one option's value; false after a message. */
static bool store(const cli_verb *verb, const cli_option *option, const char *text,
                  void *settings) {
    unsigned char *to = (unsigned char *)settings + option->offset;
    uint64_t number = 0;
    uint32_t small = 1;
    switch (option->kind) {
    case CLI_TEXT:
        memcpy(to, &text, sizeof text);
        return true;
    case CLI_FLAG:
        memcpy(to, &small, sizeof small);
        return true;
    case CLI_NAME:
        small = cli_name_place(option->value, text);
        memcpy(to, &small, sizeof small);
        if (small == 0) {
            cli_usage(verb->name, "--%s: '%s' is not one of %s", option->name, text, option->value);
        }
        return small != 0;
    case CLI_REAL:
        return store_real(verb, option, text, to);
    case CLI_LIST:
        if (store_list(option, text, (cli_list *)(void *)to)) {
            return true;
        }
        cli_usage(
            verb->name, "--%s: '%s' is not a number, or numbers with commas between, of %llu..%llu",
            option->name, text, (unsigned long long)option->low, (unsigned long long)option->high);
        return false;
    case CLI_REALS:
        if (store_reals(option, text, (cli_reals *)(void *)to)) {
            return true;
        }
        cli_usage(verb->name,
                  "--%s: '%s' is not a number of %g..%g, or several with commas between",
                  option->name, text, (double)option->low / 1000, (double)option->high / 1000);
        return false;
    default:
        break;
    }
    if (!cli_number(text, strlen(text), &number) || number < option->low || number > option->high) {
        cli_usage(verb->name, "--%s: '%s' is not a whole number of %llu..%llu", option->name, text,
                  (unsigned long long)option->low, (unsigned long long)option->high);
        return false;
    }
    small = (uint32_t)number;
    memcpy(to, option->kind == CLI_U64 ? (const void *)&number : (const void *)&small,
           option->kind == CLI_U64 ? sizeof number : sizeof small);
    return true;
}

static const cli_option *find(const cli_verb *verb, int value) {
    for (uint32_t i = 0; i < verb->option_count; i++) {
        if (value == LONG_FIRST + (int)i || (value != 0 && value == verb->options[i].letter)) {
            return &verb->options[i];
        }
    }
    return NULL;
}

/* getopt's '?' and ':' in words. */
static int bad_option(const cli_verb *verb, int result, char **argv) {
    const cli_option *option = find(verb, optopt);
    if (result == ':' && option != NULL) {
        return cli_usage(verb->name, "--%s needs a value: %s", option->name, option->value);
    }
    if (option != NULL) {
        return cli_usage(verb->name, "--%s takes no value", option->name);
    }
    if (optopt != 0 && optopt < LONG_FIRST) {
        return cli_usage(verb->name, "%s has no option -%c", verb->name, optopt);
    }
    return cli_usage(verb->name, "%s has no option %s", verb->name, argv[optind - 1]);
}

static void fill_tables(const cli_verb *verb, struct option *longs, char *shorts) {
    uint32_t count = verb->option_count < OPTIONS_MAX ? verb->option_count : OPTIONS_MAX;
    *shorts++ = ':';
    *shorts++ = 'h';
    for (uint32_t i = 0; i < count; i++) {
        int has = verb->options[i].kind == CLI_FLAG ? no_argument : required_argument;
        longs[i].name = verb->options[i].name;
        longs[i].has_arg = has;
        longs[i].val = LONG_FIRST + (int)i;
        if (verb->options[i].letter != 0) {
            *shorts++ = verb->options[i].letter;
            if (has == required_argument) {
                *shorts++ = ':';
            }
        }
    }
    longs[count].name = "help";
    longs[count].val = 'h';
    *shorts = 0;
}

int cli_parse(const cli_verb *verb, int argc, char **argv, void *settings, char ***args,
              int *arg_count) {
    struct option longs[OPTIONS_MAX + 2];
    char shorts[2 * OPTIONS_MAX + 4];
    memset(longs, 0, sizeof longs);
    fill_tables(verb, longs, shorts);
    opterr = 0;
#ifdef __GLIBC__
    optind = 0; /* begins anew: a verb may run another */
#else
    optind = 1;
#endif
    for (;;) {
        int result = getopt_long(argc, argv, shorts, longs, NULL);
        if (result == -1) {
            break;
        }
        if (result == 'h') {
            help_verb(verb);
            return cli_flush(CLI_OK);
        }
        const cli_option *option = result == '?' || result == ':' ? NULL : find(verb, result);
        if (option == NULL) {
            return bad_option(verb, result, argv);
        }
        if (!store(verb, option, optarg, settings)) {
            return CLI_USAGE;
        }
    }
    *args = argv + optind;
    *arg_count = argc - optind;
    if (*arg_count < verb->args_min) {
        return cli_usage(verb->name, "something is missing; expected: nigh %s", verb->synopsis);
    }
    if (*arg_count > verb->args_max) {
        return cli_usage(verb->name, "'%s' is one too many; expected: nigh %s",
                         (*args)[verb->args_max], verb->synopsis);
    }
    return CLI_GO;
}

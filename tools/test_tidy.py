#!/usr/bin/env python3
# test_tidy.py - every rule of tidy.py goes red on a bad sample, and a clean tree stays green
# SPDX-License-Identifier: MIT OR Apache-2.0
import os
import sys
import tempfile

import tidy

SPDX = " * SPDX-License-Identifier: MIT OR Apache-2.0 */\n"
GOOD = {
    "CMakeLists.txt": "set(NIGH_CORE_SOURCES\n  core/low.c\n  core/high.c\n)\n"
                      "set(NIGH_HOSTED_SOURCES hosted/pool.c)\n",
    "core/base.h": "/* base.h - types\n * layer L0; uses: nothing\n" + SPDX +
                   "#ifndef BASE_H\n#define BASE_H\n#include <stdint.h>\n"
                   '#include "nigh.h"\n#endif\n',
    "core/low.h": "/* low.h - low things\n * layer L1; uses: base\n" + SPDX +
                  '#ifndef LOW_H\n#define LOW_H\n#include "base.h"\n'
                  "int nighi_low(int a);\n#endif\n",
    "core/low.c": "/* low.c - low things\n * layer L1; uses: low, base\n" + SPDX +
                  '#include "low.h"\nint nighi_low(int a) { return a; }\n',
    "core/high.c": "/* high.c - high things\n * layer L2; uses: low\n" + SPDX +
                   '#include "low.h"\n#define HALF 2\nstatic int half(int a) { return a / HALF; }\n'
                   "int nighi_high(int a);\nint nighi_high(int a) { return half(nighi_low(a)); }\n",
    "abi/nigh.h": "/* nigh.h - the ABI\n" + SPDX + "#include <stdint.h>\n"
                  "typedef int32_t nigh_status;\ntypedef struct nigh_index nigh_index;\n"
                  "typedef struct nigh_config {\n    uint32_t struct_size;\n    uint32_t dim;\n"
                  "    uint64_t seed;\n} nigh_config;\n"
                  "typedef float (*nigh_distance_fn)(void *user, const void *a);\n"
                  "/* Makes one. */\nNIGH_API nigh_status nigh_make(const nigh_config *config, "
                  "nigh_distance_fn fn,\n    uint64_t bytes, nigh_index **index);\n",
    "hosted/pool.c": "/* pool.c - threads\n" + SPDX + '#include <stdio.h>\n#include "nigh.h"\n'
                     "int nigh_pool(void) { return 0; }\n",
}
LONG = "static int long_one(void) {\n" + "    ;\n" * 70 + "    return 0;\n}\n"
MANY = "".join(f"/* {n}. */\nNIGH_API void nigh_f{n}(void);\n" for n in range(56))
FIELD = "/* X. */\ntypedef struct nigh_x { %s } nigh_x;\n"
FUNCTION = "/* X. */\nNIGH_API %s;\n"

# (what the finding must say, file, text to append or (old, new))
BAD = [
    ("101 columns", "core/low.c", "/* " + "x" * 95 + " */\n"),
    ("tab", "core/low.c", "/*\t*/\n"),
    ("space at the end", "core/low.c", "/* */ \n"),
    ("no newline", "core/low.c", "/* */"),
    ("more than 900 lines", "core/low.c", "\n" * 900),
    ("banned", "core/low.c", "/* see /ho" "me/me/x */\n"),
    ("banned", "core/low.c", "/* /wo" "rk/x */\n"),
    ("banned", "core/low.c", "/* TO" "DO later */\n"),
    ("no SPDX", "core/low.c", ("MIT OR Apache-2.0", "MIT")),
    ("does not begin with", "core/low.c", ("/* low.c -", "/* lower.c -")),
    ("same file name", "hosted/low.c", "/* low.c - again\n" + SPDX),
    ("not listed", "core/other.c", "/* other.c - x\n * layer L1; uses: base\n" + SPDX),
    ("listed twice", "CMakeLists.txt", "set(NIGH_TESTS core/low.c)\n"),
    ("listed but not there", "CMakeLists.txt", "set(NIGH_TESTS tests/unit/gone.c)\n"),
    ("has 73 lines, at most 70", "core/low.c", LONG),
    ("helper is visible", "core/low.c", "int helper(void) { return 1; }\n"),
    ("counter is visible", "core/low.c", "int counter = 1;\n"),
    ("half is a name of core/high.c", "core/low.c", "static int half(void) { return 1; }\n"),
    ("HALF is a name of core/high.c", "core/low.c", "#define HALF 3\n"),
    ("calls malloc", "core/low.c", "static void *get(void) { return malloc(1); }\n"),
    ("calls memcpy", "core/low.c", "static void get(void) { memcpy(0, 0, 0); }\n"),
    ("no \"layer", "core/low.c", (" * layer L1; uses: low, base\n", "")),
    ("uses gone", "core/low.c", ("uses: low,", "uses: gone,")),
    ("itself L1", "core/low.h", ('#include "base.h"', '#include "peer.h"'),
     ("core/peer.h", "/* peer.h - x\n * layer L1; uses: base\n" + SPDX)),
    ("does not name", "core/high.c", ("uses: low", "uses: base")),
    ("comes through base.h", "core/low.c", '#include "nigh.h"\n'),
    ("not a core header", "core/low.c", '#include "pool.h"\n'),
    ("of a higher layer", "core/low.h", ("layer L1", "layer L2")),
    ("the core is freestanding", "core/low.c", "#include <string.h>\n"),
    ("the core's own", "hosted/pool.c", '#include "low.h"\n'),
    ("hosted sees nigh.h", "hosted/pool.c", '#include "cli_json.h"\n'),
    ("at most 56", "abi/nigh.h", MANY),
    ("declared twice", "abi/nigh.h", 2 * (FUNCTION % "void nigh_x(void)")),
    ("no comment above", "abi/nigh.h", "NIGH_API void nigh_x(void);\n"),
    ("nigh_x returns bool", "abi/nigh.h", FUNCTION % "bool nigh_x(void)"),
    ("other is not called nigh_", "abi/nigh.h", FUNCTION % "void other(void)"),
    ("'size_t n'", "abi/nigh.h", FUNCTION % "void nigh_x(size_t n)"),
    ("'int n'", "abi/nigh.h", FUNCTION % "void nigh_x(int n)"),
    ("'nigh_config c'", "abi/nigh.h", FUNCTION % "void nigh_x(nigh_config c)"),
    ("'...'", "abi/nigh.h", FUNCTION % "void nigh_x(uint32_t n, ...)"),
    ("'FILE *f'", "abi/nigh.h", FUNCTION % "void nigh_x(FILE *f)"),
    ("'long n'", "abi/nigh.h", "typedef void (*nigh_x_fn)(void *user, long n);\n"),
    ("no fixed width", "abi/nigh.h", FIELD % "uint32_t struct_size; void *p;"),
    ("no fixed width", "abi/nigh.h", FIELD % "uint32_t struct_size; uint32_t b : 3;"),
    ("does not begin with uint32_t", "abi/nigh.h", FIELD % "uint32_t dim;"),
    ("not 8-aligned", "abi/nigh.h", FIELD % "uint32_t struct_size; uint64_t seed;"),
]


def findings(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        return [f"{path}:{line}: {text}" for path, line, text in tidy.check(root, list(files))[1]]


def main():
    passed, failed = 0, 0
    for want, path, *changes in [("", "core/low.c", ""), *BAD]:
        files = dict(GOOD)
        for change in changes:
            if isinstance(change, str):
                files[path] = files.get(path, "") + change
            elif change[0] in files.get(path, ""):
                files[path] = files[path].replace(change[0], change[1])
            else:
                files[change[0]] = change[1]
        found = findings(files)
        good = any(want in line for line in found) if want else not found
        passed += good
        failed += not good
        if not good:
            print(f"FAILED: wanted {want or 'nothing'!r} in {path}, got: {found}")
    rules = [name for name in vars(tidy) if name.startswith("rule_")]
    print(f"{len(rules)} rules, {len(BAD)} bad samples")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

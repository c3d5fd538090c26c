#!/usr/bin/env python3
# tidy.py - the rules of the tree that a machine can check, as a test
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tools/tidy.py [--root FOLDER]

Prints one line for each broken rule and ends with "N passed, N failed": files that are clean, and
findings. The rules are the functions named rule_*; their comments say what and why."""
import os
import re
import subprocess
import sys

import sources

LINES_MAX = 900
COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
FUNCTIONS_MAX = {"abi/nigh.h": 56, "hosted/nigh_hosted.h": 24}
PLAIN_HEADERS = {"stddef.h", "stdint.h", "stdbool.h", "stdatomic.h"}
INTRINSICS = {"immintrin.h", "arm_neon.h", "arm_acle.h", "arm_mve.h", "wasm_simd128.h", "cpuid.h",
              "x86intrin.h", "xmmintrin.h", "riscv_vector.h"}
# Put together from halves, so that this file does not find itself.
BANNED = [r"(?<![A-Za-z.~$}])/(?:wo" r"rk|ro" r"ot|ho" r"me)/\w", r"/t" r"mp/glo" r"ve",
          r"\bFIX" r"ME\b", r"\bTO" r"DO\b", r"\bXX" r"X\b"]
# The core calls nothing of these, not even in a hosted build.
LIBC = re.compile(r"\b(malloc|calloc|realloc|free|printf|fprintf|puts|rand|abort|exit|time|"
                  r"sqrtf?|memcpy|memset|memmove|memcmp|strlen)\s*\(")
CODE = (".c", ".h")
OF_SCRIPTS = ("tests/fuzz/replay.c", "tests/switches/switches.c")  # compiled by those
TEXT = (*CODE, ".py", ".sh", ".cmake", ".md", ".json", ".txt", ".mjs", ".js", ".ts", ".go", ".rs")
UNCHECKED = ("tests/data/", "bench/results/", "third_party/")  # data, records, others' sources
GENERATED = re.compile(r"^(bindings|embedded)/.*/nigh\.[ch]$|\.gen\.\w+$|(^|/)package-lock\.json$")
MARKED = re.compile(r"Generated from abi/nigh\.h by abi/generate\.py\.|^# nigh\.lock ")


class Tree:
    """The files of the tree and what was found in them."""

    def __init__(self, root, paths):
        self.root = root
        self.paths = sorted(path for path in paths if not GENERATED.search(path))
        self.text = {}
        for path in self.paths:
            if is_text(path) and not path.startswith(UNCHECKED):
                with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
                    text = file.read()
                if not MARKED.search(text[:400]):
                    self.text[path] = text
        self.bare = {path: strip(text) for path, text in self.text.items() if path.endswith(CODE)}
        macros = (re.findall(r"^#define (\w+) .*\bstatic\b", self.text[path], re.MULTILINE)
                  for path in self.bare)
        self.static_words = {"static"}.union(*macros)
        self.found = []

    def add(self, path, line, message):
        self.found.append((path, line, message))

    def code(self, *folders):
        return [path for path in self.bare if path.split("/")[0] in folders]


def is_text(path):
    name = os.path.basename(path)
    return name.endswith(TEXT) or name in ("Makefile", "run", ".gitignore", ".clang-format")


def strip(text):
    """C text with comments, string contents and preprocessor lines blanked; lines stay."""
    def blank(match):
        kept = re.sub(r"[^\n]", " ", match.group(0))
        return kept if match.group(0).startswith("/") else '""' + kept[2:]
    text = re.sub(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text,
                  flags=re.DOTALL)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*",
                  lambda found: re.sub(r"[^\n]", " ", found.group(0)), text, flags=re.MULTILINE)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def top_level(bare):
    """Declarations and definitions outside of braces: (text before ; or {, start, end, body?)."""
    bare = re.sub(r'extern\s+""\s*\{', lambda m: " " * len(m.group(0)), bare)
    depth = start = 0
    head = None
    for at, char in enumerate(bare):
        if char == "{":
            if depth == 0:
                head = (bare[start:at], start)
            depth += 1
        elif char == "}":
            depth = max(0, depth - 1)
            if depth == 0 and head and is_function(head[0]):
                yield head[0], skip_space(bare, head[1]), at, True
                head, start = None, at + 1
        elif char == ";" and depth == 0:
            text = head[0] if head else bare[start:at]
            yield text, skip_space(bare, head[1] if head else start), at, False
            head, start = None, at + 1


def skip_space(text, at):
    while at < len(text) and text[at].isspace():
        at += 1
    return at


ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\)")


def is_function(head):
    head = ATTRIBUTE.sub("", head).strip()
    return head.endswith(")") and "=" not in head and not re.match(r"(struct|union|enum)\b", head)


def function_name(head):
    found = re.search(r"(\w+)\s*\(", ATTRIBUTE.sub("", head))
    return found.group(1) if found else None


# ---- Text ---------------------------------------------------------------------------------------


def rule_lines(tree):
    """Columns, tabs, trailing space, last newline, length of files, words that do not belong."""
    for path, text in tree.text.items():
        lines = text.split("\n")
        if lines[-1] != "":
            tree.add(path, len(lines), "no newline at the end")
        if path.endswith((*CODE, ".py")) and len(lines) - 1 > LINES_MAX:
            tree.add(path, len(lines), f"more than {LINES_MAX} lines: split it by idea")
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX and path.endswith((*CODE, ".py", ".sh", ".cmake")):
                tree.add(path, number, f"{len(line)} columns, at most {COLUMNS_MAX}")
            if "\t" in line and os.path.basename(path) != "Makefile" and not path.endswith(".go"):
                tree.add(path, number, "tab")
            if line != line.rstrip():
                tree.add(path, number, "space at the end of the line")
            for banned in BANNED:
                if re.search(banned, line):
                    tree.add(path, number, f"banned: {re.search(banned, line).group(0)}")


def rule_spdx(tree):
    """Every source names its licence in its first five lines."""
    for path, text in tree.text.items():
        if path.endswith((*CODE, ".py", ".sh", ".cmake", ".mjs", ".js", ".ts", ".go", ".rs")) and \
                "SPDX-License-Identifier: MIT OR Apache-2.0" not in "\n".join(text.split("\n")[:5]):
            tree.add(path, 1, "no SPDX line at its head")


def rule_head(tree):
    """Line 1 is `name - one sentence`."""
    for path in tree.code("core", "abi", "hosted", "cli", "tests", "bench", "examples"):
        name = os.path.basename(path)
        if not tree.text[path].startswith(f"/* {name} - "):
            tree.add(path, 1, f'does not begin with "/* {name} - "')


def rule_basenames(tree):
    """File names are unique, so that the amalgam, a debugger and a reader never mix two up."""
    seen = {}
    for path in tree.text:
        if path.endswith((*CODE, ".py", ".sh")) and \
                not path.startswith(("bindings/", "tests/fuzz/")):
            name = os.path.basename(path)
            if name in seen:
                tree.add(path, 1, f"same file name as {seen[name]}")
            seen[name] = path


def rule_listed(tree):
    """Every C source stands once in CMakeLists.txt: no dead files, no surprise in the amalgam."""
    lists = [path for name in ("NIGH_CORE_SOURCES", "NIGH_HOSTED_SOURCES", "NIGH_CLI_SOURCES",
                               "NIGH_TESTS", "NIGH_TEST_SUPPORT_SOURCES",
                               "NIGH_COMPILED_ONLY", "NIGH_BENCHES", "NIGH_FUZZERS",
                               "NIGH_FFI_SOURCES", "NIGH_LMDB_SOURCES", "NIGH_LMDB_TESTS")
             for path in sources.cmake_list(name, tree.root)]
    for path in sorted({path for path in lists if lists.count(path) > 1}):
        tree.add("CMakeLists.txt", 1, f"{path} is listed twice")
    for path in tree.code("core", "abi", "hosted", "cli", "tests", "bench"):
        if path.endswith(".c") and path not in (*lists, *OF_SCRIPTS):
            tree.add(path, 1, "not listed in CMakeLists.txt")
    for path in lists:
        if path not in tree.paths:
            tree.add("CMakeLists.txt", 1, f"{path} is listed but not there")


# ---- Functions and names ------------------------------------------------------------------------


def rule_function_length(tree):
    """A function fits on a screen."""
    for path, bare in tree.bare.items():
        for head, start, end, body in top_level(bare):
            lines = line_of(bare, end) - line_of(bare, start) + 1
            if body and lines > FUNCTION_LINES_MAX:
                tree.add(path, line_of(bare, start),
                         f"{function_name(head)} has {lines} lines, at most {FUNCTION_LINES_MAX}")


def rule_prefix(tree):
    """What the linker can see is nigh_ (the ABI), nighi_ (the core) or nighh_ (hosted)."""
    for path in tree.code("core", "abi", "hosted"):
        prefixes = {"core": ("nighi_",), "abi": ("nigh_",), "hosted": ("nigh_", "nighh_")}
        prefixes = prefixes[path.split("/")[0]]
        for head, start, _, body in top_level(tree.bare[path]):
            words = set(re.findall(r"\w+", head))
            if words & (tree.static_words | {"typedef"}) or not path.endswith(".c"):
                continue
            name = function_name(head) if body else variable_name(head)
            if name and not name.startswith(prefixes) and not name.isupper():
                tree.add(path, line_of(tree.bare[path], start),
                         f"{name} is visible and not called {' or '.join(prefixes)}*")


def variable_name(head):
    """The name that a top-level declaration with an initialiser or without braces defines."""
    head = ATTRIBUTE.sub("", head)
    kinds = r"\s*(struct|union|enum|extern|_Static_assert)\b"
    if "(" in head.split("=")[0] or re.match(kinds, head):
        return None
    found = re.search(r"(\w+)\s*(?:\[[^\]]*\]\s*)*(?:=|$)", head.strip())
    return found.group(1) if found else None


def rule_static_names(tree):
    """Names of one file's own do not meet another's in the amalgam, macros included."""
    owner = {}
    undefined = {name for path in tree.code("core", "abi")
                 for name in re.findall(r"^\s*#\s*undef\s+(\w+)", tree.text[path], re.MULTILINE)}
    for path in tree.code("core", "abi"):
        own = {}
        for head, start, _, body in top_level(tree.bare[path]):
            words = set(re.findall(r"\w+", head))
            if words & tree.static_words:
                function = body or "(" in head.split("=")[0]
                name = function_name(head) if function else variable_name(head)
                if name:
                    own.setdefault(name, line_of(tree.bare[path], start))
        if path.endswith(".c"):
            for found in re.finditer(r"^\s*#\s*define\s+(\w+)", tree.text[path], re.MULTILINE):
                if found.group(1) not in undefined:
                    own.setdefault(found.group(1), line_of(tree.text[path], found.start()))
        for name, line in own.items():
            if name in owner and not is_template(tree, path, owner[name]):
                tree.add(path, line, f"{name} is a name of {owner[name]} too: the amalgam has both")
            owner.setdefault(name, path)


def is_template(tree, *paths):
    """A header without a guard is included again and again, with names made by macros."""
    return any(path.endswith(".h") and not re.search(r"#ifndef \w+_H\b", tree.text[path])
               for path in paths)


def rule_libc(tree):
    """The core calls no C library."""
    for path in tree.code("core", "abi"):
        for found in LIBC.finditer(tree.bare[path]):
            tree.add(path, line_of(tree.bare[path], found.start()), f"calls {found.group(1)}")


# ---- Layers -------------------------------------------------------------------------------------


TAG = re.compile(r"^ \* layer L(\d+); uses: ([\w, .]+?)(?: \(.*\))?\s*$", re.MULTILINE)
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def rule_layers(tree):
    """Core files include only lower layers, and only those that their second line names."""
    tags = {}
    for path in tree.code("core"):
        found = TAG.search("\n".join(tree.text[path].split("\n")[1:4]))
        if not found:
            tree.add(path, 2, 'no "layer Ln; uses: ..." on line 2')
            continue
        uses = {word.strip() for word in found.group(2).split(",")}
        tags[os.path.basename(path)] = (int(found.group(1)), uses)
    for path in tree.code("core"):
        name = os.path.basename(path)
        if name not in tags:
            continue
        layer, uses = tags[name]
        stem = name.rsplit(".", 1)[0]
        for used in uses - {"nothing"}:
            if f"{used}.h" not in tags and used != "nigh":
                tree.add(path, 2, f"uses {used}, but there is no core/{used}.h")
        for found in INCLUDE.finditer(tree.text[path]):
            if found.group(1):
                one_include(tree, path, found, stem, layer, uses, tags)


def one_include(tree, path, found, stem, layer, uses, tags):
    header = found.group(1)
    line = line_of(tree.text[path], found.start(1))
    other = header.rsplit(".", 1)[0]
    if other == stem:
        if tags.get(header, (layer,))[0] > layer:
            tree.add(path, line, f"its own header {header} is of a higher layer")
    elif header == "nigh.h":
        if path != "core/base.h":
            tree.add(path, line, "nigh.h comes through base.h")
    elif header not in tags:
        tree.add(path, line, f"includes {header}, which is not a core header")
    else:
        if tags[header][0] >= layer:
            tree.add(path, line, f"includes {header} (L{tags[header][0]}), itself L{layer}")
        if other not in uses:
            tree.add(path, line, f"includes {header}, which its second line does not name")


def rule_includes(tree):
    """The core sees four system headers and intrinsics; hosted and cli see no core header."""
    internal = {os.path.basename(path) for path in tree.code("core")}
    for path in tree.code("core", "abi", "hosted", "cli", "examples"):
        folder = path.split("/")[0]
        for found in INCLUDE.finditer(tree.text[path]):
            line = line_of(tree.text[path], found.start(1) if found.group(1) else found.start(2))
            if folder in ("core", "abi") and found.group(2) and \
                    found.group(2) not in PLAIN_HEADERS | INTRINSICS:
                tree.add(path, line, f"includes <{found.group(2)}>: the core is freestanding")
            if folder not in ("core", "abi") and found.group(1) in internal:
                tree.add(path, line, f"includes {found.group(1)}, which is the core's own")
            if folder == "hosted" and found.group(1) and found.group(1) != "nigh.h" and \
                    not os.path.exists(os.path.join(tree.root, "hosted", found.group(1))):
                tree.add(path, line, f"includes {found.group(1)}: hosted sees nigh.h and its own")


# ---- The ABI ------------------------------------------------------------------------------------

SCALARS = {"int32_t", "uint32_t", "uint64_t", "float", "nigh_status"}
POINTED = SCALARS | {"void", "uint8_t", "int8_t", "uint16_t", "char"}


def rule_abi(tree):
    """DESIGN 9: fixed-width types, opaque handles and callback typedefs, nothing by value."""
    known = {"structs": set(), "callbacks": set(), "opaque": set()}
    for path, most in FUNCTIONS_MAX.items():
        if path not in tree.bare:
            continue
        bare = tree.bare[path]
        known["callbacks"] |= set(re.findall(r"typedef[^;{]*\(\*(\w+)\)\s*\(", bare))
        known["opaque"] |= set(re.findall(r"typedef\s+struct\s+(\w+)\s+\1\s*;", bare))
        known["structs"] |= set(re.findall(r"typedef\s+struct\s+(\w+)\s*\{", bare))
        names = []
        for found in re.finditer(r"NIGH_API\s+([^;{]*?)\b(\w+)\s*\(([^;{]*)\)\s*;", bare):
            names.append(found.group(2))
            line = line_of(bare, found.start())
            abi_function(tree, path, line, found, known)
            if not documented(tree.text[path], line):
                tree.add(path, line, f"{found.group(2)} has no comment above it")
        for found in re.finditer(r"typedef\s+([^;{()]*?)\(\*(\w+)\)\s*\(([^;{]*)\)\s*;", bare):
            abi_function(tree, path, line_of(bare, found.start()), found, known)
        if len(names) > most:
            tree.add(path, 1, f"{len(names)} functions, at most {most}")
        for name in {name for name in names if names.count(name) > 1}:
            tree.add(path, 1, f"{name} is declared twice")
        for found in re.finditer(r"typedef\s+struct\s+(\w+)\s*\{(.*?)\}", bare, re.DOTALL):
            abi_struct(tree, path, bare, found)


def documented(text, line):
    return re.search(r"\*/\s*$", "\n".join(text.split("\n")[:line - 1])) is not None


def abi_function(tree, path, line, found, known):
    result, name, parameters = (part.strip() for part in found.groups())
    if result not in SCALARS | {"void", "const char *"}:
        tree.add(path, line, f"{name} returns {result}")
    if not name.startswith("nigh_"):
        tree.add(path, line, f"{name} is not called nigh_*")
    for parameter in [part.strip() for part in parameters.split(",")]:
        if parameter == "void":
            continue
        kind = re.sub(r"\b\w+(\[\w*\])?$", "", parameter).strip()
        base = re.sub(r"\bconst\b|\*", "", kind).strip()
        pointer = "*" in kind or "[" in parameter
        if pointer and base in POINTED | known["structs"] | known["opaque"]:
            continue
        if not pointer and base in SCALARS | known["callbacks"]:
            continue
        tree.add(path, line, f"{name}: {parameter!r} is no type for the ABI")


def abi_struct(tree, path, bare, found):
    """Fixed-width fields, u64 at offsets of 8, struct_size first: one layout on 32 and 64 bit."""
    name, line, offset = found.group(1), line_of(bare, found.start()), 0
    for number, field in enumerate(part.strip() for part in found.group(2).split(";")):
        if not field:
            continue
        match = re.fullmatch(r"(u?int(?:8|16|32|64)_t|float)\s+(\w+)(?:\[(\d+)\])?", field)
        if not match:
            tree.add(path, line, f"{name}: field {field!r} has no fixed width")
            return
        kind, field_name, count = match.groups()
        if number == 0 and (kind, field_name) != ("uint32_t", "struct_size"):
            tree.add(path, line, f"{name} does not begin with uint32_t struct_size")
        size = 4 if kind == "float" else int(re.search(r"\d+", kind).group(0)) // 8
        if offset % size:
            tree.add(path, line, f"{name}.{field_name} at offset {offset}, not {size}-aligned")
        offset += size * int(count or 1)


# -------------------------------------------------------------------------------------------------


def check(root, paths):
    """All findings in these files: a list of (path, line, message)."""
    tree = Tree(root, paths)
    for name, rule in sorted(globals().items()):
        if name.startswith("rule_"):
            rule(tree)
    return tree, sorted(set(tree.found))


def tracked(root):
    """The project's files; in a copy without git, all but what is built."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=root,
                            capture_output=True, text=True)
    paths = listed.stdout.split("\n") if listed.returncode == 0 else [
        os.path.relpath(os.path.join(top, name), root)
        for top, _, names in os.walk(root) for name in names
        if not re.search(r"/(build|\.cache|\.git|__pycache__|node_modules)(/|$)", top + "/")]
    return [path for path in paths if path and os.path.isfile(os.path.join(root, path))]


def main(arguments):
    root = sources.ROOT
    if arguments[:1] == ["--root"] and len(arguments) == 2:
        root = arguments[1]
    elif arguments:
        print(__doc__)
        return 2
    tree, found = check(root, tracked(root))
    for path, line, message in found:
        print(f"{path}:{line}: {message}")
    print(f"{len(set(tree.text) - {path for path, _, _ in found})} passed, {len(found)} failed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

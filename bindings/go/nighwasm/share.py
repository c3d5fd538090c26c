#!/usr/bin/env python3
# share.py - copies what the package with cgo and this one have in common: the API, and its tests
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: bindings/go/nighwasm/share.py [--check]

The public types and methods, with their comments, are files of bindings/go that know nothing of C;
the tests use nothing but them. Each copy differs in what FILES and TESTS say. --check writes
nothing and fails when a copy is stale. Ends with "N passed, N failed" when it checks."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FROM = os.path.dirname(HERE)
PACKAGE = "github.com/nigh-search/nigh/bindings/go"

# file: [(pattern, what stands there instead)], each of which must be found
FILES = {
    "index.go": [],
    "search.go": [],
    "save.go": [],
    "work.go": [],
    "raw.go": [],
    "replace.go": [],
    "hnswlib.go": [],
    "options.go": [
        (r'import "unsafe"\n\n', ""),
        (r"\tPager    Pager .*\n", ""),
        (r"Distance,\n// Pager, Features and Lanes is stored", "Distance,\n"
         "// Features, Lanes and Replicas is stored"),
        (r"(\tLanes    int .*\n)(}\n\n// Mode is)", r"\1\n"
         "\t// Replicas is how many copies of the index there may be, so that several\n"
         "\t// goroutines search at once: each takes as much memory as the index. They are made\n"
         "\t// when searches wait for each other, and anew some time after a change. 0: none,\n"
         "\t// searches take turns.\n"
         "\tReplicas int\n\\2"),
        (r"(\tLanes    int .*\n)(}\n\n// SearchOptions say)",
         r"\1\tReplicas int // as Options.Replicas\n\2"),
        (r"\t// ReadOnly maps the file;", "\t// ReadOnly reads the file;"),
        (r"\t// Copy maps the file and takes changes, which stay in this process: save them, or "
         r"lose them.", "\t// Copy reads the file and takes changes, which stay in this process: "
         "save them, or lose them."),
        (r"\t// InPlace takes changes into the file itself(?:.*\n\t//.*)*",
         "\t// InPlace is not to be had here: ErrUnsupported."),
        (r"\tThreads  int  .*", "\tThreads  int                      "
         "// not looked at: an instance is one thread"),
        (r"fills Batch\.Row\(i\) or lends memory with\n\t// Batch\.Lend\.",
         "fills Batch.Row(i) or calls Batch.Copy.\n\t//"),
        (r"// Pager gives and watches(?:.*\n)*\Z", ""),
    ],
}
# Files and declarations of tests that are about what is not here, and why.
LEFT_OUT = {
    "binding_test.go": "the directives of cgo",
    "session_test.go": "who enters an instance has its sessions to itself",
    "export_test.go": "an address in C's memory", "overhead_test.go": "a loop in C beside Go's",
    "lendingStore": "rows are copied", "TestLentRowsWhileCollecting": "rows are copied",
    "memoryPager": "no pager", "TestPager": "no pager",
    "TestOpenModes": "InPlace; open_test.go has the others",
    "TestCloseInPlaceInProgress": "InPlace",
    "TestCodesAppear": "an instance is one thread", "searchUntil": "TestCodesAppear",
}
# Imports that nothing uses then.
UNUSED = {"store_test.go": ["sync"], "work_test.go": ["path/filepath"]}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def copied(name, text, changes):
    for pattern, new in changes:
        text, count = re.subn(pattern, new, text, flags=re.MULTILINE)
        if count == 0:
            sys.exit(f"share.py: {name} has no {pattern!r} any more")
    text = text.replace("//go:build cgo\n\n", "").replace("//go:build cgo && ", "//go:build ")
    text = re.sub(r"^package nigh(_test)?$", r"package nighwasm\1", text, flags=re.MULTILINE)
    text = text.replace(f'nigh "{PACKAGE}"', f'nigh "{PACKAGE}/nighwasm"')
    lines = text.split("\n")
    lines[2:2] = [f"// Generated from bindings/go/{name} by bindings/go/nighwasm/share.py. "
                  "Do not edit."]
    return formatted("\n".join(lines).rstrip("\n") + "\n")


def formatted(text):
    done = subprocess.run(["gofmt"], input=text, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"share.py: gofmt: {done.stderr}")
    return done.stdout


def without(text, name):
    """The text without a function, or a type and its methods, and what stands above them."""
    head = r"(?:^//.*\n)*^"
    body = r"(?:.*\n)*?^}\n\n?"
    for pattern in (rf"func {name}\(", rf"type {name} struct", rf"func \(\w+ \*?{name}\) "):
        text = re.sub(head + pattern + body, "", text, flags=re.MULTILINE)
    return text


def tests():
    """{file: text} of the tests, without those of LEFT_OUT."""
    out, gone = {}, set()
    for name in sorted(os.listdir(FROM)):
        if not name.endswith("_test.go") or name in LEFT_OUT:
            gone |= {name} & set(LEFT_OUT)
            continue
        text = read(os.path.join(FROM, name))
        for declared in LEFT_OUT:
            shorter = without(text, declared)
            gone |= {declared} if shorter != text else set()
            text = shorter
        out[name] = copied(name, text, [(rf'^\t"{path}"\n', "") for path in UNUSED.get(name, [])])
    if gone != set(LEFT_OUT):
        sys.exit(f"share.py: not there any more: {set(LEFT_OUT) - gone}")
    return out


def licences():
    """A module's zip holds what lies in its folder, and package sites want to see a licence."""
    root = os.path.dirname(os.path.dirname(FROM))
    return {name: read(os.path.join(root, name)) for name in ("LICENSE-APACHE", "LICENSE-MIT")}


def main():
    texts = {name: copied(name, read(os.path.join(FROM, name)), changes)
             for name, changes in FILES.items()}
    texts.update(tests())
    texts.update(licences())
    stale = [name for name, text in texts.items()
             if not os.path.exists(os.path.join(HERE, name))
             or read(os.path.join(HERE, name)) != text]
    if sys.argv[1:] == ["--check"]:
        for name in stale:
            print(f"bindings/go/nighwasm/{name} is stale: bindings/go/nighwasm/share.py")
        print(f"{len(texts) - len(stale)} passed, {len(stale)} failed")
        return 1 if stale else 0
    for name in stale:
        with open(os.path.join(HERE, name), "w", encoding="utf-8", newline="\n") as file:
            file.write(texts[name])
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# generate.py - from nigh.h to everything that other languages need to call it
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: generate.py [--check]

Reads abi/nigh.h (Python's standard library is enough) and writes nigh.json and what each template
makes of it. A new language is one template and one line in OUTPUTS. Headers of hosted/ are read
for those that want them: BESIDE. --check writes nothing and
fails when a file is not what the header says."""
import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bindgen import (asserts, cffi, exports, go, header, layout, libffi, lock,  # noqa: E402
                     luajit, markdown, rust, typescript)

MARK = "Generated from abi/nigh.h by abi/generate.py. Do not edit."
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUTPUTS = {
    "abi/nigh.json": lambda model: json.dumps({"from": MARK, **model}, indent=1) + "\n",
    "abi/ABI.md": markdown.render,
    "abi/nigh.map": exports.render_map,
    "abi/nigh.def": exports.render_def,
    "wasm/exports.txt": exports.render_wasm,
    "tests/ffi/descriptors.h": libffi.render,
    "tests/ffi/layout.h": asserts.render,
    "bindings/rust-sys/src/ffi.rs": rust.render,
    "bindings/go/constants.go": go.render,
    "bindings/go/nighwasm/layout.go": go.render_wasm,
    "bindings/js/src/abi.ts": typescript.render,
    "bindings/python/nigh/declarations.py": cffi.render,
    "bindings/luajit/nigh.lua": luajit.render,
}
# Headers that include nigh.h and those before them, and what is made of each.
BESIDE = {
    "hosted/nigh_hosted.h": {
        "bindings/rust-sys/src/ffi_hosted.rs": rust.render_beside("nigh_hosted.h")},
    "hosted/nigh_lmdb.h": {
        "bindings/rust-sys/src/ffi_lmdb.rs": rust.render_beside("nigh_lmdb.h")},
}
LOCK = "abi/nigh.lock"


def old_text(path):
    try:
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def render_all():
    """{path: text} of all that is generated but the lock; the model of nigh.h."""
    models = [layout.add(header.read(os.path.join(ROOT, "abi", "nigh.h")))]
    texts = {path: render(models[0]) for path, render in OUTPUTS.items()}
    for name, outputs in BESIDE.items():
        models.append(layout.add(header.read(os.path.join(ROOT, name), models), models))
        texts.update((path, render(models[-1])) for path, render in outputs.items())
    return texts, models[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    try:
        texts, model = render_all()
        texts[LOCK] = lock.render(model, old_text(LOCK))
    except (header.HeaderError, layout.LayoutError, lock.LockError) as error:
        sys.exit(f"generate.py: {error}")
    stale = [path for path, text in texts.items() if text != old_text(path)]
    if check:
        for path in stale:
            print(f"{path}: stale, run abi/generate.py")
        print(f"{len(texts) - len(stale)} passed, {len(stale)} failed")
        return 1 if stale else 0
    for path in stale:
        os.makedirs(os.path.dirname(os.path.join(ROOT, path)), exist_ok=True)
        with open(os.path.join(ROOT, path), "w", encoding="utf-8", newline="\n") as file:
            file.write(texts[path])
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())

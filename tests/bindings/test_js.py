#!/usr/bin/env python3
# test_js.py - the npm package: built, its tests, packed, used from somewhere else
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/bindings/test_js.py [--nigh COMMAND] [TEST FILE...]

Builds the WebAssembly modules and the package in build/js, runs bindings/js/test there (also with
all of it loaded at first, with every index beginning in the small module, with the plain one),
checks how much a page loads that imports it, checks the packed tarball with publint and attw,
installs it into fresh folders and uses it from ECMAScript modules, CommonJS and TypeScript
(js_scratch). Naming files runs only those tests. Ends with "N passed, N failed"."""
import argparse
import glob
import gzip
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

import golden
import npm

ROOT = golden.ROOT
TOOLS = npm.TOOLS
STAGE = os.path.join(ROOT, "build", "js", "nigh")
SCRATCH = os.path.join(ROOT, "tests", "bindings", "js_scratch")
PLAIN = ("index", "golden", "hnswlib")  # tests that also run on the module without SIMD128
SMALL = ("index", "misuse", "open", "golden", "jobs")  # with all indexes beginning in the small one
FULL = (*SMALL, "growth", "hnswlib", "worker")  # with everything loaded at first
ENTRY_BYTES_MAX = 32_768  # what a page loads that imports Index, minified, with gzip -9
LATER = ("./more.js", "./inline-simd.js", "./inline-plain.js")  # which import() loads


def tool(name, *arguments):
    return [os.path.join(TOOLS, ".bin", name), *arguments]


def exported(run, nigh, folder):
    """A golden index as a file of hnswlib, by the command."""
    path = os.path.join(STAGE, "u64.hnswlib")
    run.step("export-hnswlib", nigh, "export-hnswlib", os.path.join(folder, "u64.nigh"), "-o", path)
    return path


def tests(run, options, names):
    folder = golden.make(os.path.join(ROOT, "build", "bindings"), options.nigh)
    nigh = options.nigh or os.path.join(ROOT, "build", "bindings", "command", "nigh")
    env = {"NIGH_GOLDEN": folder, "NIGH_DATA": golden.DATA, "NIGH_COMMAND": os.path.abspath(nigh),
           "NIGH_HNSWLIB": exported(run, nigh, folder)}
    files = [os.path.join("test", f"{name}.test.mjs") for name in names] or \
        sorted(glob.glob(os.path.join("test", "*.test.mjs"), root_dir=STAGE))
    run.node("tests", STAGE, files, env, "--expose-gc")
    for mode, some, preload in (("everything at first", FULL, "full"),
                                ("the small module first", SMALL, "small"),
                                ("plain module", PLAIN, "plain")):
        files = [f"test/{name}.test.mjs" for name in some if not names or name in names]
        if files:
            run.node(f"tests, {mode}", STAGE, files, env, "--expose-gc", "--import",
                     f"./test/{preload}.mjs")


# ---- The tarball --------------------------------------------------------------------------------


def packed(run):
    """npm pack's tarball; what is in it."""
    path = npm.pack(run, STAGE)
    if path is None:
        return None
    with tarfile.open(path) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    for name in ("README.md", "LICENSE-MIT", "LICENSE-APACHE", "dist/index.js", "dist/index.cjs",
                 "dist/index.d.ts", "dist/index.d.cts", "dist/full.js", "dist/full.cjs",
                 "dist/nigh.wasm", "dist/nigh-plain.wasm", "dist/nigh-small.wasm",
                 "dist/nigh-mt.wasm", "dist/worker-main.js", "dist/worker-thread.js"):
        run.check(f"the tarball holds {name}", name in names)
    run.check("and no sources", not [name for name in names if name.startswith(("src", "test"))])
    about = json.loads(read(os.path.join(STAGE, "package.json")))
    run.check("nothing to install", not {"dependencies", "optionalDependencies",
                                         "peerDependencies"} & set(about) and
              not {"install", "preinstall", "postinstall", "prepare"} & set(about["scripts"]))
    run.step("publint", *tool("publint", path, "--strict"))
    run.step("attw", *tool("attw", path, "--profile", "node16", "--exclude-entrypoints",
                           "./nigh.wasm", "./nigh-plain.wasm", "./nigh-small.wasm",
                           "./nigh-mt.wasm", "./worker-main", "./worker-thread"))
    print(f"tarball: {os.path.getsize(path)} bytes", flush=True)
    return path


def read(path, mode="r"):
    with open(path, mode, encoding=None if "b" in mode else "utf-8") as file:
        return file.read()


def compressed(data):
    return len(gzip.compress(data, 9))


def bundle(run, entry, later=()):
    """A program that imports Index of an entry, as a page loads it."""
    path = os.path.join(STAGE, "bundle.mjs")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"import {{ Index }} from 'nigh{entry}';\nglobalThis.Index = Index;\n")
    done = subprocess.run(
        tool("esbuild", path, "--bundle", "--minify", "--format=esm", "--target=es2022",
             "--log-level=error", "--external:node:*", *(f"--external:{name}" for name in later)),
        cwd=STAGE, stdout=subprocess.PIPE)
    run.check(f"nigh{entry} in a bundle", done.returncode == 0 and done.stdout)
    return done.stdout


def sizes(run):
    """What travels, with gzip."""
    dist = os.path.join(STAGE, "dist")
    entry = compressed(bundle(run, "", LATER))
    code = subprocess.run(tool("esbuild", "dist/base.js", "dist/more.js", "--minify",
                               "--target=es2022", "--outdir=minified"), cwd=STAGE,
                          stderr=subprocess.PIPE)
    run.check("the files minified", code.returncode == 0, code.stderr)
    base, more = (compressed(read(os.path.join(STAGE, "minified", f"{name}.js"), "rb"))
                  for name in ("base", "more"))
    inside = {name: compressed(read(os.path.join(dist, f"inline-{name}.js"), "rb"))
              for name in ("small", "simd", "plain")}
    slim = compressed(bundle(run, "/slim", LATER))
    modules = {name: compressed(read(os.path.join(dist, f"{name}.wasm"), "rb"))
               for name in ("nigh-small", "nigh", "nigh-plain")}
    print(f"with gzip: nigh {entry} (class {base}, module {inside['small']}); later, when needed: "
          f"class {more}, module {inside['simd']} (plain {inside['plain']}); nigh/full "
          f"{compressed(bundle(run, '/full', LATER[2:]))}; nigh/slim {slim}, "
          f"{', '.join(f'{name}.wasm {size}' for name, size in modules.items())}", flush=True)
    run.check(f"nigh is at most {ENTRY_BYTES_MAX} bytes", entry <= ENTRY_BYTES_MAX, str(entry))
    run.check("modules inside cost little more than beside it",
              all(inside[name] < 1.03 * modules[file] for name, file in
                  (("small", "nigh-small"), ("simd", "nigh"))))


TYPES = {"node16": {"module": "node16", "moduleResolution": "node16"},
         "bundler": {"module": "esnext", "moduleResolution": "bundler"}}


def installed(run, tarball):
    """From a folder that knows nothing of the tree."""
    with tempfile.TemporaryDirectory(prefix="nigh-js-") as folder:
        if not npm.install(run, tarball, folder):
            return
        for name in os.listdir(SCRATCH):
            shutil.copy(os.path.join(SCRATCH, name), folder)
        said = run.output("ECMAScript module", "node", "use.mjs", cwd=folder)
        print((said or "").strip(), flush=True)
        run.step("CommonJS", "node", "use.cjs", cwd=folder)
        for entry in ("slim", "full"):
            run.step(f"CommonJS, {entry}", "node", "use.cjs", entry, cwd=folder)
        types(run, folder)


def types(run, folder):
    """Strict, and declarations of the package looked at, too."""
    os.symlink(os.path.join(TOOLS, "@types"), os.path.join(folder, "node_modules", "@types"))
    os.symlink(os.path.join(TOOLS, "undici-types"),
               os.path.join(folder, "node_modules", "undici-types"))
    for name, how in TYPES.items():
        for lib, kinds in ((["ES2022", "DOM"], []), (["ES2023", "DOM"], ["node"])):
            options = {"strict": True, "noEmit": True, "target": "es2022", "skipLibCheck": False,
                       "noUncheckedIndexedAccess": True, "exactOptionalPropertyTypes": True,
                       "types": kinds, "lib": lib, **how}
            with open(os.path.join(folder, "tsconfig.json"), "w", encoding="utf-8") as file:
                json.dump({"compilerOptions": options, "files": ["use.mts"]}, file)
            run.step(f"TypeScript, {name}, {' '.join(lib)}", *tool("tsc", "-p", "."), cwd=folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--nigh", help="the nigh command; default: build it")
    parser.add_argument("tests", nargs="*", metavar="TEST FILE", help="such as growth")
    options = parser.parse_args()
    run = npm.Run()
    if run.check("tools/setup.sh test was run", os.path.isdir(TOOLS)) and npm.build(run, STAGE):
        tests(run, options, options.tests)
        tarball = None if options.tests else packed(run)
        if tarball:
            sizes(run)
            installed(run, tarball)
    print(f"{run.passed} passed, {run.failed} failed")
    return 1 if run.failed or not run.passed else 0


if __name__ == "__main__":
    sys.exit(main())

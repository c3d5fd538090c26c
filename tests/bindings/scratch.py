#!/usr/bin/env python3
# scratch.py - projects outside the repository, one of each kind, that have only what is packed
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/bindings/scratch.py INDEX QUERIES.f32 EF [KIND...]     (default: all of KINDS)

Makes the projects, searches INDEX with each and says whether all print the same. A kind is a
function here that gets a folder of its own and returns a command, to be called with INDEX
QUERIES.f32 EF [VECTORS.f32], that prints a line for each neighbour: query, rank, key, distance
bits, slot. Failed says what went wrong."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

import golden

ROOT = golden.ROOT
HERE = os.path.join(ROOT, "tests", "bindings")
CACHE = os.path.join(ROOT, ".cache")
GO = os.path.join(ROOT, "bindings", "go")
GO_MODULE = "github.com/nigh-search/nigh/bindings/go"
GO_VERSION = "v0.0.1"
GO_ENV = {"GOCACHE": os.path.join(CACHE, "go-build"), "GOFLAGS": "", "GOWORK": "off",
          "GOTOOLCHAIN": "local", "GOTELEMETRY": "off", "CGO_ENABLED": "1"}


class Failed(Exception):
    """A step of a project, and what it printed."""


def run(*command, cwd=None, env=None):
    """Output of a command that has to succeed."""
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **(env or {})}, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, errors="replace")
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


# ---- Go -----------------------------------------------------------------------------------------


def go_pack(package, module, proxy):
    """The module as a file proxy serves it: what git has, nested modules left out; zip bytes."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=package,
                            capture_output=True, text=True)
    paths = listed.stdout.splitlines() if listed.returncode == 0 else [
        os.path.relpath(os.path.join(top, name), package)
        for top, _, names in os.walk(package) for name in names]
    nested = tuple(os.path.dirname(path) + "/" for path in paths
                   if os.path.basename(path) == "go.mod" and os.path.dirname(path))
    folder = os.path.join(proxy, module, "@v")
    os.makedirs(folder)
    path = os.path.join(folder, GO_VERSION + ".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in sorted(paths):
            full = os.path.join(package, name)
            if os.path.isfile(full) and not name.startswith(nested):
                packed.write(full, f"{module}@{GO_VERSION}/{name}")
    shutil.copy(os.path.join(package, "go.mod"), os.path.join(folder, GO_VERSION + ".mod"))
    with open(os.path.join(folder, GO_VERSION + ".info"), "w", encoding="utf-8") as file:
        json.dump({"Version": GO_VERSION, "Time": "2026-01-01T00:00:00Z"}, file)
    with open(os.path.join(folder, "list"), "w", encoding="utf-8") as file:
        file.write(GO_VERSION + "\n")
    return os.path.getsize(path)


def check_licences(proxy, module):
    """Both are in the zip, as they stand in the root."""
    with zipfile.ZipFile(os.path.join(proxy, module, "@v", GO_VERSION + ".zip")) as packed:
        for name in ("LICENSE-APACHE", "LICENSE-MIT"):
            inside = f"{module}@{GO_VERSION}/{name}"
            with open(os.path.join(ROOT, name), "rb") as file:
                if inside not in packed.namelist() or packed.read(inside) != file.read():
                    raise Failed(f"{module}: {name} is not that of the root")


def go_project(folder, name, bytes_max, more=(), **env):
    """A module that gets the package from a proxy of files, and nothing else of the tree.
    -trimpath, so that Go's cache knows the package again wherever the project lies."""
    module, proxy = GO_MODULE + name, os.path.join(folder, "proxy")
    size = go_pack(GO + name, module, proxy)
    if size > bytes_max:
        raise Failed(f"{module}: {size} bytes packed, more than {bytes_max}")
    check_licences(proxy, module)
    project = os.path.join(folder, "scratch")
    os.makedirs(project)
    with open(os.path.join(HERE, "go_scratch", "main.go"), encoding="utf-8") as file:
        text = file.read()
    with open(os.path.join(project, "main.go"), "w", encoding="utf-8") as file:
        file.write(text.replace(f'"{GO_MODULE}"', f'"{module}"'))
    env = {**GO_ENV, "GOPROXY": ",".join(["file://" + proxy, *more]), "GOSUMDB": "off",
           "GOFLAGS": "-modcacherw -trimpath", "GOMODCACHE": os.path.join(folder, "modules"), **env}
    for step in (["mod", "init", "example.org/scratch"], ["get", f"{module}@{GO_VERSION}"],
                 ["mod", "tidy"], ["mod", "vendor"], ["vet", "."], ["build", "-o", "scratch", "."]):
        run("go", *step, cwd=project, env=env)
    return [os.path.join(project, "scratch")]


def go(folder):
    """The package with cgo."""
    return go_project(folder, "", 500_000)


def nighwasm(folder):
    """The package without, and wazero from the cache of modules that its tests filled."""
    cache = run("go", "env", "GOMODCACHE", env=GO_ENV).strip()
    return go_project(folder, "/nighwasm", 200_000, [f"file://{cache}/cache/download"],
                      CGO_ENABLED="0")


# ---- Rust ---------------------------------------------------------------------------------------


def crates():
    """Paths of both crates as they would be published."""
    out = os.path.join(ROOT, "build", "rust-packed")
    shutil.rmtree(os.path.join(out, "package"), ignore_errors=True)
    run("cargo", "package", "-q", "--workspace", "--no-verify", "--allow-dirty",
        cwd=os.path.join(ROOT, "bindings"), env={"CARGO_TARGET_DIR": out})
    made = glob.glob(os.path.join(out, "package", "*.crate"))
    if len(made) != 2:
        raise Failed(f"cargo package made {made}")
    return made


def rust(folder):
    """rust_scratch beside the crates, unpacked."""
    for path in crates():
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
    paths = {re.sub(r"-\d.*", "", name): name for name in os.listdir(folder)
             if re.search(r"-\d", name)}
    project = os.path.join(folder, "scratch")
    shutil.copytree(os.path.join(HERE, "rust_scratch"), project)
    with open(os.path.join(project, "Cargo.toml"), "a", encoding="utf-8") as file:
        file.write("\n[patch.crates-io]\n")
        file.writelines(f'{crate} = {{ path = "../{name}" }}\n' for crate, name in paths.items())
    cargo(folder, "--bin", "scratch")
    return [os.path.join(folder, "target", "release", "scratch")]


def rust_wasm(folder):
    """The library of the project that rust() made, for a browser."""
    cargo(folder, "--lib", "--no-default-features", "--target", "wasm32-unknown-unknown")
    return os.path.join(folder, "target", "wasm32-unknown-unknown", "release", "scratch.wasm")


def cargo(folder, *arguments):
    run("cargo", "build", "-q", "--release", *arguments, cwd=os.path.join(folder, "scratch"),
        env={"CARGO_TARGET_DIR": os.path.join(folder, "target"),
             "NIGH_GOLDEN": golden.make(os.path.join(ROOT, "build", "bindings")),
             "CC_wasm32_unknown_unknown": "clang-19", "AR_wasm32_unknown_unknown": "llvm-ar-19"})


# ---- The installed library ----------------------------------------------------------------------


def install(build, tree):
    """Builds all that is installed, and installs it into a tree, which is then moved."""
    run("cmake", "-S", ROOT, "-B", build, "-DCMAKE_BUILD_TYPE=Release", "-DNIGH_WERROR=ON",
        "-DNIGH_TESTS_BUILD=OFF", "-DNIGH_SHARED=ON", "-DCMAKE_INSTALL_PREFIX=/usr/local",
        "-DCMAKE_INSTALL_LIBDIR=lib")
    run("cmake", "--build", build, "-j", "2")
    run("cmake", "--install", build, "--prefix", tree + ".first")
    os.rename(tree + ".first", tree)


def installed(folder):
    tree = os.path.join(folder, "moved to here")
    install(os.path.join(ROOT, "build", "consume"), tree)
    return tree


def cmake(folder, tree=None):
    """examples/ with find_package(nigh)."""
    tree = tree or installed(folder)
    project, build = os.path.join(folder, "project"), os.path.join(folder, "build")
    shutil.copytree(os.path.join(ROOT, "examples"), project)
    run("cmake", "-S", project, "-B", build, f"-DCMAKE_PREFIX_PATH={tree}")
    run("cmake", "--build", build)
    return [os.path.join(build, "search_file")]


def cffi(folder, tree=None):
    """libnigh.so and two files of Python."""
    tree = tree or installed(folder)
    project = os.path.join(folder, "python")
    os.makedirs(project)
    for path in ("examples/search_cffi.py", "bindings/python/nigh/declarations.py"):
        shutil.copy(os.path.join(ROOT, path), project)
    return [os.path.join(CACHE, "venv", "bin", "python"), os.path.join(project, "search_cffi.py"),
            os.path.join(tree, "lib", "libnigh.so")]


KINDS = {"go": go, "nighwasm": nighwasm, "rust": rust, "cmake": cmake, "cffi": cffi}


# ---- What they find -----------------------------------------------------------------------------


def compare(program, folder):
    """The program's answers for every case in a folder of golden.py are the command's; how many."""
    right = 0
    for name in ("golden", "words"):
        path = os.path.join(folder, name)
        if os.path.exists(path + ".json"):
            right += compare_cases(program, folder, path)
    if right < 1000:
        raise Failed(f"only {right} answers are in {folder}")
    return right


def compare_cases(program, folder, path):
    with open(path + ".json", encoding="utf-8") as file:
        known = json.load(file)
    with open(path + ".tsv", encoding="utf-8") as file:
        wanted = file.read().splitlines()
    got = []
    for case in known["cases"]:
        rows = [known["rows"]] if case["external"] else []
        for search in case["searches"]:
            ef = str(search["ef"])
            said = run(*program, case["image"], known["queries"], ef, *rows, cwd=folder)
            got += [f"{case['name']}\t{ef}\t{line}" for line in said.splitlines()]
    for want, line in zip(wanted, got):
        if want != line:
            raise Failed(f"{os.path.basename(program[0])}: {line!r}, expected {want!r}")
    if len(wanted) != len(got):
        raise Failed(f"{os.path.basename(program[0])}: {len(got)} answers, not {len(wanted)}")
    return len(got)


def main(arguments):
    if len(arguments) < 3 or set(arguments[3:]) - set(KINDS):
        print(__doc__)
        return 2
    said = {}
    for kind in arguments[3:] or KINDS:
        with tempfile.TemporaryDirectory(prefix="nigh-scratch-") as folder:
            said[kind] = run(*KINDS[kind](folder), *arguments[:3])
            print(f"{kind}: {said[kind].count(chr(10))} neighbours", flush=True)
    same = len(set(said.values())) == 1
    print("the same" if same else "they differ")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

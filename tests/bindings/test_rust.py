#!/usr/bin/env python3
# test_rust.py - the Rust crates: lints, tests, small targets, what is packed used elsewhere
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/bindings/test_rust.py [--sanitize] [STEP...]

Steps run in the order of STEPS (with --sanitize, of SANITIZERS); naming some runs only those. The
last line is "N passed, N failed": tests that cargo counted, and one for each other check."""
import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import golden
import scratch
from count import Count

ROOT = golden.ROOT
CRATES = os.path.join(ROOT, "bindings")
OUT = os.path.join(ROOT, "build", "rust")
HOST = "x86_64-unknown-linux-gnu"
WASM, CORTEX = "wasm32-unknown-unknown", "thumbv7em-none-eabihf"
CLANG = {"CC_wasm32_unknown_unknown": "clang-19", "AR_wasm32_unknown_unknown": "llvm-ar-19"}
PACKED_BYTES_MAX = 500 * 1024
EMPTY = re.compile(r"test result: \w+\. (\d+) passed; (\d+) failed")


def run(command, env=None, cwd=CRATES):
    print(f"$ {' '.join(command)}", flush=True)
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **CLANG, **(env or {})},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    return done.returncode, done.stdout


def succeeds(count, what, command, env=None, cwd=CRATES):
    status, output = run(command, env, cwd)
    return count.check(what, status == 0, output)


def tests(count, what, arguments, env=None, prefix=()):
    """A run of cargo test, which counts for itself; a crash or none at all is one failure."""
    status, output = run([*prefix, "cargo", "test", "-q", *arguments], env)
    found = [tuple(map(int, one)) for one in EMPTY.findall(output)]
    count.passed += sum(passed for passed, _ in found)
    failed = sum(failed for _, failed in found)
    if status != 0 or failed or not any(passed for passed, _ in found):
        count.failed += max(1, failed)
        print(f"FAILED {what}\n{output}", flush=True)


def generated(folder):
    """What tests of the command's files want, and the command."""
    folder = golden.make(folder)
    return {"NIGH_GOLDEN": folder, "NIGH_COMMAND": os.path.join(folder, "command", "nigh")}


# ---- Steps --------------------------------------------------------------------------------------


def lint(count):
    deny = ["--", "-D", "warnings"]
    succeeds(count, "fmt", ["cargo", "fmt", "--check"])
    clippy = ["cargo", "clippy", "-q", "--all-targets"]
    succeeds(count, "clippy", [*clippy, *deny])
    succeeds(count, "clippy with all", [*clippy, "-p", "nigh", "--features", "half,rayon,lmdb",
                                        *deny])
    succeeds(count, "clippy with std", [*clippy, "-p", "nigh", "--no-default-features",
                                        "--features", "std", *deny])


def documentation(count):
    some = ["--features", "nigh/half,nigh/rayon,nigh/lmdb"]
    succeeds(count, "doc", ["cargo", "doc", "-q", "--no-deps", *some],
             {"RUSTDOCFLAGS": "-D warnings"})


def interface(count):
    """The public interface, from rustdoc's JSON, which is not stable: hence the variable."""
    status, output = run(["cargo", "rustdoc", "-q", "-p", "nigh", "--features", "half,rayon,lmdb",
                          "--", "-Z", "unstable-options", "--output-format", "json"],
                         {"RUSTC_BOOTSTRAP": "1"})
    if count.check("rustdoc's JSON", status == 0, output):
        tool = os.path.join(ROOT, "tests", "bindings", "rust_api.py")
        document = os.path.join(OUT, "doc", "nigh.json")
        listed = os.path.join(CRATES, "rust", "api.txt")
        succeeds(count, "the interface is as listed", [sys.executable, tool, document, listed])
        # A line that is gone is seen.
        with tempfile.TemporaryDirectory() as folder:
            longer = os.path.join(folder, "api.txt")
            shutil.copy(listed, longer)
            with open(longer, "a", encoding="utf-8") as file:
                file.write("fn nigh::Index::gone()\n")
            status, output = run([sys.executable, tool, document, longer])
            count.check("a line that is gone is seen", status == 1 and "gone: fn nigh" in output,
                        output)


def default(count):
    env = generated(os.path.join(ROOT, "build", "bindings"))
    # With what only adds modules; what changes others is for `features`.
    tests(count, "all tests", ["--workspace", "--features", "nigh/lmdb", "--",
                               "--include-ignored"], env)


def features(count):
    tests(count, "with rayon and half", ["-p", "nigh", "--features", "half,rayon", "--test", "jobs",
                                         "--test", "basics"])
    tests(count, "without mmap", ["-p", "nigh", "--no-default-features", "--features", "std",
                                  "--lib", "--test", "basics", "--test", "files"])


def targets(count):
    for target in (WASM, CORTEX):
        for crate in (["-p", "nigh-sys"], ["-p", "nigh", "--no-default-features"]):
            succeeds(count, f"{crate[1]} for {target}",
                     ["cargo", "clippy", "-q", *crate, "--target", target, "--", "-D", "warnings"])
    # Compiled, not only checked: the archive has what the crate declares, and asks for nothing but
    # what the compiler's own library gives.
    for target, names in ((WASM, "llvm-nm-19"), (CORTEX, "arm-none-eabi-nm")):
        status, output = run(["cargo", "build", "-q", "-p", "nigh-sys", "--target", target])
        count.check(f"build for {target}", status == 0, output)
        made = glob.glob(os.path.join(OUT, target, "debug", "build", "nigh-sys-*", "out",
                                      "libnigh.a"))
        if count.check(f"an archive for {target}", made):
            _, output = run([names, "--defined-only", max(made, key=os.path.getmtime)])
            for name in functions():
                count.check(f"{name} for {target}", re.search(rf" [TW] {name}$", output,
                                                              re.MULTILINE), output)


def functions():
    with open(os.path.join(ROOT, "abi", "nigh.json"), encoding="utf-8") as file:
        return [entry["name"] for entry in json.load(file)["functions"]]


def system(count):
    """Feature `system`: an installed library instead of the vendored source."""
    made = glob.glob(os.path.join(OUT, "debug", "build", "nigh-sys-*", "out", "libnigh.a"))
    if not count.check("a library to install", made):
        return
    version = re.search(r'^version = "(.*)"', text_of("Cargo.toml"), re.MULTILINE).group(1)
    for told, fits in ((version, True), ("0.0.1", False)):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(max(made, key=os.path.getmtime), folder)
            env = {"PKG_CONFIG_PATH": folder, "CARGO_TARGET_DIR": os.path.join(folder, "target"),
                   "PKG_CONFIG_ALLOW_SYSTEM_LIBS": "1"}
            with open(os.path.join(folder, "nigh.pc"), "w", encoding="utf-8") as file:
                file.write(f"Name: nigh\nDescription: nearest neighbours\nVersion: {told}\n"
                           f"Libs: -L{folder} -lnigh\nCflags: -I{folder}\n")
            arguments = ["-p", "nigh-sys", "--features", "system", "--test", "raw"]
            if fits:
                tests(count, "system", arguments, env)
                count.check("nothing was compiled", not glob.glob(
                    os.path.join(folder, "target", "debug", "build", "nigh-sys-*", "out", "*.a")))
            else:
                status, output = run(["cargo", "test", "-q", *arguments], env)
                count.check("an old library is refused", status != 0 and
                            f"wants nigh {version} or later" in output, output)


def text_of(name):
    with open(os.path.join(CRATES, name), encoding="utf-8") as file:
        return file.read()


# ---- Packed -------------------------------------------------------------------------------------


def packed(count):
    """Both crates as they would be published, used by a project elsewhere, natively and in wasm."""
    try:
        for path in scratch.crates():
            packed_crate(count, path)
        with tempfile.TemporaryDirectory() as folder:
            use_packed(count, folder)
    except scratch.Failed as failed:
        count.check("packed", False, failed)


def packed_crate(count, path):
    crate = os.path.basename(path)
    count.check(f"{crate} is small", os.path.getsize(path) <= PACKED_BYTES_MAX,
                str(os.path.getsize(path)))
    with tarfile.open(path) as archive:
        names = [name.split("/", 1)[1] for name in archive.getnames()]
    inside = (("csrc/nigh.c", "csrc/hosted_lmdb.c", "csrc/lmdb/lmdb.h") if "sys" in crate
              else ("src/index.rs", "src/lmdb/bridge.rs"))
    for name in ("Cargo.toml", "README.md", "LICENSE-MIT", "LICENSE-APACHE", "src/lib.rs", *inside):
        count.check(f"{crate} has {name}", name in names)


def use_packed(count, folder):
    program = scratch.rust(folder)
    right = scratch.compare(program, golden.make(os.path.join(ROOT, "build", "bindings")))
    print(f"a project elsewhere: {right} answers of the command", flush=True)
    count.check("a project elsewhere", right)
    native = scratch.run(*program, "digest").strip()
    module = scratch.rust_wasm(folder)
    script = ("const fs = require('fs');"
              "WebAssembly.instantiate(fs.readFileSync(process.argv[1]), {}).then(made =>"
              "console.log('digest ' + BigInt.asUintN(64, made.instance.exports.digest())))")
    _, output = run(["node", "-e", script, module])
    count.check("wasm gives the same answers", output.strip() == native,
                f"{output} and natively {native}")


# ---- Sanitizers ---------------------------------------------------------------------------------

# NIGH_TEST_SCALE=full: a million calls here too, which takes minutes.
SMALL = {"NIGH_TEST_SCALE": os.environ.get("NIGH_TEST_SCALE", "small"), "RUSTC_BOOTSTRAP": "1"}
HEAP = ["-p", "nigh", "--no-default-features", "--features", "std", "--target", HOST]


def address(count):
    """Rust and C with the address sanitizer, which also says what leaked."""
    env = {**SMALL, "CARGO_TARGET_DIR": os.path.join(ROOT, "build", "rust-asan"),
           "RUSTFLAGS": "-Zsanitizer=address -Cunsafe-allow-abi-mismatch=sanitizer",
           "CC_x86_64_unknown_linux_gnu": "clang-19",
           "CFLAGS_x86_64_unknown_linux_gnu": "-fsanitize=address -fno-omit-frame-pointer"}
    tests(count, "address sanitizer",
          [*HEAP, "--features", "lmdb", "--test", "threads", "--test", "leaks", "--test", "filters",
           "--test", "stores", "--test", "files", "--test", "lmdb", "--",
           "--skip", "forgotten"], env)  # what is forgotten is a leak


def threads(count):
    """ThreadSanitizer, with a standard library that has it too; gcc's for C, as clang's does not
    see 32-byte loads. It wants no address randomisation."""
    env = {**SMALL, "CARGO_TARGET_DIR": os.path.join(ROOT, "build", "rust-tsan"),
           "RUSTFLAGS": "-Zsanitizer=thread", "TSAN_OPTIONS": "halt_on_error=1",
           "CC_x86_64_unknown_linux_gnu": "gcc",
           "CFLAGS_x86_64_unknown_linux_gnu": "-fsanitize=thread"}
    fixed = ["setarch", "-R"]
    if subprocess.run([*fixed, "true"], capture_output=True).returncode != 0:
        fixed = []
    tests(count, "thread sanitizer", [*HEAP, "-Zbuild-std", "--test", "threads", "--test", "leaks"],
          env, fixed)


def miri(count):
    """The parts without C under Miri, where a nightly toolchain has it; it is not installed for
    this, since it changes every night."""
    status, _ = run(["cargo", "+nightly", "miri", "--version"])
    if status != 0:
        print("miri: not here (rustup toolchain install nightly -c miri -c rust-src)")
        return
    env = {"CARGO_TARGET_DIR": os.path.join(ROOT, "build", "rust-miri")}
    status, output = run(["cargo", "+nightly", "miri", "test", "-q", "-p", "nigh", "--lib"], env)
    found = EMPTY.findall(output)
    count.check("miri", status == 0 and found and int(found[0][0]) > 10, output)


STEPS = {"lint": lint, "default": default, "features": features, "targets": targets,
         "system": system, "documentation": documentation, "interface": interface,
         "packed": packed}
SANITIZERS = {"address": address, "threads": threads, "miri": miri}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("steps", nargs="*", metavar="STEP")
    options = parser.parse_args()
    steps = SANITIZERS if options.sanitize else STEPS
    wrong = set(options.steps) - set(steps)
    if wrong:
        parser.error(f"no step {', '.join(wrong)}; there are {', '.join(steps)}")
    count = Count()
    if shutil.which("cargo") is None:
        count.check("cargo is installed (https://rustup.rs)", False)
    else:
        for name, step in steps.items():
            if not options.steps or name in options.steps:
                step(count)
    print(f"{count.passed} passed, {count.failed} failed")
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main())

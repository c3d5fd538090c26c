#!/usr/bin/env python3
# test.py - runs everything that must hold on every change; the last line is "N passed, N failed"
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tools/test.py [--list] [JOB...]

A job is one build with its test runs, or one script. Jobs run side by side, one for each
processor; each writes build/ci/<job>.log. Naming jobs runs only those whose name starts so."""
import concurrent.futures
import contextlib
import fcntl
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

import sources

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.path.join(ROOT, "build", "ci")
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)
JOB_SECONDS_MAX = 1500
QUICK = {"NIGH_TEST_SCALE": "small"}  # under an emulator or a sanitizer
# Long histories; the goldens hold what they go through to the same bytes.
LONG_ABI = "^test_(job|refine|vacuum|hnswlib)$"
# One job at a time makes a build; another that wants the same finds it made.
BUILDING = {name: threading.Lock() for name in ("gcc",)}


class Job:
    """Counts and log of one job. Every step adds to `passed` and `failed`."""

    def __init__(self, name, body):
        self.name, self.body = name, body
        self.passed = self.failed = 0
        self.notes = []
        self.seconds = 0.0
        self.log_path = os.path.join(OUT, name + ".log")
        self.log = None

    def run(self):
        start = time.monotonic()
        self.deadline = start + JOB_SECONDS_MAX
        with open(self.log_path, "w", encoding="utf-8", errors="replace") as self.log:
            try:
                self.body(self)
            except Exception as error:  # a job that cannot run has failed, not passed
                self.fail(f"{type(error).__name__}: {error}")
            if self.passed + self.failed == 0:
                self.fail("nothing was tested")
        self.seconds = time.monotonic() - start
        return self

    def fail(self, note, count=1):
        self.failed += count
        self.notes.append(note)
        self.log.write(f"\nFAILED: {note}\n")

    def command(self, command, env=None, cwd=ROOT):
        """Runs a command into the log; returns (exit status, output)."""
        self.log.write(f"\n$ {' '.join(command)}   {env or ''}\n")
        self.log.flush()
        start = time.monotonic()
        try:
            process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **(env or {})},
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True, errors="replace",
                                       start_new_session=True)
            output, _ = process.communicate(timeout=max(1, self.deadline - time.monotonic()))
            status = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # what it started too
            status, output = 124, process.communicate()[0] + "\ntimed out"
        self.log.write(f"{output}\n({time.monotonic() - start:.1f} s)\n")
        self.log.flush()
        return status, output

    def count(self, name, status, output):
        """Adds what a test program's last counting line says, or 1 for its exit status."""
        found = COUNTS.findall(output)
        passed, failed = (int(n) for n in found[-1]) if found else (0, 0)
        self.passed += passed
        if failed or status != 0:
            self.fail(name + ("" if failed else f" (exit status {status})"), failed or 1)
            self.notes += what_failed(output)  # the log may be out of reach, as on a CI machine
        elif not found:
            self.passed += 1

    def script(self, name, command, env=None):
        status, output = self.command(command, env)
        self.count(name, status, output)

    def build(self, *options, name=None, labels=None):
        """Configures and builds into build/ci/<name or job>, all or only the tests with `labels`;
        False when that failed."""
        self.dir = os.path.join(OUT, name or self.name)
        targets = ["--target", *programs(labels)] if labels else []
        steps = [["cmake", "-S", ROOT, "-B", self.dir, "-DNIGH_WERROR=ON", "-DNIGH_SHARED=OFF",
                  *options],
                 ["cmake", "--build", self.dir, "-j", "2", *targets]]
        with BUILDING.get(name or self.name, contextlib.nullcontext()):
            for step in steps:
                status, _ = self.command(step)
                if status != 0:
                    self.fail("build")
                    return False
        self.passed += 1  # a build without a warning is a check of its own
        return True

    def ctest(self, *arguments, env=None, prefix=()):
        """Runs the CTest suite of the last build; each program's own counts are added."""
        junit = os.path.join(self.dir, "junit.xml")
        if os.path.exists(junit):
            os.remove(junit)
        command = [*prefix, "ctest", "--test-dir", self.dir, "--output-junit", junit,
                   "--output-on-failure", "--no-tests=error", "--test-output-size-passed",
                   "1000000", "--test-output-size-failed", "1000000", *arguments]
        status, output = self.command(command, env)
        if not os.path.exists(junit):
            return self.fail(f"ctest {' '.join(arguments)}")
        failed_before = self.failed
        for case in xml.etree.ElementTree.parse(junit).getroot().iter("testcase"):
            text = case.findtext("system-out") or ""
            good = case.get("status") == "run"
            shown = [value for name, value in (env or {}).items() if not name.endswith("OPTIONS")]
            label = " ".join([case.get("name"), *shown])
            self.count(label, 0 if good else 1, text)
        if status != 0 and self.failed == failed_before:
            self.fail(f"ctest {' '.join(arguments)} (exit status {status})")


def what_failed(output):
    """The lines of a program's output that say what failed; else its last ones."""
    lines = [line[:300] for line in output.splitlines() if line.strip()]
    said = [index for index, line in enumerate(lines) if re.search(r"\bFAIL", line)]
    shown = {near for index in said[:4] for near in (index, index + 1, index + 2)}
    return ["  " + line for index, line in enumerate(lines)
            if (index in shown if said else index >= len(lines) - 6)]


def programs(labels):
    """Names of the test programs with one of the labels, "a|b", as CMakeLists.txt makes them."""
    wanted = labels.split("|")
    return [os.path.basename(path)[:-2] for path in sources.cmake_list("NIGH_TESTS")
            if path.split("/")[-2] in wanted]


def command_line(job, env=None):
    """The tests of the nigh command, on the last build."""
    command = os.path.join(job.dir, "nigh")
    job.script("test_cli", [sys.executable, "tests/cli/test_cli.py", command], env)


def levels():
    """Kernel levels of this machine, for NIGH_TEST_FEATURES."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        words = set(info.read().split())
    wanted = {"sse4": {"sse4_1"}, "avx2": {"avx2", "f16c"}, "neon": {"asimd"},
              "avx512": {"avx512f", "avx512bw", "avx512vl", "avx512dq"}}
    return ["scalar"] + [name for name, flags in wanted.items() if flags <= words]


def gcc(job):
    """All at full length; then the kernels of each level. What a level changes are distances: unit
    tests and those that compare searches with brute force see that, goldens that no bit differs.
    Faults and histories take the same turns with any kernel and are not said again."""
    if job.build("-DCMAKE_C_COMPILER=gcc", "-DCMAKE_BUILD_TYPE=Release"):
        job.ctest()
        command_line(job)
        job.script("test_hnswlib", [os.path.join(ROOT, ".cache", "venv", "bin", "python"),
                                    "tests/compat/test_hnswlib.py", os.path.join(job.dir, "nigh")])
        job.script("test_compare", [sys.executable, "tools/test_compare.py", "--nigh",
                                    os.path.join(job.dir, "nigh")])
        job.script("mapped", [sys.executable, "tests/slow/mapped.py",
                              os.path.join(job.dir, "nigh")])
        for level in levels()[:-1]:  # the widest ran above, at full length
            with_abi = level in ("scalar", "avx2")
            job.ctest("-L", "unit|abi" if with_abi else "unit", "-E", LONG_ABI,
                      env={"NIGH_TEST_FEATURES": level, **QUICK})
            job.ctest("-L", "golden", env={"NIGH_TEST_FEATURES": level})


def clang(job):
    """Another compiler: numbers, kernels and goldens at full length. How many histories and faults
    are tried does not depend on the compiler: the job gcc has the long runs of those, and the
    sanitizers, which are clang's, all of them."""
    if job.build("-DCMAKE_C_COMPILER=clang-19", "-DCMAKE_BUILD_TYPE=Release"):
        job.ctest("-L", "unit|golden")
        job.ctest("-LE", "slow|unit|golden", "-E", LONG_ABI, env=QUICK)
        for level in levels()[:-1]:  # the last ran above
            job.ctest("-L", "unit|golden", env={"NIGH_TEST_FEATURES": level, **QUICK})


def clang_debug(job):
    """clang without optimisation; the ABI's tests run so in the job amalgam."""
    if job.build("-DCMAKE_C_COMPILER=clang-19", "-DCMAKE_BUILD_TYPE=Debug", "-DNIGH_DEBUG=ON",
                 labels="unit|golden"):
        job.ctest("-L", "unit|golden", env=QUICK)


def sanitize(job):
    """Address and undefined-behaviour sanitizers."""
    if job.build("-DCMAKE_C_COMPILER=clang-19", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                 "-DNIGH_DEBUG=ON", "-DNIGH_SANITIZE=address,undefined"):
        told = {"UBSAN_OPTIONS": "print_stacktrace=1",
                "ASAN_OPTIONS": "detect_stack_use_after_return=1"}
        full = "^(fuzz_.*|test_hosted_leaks)$"  # where a bad read, or what is left, is seen
        job.ctest("-LE", "slow", "-E", full, env={**QUICK, **told})
        job.ctest("-R", full, env=told)
        command_line(job, QUICK)


def threads(job):
    """gcc's ThreadSanitizer (clang's does not see 32-byte loads)."""
    if job.build("-DCMAKE_C_COMPILER=gcc", "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DNIGH_DEBUG=ON",
                 "-DNIGH_SANITIZE=thread", labels="conc|hosted"):
        fixed = ["setarch", "-R"]  # the sanitizer's memory map wants no address randomisation
        if subprocess.run([*fixed, "true"], capture_output=True).returncode != 0:
            fixed = []
        job.ctest("-L", "conc|hosted", prefix=fixed,
                  env={**QUICK, "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"})


AS_ELSEWHERE = ("^test_(job|job_callbacks|corners|filter|refine|vacuum|hosted_leaks|store_cuts|"
                "hnswlib|code_changes|batch|source|root|store_model)$")


def aarch64(job):
    """What may differ there: kernels, floats and their modes, alignment, files, threads. Goldens
    hold every kind of build, change, job and search to the bytes that x86-64 makes; what else is
    asked of those bytes (recall, ends at each moment), in long tests, is not emulated again. What
    test_hosted_leaks counts as mapped is the emulator's there."""
    if job.build("-DCMAKE_BUILD_TYPE=Release",
                 "-DCMAKE_TOOLCHAIN_FILE=" + os.path.join(ROOT, "tools/aarch64-linux-gnu.cmake")):
        job.ctest("-LE", "slow", "-E", AS_ELSEWHERE, env=QUICK)
        job.ctest("-L", "unit|golden", env={"NIGH_TEST_FEATURES": "scalar", **QUICK})
        # a processor without the dot product: what is chosen at run time must not need it
        job.ctest("-L", "golden", env={**QUICK, "QEMU_CPU": "cortex-a53"})


def old_processors(job):
    """The choice at run time: the same program on processors without AVX2, and without SSE4."""
    if not job.build("-DCMAKE_C_COMPILER=gcc", "-DCMAKE_BUILD_TYPE=Release", name="gcc"):
        return
    status, output = job.command(["ctest", "--test-dir", job.dir, "--show-only=json-v1", "-L",
                                  "unit|golden"])
    start = output.find("{")
    tests = json.loads(output[start:])["tests"] if status == 0 and start >= 0 else []
    for processor in ("qemu64", "Nehalem", "Haswell"):
        for test in tests:
            if processor == "Haswell" and "golden" not in test["name"]:
                continue  # avx2 itself is what the job gcc runs natively
            directory = os.path.join(job.dir, "tests")
            status, output = job.command(["qemu-x86_64", "-cpu", processor, *test["command"]],
                                         env=QUICK, cwd=directory)
            job.count(f"{test['name']} on {processor}", status, output)


def amalgam(job):
    """The single-file form: every target compiles it, and the suite passes on top of it."""
    job.script("amalgam", [sys.executable, "tools/test_amalgam.py"])
    job.script("vendored copies", [sys.executable, "tools/amalgamate.py", "--check", "--vendored"])
    for name, options in (("gcc-O3", ["-DCMAKE_C_COMPILER=gcc"]),
                          ("clang-O0", ["-DCMAKE_C_COMPILER=clang-19", "-DNIGH_DEBUG=ON",
                                        "-DCMAKE_BUILD_TYPE=Debug"])):
        if job.build("-DNIGH_AMALGAM=ON", *options, name=f"amalgam-{name}", labels="abi|golden"):
            job.ctest("-L", "abi|golden", "-E", LONG_ABI, env=QUICK)


def freestanding(job):
    job.script("freestanding", [sys.executable, "tests/freestanding/freestanding.py"])
    job.script("size", [sys.executable, "tools/size.py", "--check"])
    job.script("switches", [sys.executable, "tests/switches/switches.py"])


def tidy(job):
    job.script("tidy", [sys.executable, "tools/tidy.py"])
    job.script("test_tidy", [sys.executable, "tools/test_tidy.py"])
    job.script("test_data", [sys.executable, "tests/data/test_data.py"])


def generator(job):
    """What is generated from nigh.h is current, and compilers lay structures out as it says."""
    job.script("generator", [sys.executable, "tools/test_generator.py"])


def go(job):
    """The Go package: its tests in all modes, and as a module somewhere else."""
    job.script("test_go", [sys.executable, "tests/bindings/test_go.py"])


def rust(job):
    """The Rust crates: lints, tests, small targets, and as packages somewhere else."""
    job.script("test_rust", [sys.executable, "tests/bindings/test_rust.py"])


def rust_sanitize(job):
    """The Rust crates and C below them with the sanitizers, and Miri where there is one."""
    job.script("test_rust sanitized", [sys.executable, "tests/bindings/test_rust.py", "--sanitize"])


def python(job):
    """The Python package: packed, installed somewhere else, its tests on top of that."""
    job.script("test_python", [sys.executable, "tests/bindings/test_python.py"])


def js(job):
    """The npm package: built, its tests, packed, used from somewhere else."""
    job.script("test_js", [sys.executable, "tests/bindings/test_js.py"])


def browser(job):
    """The npm package in Chromium: its tests, what bundlers make of it, what outlives a page."""
    job.script("test_browser", [sys.executable, "tests/browser/test_browser.py"])


def readme(job):
    job.script("readme", [sys.executable, "tools/test_readme.py"])


def package(job):
    """The library as others get it: installed, shared, through libffi; parity of what is
    generated and written by hand with the header."""
    for name in ("tests/bindings/test_golden.py", "tests/consume/test_consume.py",
                 "tests/ffi/test_ffi.py", "tools/test_parity.py"):
        job.script(os.path.basename(name)[:-3], [sys.executable, name])
    job.script("test_ffi sanitized", [sys.executable, "tests/ffi/test_ffi.py", "--sanitize"])


def wasm(job):
    """The WebAssembly modules of both compilers, in two engines, and the C tests on top of them."""
    job.script("wasm", [sys.executable, "tests/wasm/test_wasm.py"])


def nighwasm(job):
    """The Go package that needs no cgo."""
    job.script("nighwasm", [sys.executable, "tests/bindings/test_nighwasm.py"])


def embedded(job):
    """Bare boards in qemu: images made here are searched in flash, indexes made there have the
    same bytes; the packages for Arduino and others."""
    for name in ("test_embedded", "test_packages"):
        job.script(name, [sys.executable, f"tests/embedded/{name}.py"])


# The longest first, so that the processors finish together.
JOBS = {"aarch64": aarch64, "gcc": gcc, "amalgam": amalgam, "go": go, "rust": rust,
        "rust-sanitize": rust_sanitize, "nighwasm": nighwasm,
        "python": python, "js": js, "browser": browser, "embedded": embedded,
        "wasm": wasm, "sanitize": sanitize, "threads": threads, "clang": clang, "package": package,
        "old-processors": old_processors, "clang-debug": clang_debug,
        "freestanding": freestanding, "generator": generator, "tidy": tidy, "readme": readme}


def main(arguments):
    if arguments == ["--list"]:
        print("\n".join(JOBS))
        return 0
    names = [name for name in JOBS if not arguments or name.startswith(tuple(arguments))]
    if not names:
        print(__doc__)
        return 2
    os.makedirs(OUT, exist_ok=True)
    lock = open(os.path.join(OUT, "lock"), "w", encoding="utf-8")  # until this process ends
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("another run of tools/test.py uses build/ci")
        return 1
    start = time.monotonic()
    printing = threading.Lock()
    print(f"{len(names)} jobs; kernel levels here: {' '.join(levels())}; logs in build/ci",
          flush=True)

    def one(name):
        job = Job(name, JOBS[name]).run()
        with printing:
            print(f"{name:16} {job.passed:7} passed {job.failed:4} failed {job.seconds:6.0f} s",
                  flush=True)
            for note in job.notes[:40]:
                print(f"    {note}" if note.startswith(" ") else f"    FAILED {note}", flush=True)
            if job.failed:
                print(f"    see {os.path.relpath(job.log_path, ROOT)}", flush=True)
        return job

    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        jobs = list(pool.map(one, names))
    passed, failed = sum(job.passed for job in jobs), sum(job.failed for job in jobs)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"in {time.monotonic() - start:.0f} s; of processors "
          f"{used.ru_utime + used.ru_stime:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

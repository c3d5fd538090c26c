#!/usr/bin/env python3
# verify.py - the big checks: same bytes everywhere on real words, more seeds, against hnswlib
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tools/verify.py [bytes] [kinds] [seeds] [mapped] [hnswlib]   (default: all; make verify)

bytes    20,000 real words, seed 42: one image, one set of ids and of distance bits from gcc and
         clang, -O0 and -O3, every kernel level of this machine, and aarch64 under qemu
kinds    all words, an image of nigh build with and without codes: a project of each kind that has
         only what is packed (tests/bindings/scratch.py) finds the command's keys and distance bits
seeds    model, fault, conc and slow tests at full scale with the seeds 2 to 6
mapped   an index four times as large as the memory that its build may use (tests/slow/mapped.py)
hnswlib  bench/compare/compare.py --check: recall, speed and build time against hnswlib
Ends with "N passed, N failed"."""
import hashlib
import os
import subprocess
import sys
import tempfile

import glove
import test

sys.path.insert(0, os.path.join(test.ROOT, "tests", "bindings"))
import golden  # noqa: E402
import scratch  # noqa: E402

ROWS = 20000
AARCH64 = "-DCMAKE_TOOLCHAIN_FILE=" + os.path.join(test.ROOT, "tools/aarch64-linux-gnu.cmake")
# name of the build (shared with tools/test.py), its options, how its programs run
BUILDS = [
    ("gcc", ["-DCMAKE_C_COMPILER=gcc", "-DCMAKE_BUILD_TYPE=Release"], []),
    ("gcc-debug", ["-DCMAKE_C_COMPILER=gcc", "-DCMAKE_BUILD_TYPE=Debug", "-DNIGH_DEBUG=ON"], []),
    ("clang", ["-DCMAKE_C_COMPILER=clang-19", "-DCMAKE_BUILD_TYPE=Release"], []),
    ("clang-debug", ["-DCMAKE_C_COMPILER=clang-19", "-DCMAKE_BUILD_TYPE=Debug",
                     "-DNIGH_DEBUG=ON"], []),
    ("aarch64", [AARCH64, "-DCMAKE_BUILD_TYPE=Release"], ["qemu-aarch64"]),
]


def word_vectors():
    done = subprocess.run([sys.executable, os.path.join(test.ROOT, "tools/glove.py"), "--path"],
                          check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def digest(*paths):
    total = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            total.update(file.read())
    return total.hexdigest()[:16]


# The ways to make the index: each must come out the same everywhere.
WAYS = {"plain": ("--threads", "1"), "codes": ("--codes", "u7", "--refine", "--threads", "2")}


def one_build(job, folder, name, options, runner):
    """{where: (image digest, answers digest)} of one build at each of its levels."""
    job.dir = os.path.join(test.OUT, name)
    os.makedirs(job.dir, exist_ok=True)
    for step in (["cmake", "-S", test.ROOT, "-B", job.dir, "-DNIGH_WERROR=ON", *options],
                 ["cmake", "--build", job.dir, "-j", "2", "--target", "nigh_cli"]):
        if job.command(step)[0] != 0:
            job.fail(f"{name} does not build")
            return {}
    found = {}
    program = [*runner, os.path.join(job.dir, "nigh")]
    for level in ["scalar", "neon"] if runner else test.levels():
        for way, extra in WAYS.items():
            answers = one_index(job, folder, program, f"{name}-{level}-{way}", level, extra)
            if answers:
                found[f"{name} {level} {way}"] = answers
    return found


def one_index(job, folder, program, name, level, extra):
    """(image digest, answers digest) of one index, built, changed and searched at a level."""
    base = os.path.join(folder, name)
    index, ids, distances = base + ".nigh", base + ".ivecs", base + ".fvecs"
    with open(os.path.join(folder, "words.txt"), "rb") as words:
        gone = words.read().splitlines()[::7]
    with open(os.path.join(folder, "gone.txt"), "wb") as file:
        file.write(b"\n".join(gone) + b"\n")
    steps = [["build", os.path.join(folder, "words.npy"), "-o", index, "--keys",
              os.path.join(folder, "words.txt"), "--metric", "cosine", "--m", "16", "--ef-build",
              "200", "--seed", "42", "--kernel", level, *extra]]
    if "--codes" in extra:
        steps += [["remove", index, "--keys", os.path.join(folder, "gone.txt")],
                  ["vacuum", index, "--threads", "2", "--kernel", level]]
    steps += [["search", index, os.path.join(folder, "queries.npy"), "-k", "10", "--ef", "100",
               "--kernel", level, "--out", ids, "--distances", distances],
              ["sha", index]]
    for step in steps:
        status, output = job.command([*program, *step])
        if status != 0:
            job.fail(f"{name}: {step[0]}: {output.strip()[-200:]}")
            return None
    return output.split()[0][:16], digest(ids, distances)


def same_bytes(job):
    data = word_vectors()
    folder = os.path.join(test.ROOT, "build", "verify")
    os.makedirs(folder, exist_ok=True)
    rows = glove.read(data, "glove-100-base")[:ROWS]
    glove.write(folder, "words", rows)
    glove.write(folder, "queries", glove.read(data, "glove-100-queries"))
    found = {}
    for name, options, runner in BUILDS:
        found |= one_build(job, folder, name, options, runner)
        print(f"  {name}", flush=True)
    for where, digests in found.items():
        first = next(of for other, of in found.items() if other.split()[-1] == where.split()[-1])
        print(f"  {where:28} image {digests[0]}  answers {digests[1]}"
              f"{'' if digests == first else '  DIFFERS'}", flush=True)
        if digests == first and all(digests):
            job.passed += 1
        else:
            job.fail(f"{where} differs")


def kinds(job):
    """Two images, made once for a command; each project answers 1,000 queries with two efs."""
    files = [os.path.join(word_vectors(), "glove-100-" + name)
             for name in ("base.npy", "base.txt", "queries.npy")]
    folder = golden.make(os.path.join(test.ROOT, "build", "verify-kinds"),
                         golden.built(os.path.join(test.ROOT, "build", "bindings")),
                         lambda maker: maker.words(*files))
    for name, kind in scratch.KINDS.items():
        with tempfile.TemporaryDirectory(prefix="nigh-verify-") as work:
            try:
                print(f"  {name}: {scratch.compare(kind(work), folder)} neighbours, keys and "
                      "distance bits as the command's", flush=True)
                job.passed += 1
            except scratch.Failed as failed:
                job.fail(f"{name}: {failed}")


def seeds(job):
    if job.build("-DCMAKE_C_COMPILER=gcc", "-DCMAKE_BUILD_TYPE=Release", name="gcc"):
        for seed in range(2, 7):
            job.ctest("-L", "model|fault|conc|slow", "-j", "2", env={"NIGH_TEST_SEED": str(seed)})


def mapped(job):
    if job.build("-DCMAKE_C_COMPILER=gcc", "-DCMAKE_BUILD_TYPE=Release", name="gcc"):
        script = os.path.join(test.ROOT, "tests/slow/mapped.py")
        status, output = job.command([sys.executable, script, os.path.join(job.dir, "nigh"),
                                      "--rows", "150000", "--limit", "26000000"])
        print(output, flush=True)
        job.count("mapped", status, output)


def against_hnswlib(job):
    script = os.path.join(test.ROOT, "bench/compare/compare.py")
    python = os.path.join(test.ROOT, ".cache/venv/bin/python")
    status, output = job.command([python, script, "--check"])
    print(output, flush=True)
    job.count("hnswlib", status, output)


JOBS = {"bytes": same_bytes, "kinds": kinds, "seeds": seeds, "mapped": mapped,
        "hnswlib": against_hnswlib}


def main(arguments):
    if set(arguments) - set(JOBS):
        print(__doc__)
        return 2
    test.JOB_SECONDS_MAX = 3 * 3600
    os.makedirs(test.OUT, exist_ok=True)
    passed = failed = 0
    for name in arguments or JOBS:  # one after another: the last one measures
        print(f"{name} ...", flush=True)
        job = test.Job(f"verify-{name}", JOBS[name]).run()
        for note in job.notes:
            print(f"    FAILED {note}", flush=True)
        print(f"{name:16} {job.passed:7} passed {job.failed:4} failed {job.seconds:6.0f} s",
              flush=True)
        passed, failed = passed + job.passed, failed + job.failed
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# contenders.py - who is compared, how each is built and asked: the tables to add a line to
# SPDX-License-Identifier: MIT OR Apache-2.0
import dataclasses
import importlib.util
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import threading

import numpy

import figures
import machine
import tuning

ROOT = machine.ROOT
HERE = os.path.dirname(os.path.abspath(__file__))
CRATES, CRATES_OUT = os.path.join(HERE, "crates"), os.path.join(ROOT, ".cache", "crates")
GO_PEERS, GO_PEERS_OUT = os.path.join(HERE, "go-peers"), os.path.join(ROOT, ".cache", "go-peers")
M, EF_BUILD, SEED, K = 16, 200, 42, 10
EF_WIDE, GAMMAS = 1000, [0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.22, 0.24, 0.26,
                         0.3, 0.35, 0.4, 0.5, 0.7]
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                                     "RAYON_NUM_THREADS")}


@dataclasses.dataclass(frozen=True)
class Peer:
    name: str
    option: str
    python: str = ""  # the module in peers/
    package: str = ""  # as PyPI calls it, if not like the module
    crate: str = ""  # the folder in crates/
    go: str = ""  # the folder in go-peers/
    module: str = ""  # that it uses; none: our own package
    slow: bool = False  # not in a set of a million rows unless it is named
    note: str = ""

    @property
    def version(self):
        if self.python:
            return machine.package_version(self.package or self.python)
        if self.module:
            with open(os.path.join(GO_PEERS, "go.mod"), encoding="utf-8") as file:
                return re.search(rf"{self.module} v(\S+)", file.read()).group(1)
        if self.go:
            return machine.commit()
        with open(os.path.join(CRATES, "Cargo.lock"), encoding="utf-8") as file:
            found = re.search(rf'name = "{self.crate}"\nversion = "(.*)"', file.read())
        return found.group(1)


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way to use nigh: what `nigh build` and `nigh search` are given beside the common."""
    name: str
    build: tuple = ()
    search: tuple = ("--load",)
    element_bytes: float = 4  # of what a search reads to score a row
    note: str = ""
    gamma: bool = False  # effort is gamma at a wide ef, expansions are chosen on base rows
    lmdb: bool = False  # in an environment instead of a file


PEERS = [
    Peer("hnswlib", "f32", python="hnswlib"),
    Peer("usearch f32", "f32", python="usearch"),
    Peer("usearch i8", "i8", python="usearch"),
    Peer("faiss flat", "flat", python="faiss", package="faiss-cpu"),
    Peer("faiss SQ8", "sq8", python="faiss", package="faiss-cpu"),
    Peer("voyager f32", "f32", python="voyager"),
    Peer("SVS Vamana f32", "f32", python="svs", package="scalable-vs",
         note="Vamana: degree 32, window 200, alpha 1.2"),
    Peer("nigh crate f32", "f32", crate="nigh", note="nigh through its Rust interface"),
    Peer("nigh crate u7", "u7", crate="nigh", note="the same with 8-bit codes, exact rerank"),
    Peer("hnswlib-rs f32", "f32", crate="hnswlib-rs"),
    Peer("hnswlib-rs bf16", "bf16", crate="hnswlib-rs"),
    Peer("hannoy", "f32", crate="hannoy", slow=True, note="in an LMDB file"),
    Peer("hnsw_rs", "f32", crate="hnsw_rs", slow=True),
    Peer("instant-distance", "f32", crate="instant-distance", slow=True,
         note="its M is 32 and cannot be set"),
    Peer("nigh Go f32", "f32", go="nigh", note="nigh through its Go interface, the file mapped"),
    Peer("nigh Go u7", "u7", go="nigh", note="the same with 8-bit codes, exact rerank"),
    Peer("coder/hnsw", "f32", go="coder", module="github.com/coder/hnsw", slow=True,
         note="in Go"),
]
VARIANTS = [
    Variant("f32", note="index in huge pages (--load)"),
    Variant("f32 gamma", gamma=True, note="effort by gamma at ef 1000"),
    Variant("f32 refined gamma", build=("--refine",), gamma=True,
            note="and the graph refined after the build, which its time includes"),
    Variant("f32 mapped", search=(), note="the file mapped, ordinary pages"),
    Variant("u7", build=("--codes", "u7"), element_bytes=1, note="8-bit codes, exact rerank"),
    Variant("u7 gamma", build=("--codes", "u7"), element_bytes=1, gamma=True,
            note="effort by gamma at ef 1000; expansions chosen on base rows"),
    Variant("u7 refined", build=("--codes", "u7", "--refine"), element_bytes=1,
            note="the graph refined after the build, which its time includes"),
    Variant("u7 refined gamma", build=("--codes", "u7", "--refine"), element_bytes=1, gamma=True,
            note="both"),
    Variant("f32 in LMDB", build=("--block-bytes", "262144"), search=(), lmdb=True,
            note="blocks of 256 KiB, mapped in ordinary pages"),
    Variant("f32 gamma in LMDB", build=("--block-bytes", "262144"), search=(), gamma=True,
            lmdb=True, note="and effort by gamma at ef 1000"),
    Variant("u7 in LMDB", build=("--codes", "u7", "--block-bytes", "262144"), search=(),
            element_bytes=1, lmdb=True, note="the same with 8-bit codes, exact rerank"),
    Variant("u7 gamma in LMDB", build=("--codes", "u7", "--block-bytes", "262144"), search=(),
            element_bytes=1, gamma=True, lmdb=True, note="and effort by gamma at ef 1000"),
]


def say(*words):
    print(*words, file=sys.stderr, flush=True)


BUILT = set()  # (folder, turn) of this run


class Unavailable(Exception):
    """This contender cannot run here, and why in one line that names no folder of this machine."""

    def __init__(self, why):
        super().__init__(why.replace(ROOT, ".").replace(os.path.expanduser("~"), "~"))


def check(command, **options):
    """Standard output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().split("\n")
        told = next((line for line in lines if "error" in line or "panicked" in line), lines[-1])
        raise Unavailable(f"{os.path.basename(command[0])} ended with {done.returncode}: {told}")
    return done.stdout


def folder_bytes(path):
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(top, name)) for top, _, names in os.walk(path)
               for name in names if name != "lock.mdb")


class Contender:
    """Common to all: an index in a folder of its own, facts of its build beside it."""

    def __init__(self, name, version, note, set_, out):
        self.name, self.version, self.note, self.set = name, version, note, set_
        self.folder = os.path.join(out, re.sub(r"[^\w.-]+", "-", self.index_name(name)))
        self.facts_path = self.folder + ".json"
        self.builds, self.rounds, self.memory = [], [], []
        self.recalls, self.distances = {}, {}  # by effort: ef, or gamma
        self.knob = "ef"

    def index_name(self, name):
        return name

    def build_once(self, reuse, turn):
        """Builds, unless this turn has built this index for another or an old one will do."""
        key = f"{self.build_key()} {self.set.label} M {M} ef_build {EF_BUILD}"
        facts = {"key": None, "builds": []}
        if os.path.exists(self.facts_path):
            with open(self.facts_path, encoding="utf-8") as file:
                facts = json.load(file)
        if (self.folder, turn) not in BUILT and not (reuse and facts["key"] == key):
            shutil.rmtree(self.folder, ignore_errors=True)
            os.makedirs(self.folder)
            say(f"  {self.name} builds ...")
            facts = {"key": key, "builds": (facts["builds"] if turn else []) + [self.build()]}
            with open(self.facts_path, "w", encoding="utf-8") as file:
                json.dump(facts, file)
        BUILT.add((self.folder, turn))
        self.builds = facts["builds"]

    @property
    def build_seconds(self):
        return statistics.median(build["cpu_s"] for build in self.builds)

    @property
    def file_bytes(self):
        return folder_bytes(self.folder)

    def points(self):
        """[(recall, queries a second)], of what was measured in the rounds."""
        count = len(self.set.true_ids(K))
        speeds = figures.median_speeds(count, self.rounds)
        return [(self.recalls[ef], speed) for ef, speed in speeds.items()]


# ---- Peers --------------------------------------------------------------------------------------


def program(peer):
    """The command that runs a peer, which one in Rust or Go is compiled for."""
    if peer.python:
        if importlib.util.find_spec(peer.python) is None:
            raise Unavailable(f"{peer.package or peer.python} is not installed")
        return [sys.executable, os.path.join(HERE, "worker.py"), peer.python]
    if peer.go:
        return [go_program(peer)]
    if shutil.which("cargo") is None:
        raise Unavailable("needs cargo")
    name = "peer-" + peer.crate
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1", "RUSTFLAGS": "-C target-cpu=native",
                   "CARGO_TARGET_DIR": CRATES_OUT}
    if not os.path.exists(os.path.join(CRATES_OUT, "release", name)):
        say(f"  compiling {peer.crate} {peer.version} ...")
    check(["cargo", "build", "--release", "--locked", "--quiet", "-p", name], cwd=CRATES,
          env=environment)
    return [os.path.join(CRATES_OUT, "release", name)]


def go_program(peer):
    if shutil.which("go") is None:
        raise Unavailable("needs go")
    program_path = os.path.join(GO_PEERS_OUT, peer.go)
    if not os.path.exists(program_path):
        say(f"  compiling {peer.module or peer.name} {peer.version} ...")
    check(["go", "build", "-o", program_path, "./" + peer.go], cwd=GO_PEERS,
          env={**os.environ, "GOFLAGS": "", "CGO_ENABLED": "0" if peer.module else "1"})
    return program_path


class PeerContender(Contender):
    def __init__(self, peer, set_, out):
        super().__init__(peer.name, peer.version, peer.note, set_, out)
        self.peer, self.command, self.number = peer, program(peer), PEERS.index(peer)
        self.rows, self.queries = set_.unit, set_.unit_queries
        self.environment = {**os.environ, **ONE_THREAD}

    def build_key(self):
        return f"{self.peer.name} {self.version}"

    def job(self, verb):
        return [*self.command, verb, self.set.metric, self.folder, str(M), str(EF_BUILD),
                self.peer.option]

    def build(self):
        output = check([*self.job("build"), self.rows], env=self.environment)
        return json.loads(output.strip().split("\n")[-1])

    def serve(self, efs, passes, after):
        """Opens the index in a fresh process and hands each answer to after(ef, answer, ids),
        which says whether to go on."""
        ids_path = self.folder + ".ids"
        with subprocess.Popen([*self.job("serve"), self.queries, ids_path], text=True, bufsize=1,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=self.environment) as process:
            try:
                opened = json.loads(process.stdout.readline())
                for ef in efs:
                    process.stdin.write(f"{ef} {passes}\n")
                    process.stdin.flush()
                    answer = json.loads(process.stdout.readline())
                    if not after(ef, answer, numpy.fromfile(ids_path, "<i4").reshape(-1, K)):
                        break
            except (ValueError, BrokenPipeError) as error:
                process.kill()
                lines = process.stderr.read().strip().split("\n")
                raise Unavailable(f"search ended: {lines[-1]}") from error
            process.stdin.close()
        return opened, answer

    def probe(self, efs, enough):
        true = self.set.true_ids(K)

        def after(ef, _, ids):
            self.recalls[ef] = figures.recall(ids, true)
            return self.recalls[ef] < enough
        self.serve(efs, 0, after)

    def round(self, efs, passes):
        times = {}

        def after(ef, answer, _):
            times[ef] = answer["cpu_s"]
            return True
        opened, last = self.serve(efs, passes, after)
        self.rounds.append(times)
        self.memory.append(1024 * (last["resident_kb"] - opened["before_kb"]))


# ---- nigh ---------------------------------------------------------------------------------------


class NighContender(Contender):
    def __init__(self, variant, set_, out, command):
        self.variant, self.command, self.number = variant, command, VARIANTS.index(variant)
        super().__init__("nigh " + variant.name, machine.commit(), variant.note, set_, out)
        self.knob = "gamma" if variant.gamma else "ef"
        for verb, words in (("build", variant.build), ("search", variant.search)):
            known = check([command, verb, "--help"])
            for word in words:
                if word.startswith("--") and not re.search(re.escape(word) + r"\b", known):
                    raise Unavailable(f"this build of nigh {verb} knows no {word}")
        self.path = (f"lmdb:{self.folder}#0" if variant.lmdb else
                     os.path.join(self.folder, "index.nigh"))
        self.row_bytes = int(variant.element_bytes * set_.dim)
        self.chosen = []

    def index_name(self, name):
        home = ("lmdb",) if self.variant.lmdb else ()
        return " ".join(("nigh", *home, *self.variant.build))  # variants of search share an index

    def build_key(self):
        stat = os.stat(self.command)
        return f"nigh {' '.join(self.variant.build)} {stat.st_size} {stat.st_mtime_ns}"

    def build(self):
        output = check([self.command, "build", self.set.base, "-o", self.path, "--metric",
                        self.set.metric, "--m", str(M), "--ef-build", str(EF_BUILD), "--seed",
                        str(SEED), "--threads", "1", "--json", *self.variant.build])
        return json.loads(output)

    def effort(self, efforts):
        """The options that sweep it: ef, or gamma."""
        listed = ",".join(map(str, efforts))
        return ["--ef", str(EF_WIDE), "--gamma", listed] if self.variant.gamma else ["--ef", listed]

    def search(self, efforts, rounds):
        """([(effort, what the command says of it)], the memory it has most of the time)"""
        arguments = [self.command, "search", self.path, self.set.queries, "-k", str(K), "--truth",
                     self.set.truth, "--rounds", str(rounds), "--threads", "1", "--json",
                     *self.effort(efforts), *self.variant.search, *self.chosen]
        if rounds > 1:
            arguments.append("--warm")
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            samples, done = [], threading.Event()
            watch = threading.Thread(target=watch_memory, args=(process.pid, samples, done))
            watch.start()
            output, errors = process.communicate()
            done.set()
            watch.join()
        if process.returncode != 0:
            raise Unavailable(errors.strip().split("\n")[-1])
        found = json.loads(output)
        results = found.get("results", [found])
        return list(zip(efforts, results)), statistics.median(samples or [0])

    def probe(self, efs, enough):
        efforts = GAMMAS if self.variant.gamma else efs
        if self.variant.gamma:
            self.chosen = tuning.choose(self.command, self.path, self.set.base, self.folder, K,
                                        [*self.effort(GAMMAS), *self.variant.search])
            self.note += " (" + " ".join(self.chosen).replace("--", "") + ")"
        for effort, at in self.search(efforts, 1)[0]:
            self.recalls[effort], self.distances[effort] = at["recall"], at["distances"]
            if at["recall"] >= enough:
                break

    def round(self, efs, passes):
        results, memory = self.search(efs, passes)
        self.rounds.append({effort: [at["cpu_s"]] for effort, at in results})
        self.memory.append(memory)


def watch_memory(pid, samples, done):
    """Adds the resident bytes of a process again and again: its peak would hold the file beside
    the copy that --load makes of it, and ru_maxrss this process's own."""
    while not done.wait(0.02):
        for line in machine.read(f"/proc/{pid}/status").split("\n"):
            if line.startswith("VmRSS"):
                samples.append(1024 * int(line.split()[1]))


# ---- The field ----------------------------------------------------------------------------------


def named(table, names, what):
    """Entries whose name is given, or begins with a given first word."""
    if names is None:
        return list(table)
    chosen = []
    for name in names:
        found = [entry for entry in table if entry.name.lower() == name.lower()] or \
                [entry for entry in table if entry.name.lower().split()[0] == name.lower()]
        if not found:
            raise SystemExit(f"compare: no {what} {name!r}; there are: "
                             + ", ".join(entry.name for entry in table))
        chosen += [entry for entry in found if entry not in chosen]
    return chosen


def field(set_, out, peers, variants, command):
    """([contender], [(name, why it is not there)]). Every one that can run here."""
    ready, missing = [], []
    for variant in named(VARIANTS, variants, "variant"):
        try:
            ready.append(NighContender(variant, set_, out, command))
        except Unavailable as why:
            missing.append(("nigh " + variant.name, str(why)))
    for peer in named(PEERS, peers, "peer"):
        try:
            if peer.slow and peers is None and set_.count >= 1000000:
                raise Unavailable("takes hours here; --peers names it")
            ready.append(PeerContender(peer, set_, out))
        except Unavailable as why:
            missing.append((peer.name, str(why)))
    return ready, missing

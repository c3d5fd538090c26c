#!/usr/bin/env python3
# test_embedded.py - the library on bare boards in qemu: the bytes and answers of a PC
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/embedded/test_embedded.py [--nigh COMMAND] [--only NAME] [BOARD...]

On each board: images that the nigh command made are attached in flash and searched; every key, slot
and distance bit is that of `nigh search`. An index built there has the SHA-256 that `nigh sha`
says. Vectors are fetched from a simulated SPI flash chip that fails; an index is kept on one whose
power goes at each write and erase. Prints flash, RAM, stack (attach, search) and instructions, then
"N passed, N failed". --only: checks whose name begins so."""
import argparse
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for folder in ("tests/bindings", "embedded", "embedded/count"):
    sys.path.insert(0, os.path.join(ROOT, folder))
import boards  # noqa: E402
import count  # noqa: E402
import examples  # noqa: E402
import golden  # noqa: E402
import images  # noqa: E402
import insn  # noqa: E402

OUT = boards.OUT
INCLUDES = ("tests/embedded/include", "tests/support")
K, QUERIES = 10, 20
ROOMY = ("mps2-an385", "mps2-an386", "mps2-an500", "mps3-an547", "rv32imc", "rv64gc")
I8 = ("--dtype", "i8", "--metric", "cosine", "--ef-build", "60")
# name: (vectors, elements, keys are words, ef, options of nigh build, boards)
IMAGES = {
    "words-2000x32": (2000, 32, False, 32, (*I8, "--m", "6"), ("microbit", "lm3s6965evb")),
    "words-1000": (1000, 100, True, 48, (*I8, "--m", "6"), ("lm3s6965evb",)),
    "words-5000": (5000, 100, True, 64, (*I8, "--m", "8"), ROOMY),
    "bits-2000": (2000, 100, False, 48,
                  ("--dtype", "b1", "--metric", "hamming", "--m", "6", "--ef-build", "60"),
                  ("microbit", "mps2-an386", "rv32imc")),
    "codes-3000": (3000, 100, True, 48,
                   ("--dtype", "f16", "--metric", "cosine", "--codes", "u7", "--m", "8",
                    "--ef-build", "60"), ("mps2-an385", "mps2-an386", "mps3-an547", "rv64gc")),
}
# Vectors on a chip without address mapping, the rest as above.
FETCHED = {"codes-3000": ("mps2-an386", "rv64gc"), "words-1000": ("lm3s6965evb",)}
WORDS = ("mps2-an386", "mps3-an547")
VOICES = ("microbit", "mps2-an386", "rv32imc")
RIGHT_MIN = 355  # of 370 speakers
STORES = ("mps2-an385", "mps2-an386", "rv32imc")
# Cores that only search, without one operation on floats: for which boards and what.
INTEGER = ("-DNIGH_SEARCH_ONLY", "-DNIGH_NO_FLOATS", "-DNIGH_NO_FILTERS", "-DNIGH_NO_CURSORS",
           "-DNIGH_NO_L1", "-DNIGH_NO_SOURCES", "-DNIGH_NO_CODES", "-DNIGH_NO_STRINGS",
           "-DNIGH_NO_REMOVED")
INTEGERS = {("microbit", "voice"), ("microbit", "bits-2000"), ("rv32imc", "voice")}
SOFT_FLOAT = re.compile(  # Arm's names, gcc's
    r" [tTwW] (__aeabi_(?:c?[fd](?:add|r?sub|mul|div|neg|cmp\w*|2\w+)|u?[il]2[fd])|"
    r"__(?:add|sub|mul|div|neg|eq|ne|ge|gt|le|lt|unord|fix|fixuns|float|floatun|extend|trunc)"
    r"(?:[sd]i)?[sd]f(?:[sd][if])?\d?)$", re.MULTILINE)
BUILT_ROWS = 300
BUILDERS = ("mps2-an385", "mps2-an386", "mps3-an547", "rv64gc")
BUILT = (*I8, "--m", "8")


def program(name):
    return os.path.join(ROOT, "embedded", "programs", name)


def support(*names):
    return [os.path.join(ROOT, "embedded", "boards", name) for name in names]


FLASH = [program("nor_chip.c"), os.path.join(ROOT, "embedded", "flash", "spi_nor.c"),
         *support("board_index.c")]


def values(output):
    """{"ram used": 1234, ...} from lines that end in a number."""
    return {name: int(number) for name, number in
            re.findall(r"^([a-z][a-z ]*) (\d+)$", output, re.MULTILINE)}


class Run:
    def __init__(self, options):
        self.count = count.Count()
        self.maker = images.Maker(golden.built(os.path.join(ROOT, "build", "bindings"))
                                  if not options.nigh else options.nigh,
                                  os.path.join(OUT, "data"))
        self.boards = options.boards or [name for name in boards.BOARDS if name != "host"]
        self.only = options.only
        self.made = {}

    def run(self, board, name, programs, blobs, defines=(), expect=0):
        """Builds and runs a program: (output, counts of instructions), or None."""
        elf = os.path.join(OUT, f"{board}-{name}.elf")
        switches = INTEGER if (board, name) in INTEGERS else ()
        try:
            boards.build(board, programs, elf, defines, blobs, switches, includes=INCLUDES, jobs=2)
        except boards.Failed as failed:
            self.count.check(f"{board} {name} is built", False, failed)
            return None
        if switches:
            tool = boards.BOARDS[board].compiler[0].replace("gcc", "nm")
            found = SOFT_FLOAT.findall(boards.run([tool, elf]).stdout)
            self.count.check(f"{board} {name}: no operation on floats", not found, found)
        status, output, counts = insn.count(board, elf, seconds=300)
        good = status == expect and "FAILED" not in output
        self.count.check(f"{board} {name} (exit status {status})", good, output)
        return (output, counts, boards.sizes(board, elf)) if good else None

    # ---- Searching ----------------------------------------------------------------------------

    def image(self, name):
        """(image, queries, lines that must be printed), made once."""
        if name not in self.made:
            rows, dim, named, ef, options, _ = IMAGES[name]
            path = self.maker.image(name, rows, dim, QUERIES, options, named)
            self.made[name] = (path, self.maker.path(f"{name}-queries.bin"),
                               self.maker.answers(f"{name}.nigh", f"{name}-queries.npy", K, ef))
        return self.made[name]

    def search(self, board, name):
        path, queries, want = self.image(name)
        ef = IMAGES[name][3]
        defines = [f"-DEF={ef}", f"-DK={K}", *(["-DQUERY_ROWS"] if "bits" in name else [])]
        done = self.run(board, name, [program("search_image.c"), *support("board_index.c")],
                        {"image": path, "queries": queries}, defines)
        if done is None:
            return
        output, counts, sizes = done
        got = [line for line in output.split("\n") if "\t" in line]
        self.lines(f"{board} {name}", got, want)
        told = values(output)
        asked = told["queries"]
        print(f"{board:11} {name:13} image {told['image']:9,} code "
              f"{sizes['flash'] - told['image']:6,} ram {told['ram used']:6,} stack "
              f"{told['stack attach']:5,} {told['stack search']:5,}; a query: "
              f"{told['distances'] // asked:3,} distances {counts['marked'] // asked:9,} "
              "instructions", flush=True)

    def lines(self, name, got, want):
        """Each line is a check."""
        same = sum(a == b for a, b in zip(got, want))
        wrong = [f"{a!r}, on the PC {b!r}" for a, b in zip(got, want) if a != b][:3]
        self.count.passed += same
        if same != len(want) or len(got) != len(want):
            self.count.check(f"{name}: {same} of {len(want)} lines are those of the PC, "
                             f"{len(got)} printed", False, "\n".join(wrong))

    # ---- Building -----------------------------------------------------------------------------

    def sums(self):
        """{"inserted": SHA-256, ...}: what the command makes of the same."""
        maker, rows = self.maker, self.maker.rows[:BUILT_ROWS]
        images.save_npy(maker.path("first.npy"), rows[:1])
        images.save_npy(maker.path("rest.npy"), rows[1:])
        images.save_npy(maker.path("all.npy"), rows)
        with open(maker.path("rows.bin"), "wb") as file:
            file.write(images.raw(rows))
        with open(maker.path("rest.txt"), "w", encoding="utf-8") as file:
            file.write("".join(f"{key}\n" for key in range(1, BUILT_ROWS)))

        def sha(name):
            return maker.nigh("sha", name).split()[0]
        maker.nigh("build", "first.npy", "-o", "first.nigh", *BUILT)
        maker.nigh("build", "first.npy", "-o", "inserted.nigh", *BUILT)
        maker.nigh("add", "inserted.nigh", "rest.npy", "--keys", "rest.txt")
        want = {"inserted": sha("inserted.nigh")}
        maker.nigh("pack", "inserted.nigh", "-o", "packed.nigh")
        want["packed"] = sha("packed.nigh")
        maker.nigh("remove", "inserted.nigh", *map(str, range(1, BUILT_ROWS, 7)))
        want["removed"] = sha("inserted.nigh")
        maker.nigh("vacuum", "inserted.nigh")
        want["vacuumed"] = sha("inserted.nigh")
        maker.nigh("build", "all.npy", "-o", "built.nigh", *BUILT)
        want["built"] = sha("built.nigh")
        return want

    def building(self, board):
        self.made["sums"] = self.made.get("sums") or self.sums()
        sources = [program("build_index.c"), *support("board_index.c"),
                   os.path.join(ROOT, "tests", "support", "sha256.c")]
        done = self.run(board, "build", sources, {"image": self.maker.path("first.nigh"),
                                                  "rows": self.maker.path("rows.bin")})
        if done is None:
            return
        output, counts, _ = done
        got = dict(re.findall(r"^(\w+) ([0-9a-f]{64})$", output, re.MULTILINE))
        for name, sum_ in self.made["sums"].items():
            self.count.check(f"{board}: nigh sha, {name}", got.get(name) == sum_,
                             f"{got.get(name)}, on the PC {sum_}")
        told = values(output)
        print(f"{board:12} {BUILT_ROWS} inserted and built: the same bytes; ram "
              f"{told['ram used']:,}  stack {told['stack used']:,}  an insert: "
              f"{counts['marked'] // BUILT_ROWS:,} instructions", flush=True)

    # ---- Flash --------------------------------------------------------------------------------

    def fetch(self, board, name):
        _, queries, want = self.image(name)
        graph, rows = self.maker.split(name)
        done = self.run(board, "fetch-" + name, [program("flash_fetch.c"), *FLASH],
                        {"image": graph, "vectors": rows, "queries": queries},
                        [f"-DEF={IMAGES[name][3]}"])
        if done is None:
            return
        told = values(done[0])
        got = [line for line in done[0].split("\n") if "\t" in line]
        self.lines(f"{board} fetch-{name}", got, want)
        self.count.check(f"{board} fetch-{name}: failures", told["failures"] >= 10, told)
        self.count.passed += told["failures"]
        asked = told["queries"]
        print(f"{board:11} {name:13} vectors on SPI flash: a query "
              f"{told['transactions'] / asked:.1f} transactions, {told['bus'] / asked:,.0f} bytes; "
              f"{told['failures']} failures seen; ram {told['ram used']:,} stack "
              f"{told['stack used']:,}", flush=True)

    def store(self, board):
        self.made["sums"] = self.made.get("sums") or self.sums()
        done = self.run(board, "store", [program("flash_store.c"), *FLASH],
                        {"rows": self.maker.path("rows.bin")})
        if done is None:
            return
        told = values(done[0])
        self.count.check(f"{board}: cuts", told["cuts"] > 200 and told["lost"] == 0, told)
        self.count.passed += told["cuts"] + told["failures"]
        commits = told["commits"]
        print(f"{board:11} store on NOR flash: {told['cuts']} cuts, before {told['cuts before']}, "
              f"after {told['cuts after']}; {told['failures']} failures; {commits} commits: "
              f"{told['erases'] / commits:.1f} erases, {told['programs'] / commits:.1f} programs "
              f"each; a page {told['erases least']} to {told['erases most']} erases, a superblock "
              f"{told['erases of a superblock']}", flush=True)

    # ---- Examples -----------------------------------------------------------------------------

    def words(self, board):
        image, _, _ = self.image("words-5000")
        want = list(examples.words(self.maker, image))
        done = self.run(board, "words", [os.path.join(examples.EXAMPLES, "words", "words.c"),
                                         *support("board_index.c")], {"image": image})
        if done is not None:
            self.lines(f"{board} words", examples.without_decimals(done[0]), want)
            print(f"{board:11} words: {', '.join(line.split(chr(9))[0] for line in want[:4])}; "
                  f"ram {values(done[0])['ram used']:,}", flush=True)

    def voice(self, board):
        self.made["voice"] = self.made.get("voice") or examples.voice(self.maker)
        image, want, right = self.made["voice"]
        heard = os.path.join(examples.EXAMPLES, "voice", "data", "heard.bin")
        done = self.run(board, "voice", [os.path.join(examples.EXAMPLES, "voice", "voice.c"),
                                         *support("board_index.c")],
                        {"image": image, "heard": heard})
        if done is None:
            return
        output, counts, sizes = done
        told = values(output)
        self.lines(f"{board} voice", [line for line in output.split("\n") if "\t" in line], want)
        self.count.check(f"{board} voice: as right as on the PC, and enough",
                         told["right"] == right and right >= RIGHT_MIN, f"{told}, PC {right}")
        code = sizes["flash"] - told["image"] - os.path.getsize(heard)
        print(f"{board:11} voice: {told['right']} of {told['utterances']} speakers; image "
              f"{told['image']:,} code {code:,} ram {told['ram used']:,}; "
              f"{counts['marked'] // told['utterances']:,} instructions each", flush=True)

    def all(self):
        for board in self.boards:
            for name, about in IMAGES.items():
                if board in about[5] and name.startswith(self.only):
                    self.search(board, name)
            for name, which in FETCHED.items():
                if board in which and ("fetch-" + name).startswith(self.only):
                    self.fetch(board, name)
            for what, which, check in (("build", BUILDERS, self.building),
                                       ("store", STORES, self.store),
                                       ("near", WORDS, self.words),
                                       ("voice", VOICES, self.voice)):
                if board in which and what.startswith(self.only):
                    check(board)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("boards", nargs="*", metavar="BOARD")
    parser.add_argument("--nigh", help="the nigh command; default: build it")
    parser.add_argument("--only", default="")
    run = Run(parser.parse_args())
    run.all()
    print(f"{run.count.passed} passed, {run.count.failed} failed")
    return 1 if run.count.failed or not run.count.passed else 0


if __name__ == "__main__":
    sys.exit(main())

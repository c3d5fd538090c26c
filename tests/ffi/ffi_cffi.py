#!/usr/bin/env python3
# ffi_cffi.py - the scenario of test_ffi from Python, by cffi in ABI mode: no compiler, no header
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: ffi_cffi.py LIBNIGH.SO FOLDER_OF_LOGS GOLDEN_FOLDER

Does what ffi_steps.c does, with bindings/python/nigh/declarations.py alone, and compares its logs
byte by byte with those that C left in the folder; then answers the queries of golden.py."""
import array
import json
import os
import struct
import sys

import cffi

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "bindings", "python", "nigh"))
import declarations as c  # noqa: E402

COUNT, DIM, K, QUERIES = 300, 12, 8, 5
STOP = c.NIGH_E_USER - 7
ANSWERS = struct.calcsize(f"<{QUERIES * K}Q{QUERIES * K}f{QUERIES * K}I{QUERIES}II")

ffi = cffi.FFI()
ffi.cdef(c.DECLARATIONS)


def numbers():
    """The rows and keys of ffi_steps.c."""
    state, values = 1, []
    for _ in range(COUNT * DIM):
        state = (state * 1664525 + 1013904223) & 0xffffffff
        values.append((state >> 12) / 1048576 - 0.5)
    return values, [(i << 40) + 7 * i + 1 for i in range(COUNT)]


class Answers:
    """The struct of ffi_steps.c, for one search or QUERIES of them."""

    def __init__(self):
        self.bytes = ffi.new("char[]", ANSWERS)
        self.keys = ffi.cast("uint64_t *", self.bytes)
        self.distances = ffi.cast("float *", self.keys + QUERIES * K)
        self.slots = ffi.cast("uint32_t *", self.distances + QUERIES * K)
        self.found = self.slots + QUERIES * K
        self.done = self.found + QUERIES

    def outputs(self, query=0):
        at = query * K
        return self.keys + at, ffi.NULL, self.distances + at, self.slots + at


def made(name, **fields):
    fields["struct_size"] = ffi.sizeof(name)
    return ffi.new(name + " *", fields)


class Steps:
    def __init__(self, library):
        self.library = library
        self.log = bytearray()
        self.kept = []  # memory and callbacks, as long as nigh may use them
        self.succeeded = set()
        values, keys = numbers()
        self.rows = ffi.new("float[]", values)
        self.keys = ffi.new("uint64_t[]", keys)
        self.fetched = self.hinted = self.dirtied = self.clock = 0
        self.blocks = {}  # that the pager has given out
        self.image = bytearray()
        self.entered = set()
        self.broken = None

    # ---- The log, memory, one call ---------------------------------------------------------------

    def note(self, data):
        self.log += bytes(ffi.buffer(data)) if isinstance(data, ffi.CData) else data

    def note_u32(self, number):
        self.note(struct.pack("<I", number))

    def call(self, name, *arguments):
        status = getattr(self.library, name)(*arguments)
        self.note(name.encode() + struct.pack("<i", status))
        if status == c.NIGH_OK:
            self.succeeded.add(name)
        return status

    def ok(self, name, *arguments):
        status = self.call(name, *arguments)
        if status != c.NIGH_OK:
            raise AssertionError(f"{name}: {status}")

    def plain(self, name, *arguments):
        """A function that cannot fail."""
        self.succeeded.add(name)
        return getattr(self.library, name)(*arguments)

    def take(self, size):
        memory = ffi.new("char[]", size + 64)
        self.kept.append(memory)
        address = int(ffi.cast("uintptr_t", memory))
        return ffi.cast("char *", (address + 63) // 64 * 64)

    def sized(self, name, *arguments):
        """Memory of the size that a *_bytes function tells: (memory, bytes)."""
        told = ffi.new("uint64_t *")
        self.ok(name, *arguments, told)
        return self.take(told[0]), told[0]

    def callback(self, name, function):
        def body(*arguments):
            self.entered.add(name)
            try:
                return function(*arguments)
            except BaseException as error:
                self.broken = self.broken or error  # cffi prints it and goes on
                raise
        made_callback = ffi.callback(name, body)
        self.kept.append(made_callback)
        return made_callback

    def row(self, number):
        return self.rows + number * DIM

    # ---- Callbacks -------------------------------------------------------------------------------

    def fetch(self, user, slots, keys, count, scratch, vectors):
        if self.fetched > 1000000:
            return STOP
        scratch = ffi.cast("float *", scratch)
        for i in range(count):
            slot = slots[i]
            assert keys[i] == slot
            if slot % 2 == 0:
                vectors[i] = self.row(slot)
            else:
                ffi.memmove(scratch + i * DIM, self.row(slot), 4 * DIM)
                vectors[i] = scratch + i * DIM
        self.fetched += count
        return c.NIGH_OK

    def prefetch(self, user, slots, keys, count):
        assert all(slots[i] < COUNT for i in range(count))
        self.hinted += count

    def distance(self, user, a, b, dim):
        x, y = ffi.cast("float *", a), ffi.cast("float *", b)
        return max(abs(x[i] - y[i]) for i in range(dim))

    def filter(self, user, slot, key):
        assert key[0] == self.keys[slot]
        return key[0] % 3 == 0

    def write(self, user, data, count):
        self.image += bytes(ffi.buffer(data, count))
        return c.NIGH_OK

    def map(self, user, region, block, size, address):
        if (region, block) not in self.blocks:
            self.blocks[region, block] = self.take(size)
        address[0] = self.blocks[region, block]
        return c.NIGH_OK

    def dirty(self, user, region, block, size, address):
        self.dirtied += 1
        return c.NIGH_OK

    def read_pages(self, user, offset, data, count):
        ffi.memmove(data, self.device + offset, count)
        return c.NIGH_OK

    def write_pages(self, user, offset, data, count):
        ffi.memmove(self.device + offset, data, count)
        return c.NIGH_OK

    def erase_pages(self, user, offset, count):
        ffi.memmove(self.device + offset, b"\xff" * count, count)
        return c.NIGH_OK

    def sync_pages(self, user):
        return c.NIGH_OK

    def tick(self, user):
        self.clock += 1000
        return self.clock

    # ---- Steps -----------------------------------------------------------------------------------

    def config(self, metric, keys, vectors):
        return made("nigh_config", dim=DIM, metric=metric, dtype=c.NIGH_DTYPE_F32, keys=keys,
                    vectors=vectors, m=6, ef_build=40, seed=0x123456789abcdef0, block_bytes=4096)

    def session_of(self, index, ef_max):
        options = made("nigh_session_options", ef_max=ef_max)
        session, told = ffi.new("nigh_session **"), ffi.new("uint64_t *")
        self.ok("nigh_session_bytes", index, options, told)
        self.note(told)
        self.ok("nigh_session_init", index, options, self.take(told[0]), told[0], session)
        return session[0]

    def index_of(self, config, upper_extra=0):
        options = made("nigh_options", slot_max=COUNT, upper_extra=upper_extra)
        index = ffi.new("nigh_index **")
        memory = self.sized("nigh_index_bytes", config, options)
        self.ok("nigh_index_init", config, options, *memory, index)
        self.ok("nigh_writer_init", index[0], *self.sized("nigh_writer_bytes", index[0]))
        return index[0]

    def grow(self, index, slots):
        self.ok("nigh_grow", index, slots, 0, *self.sized("nigh_grow_bytes", index, slots, 0))

    def search(self, index, session, ef):
        how, cost = made("nigh_search_options", ef=ef), made("nigh_session_stats")
        got, batch = Answers(), Answers()
        queries = ffi.new("float[]", QUERIES * DIM)
        for q in range(QUERIES):
            ffi.memmove(queries + q * DIM, self.row(50 * q), 4 * DIM)
            self.ok("nigh_search", index, session, self.row(50 * q), how, K, *got.outputs(q),
                    got.found + q)
        self.ok("nigh_session_stats_get", session, cost)
        self.note(cost)
        self.note(got.bytes)
        self.ok("nigh_search_batch", index, session, queries, QUERIES, how, K, *batch.outputs(),
                batch.found, batch.done)
        got.done[0] = QUERIES
        assert bytes(ffi.buffer(got.bytes)) == bytes(ffi.buffer(batch.bytes))

    def page(self, index, session):
        got = Answers()
        self.ok("nigh_cursor_begin", index, session, self.row(3), ffi.NULL)
        for _ in range(4):
            self.ok("nigh_cursor_next", index, session, K, *got.outputs(), got.found)
            self.note(got.bytes)

    def job(self, index, session, kind, count=0):
        options = made("nigh_job_options", kind=kind,
                       codes=c.NIGH_CODES_U7 if kind == c.NIGH_JOB_CODES else 0)
        progress, job = made("nigh_progress"), ffi.new("nigh_job **")
        memory = self.sized("nigh_job_bytes", index, options, count)
        self.ok("nigh_job_begin", index, options, self.keys if count else ffi.NULL, ffi.NULL,
                self.rows if count else ffi.NULL, count, *memory, job)
        while progress.state != c.NIGH_JOB_DONE:
            self.ok("nigh_job_run", job[0], session, progress)
            self.note(progress)
        self.ok("nigh_job_end", job[0])

    def check(self, index, session):
        report, stats, config = made("nigh_report"), made("nigh_stats"), made("nigh_config")
        self.ok("nigh_check", index, session, report)
        assert report.status == c.NIGH_OK
        self.ok("nigh_stats_get", index, stats)
        self.ok("nigh_config_get", index, config)
        for told in (report, stats, config):
            self.note(told)

    def about(self):
        halves, back = ffi.new("char[]", 2 * DIM * 2), ffi.new("float[]", 2 * DIM)
        text = ffi.string(self.plain("nigh_status_text", c.NIGH_E_KEY))
        self.note(text + b"\0")
        self.note_u32(self.plain("nigh_version"))
        self.note_u32(self.plain("nigh_features"))
        told = ffi.new("uint64_t *")
        self.ok("nigh_row_bytes", DIM, c.NIGH_DTYPE_F16, told)
        self.ok("nigh_convert", DIM, c.NIGH_DTYPE_F16, 2, self.rows, halves, ffi.NULL, ffi.NULL)
        self.ok("nigh_convert", DIM, c.NIGH_DTYPE_F16, 2, ffi.NULL, ffi.NULL, halves, back)
        self.note(halves)
        self.note(back)

    def change(self, index, session):
        done, slots, found = ffi.new("uint32_t *"), ffi.new("uint32_t[]", K), ffi.new("uint32_t *")
        top, flags, links = ffi.new("uint32_t *"), ffi.new("uint32_t *"), ffi.new("uint32_t[]", 64)
        listed, vectors = ffi.new("uint64_t[]", K), ffi.new("float[]", K * DIM)
        self.ok("nigh_insert", index, session, 0, self.keys, ffi.NULL, self.rows, 200, done)
        again = self.call("nigh_insert", index, session, 0, self.keys, ffi.NULL, self.rows, 1, done)
        assert again == c.NIGH_E_EXISTS
        self.ok("nigh_remove", index, session, self.keys + 10, ffi.NULL, 20, done)
        self.ok("nigh_unremove", index, session, self.keys + 12, ffi.NULL, 3, done)
        self.ok("nigh_set", index, session, 0, self.keys + 50, ffi.NULL, self.row(150), 2, done)
        self.ok("nigh_get", index, session, self.keys + 48, ffi.NULL, K, vectors, slots, done)
        self.note(vectors)
        self.note(slots)
        self.ok("nigh_keys", index, 9, K, listed, ffi.NULL, slots, found)
        assert listed[1] == self.keys[12]
        self.ok("nigh_node", index, 60, 0, top, flags, links, found)
        self.note(bytes(ffi.buffer(links))[:4 * found[0]])

    def filtered(self, index, session):
        bits = ffi.new("uint32_t[]", [0x55555555] * ((COUNT + 31) // 32))
        self.ok("nigh_session_filter", session, bits, COUNT, ffi.NULL, ffi.NULL)
        self.search(index, session, 30)
        wanted = self.callback("nigh_filter_fn", self.filter)
        self.ok("nigh_session_filter", session, ffi.NULL, 0, wanted, ffi.NULL)
        self.search(index, session, 30)
        self.ok("nigh_session_filter", session, ffi.NULL, 0, ffi.NULL, ffi.NULL)

    def owned(self):
        index = self.index_of(self.config(c.NIGH_METRIC_COSINE, c.NIGH_KEYS_U64,
                                          c.NIGH_VECTORS_OWNED))
        self.grow(index, 100)
        self.grow(index, COUNT)
        session = self.session_of(index, 600)
        self.change(index, session)
        self.search(index, session, 20)
        self.filtered(index, session)
        self.page(index, session)
        for kind in (c.NIGH_JOB_REFINE, c.NIGH_JOB_VACUUM, c.NIGH_JOB_CODES):
            self.job(index, session, kind)
        session = self.session_of(index, 600)
        self.search(index, session, 20)
        self.ok("nigh_tune", index, session, self.callback("nigh_clock_fn", self.tick), ffi.NULL)
        self.search(index, session, 20)
        self.check(index, session)
        told = ffi.new("uint64_t *")
        self.ok("nigh_save_bytes", index, 0, told)
        self.ok("nigh_save", index, 0, self.callback("nigh_write_fn", self.write), ffi.NULL)
        assert len(self.image) == told[0]
        self.note(self.image)

    def attached(self):
        size, done, index = len(self.image), ffi.new("uint32_t *"), ffi.new("nigh_index **")
        image = self.take(size)
        ffi.memmove(image, self.image, size)
        options = made("nigh_options", flags=c.NIGH_OPEN_WRITABLE)
        for first in (True, False):
            memory = self.sized("nigh_attach_bytes", image, size, options)
            self.ok("nigh_attach", image, size, options, *memory, index)
            if first:
                self.ok("nigh_writer_init", index[0], *self.sized("nigh_writer_bytes", index[0]))
                session = self.session_of(index[0], 64)
                self.ok("nigh_remove", index[0], session, self.keys + 100, ffi.NULL, 5, done)
                self.ok("nigh_seal", index[0])
                options.flags = c.NIGH_OPEN_VERIFY
        session = self.session_of(index[0], 64)
        self.search(index[0], session, 20)
        self.check(index[0], session)
        self.note(bytes(ffi.buffer(image, size)))

    def external(self):
        index = self.index_of(self.config(c.NIGH_METRIC_L2, c.NIGH_KEYS_IDENTITY,
                                          c.NIGH_VECTORS_EXTERNAL))
        done, got = ffi.new("uint32_t *"), Answers()
        self.grow(index, COUNT)
        session = self.session_of(index, 600)
        self.ok("nigh_index_fetch", index, self.callback("nigh_fetch_fn", self.fetch),
                self.callback("nigh_prefetch_fn", self.prefetch), ffi.NULL)
        self.ok("nigh_insert", index, session, 0, ffi.NULL, ffi.NULL, ffi.NULL, COUNT, done)
        self.search(index, session, 20)
        self.note_u32(self.fetched)
        self.note_u32(self.hinted)
        self.fetched = 0xffffffff
        status = self.call("nigh_search", index, session, self.rows, ffi.NULL, K, *got.outputs(),
                           got.found)
        assert status == STOP
        self.ok("nigh_index_borrow", index, self.rows, 4 * DIM, COUNT, 0)
        self.search(index, session, 20)
        self.check(index, session)

    def custom(self):
        index = self.index_of(self.config(c.NIGH_METRIC_CUSTOM, c.NIGH_KEYS_U64,
                                          c.NIGH_VECTORS_OWNED))
        self.ok("nigh_index_distance", index, self.callback("nigh_distance_fn", self.distance),
                ffi.NULL)
        self.grow(index, COUNT)
        session = self.session_of(index, 600)
        self.job(index, session, c.NIGH_JOB_BUILD, COUNT)
        self.search(index, session, 20)
        self.check(index, session)

    def paged(self):
        index = self.index_of(self.config(c.NIGH_METRIC_L2, c.NIGH_KEYS_U64, c.NIGH_VECTORS_OWNED))
        done = ffi.new("uint32_t *")
        self.ok("nigh_index_pager", index, self.callback("nigh_map_fn", self.map),
                self.callback("nigh_dirty_fn", self.dirty), ffi.NULL)
        self.ok("nigh_grow", index, COUNT, 0, ffi.NULL, 0)
        session = self.session_of(index, 64)
        self.ok("nigh_insert", index, session, 0, self.keys, ffi.NULL, self.rows, COUNT, done)
        self.note_u32(self.dirtied)
        self.search(index, session, 20)
        self.check(index, session)
        header, again = ffi.new("uint8_t[]", c.NIGH_HEADER_BYTES), ffi.new("nigh_index **")
        self.ok("nigh_header", index, header)
        self.note(header)
        self.ok("nigh_seal", index)
        memory = self.sized("nigh_attach_bytes", header, len(header), ffi.NULL)
        self.ok("nigh_attach_blocks", header, len(header), ffi.NULL,
                self.callback("nigh_map_fn", self.map), ffi.NULL, ffi.NULL, *memory, again)
        session = self.session_of(again[0], 64)
        self.search(again[0], session, 20)
        self.check(again[0], session)

    def file(self):
        config = self.config(c.NIGH_METRIC_L2, c.NIGH_KEYS_U64, c.NIGH_VECTORS_OWNED)
        index, done, facts = self.index_of(config), ffi.new("uint32_t *"), made("nigh_hnswlib")
        self.grow(index, COUNT)
        session = self.session_of(index, 64)
        self.ok("nigh_insert", index, session, 0, self.keys, ffi.NULL, self.rows, COUNT, done)
        self.image = bytearray()
        self.ok("nigh_hnswlib_write", index, session, 0, COUNT + 1,
                self.callback("nigh_write_fn", self.write), ffi.NULL)
        self.note(self.image)
        image, size = ffi.from_buffer(self.image), len(self.image)
        self.ok("nigh_hnswlib_config", image, size, config, facts)
        self.note(config)
        self.note(facts)
        index = self.index_of(config, facts.upper_extra)
        self.grow(index, COUNT)
        self.ok("nigh_hnswlib_read", index, image, size)
        session = self.session_of(index, 64)
        self.job(index, session, c.NIGH_JOB_ROOT)
        self.search(index, session, 20)
        self.check(index, session)


    def stored(self):
        index = self.index_of(self.config(c.NIGH_METRIC_L2, c.NIGH_KEYS_U64, c.NIGH_VECTORS_OWNED))
        pages, page_bytes, done = 300, 1024, ffi.new("uint32_t *")
        options = made("nigh_store_options", flags=c.NIGH_STORE_FORMAT, page_bytes=page_bytes,
                       page_count=pages - 10, program_bytes=16, super_count=3)
        found, stats = made("nigh_store_options"), made("nigh_store_stats")
        store, again = ffi.new("nigh_store **"), ffi.new("nigh_index **")
        told, blocks = ffi.new("uint64_t *"), ffi.new("uint64_t *")
        reader = self.callback("nigh_store_read_fn", self.read_pages)
        self.device = self.take(pages * page_bytes)
        self.grow(index, COUNT)
        session = self.session_of(index, 64)
        self.ok("nigh_insert", index, session, 0, self.keys, ffi.NULL, self.rows, COUNT, done)
        memory = self.sized("nigh_store_bytes", options)
        self.ok("nigh_store_open", options, reader,
                self.callback("nigh_store_write_fn", self.write_pages),
                self.callback("nigh_store_erase_fn", self.erase_pages),
                self.callback("nigh_store_sync_fn", self.sync_pages), ffi.NULL, *memory, store)
        self.ok("nigh_store_commit", store[0], index)
        self.note(ffi.buffer(self.device, pages * page_bytes))
        self.ok("nigh_store_find", reader, ffi.NULL, pages * page_bytes, found)
        self.note(found)
        memory = self.sized("nigh_store_bytes", found)
        self.ok("nigh_store_grow", store[0], pages, *memory, store)
        self.ok("nigh_store_attach_bytes", store[0], ffi.NULL, told, blocks)
        self.ok("nigh_store_attach", store[0], ffi.NULL, self.take(told[0]), told[0],
                self.take(blocks[0]), blocks[0], again)
        self.ok("nigh_store_stats_get", store[0], stats)
        self.note(stats)
        session = self.session_of(again[0], 64)
        self.search(again[0], session, 20)
        self.check(again[0], session)


def golden_answers(steps, folder):
    """The queries of golden.py, external vectors through a callback."""
    with open(os.path.join(folder, "golden.json"), encoding="utf-8") as file:
        golden = json.load(file)
    dim, k = golden["dim"], golden["k"]
    rows, queries = array.array("f"), array.array("f")
    for values, name in ((rows, golden["rows"]), (queries, golden["queries"])):
        with open(os.path.join(folder, name), "rb") as file:
            values.frombytes(file.read())
    rows, queries = ffi.new("float[]", list(rows)), ffi.new("float[]", list(queries))

    def fetch(user, slots, keys, count, scratch, vectors):
        for i in range(count):
            vectors[i] = rows + slots[i] * dim
        return c.NIGH_OK
    right = 0
    for case in golden["cases"]:
        with open(os.path.join(folder, case["image"]), "rb") as file:
            data = file.read()
        image, index, session = steps.take(len(data)), ffi.new("nigh_index **"), None
        ffi.memmove(image, data, len(data))
        memory = steps.sized("nigh_attach_bytes", image, len(data), ffi.NULL)
        steps.ok("nigh_attach", image, len(data), ffi.NULL, *memory, index)
        if case["external"]:
            steps.ok("nigh_index_fetch", index[0], steps.callback("nigh_fetch_fn", fetch),
                     ffi.NULL, ffi.NULL)
        session = steps.session_of(index[0], 64)
        for search in case["searches"]:
            how = made("nigh_search_options", ef=search["ef"])
            for q, want in enumerate(search["answers"]):
                got = hits(steps, index[0], session, queries + q * dim, how, k, case["keys"])
                assert got == want, (case["name"], search["ef"], q, got, want)
                right += 1
    return right


def hits(steps, index, session, query, how, k, kind):
    keys, lengths = ffi.new("char[]", k * 511), ffi.new("uint32_t[]", k)
    distances, slots, found = ffi.new("float[]", k), ffi.new("uint32_t[]", k), ffi.new("uint32_t *")
    steps.ok("nigh_search", index, session, query, how, k, keys, lengths, distances, slots, found)
    bits, at, got = ffi.cast("uint32_t *", distances), 0, []
    for i in range(found[0]):
        if kind == "bytes":
            key = bytes(ffi.buffer(keys + at, lengths[i])).decode()
            at += lengths[i]
        else:
            key = str(ffi.cast("uint64_t *", keys)[i])
        got.append([key, bits[i], slots[i]])
    return got


def zeros(library, model):
    """All-zero arguments: every function but the three that cannot fail says NIGH_E_INVALID."""
    for function in model["functions"]:
        arguments = [0 if p["type"]["pointers"] == 0 and p["role"] == "value" else ffi.NULL
                     for p in function["parameters"]]
        got = getattr(library, function["name"])(*arguments)
        if function["returns"]["base"] == "nigh_status":
            assert got == c.NIGH_E_INVALID, (function["name"], got)
        else:
            assert got, function["name"]
    return len(model["functions"])


def main(path, logs, golden_folder):
    with open(os.path.join(ROOT, "abi", "nigh.json"), encoding="utf-8") as file:
        model = json.load(file)
    library = ffi.dlopen(path)
    passed = zeros(library, model)
    steps = Steps(library)
    for name in ("about", "owned", "attached", "external", "custom", "paged", "file",
                 "stored"):
        getattr(steps, name)()
        with open(os.path.join(logs, name + ".log"), "rb") as file:
            want = file.read()
        if want != bytes(steps.log):
            at = next((i for i, pair in enumerate(zip(want, steps.log)) if pair[0] != pair[1]),
                      min(len(want), len(steps.log)))
            raise AssertionError(f"{name}: differs from C at byte {at} of {len(want)}: "
                                 f"{want[max(0, at - 60):at + 8]} {steps.log[at:at + 8]}")
        steps.log.clear()
        passed += 1
    passed += golden_answers(steps, golden_folder)
    if steps.broken:
        raise steps.broken
    left = {f["name"] for f in model["functions"]} - steps.succeeded
    left |= {f["name"] for f in model["callbacks"]} - steps.entered
    assert not left, f"never used: {left}"
    print(f"{passed + 1} passed, 0 failed")


if __name__ == "__main__":
    main(*sys.argv[1:])

# layout.py - sizes and offsets of the structures, as C compilers lay them out
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rules of the System V and AAPCS ABIs: a field lies at the next multiple of its alignment. They
differ in one thing here, where an i386 aligns a u64 to 4 bytes; the structures are written so that
this moves nothing: one that is not is refused here, and compilers confirm it in the tests."""

SIZES = {"u32": 4, "i32": 4, "f32": 4, "u64": 8}
TARGETS = {"64": {"pointer": 8, "u64": 8}, "32": {"pointer": 4, "u64": 8},
           "i386": {"pointer": 4, "u64": 4}}


class LayoutError(Exception):
    """A structure that has no single layout."""


def align_up(at, to):
    return (at + to - 1) // to * to


def lay_out(struct, target, known):
    """(size, offsets by field name, alignment)."""
    at, most, offsets = 0, 1, {}
    for field in struct["fields"]:
        kind = field["type"]
        if kind["pointers"] > 0:
            size = alignment = target["pointer"]
        elif kind["base"] in known:
            size, _, alignment = lay_out(known[kind["base"]], target, known)
        else:
            size = SIZES[kind["base"]]
            alignment = target["u64"] if kind["base"] == "u64" else size
        at = align_up(at, alignment)
        offsets[field["name"]] = at
        at += size
        most = max(most, alignment)
    return align_up(at, most), offsets, most


def add(model, below=()):
    """Structures get `size`, fields `offset`, in bytes: the same everywhere, or it is an error."""
    known = {struct["name"]: struct for one in (*below, model) for struct in one["structs"]}
    for struct in model["structs"]:
        laid = [lay_out(struct, target, known)[:2] for target in TARGETS.values()]
        if any(one != laid[0] for one in laid):
            raise LayoutError(f"{struct['name']} differs between 32 and 64 bits: {laid}")
        struct["size"], offsets = laid[0]
        for field in struct["fields"]:
            field["offset"] = offsets[field["name"]]
    return model

# text.py - what all templates share: wrapped comments, the mark of generated files, C declarations
# SPDX-License-Identifier: MIT OR Apache-2.0
import textwrap

C_NAMES = {"u32": "uint32_t", "i32": "int32_t", "u64": "uint64_t", "f32": "float"}


def lines_of(text, width):
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def marked(comment, what, header="abi/nigh.h"):
    return [f"{comment} {what}", f"{comment} SPDX-License-Identifier: MIT OR Apache-2.0",
            f"{comment} Generated from {header} by abi/generate.py. Do not edit.", ""]


def commented(text, open_, each, width=96):
    """A comment of one language, or nothing."""
    return [f"{open_ if i == 0 else each}{line}" for i, line in enumerate(lines_of(text, width))]


def c_type(kind):
    """A C type that a name can follow."""
    name = ("const " if kind["const"] else "") + C_NAMES.get(kind["base"], kind["base"])
    inner = " const" if kind.get("const_inner") else ""
    return f"{name}{inner} {'*' * kind['pointers']}"


def c_function(entry, pointer=False):
    arguments = ", ".join(c_type(p["type"]) + p["name"] for p in entry["parameters"]) or "void"
    name = f"(*{entry['name']})" if pointer else entry["name"]
    return f"{'typedef ' if pointer else ''}{c_type(entry['returns'])}{name}({arguments});"


def is_void(kind):
    return kind["base"] == "void" and kind["pointers"] == 0


def machine_type(parameter):
    """How a parameter travels: u32, i32, u64, f32 or pointer."""
    kind = parameter["type"]
    if kind["pointers"] > 0 or parameter.get("role") == "callback":
        return "pointer"
    return {"nigh_status": "i32"}.get(kind["base"], kind["base"])


def return_type(entry):
    kind = entry["returns"]
    if kind["pointers"] > 0:
        return "pointer"
    return {"nigh_status": "i32"}.get(kind["base"], kind["base"])

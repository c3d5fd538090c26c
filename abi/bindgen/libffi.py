# libffi.py - tests/ffi/descriptors.h: what libffi must be told to call each function
# SPDX-License-Identifier: MIT OR Apache-2.0
from .text import machine_type, marked, return_type

CODES = {"u32": "'u'", "i32": "'i'", "u64": "'U'", "f32": "'f'", "pointer": "'p'", "void": "'v'"}


def row(entry, address):
    codes = [CODES[machine_type(p)] for p in entry["parameters"]]
    arguments = ", ".join(codes) or "0"
    return f'    {{"{entry["name"]}", {address}, {CODES[return_type(entry)]}, {len(codes)}, ' \
           f"{{{arguments}}}}},"


def render(model):
    out = marked("//", "descriptors.h - how each function and callback is called, for libffi")
    most = max(len(e["parameters"]) for e in model["functions"] + model["callbacks"])
    out += ["#ifndef NIGH_DESCRIPTORS_H", "#define NIGH_DESCRIPTORS_H", '#include "nigh.h"', "",
            f"enum {{ DESCRIPTOR_MAX = {most} }};", "",
            "// u uint32_t, i int32_t, U uint64_t, f float, p pointer, v void",
            "typedef struct descriptor {", "    const char *name;", "    void (*address)(void);",
            "    char returns;", "    unsigned count;", "    char arguments[DESCRIPTOR_MAX];",
            "} descriptor;", "", "static const descriptor functions[] = {"]
    out += [row(function, f"(void (*)(void)){function['name']}") for function in model["functions"]]
    out += ["};", "", "static const descriptor callbacks[] = {"]
    out += [row(callback, "0") for callback in model["callbacks"]]
    out += ["};", "", "#endif", ""]
    return "\n".join(out)

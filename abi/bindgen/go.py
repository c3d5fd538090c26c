# go.py - constants, structure layouts and the function table for Go, with cgo and without
# SPDX-License-Identifier: MIT OR Apache-2.0
from .text import commented, machine_type, marked, return_type

TYPES = {"u32": "i32", "i32": "i32", "u64": "i64", "f32": "f32", "pointer": "i32", "void": ""}


def go_name(name):
    """NIGH_E_NOT_FOUND -> eNotFound, nigh_config -> nighConfig."""
    words = name.removeprefix("NIGH_").lower().split("_")
    return words[0] + "".join(word.capitalize() for word in words[1:])


def aligned(lines):
    """As gofmt wants it: in lines that follow each other directly the `=` stand in one column."""
    out, group = [], []
    for line in lines + [""]:
        if " = " in line and "//" not in line:
            group.append(line.split(" = "))
            continue
        width = max((len(name) for name, _ in group), default=0)
        out += [f"{name:{width}} = {value}" for name, value in group]
        group = []
        out.append(line)
    return out[:-1]


def constants(model):
    out = []
    for enum in model["enums"]:
        out += commented(enum["doc"], "// ", "// ")
        out.append("const (")
        for value in enum["values"]:
            out += ["\t" + line for line in commented(value["doc"], "// ", "// ")]
            out.append(f"\t{go_name(value['name'])} = {value['value']}")
        out += [")", ""]
    return aligned(out)


def errors(model):
    """A sentinel for each status of the library's own, for errors.Is."""
    out = ["// What errors.Is finds in the errors of this package.", "const ("]
    for enum in model["enums"]:
        for value in enum["values"]:
            if value["name"].startswith("NIGH_E_") and value["name"] != "NIGH_E_USER":
                name = "Err" + go_name(value["name"])[1:]
                out += ["\t" + line for line in
                        commented(f"{name}: {value['doc']}", "// ", "// ", 92)]
                out.append(f"\t{name} Status = {go_name(value['name'])}")
    return aligned(out + [")", ""])


def layouts(model):
    """Sizes and offsets as constants: what is written into a module's memory by hand."""
    out = []
    for struct in model["structs"]:
        name = go_name(struct["name"].removeprefix("nigh_"))
        out += [f"// {struct['name']}", "const ("]
        out.append(f"\t{name}Size = {struct['size']}")
        out += [f"\t{name}{''.join(w.capitalize() for w in field['name'].split('_'))} = "
                f"{field['offset']}" for field in struct["fields"]]
        out += [")", ""]
    return aligned(out)


def functions(model):
    out = ["// functions are the module's exports: WASM's types of parameters, then the result.",
           "var functions = map[string][]string{"]
    width = max(len(function["name"]) for function in model["functions"]) + 3
    for function in model["functions"]:
        types = [TYPES[machine_type(p)] for p in function["parameters"]]
        types.append(TYPES[return_type(function)])
        name = f'"{function["name"]}":'
        out.append(f"\t{name:{width}} {{" + ", ".join(f'"{t}"' for t in types) + "},")
    return out + ["}", ""]


def render(model):
    """bindings/go/constants.go"""
    return "\n".join(marked("//", "constants.go - the constants of nigh.h")
                     + ["//go:build cgo", "", "package nigh", ""] + constants(model)
                     + errors(model)).rstrip("\n") + "\n"


def render_wasm(model):
    """bindings/go/nighwasm/layout.go"""
    return "\n".join(marked("//", "layout.go - constants, layouts and exports of the module")
                     + ["package nighwasm", ""] + constants(model) + layouts(model)
                     + functions(model))

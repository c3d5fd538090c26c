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
    out = ["// export is a function of the module: its name, WASM's types of its parameters, and",
           "// of its result, the last of them.", "type export struct {", "\tname  string",
           "\ttypes []string", "}", "", "// Places in exports.", "const ("]
    names = [go_name(entry["name"].replace("nigh", "call", 1)) for entry in model["functions"]]
    out += [f"\t{name}" + (" = iota" if i == 0 else "") for i, name in enumerate(names)]
    out += ["\tabiCount", ")", "", "// exports are nigh.h's functions.",
            "var exports = [...]export{"]
    for function in model["functions"]:
        types = [TYPES[machine_type(p)] for p in function["parameters"]]
        types.append(TYPES[return_type(function)])
        quoted = ", ".join(f'"{kind}"' for kind in types)
        out.append(f'\t{{"{function["name"]}", []string{{{quoted}}}}},')
    return out + ["}", ""]


def render(model):
    """bindings/go/constants.go"""
    return "\n".join(marked("//", "constants.go - the constants of nigh.h")
                     + ["//go:build cgo", "", "package nigh", ""] + constants(model)
                     + errors(model)).rstrip("\n") + "\n"


def render_wasm(model):
    """bindings/go/nighwasm/layout.go"""
    return "\n".join(marked("//", "layout.go - constants, layouts and exports of the module")
                     + ["package nighwasm", ""] + constants(model) + errors(model)
                     + layouts(model) + functions(model)).rstrip("\n") + "\n"

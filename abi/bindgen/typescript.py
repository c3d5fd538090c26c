# typescript.py - bindings/js/src/abi.ts: constants, layouts, and the exports of the module
# SPDX-License-Identifier: MIT OR Apache-2.0
from .text import commented, is_void, machine_type, marked, return_type

TYPES = {"u32": "number", "i32": "number", "u64": "bigint", "f32": "number", "pointer": "Pointer"}
# A letter for each field of a structure, in order.
KINDS = {"u32": "u", "i32": "i", "u64": "U", "f32": "f"}


def comment(text, indent=""):
    lines = commented(text, "", "", 92 - len(indent))
    if not lines:
        return []
    if len(lines) == 1:
        return [f"{indent}/** {lines[0]} */"]
    return [f"{indent}/**"] + [f"{indent} * {line}" for line in lines] + [f"{indent} */"]


def signature(entry):
    arguments = ", ".join(f"{p['name']}: {TYPES[machine_type(p)]}" for p in entry["parameters"])
    result = "void" if is_void(entry["returns"]) else TYPES[return_type(entry)]
    return f"({arguments}): {result}"


def render(model):
    out = marked("//", "abi.ts - nigh.h for TypeScript")
    out += ["/** A place in the module's memory, in bytes; 0 is NULL. */",
            "export type Pointer = number;", ""]
    for enum in model["enums"]:
        out += [f"// {line}" for line in commented(enum["doc"], "", "")]
        for value in enum["values"]:
            out += comment(value["doc"])
            out.append(f"export const {value['name']} = {value['value']};")
        out.append("")
    for struct in model["structs"]:
        out += comment(struct["doc"])
        out.append(f"export const {struct['name']} = {{")
        out.append(f"  size: {struct['size']},")
        kinds = "".join(KINDS[field["type"]["base"]] for field in struct["fields"])
        out.append(f'  kinds: "{kinds}",')
        out += [f"  {field['name']}: {field['offset']}," for field in struct["fields"]]
        out += ["} as const;", ""]
    out += ["/** What the module exports. Callbacks are numbers of its function table. */",
            "export interface NighExports {", "  memory: WebAssembly.Memory;"]
    for function in model["functions"]:
        out += comment(function["doc"], "  ")
        out.append(f"  {function['name']}{signature(function)};")
    out += ["}", ""]
    return "\n".join(out)

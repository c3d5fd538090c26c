# markdown.py - abi/ABI.md: the reference
# SPDX-License-Identifier: MIT OR Apache-2.0
from .text import c_function, lines_of


def table(head, rows):
    def line(cells):
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    return [line(head), "|" + "---|" * len(head), *map(line, rows), ""]


def paragraph(text):
    return lines_of(text, 120) + [""] if text else []


def entry(found):
    out = [f"### `{found['name']}`", "", "```c", c_function(found), "```", ""]
    out += paragraph(found["doc"])
    rows = [(f"`{p['name']}`", p["direction"], p["shape"], "yes" if p["nullable"] else "",
             "yes" if p["kept"] else "") for p in found["parameters"] if "shape" in p]
    if rows:
        out += table(("pointer", "direction", "elements", "may be NULL", "kept"), rows)
    if found.get("errors_text"):
        out += paragraph("Errors: " + found["errors_text"])
    return out


def render(model):
    version = model["version"]
    out = ["# nigh.h", "", "Generated from `abi/nigh.h` by `abi/generate.py`. Do not edit.", "",
           f"Version {version['major']}.{version['minor']}.{version['patch']}.", "", "## Constants",
           ""]
    for enum in model["enums"]:
        out += paragraph(enum["doc"])
        out += table(("name", "value", ""), [(f"`{value['name']}`", value["value"], value["doc"])
                                             for value in enum["values"]])
    out += ["## Structures", ""]
    for struct in model["structs"]:
        out += [f"### `{struct['name']}`, {struct['size']} bytes", ""] + paragraph(struct["doc"])
        out += table(("offset", "field", "type", ""),
                     [(field["offset"], f"`{field['name']}`", field["type"]["base"], field["doc"])
                      for field in struct["fields"]])
    out += ["## Callbacks", ""]
    for callback in model["callbacks"]:
        out += entry(callback)
    section = None
    for function in model["functions"]:
        if function["section"] != section:
            section = function["section"]
            out += [f"## {section}", ""]
        out += entry(function)
    return "\n".join(out).rstrip() + "\n"

# exports.py - which symbols leave the library: linker version script, .def, WASM export list
# SPDX-License-Identifier: MIT OR Apache-2.0
from .text import marked


def render_map(model):
    names = "\n".join(f"        {function['name']};" for function in model["functions"])
    head = "\n".join(line for line in marked("#", "what the shared library exports") if line)
    version = model["version"]["major"]
    return f"{head}\nNIGH_{version} {{\n    global:\n{names}\n    local:\n        *;\n}};\n"


def render_def(model):
    head = "\n".join(line for line in marked(";", "what nigh.dll exports") if line)
    return head + "\nLIBRARY nigh\nEXPORTS\n" + "".join(
        f"    {function['name']}\n" for function in model["functions"])


def render_wasm(model):
    """A response file for wasm-ld (@file): one option a line."""
    return "".join(f"--export={function['name']}\n" for function in model["functions"])

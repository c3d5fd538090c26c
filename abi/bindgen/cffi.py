# cffi.py - bindings/python/nigh/_declarations.py, for cffi in ABI mode
# SPDX-License-Identifier: MIT OR Apache-2.0
from .text import c_function, c_type, marked


def render(model):
    """Declarations only: constants are Python's, so that cffi has nothing to look up."""
    out = marked("#", "what cffi.FFI().cdef wants, and the constants")
    for enum in model["enums"]:
        out += [f"{value['name']} = {value['value']}" for value in enum["values"]]
    out += ["", "# Bytes, and where fields begin: the same on 32 and 64 bits.", "SIZES = {"]
    for struct in model["structs"]:
        offsets = ", ".join(f'"{field["name"]}": {field["offset"]}' for field in struct["fields"])
        out += [f'    "{struct["name"]}": ({struct["size"]}, {{', f"        {offsets}", "    }),"]
    out += ["}", "", "FUNCTIONS = ["]
    out += [f'    "{function["name"]}",' for function in model["functions"]]
    out += ["]", "", 'DECLARATIONS = """', "typedef int32_t nigh_status;"]
    out += [f"typedef struct {opaque['name']} {opaque['name']};" for opaque in model["opaque"]]
    for struct in model["structs"]:
        out += [f"typedef struct {struct['name']} {{"]
        out += [f"    {c_type(field['type'])}{field['name']};" for field in struct["fields"]]
        out += [f"}} {struct['name']};"]
    out += [c_function(callback, pointer=True) for callback in model["callbacks"]]
    out += [c_function(function) for function in model["functions"]]
    out += ['"""', ""]
    return "\n".join(out)

# luajit.py - bindings/luajit/nigh.lua: the sixth language, to show what one costs
# SPDX-License-Identifier: MIT OR Apache-2.0
from .text import c_function, c_type, marked


def render(model):
    out = marked("--", "nigh.h for LuaJIT's FFI: require('nigh')(path of the shared library)")
    out += ["local ffi = require('ffi')", "", "ffi.cdef [[", "typedef int32_t nigh_status;"]
    out += [f"typedef struct {opaque['name']} {opaque['name']};" for opaque in model["opaque"]]
    for struct in model["structs"]:
        fields = " ".join(f"{c_type(field['type'])}{field['name']};" for field in struct["fields"])
        out.append(f"typedef struct {{ {fields} }} {struct['name']};")
    out += [c_function(callback, pointer=True) for callback in model["callbacks"]]
    out += [c_function(function) for function in model["functions"]]
    out += ["]]", "", "local constants = {"]
    for enum in model["enums"]:
        out += [f"  {value['name']} = {value['value']}," for value in enum["values"]]
    out += ["}", "", "return function(path)", "  return ffi.load(path), constants", "end", ""]
    return "\n".join(out)

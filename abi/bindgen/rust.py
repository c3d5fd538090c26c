# rust.py - bindings/rust-sys/src/ffi.rs
# SPDX-License-Identifier: MIT OR Apache-2.0
from .text import is_void, lines_of, marked

SCALARS = {"u32": "u32", "i32": "i32", "u64": "u64", "f32": "f32", "void": "c_void",
           "char": "c_char", "nigh_status": "nigh_status"}
WORDS = {"type": "type_", "fn": "fn_", "match": "match_", "ref": "ref_"}


def rust_type(kind):
    name = SCALARS.get(kind["base"], kind["base"])
    for level in range(kind["pointers"]):
        const = kind["const"] if level == 0 else kind.get("const_inner", False)
        name = f"*{'const' if const else 'mut'} {name}"
    return name


def argument_type(parameter):
    kind = parameter["type"]
    if parameter["role"] == "callback":
        return f"Option<{kind['base']}>"
    return rust_type(kind)


def doc(text, indent=""):
    return [f"{indent}/// {line}" for line in lines_of(text, 96 - len(indent))] if text else []


def signature(entry):
    arguments = ", ".join(f"{WORDS.get(p['name'], p['name'])}: {argument_type(p)}"
                          for p in entry["parameters"])
    kind = entry["returns"]
    return f"({arguments})" + ("" if is_void(kind) else f" -> {rust_type(kind)}")


def pointer_docs(entry):
    found = []
    for p in entry["parameters"]:
        if "shape" in p:
            null = ", may be null" if p["nullable"] else ""
            kept = ", kept after the call" if p["kept"] else ""
            found.append(f"* `{p['name']}`: {p['direction']}, {p['shape']}{kept}{null}")
    return found


def function_doc(entry, indent):
    out = doc(entry["doc"], indent)
    pointers = pointer_docs(entry)
    if pointers:
        out += [f"{indent}///"] + [f"{indent}/// {line}" for line in pointers]
    if entry.get("errors_text"):
        out += [f"{indent}///"] + doc("Errors: " + entry["errors_text"], indent)
    return out


def render(model):
    out = marked("//", "nigh.h for Rust: what C says, nothing more")
    out += ["#![allow(non_camel_case_types)]", "", "use core::ffi::{c_char, c_void};", "",
            "pub type nigh_status = i32;", ""]
    for enum in model["enums"]:
        out += [f"// {line}" for line in lines_of(enum["doc"], 96)]
        for value in enum["values"]:
            out += doc(value["doc"])
            kind = "nigh_status" if value["value"] < 0 or value["name"] == "NIGH_OK" else "u32"
            out.append(f"pub const {value['name']}: {kind} = {value['value']};")
        out.append("")
    for opaque in model["opaque"]:
        out += doc(opaque["doc"])
        out += ["#[repr(C)]", f"pub struct {opaque['name']} {{", "    _private: [u8; 0],", "}", ""]
    for struct in model["structs"]:
        out += doc(struct["doc"])
        out += ["#[repr(C)]", "#[derive(Clone, Copy, Debug, PartialEq)]",
                f"pub struct {struct['name']} {{"]
        for field in struct["fields"]:
            out += doc(field["doc"], "    ")
            out.append(f"    pub {field['name']}: {rust_type(field['type'])},")
        out += ["}", "", f"impl Default for {struct['name']} {{",
                "    /// Zeros, which mean the defaults, and the size of the structure.",
                "    fn default() -> Self {", "        Self {"]
        for field in struct["fields"]:
            if field["name"] == "struct_size":
                out.append("            struct_size: core::mem::size_of::<Self>() as u32,")
            else:
                zero = "0.0" if field["type"]["base"] == "f32" else "0"
                out.append(f"            {field['name']}: {zero},")
        out += ["        }", "    }", "}", ""]
        out.append("const _: () = {")
        out.append(f"    assert!(core::mem::size_of::<{struct['name']}>() == {struct['size']});")
        for field in struct["fields"]:
            out.append(f"    assert!(core::mem::offset_of!({struct['name']}, {field['name']}) == "
                       f"{field['offset']});")
        out += ["};", ""]
    for callback in model["callbacks"]:
        out += function_doc(callback, "")
        out += [f"pub type {callback['name']} =",
                f"    unsafe extern \"C\" fn{signature(callback)};", ""]
    out.append('unsafe extern "C" {')
    for function in model["functions"]:
        out += function_doc(function, "    ")
        out.append(f"    pub fn {function['name']}{signature(function)};")
    out += ["}", ""]
    return "\n".join(out)

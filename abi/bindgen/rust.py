# rust.py - bindings/rust-sys/src/ffi.rs, and what its feature `lmdb` adds
# SPDX-License-Identifier: MIT OR Apache-2.0
import re

from .text import is_void, lines_of, marked

SCALARS = {"u32": "u32", "i32": "i32", "u64": "u64", "f32": "f32", "void": "c_void",
           "char": "c_char", "nigh_status": "nigh_status"}
COLUMNS = 100  # of rustfmt
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


def escaped(text):
    """rustdoc takes [x] for a link and <x> for a tag, and *x* is stressed."""
    return re.sub(r"([\[\]<>*])", r"\\\1", text)


def doc(text, indent=""):
    if not text:
        return []
    return [f"{indent}/// {line}" for line in lines_of(escaped(text), COLUMNS - 4 - len(indent))]


def signature(entry, head, indent=""):
    """As rustfmt lays it out: on one line, or a line for each argument."""
    arguments = [f"{WORDS.get(p['name'], p['name'])}: {argument_type(p)}"
                 for p in entry["parameters"]]
    kind = entry["returns"]
    tail = ("" if is_void(kind) else f" -> {rust_type(kind)}") + ";"
    line = f"{indent}{head}({', '.join(arguments)}){tail}"
    if len(line) <= COLUMNS:
        return [line]
    return [f"{indent}{head}(", *(f"{indent}    {one}," for one in arguments),
            f"{indent}){tail}"]


def default_value(struct):
    """On one line if it fits, as rustfmt has it."""
    fields = []
    for field in struct["fields"]:
        base = field["type"]["base"]
        zero = {"f32": "0.0"}.get(base, "0" if base in SCALARS else f"{base}::default()")
        size = "core::mem::size_of::<Self>() as u32"
        fields.append(f"{field['name']}: {size if field['name'] == 'struct_size' else zero}")
    line = f"        Self {{ {', '.join(fields)} }}"
    if len(line) <= COLUMNS:
        return [line]
    return ["        Self {", *(f"            {field}," for field in fields), "        }"]


def callback_type(entry):
    """As rustfmt: on one line, else the type on the next, else a line for each argument."""
    name = f"pub type {entry['name']} ="
    for head, rest in ((f'{name} unsafe extern "C" fn', []), ('    unsafe extern "C" fn', [name])):
        lines = signature(entry, head)
        if len(lines) == 1:
            return rest + lines
    return signature(entry, f'{name} unsafe extern "C" fn')


def pointer_docs(entry):
    found = []
    for p in entry["parameters"]:
        if "shape" in p:
            null = ", may be null" if p["nullable"] else ""
            kept = ", kept after the call" if p["kept"] else ""
            found.append(f"* `{p['name']}`: {p['direction']}, `{p['shape']}`{kept}{null}")
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
    return "\n".join(out + declarations(model))


def render_beside(name):
    """A template for a header of hosted/, whose declarations stand beside those of nigh.h."""
    def render_one(model):
        out = marked("//", f"{name} for Rust: what C says, nothing more", f"hosted/{name}")
        out += ["#![allow(non_camel_case_types)]", "", "use core::ffi::{c_char, c_void};", "",
                "use crate::ffi::*;", ""]
        return "\n".join(out + declarations(model))
    return render_one


def declarations(model):
    out = []
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
                "    fn default() -> Self {", *default_value(struct), "    }", "}", ""]
        out.append("const _: () = {")
        out.append(f"    assert!(core::mem::size_of::<{struct['name']}>() == {struct['size']});")
        for field in struct["fields"]:
            out.append(f"    assert!(core::mem::offset_of!({struct['name']}, {field['name']}) == "
                       f"{field['offset']});")
        out += ["};", ""]
    for callback in model["callbacks"]:
        out += function_doc(callback, "")
        out += callback_type(callback) + [""]
    out.append('unsafe extern "C" {')
    for function in model["functions"]:
        out += function_doc(function, "    ")
        out += signature(function, f"pub fn {function['name']}", "    ")
    return out + ["}", ""]

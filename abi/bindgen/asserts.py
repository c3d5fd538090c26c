# asserts.py - tests/ffi/layout.h: what a compiler must agree to
# SPDX-License-Identifier: MIT OR Apache-2.0
from .text import marked


def render(model):
    out = marked("//", "layout.h - sizes and offsets of structures, for any compiler to confirm")
    out += ["#ifndef NIGH_LAYOUT_H", "#define NIGH_LAYOUT_H", "#include <stddef.h>", "",
            '#include "nigh.h"', "",
            "#define AT(type, field, offset) \\",
            "    _Static_assert(offsetof(type, field) == (offset), #type \".\" #field \" moved\")",
            "#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type \" grew\")",
            "",
            '_Static_assert(sizeof(nigh_status) == 4 && (nigh_status)-1 < 0, "int32_t");',
            '_Static_assert(sizeof(float) == 4, "f32");']
    for struct in model["structs"]:
        out.append("")
        out += [f"AT({struct['name']}, {field['name']}, {field['offset']});"
                for field in struct["fields"]]
        out.append(f"SIZE({struct['name']}, {struct['size']});")
    return "\n".join([*out, "", "#undef AT", "#undef SIZE", "#endif", ""])

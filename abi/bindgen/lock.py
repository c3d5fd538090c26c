# lock.py - abi/nigh.lock: every promise of the ABI, a line each; lines are only ever appended
# SPDX-License-Identifier: MIT OR Apache-2.0
from .text import c_function, c_type


class LockError(Exception):
    """Something that callers rely on is gone or is another."""


def promises(model):
    found = []
    for enum in model["enums"]:
        found += [f"constant {value['name']} {value['value']}" for value in enum["values"]]
    for struct in model["structs"]:
        found += [f"field {struct['name']} {field['offset']} {c_type(field['type'])}{field['name']}"
                  for field in struct["fields"]]
    found += [f"opaque {opaque['name']}" for opaque in model["opaque"]]
    found += ["callback " + c_function(callback, pointer=True) for callback in model["callbacks"]]
    found += ["function " + c_function(function) for function in model["functions"]]
    return found


def render(model, before):
    """The old lines, then what is new."""
    old = [line for line in before.splitlines() if line and not line.startswith("#")]
    new = promises(model)
    lost = [line for line in old if line not in new]
    if lost:
        raise LockError("the ABI no longer keeps these promises:\n  " + "\n  ".join(lost))
    head = ["# nigh.lock - what callers of nigh.h rely on; abi/generate.py appends, nobody removes"]
    return "\n".join(head + old + [line for line in new if line not in old]) + "\n"

# rules.py - what nigh.h must not say: legal C that a language has not, or that means another thing
# SPDX-License-Identifier: MIT OR Apache-2.0
NUMBERS = ("u32", "i32", "u64", "f32", "nigh_status")
INTEGERS = range(-2**31, 2**32)
# Of C++, which reads the header too, and of Rust and TypeScript, where parameters keep their names.
# (Rust's `type`, `fn`, `match` and `ref` get other ones there.)
RESERVED = set("""and as async await bool break case catch class const constructor continue crate
    debugger default delete do double dyn else enum explicit export extends extern false final
    finally float for friend function gen goto if impl implements import in inline instanceof int
    interface let long loop mod move mut mutable namespace new not null operator or override package
    private protected pub public register return self short signed sizeof static struct super switch
    template this throw trait true try typedef typeid typename typeof union unsafe unsigned use
    using var virtual void volatile where while with xor yield""".split())


class HeaderError(Exception):
    """Something in the header that is not for all languages, or that the reader does not know."""


def once(names, what):
    """Names by which something is found."""
    seen = set()
    for name in names:
        if name in seen:
            raise HeaderError(f"{what}: {name} is there twice")
        if name in RESERVED:
            raise HeaderError(f"{what}: {name} is a word of another language")
        seen.add(name)
    return seen


def check_type(where, kind, known):
    """A number, a callback, or a pointer to what the header declares."""
    base, pointers = kind["base"], kind["pointers"]
    if base in NUMBERS or (pointers > 0 and base in known["pointed"]):
        if kind["const"] and pointers == 0:
            raise HeaderError(f"{where}: a const value")
    elif base not in known["callbacks"] or pointers > 0 or kind["const"]:
        raise HeaderError(f"{where}: {base}{'*' * pointers} is no type of a parameter or a field")


def check_direction(where, parameter):
    """`const` and the tag say the same."""
    kind = parameter["type"]
    if parameter["role"] != "pointer" or kind["pointers"] != 1 or parameter["shape"] == "any":
        return  # any: an object of another library, which only that one looks into
    if kind["const"] != (parameter["direction"] == "in"):
        raise HeaderError(f"{where}: @{parameter['direction']}, but "
                          f"{'' if kind['const'] else 'not '}const")


def check_call(entry, known, errors):
    name = entry["name"]
    once([parameter["name"] for parameter in entry["parameters"]], name)
    for parameter in entry["parameters"]:
        where = f"{name}: {parameter['name']}"
        check_type(where, parameter["type"], known)
        check_direction(where, parameter)
    returns = entry["returns"]
    if returns["pointers"] > 0 or returns["base"] != "void":
        check_type(f"{name}: what it returns", returns, {**known, "callbacks": ()})
    for error in entry["errors"]:
        if error not in errors:
            raise HeaderError(f"{name}: there is no {error}")


def check(model, below=()):
    """Raises HeaderError. `below`: models of the headers that this one includes."""
    values = [value for one in (*below, model) for enum in one["enums"] for value in enum["values"]]
    constants = once([value["name"] for value in values], "enum")
    for value in values:
        if value["value"] not in INTEGERS:
            raise HeaderError(f"{value['name']} does not fit 32 bits")
    groups = [once([one["name"] for each in (*below, model) for one in each[kind]], kind)
              for kind in ("structs", "opaque", "callbacks", "functions")]
    once([name for group in groups for name in sorted(group)], "declarations")
    known = {"pointed": {"void", "char"} | groups[0] | groups[1], "callbacks": groups[2]}
    for struct in model["structs"]:
        once([field["name"] for field in struct["fields"]], struct["name"])
        if not struct["fields"]:
            raise HeaderError(f"{struct['name']} has no fields")
        for field in struct["fields"]:
            kind = field["type"]
            if kind["base"] not in groups[0] or kind["pointers"] > 0:  # a structure within
                check_type(f"{struct['name']}: {field['name']}", kind, {**known, "callbacks": ()})
    for callback in model["callbacks"]:
        first = callback["parameters"][:1]
        if not first or (first[0]["name"], first[0]["role"]) != ("user", "user"):
            raise HeaderError(f"{callback['name']}: its first parameter is void *user")
    for entry in model["callbacks"] + model["functions"]:
        check_call(entry, known, constants)

#!/usr/bin/env python3
# rust_api.py - the public interface of a crate as lines of text, which may only grow
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/bindings/rust_api.py JSON LIST [--update]

JSON is what rustdoc writes with --output-format json, LIST the committed lines. Fails when a line
of LIST is gone: whoever used it would no longer compile, so it needs a new version and a change of
LIST by hand. Lines that are new are added by --update, and are a failure without it."""
import json
import sys

FORMAT = 57  # of rustdoc's JSON; others may name things otherwise
PRIVATE = ("Freeze", "UnsafeUnpin")  # traits that nobody outside of the compiler can name


class Unknown(Exception):
    pass


def path(one):
    return one["path"].split("::")[-1] + arguments(one.get("args"))


def arguments(args):
    if not args:
        return ""
    if "parenthesized" in args:
        inside = args["parenthesized"]
        output = inside["output"]
        gives = f" -> {kind(output)}" if output else ""
        return f"({', '.join(map(kind, inside['inputs']))}){gives}"
    inside = args["angle_bracketed"]
    words = [argument(one) for one in inside["args"]]
    words += [f"{one['name']} = {term(one['binding']['equality'])}" for one in inside["constraints"]
              if "equality" in one["binding"]]
    return f"<{', '.join(words)}>" if words else ""


def argument(one):
    if one == "infer":
        return "_"
    (name, value), = one.items()
    return value if name == "lifetime" else value["expr"] if name == "const" else kind(value)


def term(one):
    return kind(one["type"]) if "type" in one else one["constant"]["expr"]


def bounds(some):
    words = []
    for one in some:
        (name, value), = one.items()
        if name == "trait_bound":
            mark = "?" if value["modifier"] == "maybe" else ""
            words.append(binder(value["generic_params"]) + mark + path(value["trait"]))
        elif name == "outlives":
            words.append(value)
        else:
            words.append("use<..>")
    return " + ".join(words)


def binder(params):
    names = ", ".join(one["name"] for one in params)
    return f"for<{names}> " if names else ""


def reference(one):
    life = one["lifetime"] + " " if one["lifetime"] else ""
    return f"&{life}{'mut ' if one['is_mutable'] else ''}{kind(one['type'])}"


def qualified(one):
    trait = one["trait"]
    self_type = kind(one["self_type"])
    if not trait or not trait["path"]:
        return f"{self_type}::{one['name']}{arguments(one['args'])}"
    return f"<{self_type} as {path(trait)}>::{one['name']}{arguments(one['args'])}"


KINDS = {
    "generic": str, "primitive": str,
    "resolved_path": path,
    "borrowed_ref": reference,
    "raw_pointer": lambda one: f"*{'mut' if one['is_mutable'] else 'const'} {kind(one['type'])}",
    "slice": lambda one: f"[{kind(one)}]",
    "array": lambda one: f"[{kind(one['type'])}; {one['len']}]",
    "tuple": lambda some: f"({', '.join(map(kind, some))})",
    "impl_trait": lambda some: f"impl {bounds(some)}",
    "dyn_trait": lambda one: "dyn " + " + ".join(
        [binder(t["generic_params"]) + path(t["trait"]) for t in one["traits"]]
        + ([one["lifetime"]] if one["lifetime"] else [])),
    "qualified_path": qualified,
}


def kind(one):
    if one is None:
        return "()"
    (name, value), = one.items()
    if name not in KINDS:
        raise Unknown(f"a type of kind {name}")
    return KINDS[name](value)


def generics(one):
    """(<...>, where ...)"""
    words, rules = [], []
    for param in one["params"]:
        (name, value), = param["kind"].items()
        if name == "lifetime":
            words.append(param["name"])
        elif name == "type" and not value["is_synthetic"]:
            limit = f": {bounds(value['bounds'])}" if value["bounds"] else ""
            default = f" = {kind(value['default'])}" if value["default"] else ""
            words.append(param["name"] + limit + default)
        elif name == "const":
            words.append(f"const {param['name']}: {kind(value['type'])}")
    for rule in one["where_predicates"]:
        (name, value), = rule.items()
        if name == "bound_predicate":
            rules.append(f"{kind(value['type'])}: {bounds(value['bounds'])}")
        elif name == "lifetime_predicate":
            rules.append(f"{value['lifetime']}: {' + '.join(value['outlives'])}")
    return f"<{', '.join(words)}>" if words else "", f" where {', '.join(rules)}" if rules else ""


def function(name, one):
    signature, header = one["sig"], one["header"]
    words, rules = generics(one["generics"])
    inputs = ", ".join(f"{at}: {kind(of)}" for at, of in signature["inputs"])
    output = f" -> {kind(signature['output'])}" if signature["output"] else ""
    marks = ("const " if header["is_const"] else "") + ("unsafe " if header["is_unsafe"] else "")
    return f"{marks}fn {name}{words}({inputs}){output}{rules}"


class Crate:
    def __init__(self, document):
        if document["format_version"] != FORMAT:
            raise Unknown(f"rustdoc's format {document['format_version']}, expected {FORMAT}")
        self.index = document["index"]
        self.lines = set()
        self.module(str(document["root"]), self.index[str(document["root"])]["name"])

    def module(self, number, where):
        for inner in self.index[number]["inner"]["module"]["items"]:
            self.item(self.index[str(inner)], where)

    def item(self, item, where):
        (name, value), = item["inner"].items()
        if name == "use":
            target = self.index.get(str(value["id"]))
            if target is None:
                self.lines.add(f"use {where}::{value['name']} = {value['source']}")
            elif "module" in target["inner"]:
                self.module(str(value["id"]), f"{where}::{value['name']}")
            else:
                self.named(target, f"{where}::{value['name']}")
        elif name == "module":
            self.module(str(item["id"]), f"{where}::{item['name']}")
        elif item["visibility"] == "public":
            self.named(item, f"{where}::{item['name']}")

    def named(self, item, where):
        (name, value), = item["inner"].items()
        marks = "".join(f"#[{mark}] " for mark in ("non_exhaustive", "must_use") if any(
            mark in str(one) for one in item["attrs"]))
        if name == "function":
            self.lines.add(marks + function(where, value))
        elif name == "type_alias":
            words, _ = generics(value["generics"])
            self.lines.add(f"type {where}{words} = {kind(value['type'])}")
        elif name == "constant":
            self.lines.add(f"const {where}: {kind(value['type'])}")
        elif name in ("struct", "enum", "trait"):
            words, rules = generics(value["generics"])
            more = f": {bounds(value['bounds'])}" if name == "trait" and value["bounds"] else ""
            self.lines.add(f"{marks}{name} {where}{words}{more}{rules}")
            getattr(self, name)(value, where)
        else:
            raise Unknown(f"{where} of kind {name}")

    def struct(self, value, where):
        shape = value["kind"]
        fields = shape["plain"]["fields"] if "plain" in shape else shape.get("tuple", []) \
            if isinstance(shape, dict) else []
        for number in fields:
            field = self.index.get(str(number)) if number is not None else None
            if field and field["visibility"] == "public":
                of = kind(field["inner"]["struct_field"])
                self.lines.add(f"field {where}.{field['name']}: {of}")
        self.impls(value["impls"], where)

    def enum(self, value, where):
        for number in value["variants"]:
            variant = self.index[str(number)]
            shape = variant["inner"]["variant"]["kind"]
            fields = "" if shape == "plain" else str(
                [kind(self.index[str(one)]["inner"]["struct_field"]) for one in shape["tuple"]]
                if "tuple" in shape else
                [self.index[str(one)]["name"] + ": "
                 + kind(self.index[str(one)]["inner"]["struct_field"])
                 for one in shape["struct"]["fields"]])
            self.lines.add(f"variant {where}::{variant['name']}{fields}")
        self.impls(value["impls"], where)

    def trait(self, value, where):
        for number in value["items"]:
            item = self.index.get(str(number))
            if item is None:  # hidden from the documentation
                continue
            (name, inner), = item["inner"].items()
            if name == "function":
                given = " (provided)" if inner["has_body"] else ""
                self.lines.add(function(f"{where}::{item['name']}", inner) + given)
            elif name == "assoc_type":
                words, _ = generics(inner["generics"])
                self.lines.add(f"type {where}::{item['name']}{words}: {bounds(inner['bounds'])}")
            else:
                self.lines.add(f"const {where}::{item['name']}: {kind(inner['type'])}")
        for number in value["implementations"]:
            one = self.index[str(number)]["inner"]["impl"]
            words, rules = generics(one["generics"])
            self.lines.add(f"impl{words} {path(one['trait'])} for {kind(one['for'])}{rules}")

    def impls(self, numbers, where):
        for number in numbers:
            one = self.index[str(number)]["inner"]["impl"]
            if one["blanket_impl"]:
                continue
            words, rules = generics(one["generics"])
            if one["trait"]:
                trait = path(one["trait"])
                if not one["is_negative"] and trait not in PRIVATE:
                    self.lines.add(f"impl{words} {trait} for {kind(one['for'])}{rules}")
                continue
            for inner in one["items"]:
                item = self.index.get(str(inner))
                if item is None or item["visibility"] != "public":
                    continue
                self.named(item, f"{where}{words}::{item['name']}{rules}")


def main(arguments_):
    update = "--update" in arguments_
    source, listed = [one for one in arguments_ if one != "--update"]
    with open(source, encoding="utf-8") as file:
        try:
            now = Crate(json.load(file)).lines
        except Unknown as unknown:
            sys.exit(f"rust_api.py: {unknown}")
    try:
        with open(listed, encoding="utf-8") as file:
            before = {line.rstrip("\n") for line in file}
    except FileNotFoundError:
        before = set()
    gone, new = sorted(before - now), sorted(now - before)
    for line in gone:
        print(f"gone: {line}")
    for line in new if not update else []:
        print(f"new, not listed (--update): {line}")
    if update and not gone:
        with open(listed, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(line + "\n" for line in sorted(now))
        new = []
    print(f"{len(now) - len(new)} passed, {len(gone) + len(new)} failed")
    return 1 if gone or new else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

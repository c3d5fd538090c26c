# header.py - reads nigh.h into plain data: constants, structures, callbacks, functions
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The header is written so that a few dozen lines can read it: one declaration at a time, each with
the comment before it, every pointer described there by a tag (`@in keys count or NULL`). What does
not fit is an error with its line, never a guess."""
import re

from . import rules
from .rules import HeaderError

SCALARS = {"uint32_t": "u32", "int32_t": "i32", "uint64_t": "u64", "float": "f32", "void": "void",
           "char": "char"}
TAGS = ("in", "out", "inout", "errors", "returns")
TAG = re.compile(r"(?P<name>\w+) (?P<shape>\S+)(?P<kept> kept)?(?P<null> or NULL)?")
TOKEN = re.compile(r"""(?P<comment>/\*.*?\*/) | (?P<line>^[ \t]*\#[^\n]*$)
                       | (?P<word>[A-Za-z_]\w*) | (?P<number>-?\d\w*) | (?P<mark>"C"|[{}()\[\]*,;=])
                       | (?P<space>\s+)""", re.VERBOSE | re.DOTALL | re.MULTILINE)
# Of the preprocessor only this: what else there was, compilers would see and this reader not.
LINE = re.compile(r"#define NIGH_VERSION_(?P<part>\w+) (?P<number>\d+)"
                  r"|#include (<stdint\.h>|\"nigh(_hosted)?\.h\")"
                  r"|#if(ndef NIGH_((HOSTED_|LMDB_)?H|API)|def __cplusplus)( /\*.*\*/)?"
                  r"|#define NIGH_((HOSTED_|LMDB_)?H|API)|#endif( /\* NIGH_(HOSTED_|LMDB_)?H \*/)?")


class Token:
    def __init__(self, kind, text, line):
        self.kind, self.text, self.line = kind, text, line


def tokens_of(text):
    at, line, found = 0, 1, []
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise HeaderError(f"line {line}: cannot read {text[at:at + 30]!r}")
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup, match.group(), line))
        line += match.group().count("\n")
        at = match.end()
    return found


def plain(comment):
    """The text of a comment, its lines joined."""
    body = comment[2:-2].strip()
    return " ".join(part.strip().lstrip("*").strip() for part in body.splitlines()).strip()


def split_tags(text):
    """The sentences, and the tags as (kind, words)."""
    parts = re.split(r"\s*@(" + "|".join(TAGS) + r")\s+", text)
    tags = [(kind, words.strip().rstrip(";")) for kind, words in zip(parts[1::2], parts[2::2])]
    return parts[0].strip(), tags


class Reader:
    def __init__(self, text):
        self.tokens = tokens_of(text)
        self.at = 0
        self.doc = None      # the comment that waits for its declaration
        self.section = ""
        self.model = {"version": {}, "enums": [], "structs": [], "opaque": [], "callbacks": [],
                      "functions": []}

    # ---- tokens ----

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else Token("end", "", 0)

    def take(self, text=None, kind=None):
        token = self.peek()
        if (text is not None and token.text != text) or (kind is not None and token.kind != kind):
            raise HeaderError(f"line {token.line}: expected {text or kind}, found {token.text!r}")
        self.at += 1
        return token.text

    def maybe(self, text):
        if self.peek().text == text:
            self.at += 1
            return True
        return False

    def comments(self):
        """Comments that stand here, joined."""
        found = []
        while self.peek().kind == "comment":
            found.append(plain(self.take()))
        return " ".join(found)

    def comment_behind(self):
        """A comment on the line of what was just read, or that begins there."""
        before = self.tokens[self.at - 1]
        token = self.peek()
        if token.kind == "comment" and token.line == before.line:
            return plain(self.take())
        return ""

    # ---- types and parameters ----

    def type(self):
        const = self.maybe("const")
        name = self.take(kind="word")
        if name == "struct":
            name = self.take(kind="word")
        pointers, inner = 0, False
        while self.peek().text in ("*", "const"):
            line = self.peek().line
            if self.take() == "*":
                pointers += 1
            elif pointers > 0 and self.peek().text == "*":
                inner = True
            else:
                raise HeaderError(f"line {line}: const stands in front, or between two *")
        base = SCALARS.get(name, name)
        found = {"base": base, "pointers": pointers, "const": const}
        if inner:
            found["const_inner"] = True
        return found

    def parameters(self):
        self.take("(")
        if self.peek().text == "void" and self.tokens[self.at + 1].text == ")":
            self.take("void")
        found = []
        while not self.maybe(")"):
            if found:
                self.take(",")
            kind = self.type()
            found.append({"name": self.take(kind="word"), "type": kind})
        return found

    # ---- declarations ----

    def number(self):
        line, text = self.peek().line, self.take(kind="number")
        try:
            return int(text, 0)
        except ValueError:  # 010, 5u
            raise HeaderError(f"line {line}: cannot read the number {text}") from None

    def enum(self, doc):
        self.take("enum")
        self.take("{")
        values, number = [], 0
        while not self.maybe("}"):
            before = self.comments()
            name = self.take(kind="word")
            if self.maybe("="):
                number = self.number()
            if not self.maybe(",") and self.peek().kind != "comment" and self.peek().text != "}":
                raise HeaderError(f"line {self.peek().line}: a comma is missing")
            values.append({"name": name, "value": number,
                           "doc": " ".join(filter(None, (before, self.comment_behind())))})
            number += 1
        self.take(";")
        doc = doc or self.comment_behind()
        if not values:
            raise HeaderError(f"line {self.peek().line}: an enum of nothing")
        common = values[0]["name"]
        for value in values[1:]:
            while not value["name"].startswith(common):
                common = common[:-1]
        prefix = common[:common.rfind("_") + 1]
        self.model["enums"].append({"prefix": prefix, "doc": doc, "values": values})

    def struct(self, doc):
        name = self.take(kind="word")
        if self.maybe("{"):
            fields = []
            while not self.maybe("}"):
                before = self.comments()
                kind = self.type()
                field = {"name": self.take(kind="word"), "type": kind}
                self.take(";")
                field["doc"] = " ".join(filter(None, (before, self.comment_behind())))
                fields.append(field)
            self.model["structs"].append({"name": name, "doc": doc, "fields": fields})
            again = self.take(kind="word")
            self.take(";")
        else:
            again = self.take(kind="word")
            self.take(";")
            self.model["opaque"].append({"name": name, "doc": self.comment_behind() or doc})
        if again != name:
            raise HeaderError(f"struct {name} is typedef'd as {again}")

    def described(self, name, doc, returns, parameters):
        text, tags = split_tags(doc)
        found = {"name": name, "doc": text, "returns": returns, "parameters": parameters,
                 "errors": [], "tags": {}}
        for kind, words in tags:
            if kind == "errors":
                found["errors"] = re.findall(r"NIGH_E_\w+", words)
                found["errors_text"] = words
            elif kind == "returns":
                found["returns_text"] = words
            else:
                tag = TAG.fullmatch(words)
                if tag is None:
                    raise HeaderError(f"{name}: @{kind} {words}: expected a name and a shape")
                if tag["name"] in found["tags"]:
                    raise HeaderError(f"{name}: {tag['name']} is described twice")
                found["tags"][tag["name"]] = {"direction": kind, "shape": tag["shape"],
                                              "kept": tag["kept"] is not None,
                                              "nullable": tag["null"] is not None}
        known = {p["name"] for p in parameters}
        for parameter in found["tags"]:
            if parameter not in known:
                raise HeaderError(f"{name}: @in/@out names {parameter}, which is no parameter")
        return found

    def typedef(self, doc):
        self.take("typedef")
        if self.maybe("struct"):
            self.struct(doc)
            return
        returns = self.type()
        if self.maybe("("):
            self.take("*")
            name = self.take(kind="word")
            self.take(")")
            made = self.described(name, doc, returns, self.parameters())
            self.model["callbacks"].append(made)
        elif (returns["base"], returns["pointers"]) == ("i32", 0):
            self.take("nigh_status")
        else:
            raise HeaderError(f"line {self.peek().line}: the one other name of a type is "
                              "int32_t nigh_status")
        self.take(";")

    def function(self, doc):
        self.take("NIGH_API")
        returns = self.type()
        name = self.take(kind="word")
        made = self.described(name, doc, returns, self.parameters())
        made["section"] = self.section
        self.take(";")
        self.model["functions"].append(made)

    def read(self):
        doc = ""
        while self.peek().kind != "end":
            token = self.peek()
            if token.kind == "line":
                match = LINE.fullmatch(self.take().strip())
                if match is None:
                    raise HeaderError(f"line {token.line}: cannot read {token.text!r}")
                if match["part"]:
                    self.model["version"][match["part"].lower()] = int(match["number"])
                continue
            if token.kind == "comment":
                text = plain(self.take())
                section = re.match(r"-+ (.*?) -+$", text)
                if section:
                    self.section, text = section.group(1), ""
                doc = text
                continue
            if token.text == "extern":
                for text in ("extern", '"C"', "{"):
                    self.take(text)
            elif token.text == "}":
                self.take("}")
            elif token.text == "enum":
                self.enum(doc)
            elif token.text == "typedef":
                self.typedef(doc)
            elif token.text == "NIGH_API":
                self.function(doc)
            else:
                raise HeaderError(f"line {token.line}: cannot read {token.text!r}")
            doc = ""
        return self.model


def resolve(model, below=()):
    """Parameters get direction, shape and nullability: their own, or those of the function that
    the comment refers to. `below`: models of the headers that this one includes."""
    functions = {f["name"]: f for f in model["functions"]}
    handles = {o["name"] for one in (*below, model) for o in one["opaque"]}
    callbacks = {c["name"] for one in (*below, model) for c in one["callbacks"]}

    def tag_of(entry, parameter):
        if parameter in entry["tags"]:
            return entry["tags"][parameter]
        match = re.search(r"(?:Arguments|Outputs)(?: and errors)? as (nigh_\w+)", entry["doc"])
        return tag_of(functions[match.group(1)], parameter) if match else None

    def role_of(kind, name):
        if kind["base"] in callbacks:
            return "callback"
        if kind["base"] in handles and kind["pointers"] == 1:
            return "handle"
        if kind["pointers"] == 0:
            return "value"
        return "user" if name == "user" and kind["pointers"] == 1 else "pointer"

    for entry in model["functions"] + model["callbacks"]:
        for parameter in entry["parameters"]:
            kind, name = parameter["type"], parameter["name"]
            parameter["role"] = role_of(kind, name)
            if parameter["role"] in ("pointer", "callback") or entry["tags"].get(name):
                tag = tag_of(entry, name)
                if tag is None:
                    raise HeaderError(f"{entry['name']}: nothing says what {name} points to")
                parameter.update(tag)
    for entry in model["functions"] + model["callbacks"]:
        del entry["tags"]
    rules.check(model, below)
    return model


def read(path, below=()):
    with open(path, encoding="utf-8") as file:
        return resolve(Reader(file.read()).read(), below)

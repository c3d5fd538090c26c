# test_package.py - what is installed: types, version, declarations, the README's examples
# SPDX-License-Identifier: MIT OR Apache-2.0
import ast
import importlib.metadata
import os
import re
import subprocess
import sys

import pytest

import nigh
from nigh import _hosted, declarations, errors
from nigh._library import ffi, lib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGE = os.path.dirname(os.path.abspath(nigh.__file__))
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.path.dirname(PACKAGE)}  # the same package in others


def read(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as file:
        return file.read()


def words(text):
    return " ".join(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).split())


def test_versions_agree():
    major, minor, patch = (re.search(rf"NIGH_VERSION_{part} (\d+)", read("abi", "nigh.h")).group(1)
                           for part in ("MAJOR", "MINOR", "PATCH"))
    assert nigh.__version__ == nigh.version() == f"{major}.{minor}.{patch}"
    try:
        assert importlib.metadata.version("nigh") == nigh.__version__
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("used from its source folder")


def test_hosted_declarations():
    """Written by hand: each is a line of a header."""
    headers = words("".join(
        [read("hosted", "nigh_hosted.h"), *(read("bindings", "python", "csrc", name) for name in (
            "rows_by_key.c", "one_search.c", "reserved_file.c"))]))
    for line in words(_hosted.DECLARATIONS.replace("\\\n", "")).split(";"):
        name = line.strip()
        if "(" in name:
            assert re.search(re.escape(name) + ";", headers.replace("NIGH_API ", "")), name
    for name in ("rows_by_key", "one_search"):
        struct = re.search(rf"typedef struct {name} \{{.*?\}} {name};", headers).group(0)
        assert struct in words(_hosted.DECLARATIONS), name
    for name, value in vars(_hosted).items():
        if name.startswith("NIGH_"):
            assert re.search(rf"\b{name} = {value}\b", headers), name


def test_layouts():
    for name, (size, offsets) in declarations.SIZES.items():
        assert ffi.sizeof(name) == size
        assert {field: ffi.offsetof(name, field) for field in offsets} == offsets


def test_every_function_is_there():
    for name in declarations.FUNCTIONS:
        assert getattr(lib, name) != ffi.NULL


def test_every_status_is_an_exception():
    named = {name: value for name, value in vars(declarations).items()
             if name.startswith("NIGH_E_") and name != "NIGH_E_USER"}
    plain = {"NIGH_E_MEMORY", "NIGH_E_SESSION"}  # this package's own mistakes
    assert {value for name, value in named.items() if name not in plain} <= set(errors.BY_CODE)
    assert set(nigh.__all__) >= {kind.__name__ for kind in errors.BY_CODE.values()}


def sources():
    return [os.path.join(top, name) for top, _, names in os.walk(PACKAGE) for name in names
            if name.endswith(".py")]


@pytest.mark.parametrize("path", sources(), ids=os.path.basename)
def test_oldest_python(path):
    with open(path, encoding="utf-8") as file:
        ast.parse(file.read(), feature_version=(3, 9))


def test_types():
    """py.typed is there, and each public function says what it takes and returns."""
    assert os.path.exists(os.path.join(PACKAGE, "py.typed"))
    for path in sources():
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                assert node.returns is not None, f"{path}: {node.name}"
                for argument in node.args.args + node.args.kwonlyargs:
                    assert argument.annotation is not None or argument.arg in ("self", "cls"), \
                        f"{path}: {node.name}({argument.arg})"


EXAMPLES = re.findall(r"^```python\n(.*?)^```", read("bindings", "python", "README.md"),
                      re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_readme(number, tmp_path):
    done = subprocess.run([sys.executable, "-W", "error", "-c", EXAMPLES[number]], cwd=tmp_path,
                          capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    if number == 0:
        told = re.search(r"# (\w+ [\d.]+), (\w+ [\d.]+)", EXAMPLES[0]).groups()
        assert done.stdout.split("\n")[:2] == list(told)


def test_readme_names_what_is_there():
    text = read("bindings", "python", "README.md")
    table = text[text.index("| to | call |"):text.index("**Metrics**")]
    for name in re.findall(r"`(?:Index\.)?([a-z_]+)(?=[(`])", table):
        assert hasattr(nigh.Index, name) or name in ("len", "pickle", "vectors"), name


def test_small_start():
    """Importing starts no thread and is quick enough for a command."""
    code = "import threading, nigh, nigh.hnswlib; print(threading.active_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env=ENVIRONMENT)
    assert done.stdout.strip() == "1", done.stderr


def test_kernels():
    assert "scalar" in nigh.features() and nigh.threads() >= 1

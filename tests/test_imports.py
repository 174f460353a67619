"""Who may import whom, and what may be loaded when: the rules of the design, held by machine.

Imports are read from the source, those inside functions and under ``TYPE_CHECKING`` too: a
dependency on a type is a dependency. Modules named in a string, as in ``import_module``, count.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import archcost

# part of archcost -> the other parts that it may import. "" is `archcost/__init__.py`, the public
# API: it may pass on what the parts offer, and of all parts only the CLI may use it.
MAY_IMPORT = {
    "": {"ir", "spec", "sources", "analysis", "report", "targets"},
    "ir": set(),
    "spec": {"ir"},
    "analysis": {"ir"},
    "conventions": {"ir"},
    "targets": {"ir"},
    "verify": {"ir", "conventions", "targets"},
    "diagram": {"ir", "analysis", "report"},
    "plot": {"ir", "analysis", "hardware", "measure", "published", "report"},
    "page": {
        *("ir", "analysis", "conventions", "diagram", "hardware", "plot", "published", "report"),
        "sources",
    },
    "zoo_specs": set(),
    "sources": {"ir", "spec", "zoo_specs"},
    "published": {"ir", "conventions", "analysis", "spec", "sources"},
    "hardware": {"ir", "analysis", "spec", "sources"},
    "measure": {"ir", "analysis", "targets", "hardware"},
    "validation": {
        *("ir", "analysis", "sources", "targets", "published", "hardware", "measure"),
    },
    "report": {
        *("ir", "analysis", "sources", "published", "conventions", "verify"),
        *("hardware", "measure", "validation"),
    },
}
MAY_IMPORT["cli"] = set(MAY_IMPORT)
VERSION = "archcost.__version__"
"""No part of the public API: whoever records how something was made may ask for it."""
RESULTS = {"analysis", "sources", "published", "hardware", "measure", "validation"}
"""Parts of which `report` knows the types of what they found, and nothing else."""

# Imported inside the functions that need them, never with a module.
ON_DEMAND = {
    "fvcore",
    "jinja2",
    "lark",
    "matplotlib",
    "networkx",
    "numpy",
    "onnx",
    "onnxruntime",
    "plotly",
    "ptflops",
    "pygraphviz",
    "textalloc",
    "thop",
    "torch",
    "torchinfo",
    "torchvision",
}
# Modules that are written for one of these, and are themselves imported on demand only.
WRITTEN_FOR = dict.fromkeys(
    (
        "archcost.sources.torch.aliasing",
        "archcost.sources.torch.assumed",
        "archcost.sources.torch.elementwise_rules",
        "archcost.sources.torch.indexing_rules",
        "archcost.sources.torch.layer_rules",
        "archcost.sources.torch.meta",
        "archcost.sources.torch.operators",
        "archcost.sources.torch.patches",
        "archcost.sources.torch.reading",
        "archcost.sources.torch.reduction_rules",
        "archcost.sources.torch.rules",
        "archcost.sources.torch.shape_rules",
        "archcost.sources.torch.steps",
        "archcost.sources.torch.trace",
        "archcost.sources.torch.usual",
        "archcost.targets.torch",
        "archcost.targets.torch_code.classes",
        "archcost.targets.torch_code.constructions",
        "archcost.targets.torch_code.file",
        "archcost.targets.torch_code.forward",
        "archcost.targets.torch_code.literals",
        "archcost.targets.torch_code.making",
        "archcost.targets.torch_code.names",
        "archcost.targets.torch_code.naming",
        "archcost.targets.torch_code.structure",
        "archcost.targets.torch_code.templates",
        "archcost.targets.torch_code.writer",
        "archcost.targets.torch_modules",
        "archcost.targets.torch_operators",
        "archcost.targets.torch_sequences",
        "archcost.targets.torch_tensors",
    ),
    "torch",
)
WRITTEN_FOR |= dict.fromkeys(
    (
        "archcost.targets.onnx",
        "archcost.targets.onnx_nodes",
        "archcost.targets.onnx_operators",
        "archcost.targets.onnx_sequences",
        "archcost.targets.onnx_tensors",
    ),
    "onnx",
)
NOT_WITH_THE_LIBRARY = ON_DEMAND | {"click", "graphviz", "rich", "yaml"}


def modules() -> dict[str, Path]:
    """Every module of the installed archcost by name; a package under its own name."""
    cli = find_spec("archcost.cli")
    assert cli is not None
    assert cli.origin is not None
    found = {}
    for name, folder in (("archcost", Path(archcost.__file__)), ("archcost.cli", Path(cli.origin))):
        for path in sorted(folder.parent.rglob("*.py")):
            pieces = path.relative_to(folder.parent).with_suffix("").parts
            found[".".join((name, *pieces)).removesuffix(".__init__")] = path
    return found


def part(module: str) -> str:
    """The part of archcost that a module belongs to."""
    pieces = module.split(".")
    return pieces[1] if len(pieces) > 1 and pieces[1] in MAY_IMPORT else ""


def imports(source: str, module: str, *, package: bool = False) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything of ours that a module imports."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            up = module.split(".")[: (1 if package else 0) - node.level or None]
            base = ".".join([*(up if node.level else []), *filter(None, [node.module])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = re.findall(r"^archcost(?:\.\w+)+$", node.value)
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == "archcost")


def loaded_with(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything whose import runs when the module is imported."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        yield from loaded_with(node)


MODULES = modules()


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str) -> None:
    path = MODULES[module]
    home = part(module)
    assert home or module == "archcost", (
        f"{path}: a new part of archcost: say in {Path(__file__).name} what it may import"
    )
    wrong = [
        f"{path}:{line}: {home or 'archcost'} must not import {name}"
        for line, name in imports(path.read_text(), module, package=path.stem == "__init__")
        if part(name) != home and part(name) not in MAY_IMPORT[home] and name != VERSION
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", [name for name in MODULES if part(name) == "report"])
def test_report_imports_result_types_only(module: str) -> None:
    path = MODULES[module]
    wrong = [
        f"{path}:{line}: {name} is no type"
        for line, name in imports(path.read_text(), module, package=path.stem == "__init__")
        if part(name) in RESULTS and not name.rpartition(".")[2][:1].isupper()
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_are_imported_in_functions(module: str) -> None:
    path = MODULES[module]
    own = WRITTEN_FOR.get(module)
    beside = {name for name, library in WRITTEN_FOR.items() if library == own}
    heavy = (ON_DEMAND | set(WRITTEN_FOR)) - {own} - beside
    wrong = [
        f"{path}:{line}: {name}"
        for line, name in loaded_with(ast.parse(path.read_text()))
        if any(f"{name}.".startswith(f"{one}.") for one in heavy)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import archcost.spec.parse", ["archcost.spec.parse"]),
        ("from archcost import spec", ["archcost.spec"]),
        ("from archcost.spec import parse", ["archcost.spec.parse"]),
        ("from . import graph", ["archcost.ir.graph"]),
        ("from .graph import Graph", ["archcost.ir.graph.Graph"]),
        ("from ..spec import parse", ["archcost.spec.parse"]),
        ("from .. import spec", ["archcost.spec"]),
        ("def f():\n    from archcost.cli import main", ["archcost.cli.main"]),
        ("import_module('archcost.cli')", ["archcost.cli"]),
        ("import os\nfrom click import echo\n'see archcost.cli'", []),
    ],
)
def test_the_reader_of_imports(source: str, expected: list[str]) -> None:
    assert [name for _, name in imports(source, "archcost.ir.op")] == expected
    assert [name for _, name in imports(source, "archcost.ir", package=True)] == expected


def test_the_reader_of_what_is_loaded() -> None:
    source = """
import torch.nn
if TYPE_CHECKING:
    import onnx
class C:
    from numpy import array
    def f(self):
        import jinja2
"""
    assert list(loaded_with(ast.parse(source))) == [(2, "torch.nn"), (6, "numpy.array")]


def run(code: str, folder: Path) -> set[str]:
    """The modules loaded at the end of a fresh interpreter that ran ``code``."""
    report = "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    done = subprocess.run(
        [sys.executable, "-c", f"{report}\n{code}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_the_library_loads_nothing_until_it_is_used(tmp_path: Path) -> None:
    loaded = run("import archcost", tmp_path)
    assert "archcost" in loaded
    assert not {name for name in loaded if name.startswith("archcost.")}
    assert not loaded & NOT_WITH_THE_LIBRARY


@pytest.mark.parametrize(
    "command",
    [
        "report simplenet",
        "conventions simplenet",
        "reproduce",
        "estimate simplenet --device rtx-3090",
    ],
)
def test_a_command_loads_no_heavy_library(command: str, tmp_path: Path) -> None:
    code = (
        f"from archcost.cli.main import main; sys.argv[1:] = {command.split()}\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert done.code in (0, 1)"
    )
    loaded = run(code, tmp_path)
    assert "archcost.ir" in loaded
    assert not loaded & ON_DEMAND

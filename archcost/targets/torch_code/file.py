"""A whole file: what it says of itself, what it needs, its classes, and how it is run."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import textwrap
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from archcost.ir import Graph, Node
from archcost.targets.torch_code import names
from archcost.targets.torch_code.classes import Class, Shared, classes_of, count_classes
from archcost.targets.torch_code.naming import name_classes
from archcost.targets.torch_code.structure import Tie, body_of, one_dtype
from archcost.targets.torch_code.writer import class_text, path_to
from archcost.targets.torch_operators import DTYPES, build


def source(graph: Graph) -> str:
    """The file of ``graph``.

    Raises:
        TargetError: a node cannot be written as PyTorch source.
    """
    with torch.device("meta"):
        calls = {node: build(node) for node in graph}
    body, ties = body_of(graph, calls)
    classes = classes_of(body)
    count = (graph.metadata.get("parameters") or {}).get("classes")
    if type(count) is int:
        count_classes(classes[-1], count)
    helpers = _helpers(classes)
    name_classes(classes, graph, {helper.__name__ for helper in helpers})
    parts = [class_text(cls) for cls in classes[:-1]]
    parts.append(_network(graph, classes, ties))
    code = [_source(helper) for helper in helpers] + ["\n".join(part) for part in parts]
    text = "\n\n\n".join(code)
    head = f'"""{_about(graph)}"""\n\n{_imports(text, helpers)}'
    return f"{head}\n\n\n{text}\n{_main(graph, classes[-1])}"


# --- what the file says --------------------------------------------------------------------------


def _about(graph: Graph) -> str:
    about = graph.metadata
    title = names.documentation(about.get("title") or graph.name)
    paragraphs = [_wrapped(f"{title}.")]
    source = about.get("source") or {}
    if source.get("title"):
        said = [source.get("authors"), f"{source['title']}", source.get("venue")]
        if source.get("arxiv"):
            said.append(f"arXiv:{source['arxiv']}")
        elif source.get("doi"):
            said.append(f"doi:{source['doi']}")
        text = ". ".join(names.documentation(part) for part in said if part)
        paragraphs.append(_wrapped(f"{text}."))
    inputs = ", ".join(" x ".join(("N", *map(str, value.shape[1:]))) for value in graph.inputs)
    outputs = ", ".join(" x ".join(("N", *map(str, value.shape[1:]))) for value in graph.outputs)
    params = sum(p.numel for p in graph.parameters if p.trainable and p not in graph.unread)
    paragraphs.append(_wrapped(f"Input: {inputs}. Output: {outputs}. Parameters: {params:,}."))
    text = "\n\n".join(paragraphs)
    return f"{text}\n" if "\n" in text else text


def _wrapped(text: str) -> str:
    """``text`` on lines of its own. No word is broken: an escape may be in it."""
    return "\n".join(textwrap.wrap(text, 96, break_long_words=False, break_on_hyphens=False))


def _main(graph: Graph, cls: Class) -> str:
    made = []
    for value in graph.inputs:
        shape = ", ".join(map(str, value.shape))
        dtype = value.type.dtype
        floating = dtype in DTYPES
        if floating and DTYPES[dtype] is not torch.float32:
            made.append(f"torch.rand({shape}, dtype={DTYPES[dtype]})")
        elif floating:
            made.append(f"torch.rand({shape})")
        else:
            size = f"({shape},)" if len(value.shape) == 1 else f"({shape})"
            made.append(f"torch.zeros({size}, dtype=torch.int64)")
    several = len(graph.outputs) > 1
    shown = "*(tuple(y.shape) for y in outputs)" if several else "tuple(output.shape)"
    result = "outputs" if several else "output"
    return f"""

if __name__ == "__main__":
    model = {cls.name}().eval()
    with torch.no_grad():
        {result} = model({", ".join(made)})
    params = sum(parameter.numel() for parameter in model.parameters())
    print(f"{{params:,}} parameters, output", {shown})
"""


def _network(graph: Graph, classes: Sequence[Class], ties: Sequence[Tie]) -> list[str]:
    """The class of the whole network."""
    network = classes[-1]
    ending = []
    if ties:
        class_text(network, named=True)  # after which it is known how modules are reached
        of = {id(body): cls for cls in classes for body in cls.bodies}

        def reach(node: Node, role: str) -> str:
            path = "self" + path_to(node, network.body, of)
            return path if node.op.kind == "weight" else f"{path}.{role}"

        for tie in ties:
            ending.append(f"{reach(tie.node, tie.name)} = {reach(tie.other, tie.other_name)}")
    dtype = one_dtype(graph)
    if dtype is not None and DTYPES[dtype] is not torch.float32:
        ending.append(f"self.to({DTYPES[dtype]})")
    return class_text(network, named=True, ending=ending)


# --- what the file needs -------------------------------------------------------------------------


def _helpers(classes: Sequence[Class]) -> list[Any]:
    """Our own modules among what is made, each behind the functions that it calls."""
    found: dict[Any, None] = {}
    for cls in classes:
        modules = [step.module for step in cls.body.steps if step.module is not None]
        for made in (*modules, *cls.body.owned.values()):
            for part in made.walk():
                callee = part.callee
                if isinstance(callee, str | Class | Shared):
                    continue
                if getattr(nn, callee.__name__, None) is not callee:
                    found.update(dict.fromkeys([*_needed(callee), callee]))
    return list(found)


def _globals(thing: Any) -> dict[str, Any]:
    """The names of its module that the source of ``thing`` uses."""
    home = vars(inspect.getmodule(thing))
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    used = dict.fromkeys(n.id for n in ast.walk(tree) if isinstance(n, ast.Name))
    return {name: home[name] for name in used if name in home and not hasattr(builtins, name)}


def _needed(thing: Any) -> list[Any]:
    """What of our own ``thing`` uses."""
    result = []
    for other in _globals(thing).values():
        if getattr(other, "__module__", None) == thing.__module__ and other is not thing:
            result += [*_needed(other), other]
    return result


def _source(thing: Any) -> str:
    return inspect.getsource(thing).rstrip()


def _imports(text: str, helpers: Sequence[Any]) -> str:
    standard: dict[str, set[str]] = {}
    for helper in helpers:
        for name, thing in _globals(helper).items():
            if name in ("torch", "nn", "F", "Tensor"):
                continue
            home = getattr(thing, "__module__", None)
            if home and home != helper.__module__:
                standard.setdefault(home, set()).add(name)
    if "OrderedDict(" in text:
        standard.setdefault("collections", set()).add("OrderedDict")
    first = [f"from {home} import {', '.join(sorted(it))}" for home, it in sorted(standard.items())]
    second = ["import torch"]
    if re.search(r"\bF\.", text):
        second.append("import torch.nn.functional as F")
    tensor = re.search(r"\bTensor\b", text)
    second.append("from torch import Tensor, nn" if tensor else "from torch import nn")
    return "\n".join([*first, *([""] if first else []), *second])

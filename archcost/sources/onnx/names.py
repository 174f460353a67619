"""Names of nodes: the exporters' paths of modules, as scopes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from onnx import NodeProto

LONGEST: Final = 200
_ODD: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]+")
_SCOPES: Final = "pkg.torch.onnx.name_scopes"
"""Where torch's exporter writes the modules around a node: ``['', 'enc', 'enc.fc', 'linear']``."""
_SILENT: Final = frozenset({"Constant", "Identity", "Shape"})
"""Operators that are worked out: no nodes of the graph come of them."""


def planned(nodes: Iterable[NodeProto], prefix: str) -> list[str]:
    """A hierarchical name for each node of one graph, not yet unique.

    ``/layer1/layer1.0/conv1/Conv`` is called ``layer1/0/conv1``, as its module is, where that
    module has no other node or module in it; elsewhere the node's own name goes behind the
    module's: ``encoder/attention/MatMul_1``.
    """
    split = [(node.op_type, *_split(node)) for node in nodes]
    within: dict[tuple[str, ...], list[str]] = {}
    parents: set[tuple[str, ...]] = set()
    for op_type, scope, _ in split:
        if op_type not in _SILENT:
            within.setdefault(scope, []).append(op_type)
            parents.update(scope[:end] for end in range(len(scope)))
    names = []
    numbers: Counter[str] = Counter()
    for op_type, scope, leaf in split:
        path = [prefix, *scope] if prefix else [*scope]
        if not (scope and scope not in parents and _one(within.get(scope, ()))):
            numbers[op_type] += not leaf
            path.append(leaf or clean(f"{op_type}_{numbers[op_type]}"))
        names.append("/".join(path)[:LONGEST] or "node")
    return names


def _one(types: Sequence[str]) -> bool:
    """Whether nodes of these types become one node of ours: a product and its bias are one."""
    return len(types) == 1 or list(types) == ["MatMul", "Add"]


def _split(node: NodeProto) -> tuple[tuple[str, ...], str]:
    """The modules around a node, outermost first, and its own name."""
    if node.metadata_props:
        for entry in node.metadata_props:
            if entry.key == _SCOPES and isinstance(entry.value, str):
                scopes = re.findall(r"'([^']*)'", entry.value[:10_000])
                module = scopes[-2] if len(scopes) > 1 else ""
                return parts(module), clean(node.name.removeprefix("node_"))
    pieces = [piece for piece in node.name[: 4 * LONGEST].split("/") if piece]
    if not pieces:
        return (), ""
    *modules, leaf = pieces
    scope: list[str] = []
    before = ""
    for module in modules:
        # torch writes /layer1/layer1.0: the whole path again.
        scope += parts(module.removeprefix(f"{before}.") if before else module)
        before = module
    return tuple(scope), clean(leaf)


def parts(path: str) -> tuple[str, ...]:
    """``layers.0.fc`` -> ``layers``, ``0``, ``fc``."""
    return tuple(filter(None, clean(path).split(".")))


def clean(name: str) -> str:
    """``name`` without blanks and characters that cannot be printed."""
    name = _ODD.sub("_", name[: 4 * LONGEST])
    return name if name.isprintable() else "".join(c if c.isprintable() else "_" for c in name)

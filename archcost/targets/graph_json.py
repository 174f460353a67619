"""Graph -> JSON: all of it, as ``schema/graph-1.json`` fixes it (``docs/graph-json.md``).

:mod:`archcost.sources.graph_json` reads it back. The text is ASCII, with one entry of a list on
each line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Any, Final

from archcost.ir import Graph, Node, Op, Parameter, Value
from archcost.ir.collector import collector_paused
from archcost.ir.ops import OPERATORS, operator_class
from archcost.targets import TargetError

SCHEMA: Final = "archcost.graph/1"


def schema() -> dict[str, Any]:
    """The JSON Schema of a graph's document."""
    path = Path(__file__).with_name("schema") / "graph-1.json"
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


@collector_paused()
def graph_text(graph: Graph) -> str:
    """What :func:`archcost.targets.to_json` gives."""
    return f"{''.join(_spread(document(graph)))}\n"


def document(graph: Graph) -> dict[str, Any]:
    """``graph`` as plain data."""
    values = dict(zip(graph.values(), _distinct([v.name for v in graph.values()]), strict=True))
    stored = dict(zip(graph.parameters, _distinct([p.name for p in graph.parameters]), strict=True))
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "name": graph.name,
        "inputs": [_value(value, values[value]) for value in graph.inputs],
        "parameters": [_parameter(parameter, name) for parameter, name in stored.items()],
        "nodes": [_node(node, values, stored) for node in graph],
        "outputs": {name: values[value] for name, value in graph.named_outputs.items()},
    }
    if graph.unread:
        result["unread"] = [stored[parameter] for parameter in graph.unread]
    if graph.metadata:
        result["metadata"] = graph.metadata
    return result


def _distinct(names: list[str]) -> list[str]:
    """``names``, with a mark behind those that are taken: ``split:1`` may be a node, too."""
    taken = set(names)
    if len(taken) == len(names):
        return names
    result: dict[str, None] = {}
    for name in names:
        number, free = 1, name
        while free in result or (number > 1 and free in taken):
            number += 1
            free = f"{name}~{number}"
        result[free] = None
    return list(result)


def _value(value: Value, name: str) -> dict[str, Any]:
    return {"name": name, "shape": value.shape, "dtype": value.type.dtype}


def _parameter(parameter: Parameter, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "shape": parameter.shape,
        "dtype": parameter.dtype,
        "trainable": parameter.trainable,
    }


def _node(node: Node, values: dict[Value, str], stored: dict[Parameter, str]) -> dict[str, Any]:
    result: dict[str, Any] = {"name": node.name, "op": _operator(node)}
    if arguments := node.op.settings():
        result["arguments"] = arguments
    result["inputs"] = [values[value] for value in node.inputs]
    result["outputs"] = [_value(value, values[value]) for value in node.outputs]
    if node.parameters:
        specs = node.application.parameters
        pairs = zip(specs, node.parameters, strict=True)
        result["parameters"] = {spec.name: stored[parameter] for spec, parameter in pairs}
    if node.inplace:
        result["inplace"] = True
    return result


def _operator(node: Node) -> str:
    """The name under which :func:`archcost.ir.ops.make` knows the operator."""
    for name in (node.op.kind, type(node.op).__dict__.get("kind")):
        if name in OPERATORS and _makes(name, node.op):
            return str(name)
    raise TargetError(node, f"{type(node.op).__name__} is no operator of archcost's own")


def _makes(name: str, op: Op) -> bool:
    cls, fixed = operator_class(name)
    return type(op) is cls and all(getattr(op, key) == value for key, value in fixed.items())


def _spread(document: dict[str, Any]) -> Iterator[str]:
    """The text of ``document``; its lists and mappings have each entry on a line of its own."""
    for number, (key, value) in enumerate(document.items()):
        yield f"{',' if number else '{'}\n{json.dumps(key)}: "
        if value and isinstance(value, dict):
            entries = [f"{json.dumps(str(name))}: {_text(entry)}" for name, entry in value.items()]
            yield f"{{\n{_lines(entries)}\n}}"
        elif value and isinstance(value, list):
            yield f"[\n{_lines(map(_text, value))}\n]"
        else:
            yield _text(value)
    yield "\n}"


def _lines(entries: Any) -> str:
    return ",\n".join(entries)


def _text(value: Any) -> str:
    # What metadata may hold and JSON has no type for, a date for one, is written as text.
    return json.dumps(_finite(value), allow_nan=False, default=str)


def _finite(value: Any) -> Any:
    """``value`` with floats that JSON does not have as text: ``"-inf"``."""
    if isinstance(value, dict):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value

"""The JSON that :func:`archcost.targets.to_json` writes -> Graph (``docs/graph-json.md``).

A document is data, whoever wrote it: it is bounded in size, depth and number of nodes, and each
operator is made and applied as any other. What is wrong is said with its place in the document:
``net.json: nodes[12].arguments.kernel: expected ...``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING
from functools import cache
from pathlib import Path
from typing import Any, Final

from archcost.ir import (
    BITS,
    ArgumentError,
    Graph,
    GraphBuilder,
    GraphError,
    Op,
    Parameter,
    Shape,
    ShapeError,
    TensorType,
    Value,
    bytes_for,
)
from archcost.ir.arguments import LARGEST
from archcost.ir.collector import collector_paused
from archcost.ir.op import MAX_ELEMENTS
from archcost.ir.ops import OPERATORS, make, operator_class
from archcost.sources.errors import ModelFileError
from archcost.sources.files import read_text
from archcost.spec import nearest

SCHEMA: Final = "archcost.graph/1"  # as in archcost.targets.graph_json; a test compares

MAX_BYTES: Final = 128_000_000
MAX_VALUES: Final = 10_000_000
MAX_NODES: Final = 250_000
MAX_DEPTH: Final = 64
MAX_RANK: Final = 64
MAX_NAME: Final = 1000
MAX_DIGITS: Final = 20

# Keys of metadata by what they hold: a text, a list of texts, texts by name.
TEXTS: Final = frozenset({"title", "family", "dataset", "format"})
LISTS: Final = frozenset({"notes", "aliases", "assumptions"})
TABLES: Final = frozenset({"source", "blobs"})


class _Wrong(Exception):
    """What is wrong, and where in the document."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}" if place else message)


class _Object(dict[str, Any]):
    """A JSON object; ``twice`` is a key that stands in it twice."""

    __slots__ = ("twice",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.twice: str | None = None
        if len(self) < len(pairs):
            keys = iter(key for key, _ in pairs)
            # Each key is kept at its first place: where the two differ one comes again.
            kept = (*self, None)
            self.twice = next(key for key, own in zip(keys, kept, strict=False) if key != own)


class _NoNumber(str):
    """A number that archcost does not read: NaN, or one of too many digits."""

    __slots__ = ()


def read(
    path: Path,
    *,
    inputs: Sequence[Shape] | None = None,
    batch: int | None = None,
    dtype: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Graph:
    """The graph in ``path``, rebuilt for the other arguments, which are those of
    :func:`archcost.load`.

    Raises:
        ModelFileError: the file cannot be read, or is not what it should be.
        SourceError: an argument is not one that this graph can have.
        ShapeError: an operator cannot take what reaches it with ``inputs`` or ``batch``.
    """
    from archcost.sources import load

    graph = from_json(read_text(path, MAX_BYTES, "a graph in JSON"), str(path))
    if inputs is None and batch is None and dtype is None and not settings:
        return graph
    return load(graph, inputs=inputs, batch=batch, dtype=dtype, settings=settings)


@collector_paused()
def from_json(text: str, name: str = "JSON") -> Graph:
    """The graph that ``text`` describes; ``name`` is what messages call it.

    Raises:
        ModelFileError: with the place in the document.
    """
    try:
        return _graph(_parsed(text), name)
    except _Wrong as wrong:
        raise ModelFileError(f"{name}: {wrong}") from None
    except (ShapeError, GraphError) as error:
        message = str(error)
        raise ModelFileError(
            message if message.startswith(name) else f"{name}: {message}"
        ) from None


# --- JSON ---------------------------------------------------------------------------------------


def _parsed(text: str) -> _Object:
    """The document as plain data: bounded, without doubled keys and odd numbers."""
    if len(text) > MAX_BYTES:
        raise _Wrong("", f"more than {MAX_BYTES} characters")
    # Before any of them is made: each comma and opening bracket leads to at most one value.
    if sum(map(text.count, "[{,")) > MAX_VALUES:
        raise _Wrong("", f"more than {MAX_VALUES} values")
    try:
        document = json.loads(
            text, object_pairs_hook=_Object, parse_int=_int, parse_constant=_NoNumber
        )
    except RecursionError:
        raise _Wrong("", f"nested more than {MAX_DEPTH} deep") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _Wrong(place, f"no JSON: {error.msg[:1].lower()}{error.msg[1:]}") from None
    if not isinstance(document, _Object):
        raise _Wrong("", f"expected an object, found {_shown(document)}")
    _check(document)
    return document


def _int(digits: str) -> int | str:
    return int(digits) if len(digits) <= MAX_DIGITS else _NoNumber(digits)


def _check(document: _Object) -> None:
    """Refuse what JSON lets pass, wherever it stands."""
    todo: list[tuple[Any, str, int]] = [(document, "", 1)]
    while todo:
        value, place, depth = todo.pop()
        if depth > MAX_DEPTH:
            raise _Wrong(place[:200], f"nested more than {MAX_DEPTH} deep")
        if isinstance(value, _Object):
            if value.twice is not None:
                raise _Wrong(place, f"the key {_shown(value.twice)} stands here twice")
            entries = ((entry, _under(place, key)) for key, entry in value.items() if _open(entry))
        else:
            entries = ((entry, f"{place}[{at}]") for at, entry in enumerate(value) if _open(entry))
        for entry, where in entries:
            if isinstance(entry, _Object | list):
                todo.append((entry, where, depth + 1))
            else:
                raise _Wrong(where, f"no number that archcost reads: {_shown(str(entry))}")


def _open(value: Any) -> bool:
    """Whether there is anything to check in ``value``."""
    if isinstance(value, float):
        return not math.isfinite(value)  # 1e999
    return isinstance(value, _Object | list | _NoNumber)


def _under(place: str, key: str) -> str:
    plain = key if key.isidentifier() and len(key) <= 60 else f"[{_shown(key)}]"
    return f"{place}.{plain}" if place and not plain.startswith("[") else f"{place}{plain}"


def _shown(value: Any) -> str:
    if isinstance(value, _Object):
        return "an object"
    if isinstance(value, list) and (
        len(value) > 8 or any(isinstance(e, list | dict) for e in value)
    ):
        return "a list"
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# --- pieces -------------------------------------------------------------------------------------


def _fields(value: Any, place: str, needed: Sequence[str], optional: Sequence[str]) -> _Object:
    found = _mapping(value, place)
    for key in needed:
        if key not in found:
            raise _Wrong(place, f"lacks {key!r}")
    for key in found:
        if key not in needed and key not in optional:
            raise _Wrong(place, f"unknown key {_shown(key)}{nearest(key, (*needed, *optional))}")
    return found


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise _Wrong(place, f"expected a list, found {_shown(value)}")
    return value


def _mapping(value: Any, place: str) -> _Object:
    if not isinstance(value, _Object):
        raise _Wrong(place, f"expected an object, found {_shown(value)}")
    return value


def _name(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise _Wrong(place, f"expected a name, found {_shown(value)}")
    if len(value) > MAX_NAME:
        raise _Wrong(place, f"a name has at most {MAX_NAME} characters")
    return value


def _bool(value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(place, f"expected true or false, found {_shown(value)}")
    return value


def _type(value: _Object, place: str) -> TensorType:
    """The ``shape`` and ``dtype`` of a tensor."""
    shape, dtype = value["shape"], value["dtype"]
    if not isinstance(shape, list) or len(shape) > MAX_RANK:
        raise _Wrong(
            f"{place}.shape", f"expected a list of up to {MAX_RANK} sizes, found {_shown(shape)}"
        )
    for at, size in enumerate(shape):
        if type(size) is not int or not 0 <= size <= LARGEST:
            found = f"expected a size up to {LARGEST}, found {_shown(size)}"
            raise _Wrong(f"{place}.shape[{at}]", found)
    if not isinstance(dtype, str) or dtype not in BITS:
        known = nearest(dtype, BITS) if isinstance(dtype, str) else ""
        raise _Wrong(f"{place}.dtype", f"no dtype {_shown(dtype)}{known}")
    result = TensorType(tuple(shape), dtype)
    if result.numel > MAX_ELEMENTS:
        raise _Wrong(f"{place}.shape", "a tensor beyond 2^53 elements")
    return result


def _tuples(value: Any) -> Any:
    """``value`` as graphs hold data: lists are tuples."""
    if isinstance(value, dict):
        return {key: _tuples(entry) for key, entry in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


# --- the graph ----------------------------------------------------------------------------------


def _graph(document: _Object, file: str) -> Graph:
    if document.get("schema") != SCHEMA:
        found = _shown(document.get("schema"))
        raise _Wrong(
            "schema",
            f"expected {SCHEMA!r}, a graph as archcost export --to json writes it, found {found}",
        )
    needed = ("schema", "name", "inputs", "nodes", "outputs")
    _fields(document, "", needed, ("parameters", "unread", "metadata"))
    reader = _Reader(_name(document["name"], "name"), file)
    for at, entry in enumerate(_list(document["inputs"], "inputs")):
        reader.input(entry, f"inputs[{at}]")
    for at, entry in enumerate(_list(document.get("parameters", []), "parameters")):
        reader.parameter(entry, f"parameters[{at}]")
    nodes = _list(document["nodes"], "nodes")
    if len(nodes) > MAX_NODES:
        raise _Wrong("nodes", f"at most {MAX_NODES} nodes, found {len(nodes)}")
    for at, entry in enumerate(nodes):
        reader.node(entry, f"nodes[{at}]")
    return reader.graph(document)


class _Reader:
    """Puts a graph together; remembers values and parameters by their names in the document."""

    def __init__(self, name: str, file: str) -> None:
        self.builder = GraphBuilder(name)
        self.file = file
        self.values: dict[str, Value] = {}
        self.declared: dict[str, tuple[TensorType, bool]] = {}
        self.parameters: dict[str, Parameter] = {}

    def input(self, entry: Any, place: str) -> None:
        _fields(entry, place, ("name", "shape", "dtype"), ())
        name = _name(entry["name"], f"{place}.name")
        try:
            self.values[name] = self.builder.input(name, _type(entry, place))
        except GraphError as error:
            raise _Wrong(place, str(error)) from None

    def parameter(self, entry: Any, place: str) -> None:
        _fields(entry, place, ("name", "shape", "dtype", "trainable"), ())
        name = _name(entry["name"], f"{place}.name")
        if name in self.declared:
            raise _Wrong(place, f"two parameters are named {name!r}")
        trainable = _bool(entry["trainable"], f"{place}.trainable")
        self.declared[name] = _type(entry, place), trainable

    def node(self, entry: Any, place: str) -> None:
        optional = ("arguments", "parameters", "inplace")
        _fields(entry, place, ("name", "op", "inputs", "outputs"), optional)
        name = _name(entry["name"], f"{place}.name")
        op = _operator(entry, place)
        inputs = [
            self._value(each, f"{place}.inputs[{at}]")
            for at, each in enumerate(_list(entry["inputs"], f"{place}.inputs"))
        ]
        inplace = _bool(entry.get("inplace", False), f"{place}.inplace")
        used = _mapping(entry.get("parameters", _Object([])), f"{place}.parameters")
        share = self._shared(op, inputs, name, used, f"{place}.parameters")
        outputs = self.builder.add(
            op, inputs, name, share=share, inplace=inplace, source=f"{self.file}: {place}"
        )
        self._keep(outputs, entry["outputs"], f"{place}.outputs", op)
        if used and outputs[0].producer:
            node = outputs[0].producer
            roles = [spec.name for spec in node.application.parameters]
            for role, parameter in zip(roles, node.parameters, strict=True):
                self.parameters[used[role]] = parameter

    def _value(self, name: Any, place: str) -> Value:
        if not isinstance(name, str) or name not in self.values:
            raise _Wrong(place, f"no input and no node before has an output {_shown(name)}")
        return self.values[name]

    def _shared(
        self, op: Op, inputs: Sequence[Value], name: str, used: _Object, place: str
    ) -> dict[str, Parameter]:
        """The parameters that are not just what a node of this name and operator makes itself."""
        try:
            application = op.apply(tuple([value.type for value in inputs]))
        except ShapeError:
            return {}  # the builder says so again, with the node's name
        roles = [spec.name for spec in application.parameters]
        _fields(used, place, roles, ())
        share: dict[str, Parameter] = {}
        for role, own in zip(roles, application.stored, strict=True):
            stored = self._parameter(used[role], _under(place, role))
            same = (own.shape, own.dtype, own.trainable)
            if used[role] in self.parameters or (
                (stored.name, stored.shape, stored.dtype, stored.trainable)
                != (f"{name}{own.suffix}", *same)
            ):
                share[role] = stored
        return share

    def _parameter(self, name: Any, place: str) -> Parameter:
        if not isinstance(name, str) or name not in self.declared:
            raise _Wrong(place, f"parameters has none named {_shown(name)}")
        if name not in self.parameters:
            (shape, dtype), trainable = self.declared[name]
            numel = math.prod(shape)
            nbytes = bytes_for(numel, dtype)
            return Parameter(name, shape, dtype, trainable, numel, nbytes)
        return self.parameters[name]

    def _keep(self, outputs: Sequence[Value], entries: Any, place: str, op: Op) -> None:
        """Remember ``outputs`` by the names in the document, whose types must be theirs."""
        if len(_list(entries, place)) != len(outputs):
            raise _Wrong(place, f"{op.kind} has {len(outputs)} outputs here, not {len(entries)}")
        for at, (value, entry) in enumerate(zip(outputs, entries, strict=True)):
            where = f"{place}[{at}]"
            _fields(entry, where, ("name", "shape", "dtype"), ())
            name = _name(entry["name"], f"{where}.name")
            type_ = _type(entry, where)
            if name in self.values:
                raise _Wrong(f"{where}.name", f"two values are named {name!r}")
            if type_ != value.type:
                raise _Wrong(where, f"{op.kind} gives {value.type} here, not {type_}")
            self.values[name] = value

    def graph(self, document: _Object) -> Graph:
        outputs = {
            name: self._value(value, _under("outputs", name))
            for name, value in _mapping(document["outputs"], "outputs").items()
        }
        unread = {
            name: self._parameter(name, f"unread[{at}]")
            for at, name in enumerate(_list(document.get("unread", []), "unread"))
        }
        for at, name in enumerate(self.declared):
            if (name in unread) == (name in self.parameters):
                what = "a node has it" if name in unread else "no node has it"
                needs = "so it is not in unread" if name in unread else "so it belongs in unread"
                raise _Wrong(f"parameters[{at}]", f"{what}, {needs}")
        metadata = _metadata(document.get("metadata", _Object([])))
        return self.builder.build(outputs, metadata, unread=tuple(unread.values()))


def _metadata(value: Any) -> dict[str, Any]:
    """What the document says of the network besides; what archcost reads of it is of its type."""
    document = _mapping(value, "metadata")
    if type(year := document.get("year")) not in (int, type(None)):
        raise _Wrong("metadata.year", f"expected an integer, found {_shown(year)}")
    for key in TEXTS & document.keys():
        _text(document[key], f"metadata.{key}")
    for key in LISTS & document.keys():
        for at, entry in enumerate(_list(document[key], f"metadata.{key}")):
            _text(entry, f"metadata.{key}[{at}]")
    for key in (TABLES | {"parameters"}) & document.keys():
        entries = _mapping(document[key], f"metadata.{key}")
        for name, entry in entries.items() if key in TABLES else ():
            _text(entry, _under(f"metadata.{key}", name))
    result: dict[str, Any] = _tuples(document)
    return result


def _text(value: Any, place: str) -> None:
    if not isinstance(value, str):
        raise _Wrong(place, f"expected text, found {_shown(value)}")


def _operator(entry: _Object, place: str) -> Op:
    kind = entry["op"]
    if not isinstance(kind, str) or kind not in OPERATORS:
        known = nearest(kind, OPERATORS, listed=0) if isinstance(kind, str) else ""
        raise _Wrong(f"{place}.op", f"no operator {_shown(kind)}{known}")
    where = f"{place}.arguments"
    given = _mapping(entry.get("arguments", _Object([])), where)
    numbers, needed, optional = _arguments(kind)
    _fields(given, where, needed, optional)
    arguments = {
        key: float(value) if key in numbers and value in ("inf", "-inf") else value
        for key, value in given.items()
    }
    try:
        return make(kind, **arguments)
    except ArgumentError as error:
        raise _Wrong(f"{where}.{error.argument}", error.message) from None


@cache
def _arguments(kind: str) -> tuple[frozenset[str], tuple[str, ...], tuple[str, ...]]:
    """The arguments of an operator that are numbers, those that it needs, and the others."""
    cls, fixed = operator_class(kind)
    fields = [field for field in cls._fields if field.name not in fixed]
    numbers = frozenset(field.name for field in fields if str(field.type).startswith("Number"))
    needed = tuple(field.name for field in fields if field.default is MISSING)
    return numbers, needed, tuple(f.name for f in fields if f.name not in needed)

"""An ONNX file on the disk -> its protocol buffer, which is then looked at and never executed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Final

from archcost.ir import ArchcostError
from archcost.sources.errors import ModelFileError
from archcost.sources.files import read_bytes
from archcost.sources.onnx.tensors import shown

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

MOST_BYTES: Final = 2**31 - 1
"""What a protocol buffer can have; the weights of larger models lie beside it."""
MOST_NODES: Final = 250_000


def parsed(path: Path) -> ModelProto:
    """The model in ``path``. Weights in files of their own are never opened.

    Raises:
        ModelFileError: it cannot be read, is no ONNX model, or points outside its folder.
    """
    data = read_bytes(path, MOST_BYTES, "an ONNX file, whose larger weights lie beside it")
    try:
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
        from onnx import ModelProto
    except ImportError:
        raise ArchcostError(
            "reading ONNX files needs the package onnx: pip install 'archcost[onnx]'"
        ) from None
    try:
        model: ModelProto = ModelProto.FromString(data)
    except (DecodeError, RecursionError):
        raise ModelFileError(
            f"{path}: no ONNX model, or a truncated or broken one: its protocol buffer cannot be "
            "decoded"
        ) from None
    if not (model.HasField("graph") and (model.graph.node or model.graph.output)):
        raise ModelFileError(f"{path}: no ONNX model: it holds no graph")
    _check(path, model)
    return model


def _check(path: Path, model: ModelProto) -> None:
    """Refuse names that are no text, and weights that are said to lie outside the model's folder.

    Nothing would be read there, but such a file was made to deceive its readers.
    """
    nodes = len(model.graph.node) + sum(len(function.node) for function in model.functions)
    if nodes > MOST_NODES:
        raise ModelFileError(f"{path}: {nodes} nodes; at most {MOST_NODES} are read")
    for name in _names(model):
        if not isinstance(name, str):  # what the protocol buffer has for broken text
            raise ModelFileError(f"{path}: a broken file: the name {name!r:.80} is no UTF-8 text")
    for tensor in _tensors(model):
        for entry in tensor.external_data:
            location = entry.value
            if entry.key == "location" and not (isinstance(location, str) and _inside(location)):
                raise ModelFileError(
                    f"{path}: tensor {shown(tensor.name)} has its data in {shown(location)}, "
                    "outside the model's folder"
                )


def _inside(location: str) -> bool:
    """Whether a relative path stays in its folder, by the rules of either system."""
    windows = PureWindowsPath(location)
    posix = PurePosixPath(location)
    if windows.drive or windows.root or posix.is_absolute() or "\0" in location:
        return False
    depth = 0
    for piece in windows.parts:  # which knows both separators
        depth += -1 if piece == ".." else 1
        if depth < 0:
            return False
    return True


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every stored tensor, wherever it stands."""
    for graph in _graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield sparse.values
            yield sparse.indices
    for node in _nodes(model):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _names(model: ModelProto) -> Iterator[str]:
    """Everything by which a part of the model calls another."""
    for graph in _graphs(model):
        for part in (graph.input, graph.output, graph.value_info, graph.initializer):
            yield from (entry.name for entry in part)
        yield from (sparse.values.name for sparse in graph.sparse_initializer)
    for function in model.functions:
        yield from (function.name, function.domain, *function.input, *function.output)
        yield from (attribute.name for attribute in function.attribute_proto)
        yield from (entry.domain for entry in function.opset_import)
    yield from (entry.domain for entry in model.opset_import)
    for node in _nodes(model):
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        for attribute in node.attribute:
            yield attribute.name
            yield attribute.ref_attr_name


def _nodes(model: ModelProto) -> Iterator[NodeProto]:
    for holder in (*_graphs(model), *model.functions):
        yield from holder.node
    for function in model.functions:
        for graph in inner_graphs(function.node):
            yield from graph.node


def _graphs(model: ModelProto) -> Iterator[GraphProto]:
    """The model's graph, and those inside its nodes."""
    yield model.graph
    yield from inner_graphs(model.graph.node)


def inner_graphs(nodes: Iterable[NodeProto]) -> Iterator[GraphProto]:
    """The graphs inside nodes, at any depth: branches and bodies of loops."""
    for node in nodes:
        for attribute in node.attribute:
            for graph in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield graph
                yield from inner_graphs(graph.node)

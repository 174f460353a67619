"""Small ONNX models for tests, and what onnxruntime says about one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from archcost.ir import Graph, Value
from archcost.ir.types import NUMPY_NAMES
from archcost.sources.onnx import frames, read
from archcost.sources.onnx.tensors import Known

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
Shape = Sequence[int | str | None]


def typed(name: str, shape: Shape | None, type_: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, type_, shape)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Shape | onnx.ValueInfoProto] | None = None,
    weights: Mapping[str, Any] | None = None,
    *,
    outputs: Sequence[str | onnx.ValueInfoProto] = ("y",),
    opset: int = 17,
    infos: Sequence[onnx.ValueInfoProto] = (),
    functions: Sequence[onnx.FunctionProto] = (),
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    """A model; its weights are arrays, or shapes, which are then filled with random numbers."""
    inputs = {"x": (1, 4)} if inputs is None else inputs
    made = []
    for name, given in (weights or {}).items():
        if isinstance(given, onnx.TensorProto):
            made.append(given)
            continue
        random = np.random.default_rng(0)
        array = random.normal(size=given).astype("f") if isinstance(given, tuple) else given
        made.append(numpy_helper.from_array(np.asarray(array), name))
    graph = onnx.GraphProto(
        name="graph",
        node=nodes,
        input=[
            value if isinstance(value, onnx.ValueInfoProto) else typed(name, value)
            for name, value in inputs.items()
        ],
        output=[
            out if isinstance(out, onnx.ValueInfoProto) else onnx.ValueInfoProto(name=out)
            for out in outputs
        ],
        initializer=made,
        value_info=infos,
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=imports, functions=list(functions), ir_version=9)


def saved(proto: onnx.ModelProto | bytes, folder: Path, name: str = "net.onnx") -> Path:
    path = folder / name
    path.write_bytes(proto if isinstance(proto, bytes) else proto.SerializeToString())
    return path


def shown(graph: Graph) -> list[str]:
    """``name kind output`` of each node."""
    return [f"{node.name} {node.op.kind} {node.outputs[0].type}" for node in graph]


def kinds(graph: Graph) -> list[str]:
    return [node.op.kind for node in graph]


def entries_of(path: Path, monkeypatch: Any, **arguments: Any) -> tuple[Graph, dict[str, Any]]:
    """The graph of ``path``, and what each name of the file became on the way."""
    found: dict[str, Any] = {}
    define = frames.Frame.define

    def defined(frame: frames.Frame, name: str, entry: Any) -> None:
        define(frame, name, entry)
        if frame.level == 0:
            found[name] = entry

    with monkeypatch.context() as patch:
        patch.setattr(frames.Frame, "define", defined)
        return read(path, **arguments), found


def different_in_onnxruntime(path: Path, entries: Mapping[str, Any]) -> list[str]:
    """The tensors that have another shape, element type or, where it is known before the pass,
    other values when onnxruntime executes the model."""
    import onnxruntime

    proto = onnx.load(path)
    graph = proto.graph
    names = [name for node in graph.node for name in node.output if name]
    names = [name for name in names if isinstance(entries.get(name), Value | Known)]
    there = {info.name for info in graph.output}
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in there)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    feeds = {}
    for info in session.get_inputs():
        type_ = entries[info.name].type
        feeds[info.name] = np.ones(type_.shape, NUMPY_NAMES[type_.dtype])
    different = []
    for name, array in zip(names, session.run(names, feeds), strict=True):
        entry = entries[name]
        if (array.shape, array.dtype.name) != (entry.type.shape, NUMPY_NAMES[entry.type.dtype]):
            different.append(f"{name}: {entry.type}, in onnxruntime {array.shape} {array.dtype}")
            continue
        values = entry.values if isinstance(entry, Known) else None
        if values is not None and not np.allclose(values, array, equal_nan=True):
            different.append(f"{name}: other values in onnxruntime")
    return different

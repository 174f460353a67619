"""The ONNX model of a graph: its nodes, its weights, its file.

Stored tensors are made one by one as they are needed, by :class:`Random` or :class:`OfModule`, or
are left out: ``weights="none"`` gives a tensor's name, type and shape and says that its data lies
outside of any file, at :data:`NOWHERE`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from archcost.ir import FLOATS, NUMPY_NAMES, Graph, Node, Parameter, Value
from archcost.targets import ExportError
from archcost.targets.onnx_nodes import OPSETS, Part, Stored, Writer, element_type
from archcost.targets.onnx_operators import build

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from archcost.targets.torch import GraphModule

OPSET: Final = 20
"""The operator set that is written if none is asked for."""

BF16_OPSET: Final = 22
"""The same for a network in bf16, which convolutions and pools take from here on."""

IR_VERSION: Final = 10
"""The file format's version, the first with metadata of tensors; later sets of operators ask for
later ones."""

LARGEST: Final = 2**31 - 2**24
"""Bytes of weights that fit one file: protobuf reads 2 GiB, of which the nodes need some."""

NOWHERE: Final = "#archcost-no-weights"
"""The location of tensors without data. A location that begins with # is ONNX's own convention
for data outside of any file (``onnx.model_container``), which its checker of models takes as it
is; its checker of files misses the data, as it should."""

TRAINABLE: Final = "trainable"
"""Metadata of each stored tensor: true of parameters, false of buffers. Its use does not always
tell."""

Draw = Callable[[Parameter], "NDArray[Any]"]
"""Makes an array with the bytes of a parameter."""


def model(
    graph: Graph, module: GraphModule | None, weights: str, seed: int, opset: int | None
) -> ModelProto:
    """The model, its weights inside. See :func:`archcost.targets.to_onnx`."""
    result, stored = _structure(graph, opset)
    draw = _source(graph, module, weights, seed)
    total = sum(tensor.nbytes for tensor in stored)
    if draw is not None and total > LARGEST:
        raise ExportError(
            f"{graph.name} has {total / 2**30:.1f} GiB of weights, an ONNX file holds 2: "
            "archcost.write_onnx puts them into a file beside it, weights='none' leaves them out"
        )
    for tensor in stored:
        proto = _declared(result, tensor)
        if draw is None:
            _place(proto, location=NOWHERE)
        else:
            proto.raw_data = b"".join(_chunks(tensor, draw))
    return result


def write(
    graph: Graph,
    path: Path,
    module: GraphModule | None,
    weights: str,
    seed: int,
    opset: int | None,
    external: bool | None,
) -> None:
    """Write the model's file. See :func:`archcost.targets.write_onnx`."""
    draw = _source(graph, module, weights, seed)
    total = sum(parameter.nbytes for parameter in graph.parameters)
    if draw is None or not (total > LARGEST if external is None else external):
        path.write_bytes(model(graph, module, weights, seed, opset).SerializeToString())
        return
    result, stored = _structure(graph, opset)
    beside = path.with_name(path.name + ".data")
    with beside.open("wb") as file:
        for tensor in stored:
            # Readers map the file into memory, a page at a time.
            offset = -(-file.tell() // 4096) * 4096
            file.seek(offset)
            for chunk in _chunks(tensor, draw):
                file.write(chunk)
            proto = _declared(result, tensor)
            _place(proto, location=beside.name, offset=offset, length=tensor.nbytes)
    path.write_bytes(result.SerializeToString())


# --- nodes -------------------------------------------------------------------------------------


def _structure(graph: Graph, opset: int | None) -> tuple[ModelProto, list[Stored]]:
    """The model without its stored tensors, and these."""
    to = Writer(_opset(graph, opset), graph.outputs)
    for value in graph.inputs:
        to.declare(value, to.taken.take(value.name))
    outputs = {name: to.taken.take(name) for name in graph.named_outputs}
    # The name of a value is that of its first output; what else it is called are copies.
    fixed: dict[Value, str] = {}
    for name, value in graph.named_outputs.items():
        if value.producer is not None:
            fixed.setdefault(value, outputs[name])
    for node in graph:
        to.begin(node)
        to.finish(build(node, to), fixed)
    for name, value in graph.named_outputs.items():
        if to.values[value] != outputs[name]:
            to.copy(value, outputs[name])
    for parameter in graph.unread:
        to.store(parameter.name, parameter.shape, Part(parameter))
    proto = helper.make_graph(
        to.nodes,
        graph.name,
        [_info(value, to.values[value]) for value in graph.inputs],
        [_info(value, outputs[name]) for name, value in graph.named_outputs.items()],
        value_info=_between(graph, to, {*outputs.values()}),
    )
    opsets = [helper.make_opsetid("", to.opset)]
    result = helper.make_model(
        proto,
        producer_name="archcost",
        producer_version=version("archcost"),
        doc_string=str(graph.metadata.get("title", graph.name)),
        opset_imports=opsets,
        ir_version=max(IR_VERSION, helper.find_min_ir_version_for(opsets)),
    )
    helper.set_model_props(result, _properties(graph.metadata))
    place = {parameter: at for at, parameter in enumerate(graph.parameters)}
    return result, sorted(to.stored.values(), key=lambda one: place[one.parts[0].parameter])


def _between(graph: Graph, to: Writer, outputs: set[str]) -> list[ValueInfoProto]:
    """The types of the graph's tensors that are neither its inputs nor ``outputs``, each once,
    whatever nodes only hand it on."""
    made = {name for proto in to.nodes for name in proto.output} - outputs
    named = {to.values[value]: value for node in graph for value in node.outputs}
    return [_info(value, name) for name, value in named.items() if name in made]


def _opset(graph: Graph, asked: int | None) -> int:
    if asked is None:
        types = {value.type.dtype for value in graph.values()}
        return min(BF16_OPSET if "bf16" in types else OPSET, OPSETS[-1])
    if asked not in OPSETS:
        raise ExportError(
            f"operator set {asked} is not written: those from {OPSETS[0]} to {OPSETS[-1]} are"
        )
    return asked


def _info(value: Value, name: str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, element_type(value.type.dtype), value.shape)


def _properties(metadata: Mapping[str, Any]) -> dict[str, str]:
    """What of a network's metadata, and of its source, is one text or number."""
    source = metadata.get("source")
    about = dict(metadata)
    if isinstance(source, Mapping):
        about |= {f"source.{name}": value for name, value in source.items()}
    return {
        name: str(value) for name, value in about.items() if isinstance(value, str | int | float)
    }


# --- weights -----------------------------------------------------------------------------------


def _source(graph: Graph, module: GraphModule | None, weights: str, seed: int) -> Draw | None:
    """What makes the parameters' elements; None where they are left out."""
    if weights not in ("random", "none"):
        raise ExportError(f"weights are 'random' or 'none', not {weights!r}")
    if module is not None:
        return OfModule(graph, module)
    return Random(graph, seed) if weights == "random" else None


def _declared(model: ModelProto, tensor: Stored) -> TensorProto:
    """A new tensor of the model, with all but its data."""
    number = element_type(tensor.dtype)
    proto: TensorProto = model.graph.initializer.add(
        name=tensor.name, dims=tensor.shape, data_type=number
    )
    entry = proto.metadata_props.add()
    entry.key, entry.value = TRAINABLE, "true" if tensor.trainable else "false"
    return proto


def _place(proto: TensorProto, **where: Any) -> None:
    """Say where the data of ``proto`` lies, other than in it."""
    proto.data_location = TensorProto.EXTERNAL
    for key, value in where.items():
        entry = proto.external_data.add()
        entry.key, entry.value = key, str(value)


def _chunks(tensor: Stored, draw: Draw) -> Iterator[memoryview]:
    """The bytes of a tensor, a parameter at a time."""
    for parameter, order in tensor.parts:
        array = draw(parameter)
        if len(order) > 1:
            array = array.reshape(len(order), -1)[list(order)]
        yield array.reshape(-1).view("uint8").data


class Random:
    """Fresh weights: the same ones for the same graph and seed.

    As PyTorch's layers begin: normalisations with ones and zeros, embeddings normally distributed,
    linear layers and convolutions uniformly within 1 / sqrt(n), n being the products that an
    element of their output sums.
    """

    def __init__(self, graph: Graph, seed: int) -> None:
        from numpy.random import default_rng

        self._random = default_rng(seed)
        self._readers: dict[Parameter, tuple[Node, str]] = {}
        for node in graph:
            for spec, parameter in zip(node.application.parameters, node.parameters, strict=True):
                self._readers.setdefault(parameter, (node, spec.name))

    def __call__(self, parameter: Parameter) -> NDArray[Any]:
        from numpy import float32, float64, zeros

        if parameter not in self._readers or parameter.dtype not in FLOATS:
            return zeros(parameter.nbytes, "uint8")
        wide = float64 if parameter.dtype == "fp64" else float32
        array = self._drawn(parameter, wide)
        own = helper.tensor_dtype_to_np_dtype(element_type(parameter.dtype))
        return array.astype(own, copy=False)

    def _drawn(self, parameter: Parameter, dtype: Any) -> NDArray[Any]:
        """The elements, computed in ``dtype``."""
        from numpy import full

        node, role = self._readers[parameter]
        kind = node.op.kind
        array: NDArray[Any]
        filled = FILLED.get((kind, role), FILLED.get(role))
        if filled is not None:
            return full(parameter.shape, filled, dtype)
        if kind in NORMAL:
            array = self._random.standard_normal(parameter.shape, dtype)
            array *= NORMAL[kind]
            return array
        array = self._random.random(parameter.shape, dtype)
        if kind == "rbf":  # codes of -1 and 1
            return array.round() * 2 - 1
        products = node.application.macs / node.outputs[0].type.numel
        array *= 2 / sqrt(max(1, products))
        array -= 1 / sqrt(max(1, products))
        return array


FILLED: Final[dict[object, float]] = {
    "running_mean": 0,
    "running_var": 1,
    ("prelu", "weight"): 0.25,
    **{
        (kind, role): value
        for kind in (
            "batch_norm",
            "group_norm",
            "instance_norm",
            "layer_norm",
            "rms_norm",
            "scale_shift",
        )
        for role, value in (("weight", 1), ("bias", 0))
    },
}
"""Name of a parameter, or kind of its operator and name -> what all its elements are."""

NORMAL: Final = {"embedding": 1.0, "embedding_bag": 1.0, "weight": 0.02}
"""kind -> standard deviation of its weights."""


class OfModule:
    """The weights of a module that :func:`archcost.to_torch` made of the graph."""

    def __init__(self, graph: Graph, module: GraphModule) -> None:
        self._tensors: dict[Parameter, Any] = {}
        for node in graph:
            for spec, parameter in zip(node.application.parameters, node.parameters, strict=True):
                tensor = self._of(module, node.name, spec.name)
                if tensor is None or tuple(tensor.shape) != parameter.shape:
                    raise ExportError(f"the module is not that of this graph: no {parameter!r}")
                found = str(tensor.dtype).removeprefix("torch.")
                if found != NUMPY_NAMES[parameter.dtype]:
                    raise ExportError(f"the module has {parameter!r} in {found}")
                if tensor.is_meta:
                    raise ExportError("the module has no weights: it was made on the meta device")
                self._tensors[parameter] = tensor

    @staticmethod
    def _of(module: GraphModule, node: str, role: str) -> Any:
        path = module.paths.get(node)
        return None if path is None else getattr(module.get_submodule(path), role, None)

    def __call__(self, parameter: Parameter) -> NDArray[Any]:
        import torch

        if parameter not in self._tensors:  # which no node reads and the module does not hold
            from numpy import zeros

            return zeros(parameter.nbytes, "uint8")
        tensor = self._tensors[parameter].detach().cpu().contiguous()
        # As plain bytes: numpy does not know all of torch's dtypes.
        array: NDArray[Any] = tensor.reshape(-1).view(torch.uint8).numpy()
        return array

"""What becomes of operators on sequences and of sampling in ONNX: attention, recurrent layers,
bags of embeddings, grids and regions.

Builders as in :mod:`archcost.targets.onnx_operators`, whose table they are entered in.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import Any, Final

from archcost.ir import Node, Parameter
from archcost.ir.ops.attention import Attention
from archcost.ir.ops.convolution import DeformConv
from archcost.ir.ops.linear import EmbeddingBag
from archcost.ir.ops.normalization import RMSNorm
from archcost.ir.ops.recurrent import GATES, Recurrent
from archcost.ir.ops.sampling import GridSample, RoiAlign
from archcost.ir.ops.windows import per_dimension
from archcost.targets.onnx_nodes import Part, Writer
from archcost.targets.onnx_operators import as_indices, geometry, operator, repeated, transposed


@operator("attention")
def _attention(op: Attention, node: Node, to: Writer) -> str:
    q, k, v, *mask = to.inputs
    of_q, of_k, of_v = (value.type for value in node.inputs[:3])
    if op.grouped:
        # Each of their heads as often as queries share it.
        k, v = (
            repeated(to, x, type_.rank - 3, type_.shape, of_q.shape[-3] // type_.shape[-3])
            for x, type_ in ((k, of_k), (v, of_v))
        )
    scores = to("MatMul", q, transposed(to, k, of_k.rank))
    scale = 1 / sqrt(of_q.shape[-1]) if op.scale is None else op.scale
    if scale != 1:
        scores = to("Mul", scores, to.number(scale, scores))
    if op.causal:
        ones = to("Expand", to.number(1, scores), to.ints(of_q.shape[-2], of_k.shape[-2]))
        mask = [to.cast(to("Trilu", ones, upper=0), "bool")]
    if mask and to.is_type(mask[0], "bool"):
        scores = to("Where", mask[0], scores, to.number(-inf, scores))
    elif mask:
        scores = to("Add", scores, mask[0])
    return to("MatMul", to("Softmax", scores, axis=-1), v)


# --- recurrent layers --------------------------------------------------------------------------

CELLS: Final[dict[str, tuple[str, tuple[int, ...], dict[str, Any]]]] = {
    # i, f, g, o in PyTorch; i, o, f, c in ONNX
    "lstm": ("LSTM", (0, 3, 1, 2), {}),
    # r, z, n in PyTorch; z, r, h in ONNX
    "gru": ("GRU", (1, 0, 2), {"linear_before_reset": 1}),
    "rnn_tanh": ("RNN", (0,), {}),
    "rnn_relu": ("RNN", (0,), {"activations": ["Relu"]}),
}
"""mode -> ONNX's operator, where its gates come from, and its attributes of one direction."""


@operator(*CELLS)
def _recurrent(op: Recurrent, node: Node, to: Writer) -> list[str]:
    if op.projection:
        raise to.lacks("LSTM with a projection")
    x, *given = to.inputs
    single = node.inputs[0].type.rank == 2
    states = [to("Unsqueeze", state, to.ints(1)) for state in given] if single else given
    first = op.batch_first and not single
    # ONNX' sequence is (T, N, features).
    if single:
        x = to("Unsqueeze", x, to.ints(1))
    elif first:
        x = to("Transpose", x, perm=(1, 0, 2))
    last = []
    for layer in range(op.layers):
        y, *ends = _layer(op, to, x, layer, states)
        if op.bidirectional:
            x = to.shaped(to("Transpose", y, perm=(0, 2, 1, 3)), 0, 0, -1)
        else:
            x = to("Squeeze", y, to.ints(1))
        last.append(ends)
    results = last[0]
    if op.layers > 1:
        results = [to("Concat", *ends, axis=0) for ends in zip(*last, strict=True)]
    if single:
        return [to("Squeeze", result, to.ints(1)) for result in (x, *results)]
    return [to("Transpose", x, perm=(1, 0, 2)) if first else x, *results]


def _layer(op: Recurrent, to: Writer, x: str, layer: int, states: list[str]) -> list[str]:
    """The outputs of one layer: (T, directions, N, hidden), and the last state and cell."""
    name, order, attributes = CELLS[op.mode]
    ends = [f"l{layer}{suffix}" for suffix in ("", "_reverse")[: op.directions]]
    rows = GATES[op.mode] * op.hidden

    def stored(*shape: int, roles: tuple[str, ...]) -> str:
        found: list[Parameter] = [to.parameters[f"{role}_{end}"] for end in ends for role in roles]
        sizes = (op.directions, *shape)
        return to.store(found[0].name, sizes, *(Part(parameter, order) for parameter in found))

    width = to.parameters[f"weight_ih_{ends[0]}"].shape[1]
    weights = [
        stored(rows, width, roles=("weight_ih",)),
        stored(rows, op.hidden, roles=("weight_hh",)),
        stored(2 * rows, roles=("bias_ih", "bias_hh")) if op.bias else "",
    ]
    if op.layers > 1:
        bounds = to.ints(layer * op.directions), to.ints((layer + 1) * op.directions)
        states = [to("Slice", state, *bounds, to.ints(0)) for state in states]
    if "activations" in attributes:
        attributes = {"activations": attributes["activations"] * op.directions}
    return to.several(
        name,
        [x, *weights, "", *states],
        3 if op.mode == "lstm" else 2,
        hidden_size=op.hidden,
        direction="bidirectional" if op.bidirectional else "forward",
        **attributes,
    )


# --- normalisation and embeddings --------------------------------------------------------------


@operator("rms_norm")
def _rms_norm(op: RMSNorm, node: Node, to: Writer) -> str:
    x, type_ = to.x, node.inputs[0].type
    weight = to.parameter("weight")
    if to.opset >= 23:
        weight = weight or to.filled(1, type_.shape[-op.dims :], x)
        return to("RMSNormalization", x, weight, axis=-op.dims, epsilon=float(op.eps))
    axes = to.ints(*range(-op.dims, 0))
    mean = to("ReduceMean", to("Mul", x, x), axes, keepdims=1)
    root = to("Sqrt", to("Add", mean, to.number(op.eps, x)))
    y = to("Mul", x, to("Reciprocal", root))
    return to("Mul", y, weight) if weight else y


@operator("embedding_bag")
def _embedding_bag(op: EmbeddingBag, node: Node, to: Writer) -> str:
    if len(node.inputs) == 2:
        raise to.lacks("bags of embeddings that begin at offsets")
    rows = to("Gather", to.parameter("weight"), as_indices(to, to.x), axis=0)
    name = {"sum": "ReduceSum", "mean": "ReduceMean", "max": "ReduceMax"}[op.mode]
    return to(name, rows, to.ints(1), keepdims=0)


# --- sampling ----------------------------------------------------------------------------------


@operator("grid_sample")
def _grid_sample(op: GridSample, node: Node, to: Writer) -> str:
    mode: str = op.mode
    if to.opset >= 20:
        mode = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    elif node.inputs[0].type.rank != 4:
        raise to.lacks("GridSample in three dimensions before operator set 20")
    return to(
        "GridSample",
        *to.inputs,
        mode=mode,
        padding_mode=op.padding,
        align_corners=int(op.align_corners),
    )


@operator("deform_conv")
def _deform_conv(op: DeformConv, node: Node, to: Writer) -> str:
    x, offset, *mask = to.inputs
    return to(
        "DeformConv",
        x,
        to.parameter("weight"),
        offset,
        *([to.parameter("bias"), *mask] if mask else to.optional("bias")),
        group=op.groups,
        offset_group=op.offset_groups,
        **geometry(op.regular.windows(node.inputs[0].type)),
    )


@operator("roi_align")
def _roi_align(op: RoiAlign, node: Node, to: Writer) -> str:
    x, boxes, *images = to.inputs
    size = per_dimension(op.kind, "size", op.size, 2)
    if op.pool:
        dtype = node.inputs[1].type.dtype
        columns = [to("Unsqueeze", to.cast(image, dtype), to.ints(1)) for image in images]
        boxes = to("Concat", *columns, boxes, axis=1) if images else boxes
        return to("MaxRoiPool", x, boxes, pooled_shape=size, spatial_scale=float(op.scale))
    if images:
        image = to.cast(images[0], "int64")
    else:
        image = to("Gather", boxes, to.constant([0], (), "int64"), axis=1)
        image = to.cast(image, "int64")
        boxes = to("Slice", boxes, to.ints(1), to.ints(5), to.ints(1))
    return to(
        "RoiAlign",
        x,
        boxes,
        image,
        output_height=size[0],
        output_width=size[1],
        sampling_ratio=op.samples,
        spatial_scale=float(op.scale),
        coordinate_transformation_mode="half_pixel" if op.aligned else "output_half_pixel",
    )

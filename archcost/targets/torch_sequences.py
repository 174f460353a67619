"""What becomes of operators on sequences and of sampling in PyTorch: attention, recurrent layers,
bags of embeddings, grids and regions.

Builders as in :mod:`archcost.targets.torch_operators`, whose tables they are entered in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archcost.ir import Node, Shape
from archcost.ir.ops.attention import Attention
from archcost.ir.ops.convolution import DeformConv
from archcost.ir.ops.linear import EmbeddingBag
from archcost.ir.ops.normalization import RMSNorm
from archcost.ir.ops.recurrent import Recurrent
from archcost.ir.ops.sampling import GridSample, RoiAlign
from archcost.ir.ops.windows import per_dimension
from archcost.targets import TargetError, torch_modules
from archcost.targets.torch_operators import Call, function, module, on_first, padded_before


@function("attention")
def _attention(op: Attention, node: Node) -> Call:
    if op.dropout:
        return torch_modules.Attention(op.causal, op.scale, op.grouped, op.dropout)
    return lambda q, k, v, mask=None: F.scaled_dot_product_attention(
        q, k, v, mask, is_causal=op.causal, scale=op.scale, enable_gqa=op.grouped
    )


RECURRENT: Final[dict[str, Callable[..., nn.RNNBase]]] = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "rnn_tanh": nn.RNN,
    "rnn_relu": nn.RNN,
}


@module("lstm", "gru", "rnn_tanh", "rnn_relu")
def _recurrent(op: Recurrent, node: Node) -> tuple[Call, ...]:
    arguments: dict[str, Any] = {
        "bias": op.bias,
        "batch_first": op.batch_first,
        "bidirectional": op.bidirectional,
    }
    if op.layers > 1:  # torch warns of a dropout that has no place
        arguments["dropout"] = op.dropout
    if op.mode == "lstm":
        arguments["proj_size"] = op.projection
    if op.mode == "rnn_relu":
        arguments["nonlinearity"] = "relu"
    layers = RECURRENT[op.mode](node.inputs[0].shape[-1], op.hidden, op.layers, **arguments)
    if op.mode != "lstm":
        return (layers,)
    # torch's takes state and cell together or not at all, and gives them together.
    if len(node.inputs) == 1:
        return layers, _apart
    return partial(_together, cell=node.outputs[2].shape), layers, _apart


def _together(
    x: Tensor, h: Tensor, c: Tensor | None = None, *, cell: Shape
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The sequence, and the initial state with its cell, which is zeros if it is not given."""
    return x, (h, h.new_zeros(cell) if c is None else c)


def _apart(y: Tensor, states: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    return (y, *states)


@module("rms_norm")
def _rms_norm(op: RMSNorm, node: Node) -> Call:
    shape = node.inputs[0].shape[-op.dims :]
    return nn.RMSNorm(shape, eps=op.eps, elementwise_affine=op.affine)


@module("embedding_bag")
def _embedding_bag(op: EmbeddingBag, node: Node) -> tuple[Call, ...]:
    bags = nn.EmbeddingBag(op.count, op.width, mode=op.mode)
    dtypes = {value.type.dtype for value in node.inputs}
    if len(dtypes) == 1 and dtypes <= {"int64", "int32"}:  # torch looks up by these two alone
        return (bags,)
    return (lambda *numbers: tuple(x.long() for x in numbers)), bags


@function("grid_sample")
def _grid_sample(op: GridSample, node: Node) -> Call:
    return lambda x, grid: F.grid_sample(x, grid, op.mode, op.padding, op.align_corners)


# --- of torchvision ------------------------------------------------------------------------------


def _torchvision(node: Node) -> Any:
    """torchvision's operators."""
    if not find_spec("torchvision"):
        raise TargetError(node, f"{node.op.kind} needs torchvision: pip install torchvision")
    return import_module("torchvision.ops")


@module("deform_conv")
def _deform_conv(op: DeformConv, node: Node) -> tuple[Call, ...]:
    x = node.inputs[0].type
    windows = op.regular.windows(x)
    before, padding = padded_before(windows)
    convolve = _torchvision(node).DeformConv2d(
        x.channels,
        op.out,
        windows.kernel,
        windows.stride,
        padding,
        windows.dilation,
        op.groups,
        op.bias,
    )
    return *map(on_first, before), convolve


@function("roi_align")
def _roi_align(op: RoiAlign, node: Node) -> Call:
    ops, size = _torchvision(node), per_dimension(op.kind, "size", op.size, 2)

    def resample(x: Tensor, boxes: Tensor, *images: Tensor) -> Tensor:
        boxes = _with_images(boxes, images)
        if op.pool:
            pooled: Tensor = ops.roi_pool(x, boxes, size, op.scale)
            return pooled
        samples = op.samples or -1
        aligned: Tensor = ops.roi_align(x, boxes, size, op.scale, samples, op.aligned)
        return aligned

    return resample


def _with_images(boxes: Tensor, images: Sequence[Tensor]) -> Tensor:
    """Boxes (K, 5), their images in the first column."""
    columns = [indices.to(boxes.dtype).unsqueeze(1) for indices in images]
    return torch.cat([*columns, boxes], 1)

"""fvcore: multiply-accumulates, and elements of a few other operators, of the traced pass.

Counted, in the operators of a pass that PyTorch's tracer records: convolutions (transposed ones by
the input elements that meet each weight), linear layers and matrix products at one for each
multiply-accumulate, without bias; batch normalisation by stored statistics at 2 per element, or 1
without weights of its own; layer, group and instance normalisation, and batch normalisation by the
batch's statistics, at 5 or 4; an adaptive or global average pool of two dimensions at 1 per input
element; upsampling in two dimensions at 1 per output element, bilinear at 4; grid sampling at 4 per
output element, whatever the interpolation. ``macs`` is what
``FlopCountAnalysis(...).total()`` returns, ``activations`` what ``ActivationCountAnalysis`` does:
output elements of convolutions, linear layers and matrix products alone. ``params`` are those of
``parameter_count``, a shared one once.

Not counted: activation functions, softmax, all other pools, those of one and three dimensions among
them, upsampling in one and three dimensions, bicubic or with a filter against aliasing, local
response and root mean square normalisation, scale and shift, attention, recurrent layers,
deformable convolutions, bags of embeddings, distances of a radial basis layer, sums, products and
other elementwise operators.

Peculiar: the sum is called flops, and a multiply-accumulate is 1 of them. Instance normalisation
counts as if by its input's statistics, whether or not it has stored ones. Whole batches are
counted. Operators whose results reach no output are dropped from the trace and are not counted,
although they run; their parameters are. A convolution with a table of connections runs as a dense
one, whose missing connections are counted. A matrix product whose first factor is broadcast over
batches counts one of them.
"""

from __future__ import annotations

from archcost.conventions.convention import (
    Amounts,
    Convention,
    counted_as,
    counts_all_params,
    plain_macs,
)
from archcost.conventions.torch_modules import GAPS_COUNTED, dense_macs, transposed_output, unread
from archcost.ir import Graph, Node
from archcost.ir.ops.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from archcost.ir.ops.shape import Upsample

FVCORE = Convention(
    "fvcore",
    quantities=("macs", "activations", "params"),
    about=__doc__,
    source="fvcore 0.1.5.post20221221, fvcore/nn (flop_count.py, activation_count.py, "
    "jit_handles.py, jit_analysis.py, parameter_count.py)",
    read="2026-11-21",
)

counts_all_params(FVCORE)


@FVCORE.over_graph("layers that lead to no output not counted")
def dropped(graph: Graph) -> Amounts:
    """What the tracer drops: minus what the rules give of it."""
    numbers = FVCORE.count(graph, unread(graph)).numbers
    return {quantity: -numbers[quantity] for quantity in ("macs", "activations")}


@FVCORE.rule("local_conv", "linear")
def products(node: Node) -> Amounts:
    """Multiply-accumulates, and the output's elements as activations."""
    return {**plain_macs(node), "activations": node.outputs[0].type.numel}


@FVCORE.rule("conv", "depthwise_conv", "dynamic_conv", why=GAPS_COUNTED)
def convolution(node: Node) -> Amounts:
    """Multiply-accumulates with all of the channels of a group."""
    return {"macs": dense_macs(node), "activations": node.outputs[0].type.numel}


@FVCORE.rule("conv_transpose", "dynamic_conv_transpose")
def conv_transpose(node: Node) -> Amounts:
    """Multiply-accumulates; activations before any of the output is cut off."""
    return {**plain_macs(node), "activations": transposed_output(node).numel}


@FVCORE.rule("matmul", why="matrix products of a broadcast factor counted once")
def matmul(node: Node) -> Amounts:
    """Elements of the first factor, each as often as the second has columns."""
    first, output = node.inputs[0].type, node.outputs[0].type
    return {"macs": first.numel * output.shape[-1], "activations": output.numel}


def _by_statistics(node: Node) -> int:
    """What normalising an element by statistics of the input is counted as."""
    assert isinstance(node.op, BatchNorm | LayerNorm | GroupNorm | InstanceNorm)
    return 5 if node.op.affine else 4


def _batch_norm(node: Node) -> int:
    """What batch normalisation of an element is counted as."""
    assert isinstance(node.op, BatchNorm)
    return _by_statistics(node) - (3 if node.op.track else 0)


@FVCORE.rule("batch_norm", why=counted_as(_batch_norm))
def batch_norm(node: Node) -> Amounts:
    """2 or 1 per element by stored statistics, else 5 or 4."""
    return {"macs": _batch_norm(node) * node.inputs[0].type.numel}


@FVCORE.rule("layer_norm", "group_norm", "instance_norm", why=counted_as(_by_statistics))
def normalisation(node: Node) -> Amounts:
    """5 per element with weights of its own, else 4."""
    return {"macs": _by_statistics(node) * node.inputs[0].type.numel}


@FVCORE.rule("global_avg_pool", "adaptive_avg_pool", why=counted_as(1, "input element"))
def adaptive_average(node: Node) -> Amounts:
    """1 per input element in two dimensions."""
    x = node.inputs[0].type
    return {"macs": x.numel if len(x.spatial) == 2 else 0}


def _upsampled(node: Node) -> int:
    """What an upsampled element is counted as."""
    op = node.op
    assert isinstance(op, Upsample)
    if len(node.outputs[0].type.spatial) != 2 or op.antialias:
        return 0
    return {"nearest": 1, "bilinear": 4, "bicubic": 0}[op.mode]


@FVCORE.rule("upsample", why=counted_as(_upsampled, "output element"))
def upsample(node: Node) -> Amounts:
    """1 per output element in two dimensions, 4 if bilinear."""
    return {"macs": _upsampled(node) * node.outputs[0].type.numel}


@FVCORE.rule("grid_sample", why=counted_as(4, "output element"))
def grid_sample(node: Node) -> Amounts:
    """4 per output element, as if bilinear."""
    return {"macs": 4 * node.outputs[0].type.numel}

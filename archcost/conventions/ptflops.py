"""ptflops: multiply-accumulates and elements, layers by the image, functions by the batch.

Counted by layer, of the classes of torch.nn that it knows, and divided by the batch size:
convolutions (transposed ones by the input elements that meet each weight) and linear layers at one
for each multiply-accumulate and one for the bias of an output element; batch, group and instance
normalisation at 2 per element, 1 without weights of its own; layer normalisation at 1; ReLU, ReLU6,
ELU, LeakyReLU, PReLU and GELU at 1 per element; pools (sliding, global and adaptive) at 1 per input
element; upsampling at 1 per output element; recurrent layers at one for each multiply-accumulate of
two matrices and each bias at each step, and for a hidden unit 10 more in an LSTM, 7 in a GRU, 1
elsewhere; torchvision's deformable convolutions as others, and 24 more for each element of the
kernel at each place, 25 with factors.

Counted by call of a function, for the whole batch: ReLU, ELU, PReLU, GELU, SiLU and softmax at 1
per element; pools at 1 per input element; upsampling at 1 per output element; matrix products at
one for each multiply-accumulate; ``mul`` and ``add`` at 1 per element, which local response
normalisation calls three times, beside an average pool over padded channels. An Lp pool is an
average pool, a ReLU and a product. ``params`` are all trainable ones, a shared one once.

Not counted: sigmoid, tanh, their hard versions, SELU, CELU, Mish, softplus and log-softmax; sums
and products written as ``+`` and ``*``; fractional pools and unpooling; root mean square
normalisation, bags of embeddings, grid sampling; attention and convolutions as functions; and
classes of a program's own, subclasses of known ones too: here locally connected layers, connection
tables, DropConnect, scale and shift, radial basis.

Peculiar: layers call the functions that are counted as well, so that a ReLU, ELU, PReLU, GELU, pool
or upsampling that is a layer counts twice. With a batch of N the first time stands for an image,
the second for N images; an upsampling layer counts the first image alone, and divides it by N. A
matrix product whose first factor is broadcast over batches counts one of them. The projection of an
LSTM is left out; a sequence alone, (T, features), is taken for T sequences of as many steps as it
has features. Of a network with
several inputs, which it takes by name, it does not see the batch size, and divides by 1. A bias
is counted among the MACs.
"""

from __future__ import annotations

from collections.abc import Callable

from archcost.conventions.convention import (
    Amounts,
    Convention,
    NodeRule,
    Why,
    counted_as,
    counts_all_params,
    in_words,
    plain_macs,
)
from archcost.conventions.torch_modules import (
    biased,
    derived_not_counted,
    divisors,
    of_torch,
    pooled_input,
    sequence_rows,
    sequence_why,
)
from archcost.ir import Graph, Node
from archcost.ir.ops.convolution import DeformConv
from archcost.ir.ops.normalization import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
)
from archcost.ir.ops.recurrent import GATES, Recurrent
from archcost.ir.ops.shape import Upsample

PTFLOPS = Convention(
    "ptflops",
    quantities=("macs", "params"),
    about=__doc__,
    source="ptflops 0.7.5, ptflops/pytorch_engine.py and ptflops/pytorch_ops.py",
    read="2026-11-21",
)

counts_all_params(PTFLOPS)

_LAYERS: dict[str, list[NodeRule]] = {}
"""kind -> rules that are divided by the batch size."""


def _layer(*kinds: str, why: Why | None = None) -> Callable[[NodeRule], NodeRule]:
    """Register what is counted of layers of these kinds."""

    def register(count: NodeRule) -> NodeRule:
        for kind in kinds:
            _LAYERS.setdefault(kind, []).append(count)
        return PTFLOPS.rule(*kinds, why=why)(count)

    return register


@PTFLOPS.over_graph("layers counted for 1 image of the batch")
def by_image(graph: Graph) -> Amounts:
    """What the layers of all images are counted, divided by the batch size, less that."""
    layers = sum(rule(node)["macs"] for node in graph for rule in _LAYERS.get(node.op.kind, ()))
    batch = graph.inputs[0].shape[0] if len(graph.inputs) == 1 else 1
    return {"macs": layers // batch - layers}


# --- layers --------------------------------------------------------------------------------------


@_layer("conv", "depthwise_conv", "linear", why=derived_not_counted)
def known_layers(node: Node) -> Amounts:
    """Multiply-accumulates of a class of torch.nn."""
    return plain_macs(node) if of_torch(node) else {"macs": 0}


_layer("conv_transpose")(plain_macs)


@_layer(
    "conv",
    "depthwise_conv",
    "conv_transpose",
    "linear",
    why="biases counted as 1 per output element",
)
def bias(node: Node) -> Amounts:
    """1 per element of the module's output."""
    return {"macs": biased(node) if of_torch(node) else 0}


def _normalised(node: Node) -> int:
    """What a normalised element is counted as."""
    op = node.op
    if isinstance(op, LayerNorm):
        return 1
    assert isinstance(op, BatchNorm | GroupNorm | InstanceNorm)
    return 2 if op.affine else 1


@_layer("batch_norm", "group_norm", "instance_norm", "layer_norm", why=counted_as(_normalised))
def normalisation(node: Node) -> Amounts:
    """1 per element, 2 with weights of its own; layer normalisation always 1."""
    return {"macs": _normalised(node) * node.inputs[0].type.numel}


def _again_why(node: Node) -> str:
    return f"{in_words(node.op.kind)} counted again, as the function that its layer calls"


_GLOBAL_POOLS = ("global_max_pool", "global_avg_pool", "adaptive_max_pool", "adaptive_avg_pool")
_SLIDING_POOLS = ("max_pool", "avg_pool", "sum_pool")


def elements(node: Node) -> Amounts:
    """1 per input element."""
    return {"macs": node.inputs[0].type.numel}


def pooled_elements(node: Node) -> Amounts:
    """1 per element of what the module of the pool is given."""
    return {"macs": pooled_input(node).numel}


_layer("relu", "relu6", "elu", "leaky_relu", "prelu", "gelu", "gelu_tanh", why=counted_as(1))(
    elements
)
_layer(*_GLOBAL_POOLS, why=counted_as(1, "input element"))(elements)
_layer(*_SLIDING_POOLS, why=counted_as(1, "input element"))(pooled_elements)


@_layer("upsample", why=counted_as(1, "output element of 1 image"))
def upsampled_image(node: Node) -> Amounts:
    """1 per output element of the first image, of torch's own class."""
    y = node.outputs[0].type
    assert isinstance(node.op, Upsample)
    return {"macs": 0 if node.op.antialias else y.numel // y.shape[0]}


_UNIT: dict[str, int] = {"lstm": 10, "gru": 7, "rnn_tanh": 1, "rnn_relu": 1}
"""kind -> what a hidden unit counts at one step besides its products."""


def _steps(node: Node, each: int) -> Amounts:
    """``each`` for one step of one direction in all layers, as often as there are such."""
    assert isinstance(node.op, Recurrent)
    return {"macs": each * sequence_rows(node) * node.op.directions}


def _forward(node: Node, *names: str) -> int:
    """Elements of these parameters of all layers in forward direction."""
    assert isinstance(node.op, Recurrent)
    wanted = {f".{name}_l{layer}" for name in names for layer in range(node.op.layers)}
    return sum(p.numel for p in node.application.stored if p.suffix in wanted)


@_layer(*GATES, why=sequence_why)
def recurrent(node: Node) -> Amounts:
    """Both matrices of each layer."""
    return _steps(node, _forward(node, "weight_ih", "weight_hh"))


@_layer(*GATES, why="both biases of a gate counted as 1 each")
def gate_biases(node: Node) -> Amounts:
    """Both biases of each layer."""
    return _steps(node, _forward(node, "bias_ih", "bias_hh"))


@_layer(*GATES, why=counted_as(lambda node: _UNIT[node.op.kind], "hidden unit and step besides"))
def units(node: Node) -> Amounts:
    """1, 7 or 10 for each hidden unit."""
    op = node.op
    assert isinstance(op, Recurrent)
    return _steps(node, op.layers * op.hidden * _UNIT[op.kind])


@_layer("deform_conv")
def deform_conv(node: Node) -> Amounts:
    """Multiply-accumulates."""
    return plain_macs(node)


def _interpolated(node: Node) -> int:
    """What an element of the kernel is counted as at each place."""
    return 24 if len(node.inputs) == 2 else 25


@_layer("deform_conv", why=counted_as(_interpolated, "kernel element and place besides"))
def interpolation(node: Node) -> Amounts:
    """24 or 25 for each element of the kernel at each place, whatever the channels."""
    y = node.outputs[0].type
    *_, height, width = node.application.stored[0].shape
    return {"macs": _interpolated(node) * height * width * y.numel // y.channels}


@_layer("deform_conv", why="biases counted as 1 per output element")
def deform_bias(node: Node) -> Amounts:
    """1 per output element."""
    assert isinstance(node.op, DeformConv)
    return {"macs": node.outputs[0].type.numel if node.op.bias else 0}


# --- functions -----------------------------------------------------------------------------------


PTFLOPS.rule("relu", "elu", "prelu", "gelu", "gelu_tanh", *_GLOBAL_POOLS, why=_again_why)(elements)
PTFLOPS.rule(*_SLIDING_POOLS, why=_again_why)(pooled_elements)
PTFLOPS.rule("silu", "softmax", why=counted_as(1))(elements)


@PTFLOPS.rule("upsample", why=_again_why)
def upsampled(node: Node) -> Amounts:
    """1 per output element."""
    return {"macs": node.outputs[0].type.numel}


@PTFLOPS.rule("avg_pool", why="average pooling over padding that does not count: its divisors")
def divisor(node: Node) -> Amounts:
    """1 per element of the ones whose means say what to divide by."""
    return {"macs": divisors(node)}


@PTFLOPS.rule("matmul", why="matrix products of a broadcast factor counted once")
def matmul(node: Node) -> Amounts:
    """Elements of the first factor, each as often as the second has columns."""
    return {"macs": node.inputs[0].type.numel * node.outputs[0].shape[-1]}


@PTFLOPS.rule("lrn", why="local response normalisation: the functions that it calls")
def lrn(node: Node) -> Amounts:
    """Two products, a sum and an average pool over channels padded on both sides; within channels
    the average pool alone."""
    op, x = node.op, node.inputs[0].type
    assert isinstance(op, LocalResponseNorm)
    if op.region == "within":
        return {"macs": x.numel}
    return {"macs": 3 * x.numel + x.numel // x.channels * (x.channels + op.size - 1)}


@PTFLOPS.rule("lp_pool", why="Lp pooling: the functions that it calls")
def lp_pool(node: Node) -> Amounts:
    """An average pool, and of its output a ReLU and a product."""
    return {"macs": pooled_input(node).numel + 2 * node.outputs[0].type.numel}

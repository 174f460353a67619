"""torchinfo: each module's weights and biases, times the batch, times positions in convolutions.

Counted, on the modules of ``archcost.to_torch``: each parameter that is called weight or bias is
one multiply-accumulate for each sample, in a class with ``Conv`` in its name one for each sample
and output position, and in a recurrent layer one for each sample and step. ``params`` are all of
every module; ``param_bytes`` is their size. ``output_bytes``, printed as "Forward/backward pass
size", is twice the output of every module with parameters: the second time stands for the gradient.

Not counted: whatever is not a module (matrix products, sums, products, concatenations), and modules
without parameters.

Peculiar: a bias counts like a weight. A linear layer on a sequence, (N, T, in), counts at one of
its T positions alone. A transposed convolution counts at each output position, a locally connected
layer as if all its weights were used at every position. Weights and biases of normalisations, of
PReLU and of a scale and shift count once for each sample, whatever the input's size, and so does
the whole table of an embedding or, for each bag, of bags of them. Of a sequence alone, (T,
features), a recurrent layer counts for each step and output feature. Weights that several layers
share count in each of them, as params too.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from archcost.conventions.convention import Amounts, Convention, in_words, unread_params
from archcost.conventions.torch_modules import transposed_output
from archcost.ir import Node, TensorType
from archcost.ir.ops.recurrent import GATES

TORCHINFO = Convention(
    "torchinfo",
    quantities=("macs", "params", "param_bytes", "output_bytes"),
    about=__doc__,
    source="torchinfo 1.8.0, torchinfo/layer_info.py and torchinfo/model_statistics.py",
    read="2026-11-21",
)

_CONVOLUTIONS = ("conv", "depthwise_conv", "conv_transpose", "local_conv", "deform_conv")

TORCHINFO.over_graph("parameters that no layer reads")(unread_params)


@TORCHINFO.over_nodes
def sizes(nodes: Sequence[Node]) -> Amounts:
    """Parameters, shared ones for each layer, and bytes of them and of the outputs beside them."""
    holders = [node for node in nodes if node.application.params]
    stored = [p for node in holders for p in node.application.stored if p.trainable]
    return {
        "params": sum(p.numel for p in stored),
        "param_bytes": sum(p.nbytes for p in stored),
        "output_bytes": 2 * sum(_output(node).nbytes for node in holders),
    }


def _output(node: Node) -> TensorType:
    """What the node's module gives."""
    return transposed_output(node) if node.op.kind == "conv_transpose" else node.outputs[0].type


def _params(node: Node, name: str) -> int:
    """Elements of the node's parameter of that name; 0 if it has none."""
    stored = node.application.stored
    return sum(p.numel for p in stored if p.trainable and p.suffix == f".{name}")


def _times(node: Node) -> int:
    """How often each parameter is counted."""
    shape = _output(node).shape
    return shape[0] * prod(shape[2:]) if node.op.kind in _CONVOLUTIONS else shape[0]


_WEIGHTS_WHY = {
    "conv_transpose": "transposed convolutions counted at each output element",
    "local_conv": "locally connected layers counted with all weights at each position",
    "linear": "linear layers on a sequence counted at one place alone",
}


@TORCHINFO.rule(*_CONVOLUTIONS, "linear", why=lambda node: _WEIGHTS_WHY.get(node.op.kind, ""))
def weights(node: Node) -> Amounts:
    """Weights, each once for each sample, or for each sample and position."""
    return {"macs": _params(node, "weight") * _times(node)}


@TORCHINFO.rule(*_CONVOLUTIONS, "linear", why="biases counted as multiply-accumulates")
def biases(node: Node) -> Amounts:
    """Biases, counted like the weights."""
    return {"macs": _params(node, "bias") * _times(node)}


def _each_step(node: Node, rank: int) -> Amounts:
    """The parameters of this many dimensions, each as often as the output's first two sizes say."""
    elements = sum(p.numel for p in node.application.stored if len(p.shape) == rank)
    return {"macs": elements * prod(node.outputs[0].shape[:2])}


@TORCHINFO.rule(*GATES, why="one sequence alone taken for a batch of sequences")
def matrices(node: Node) -> Amounts:
    """Matrices, each once for each sample and step."""
    return _each_step(node, 2)


@TORCHINFO.rule(*GATES, why="biases counted as multiply-accumulates")
def gate_biases(node: Node) -> Amounts:
    """Biases, counted like the matrices."""
    return _each_step(node, 1)


def _once_why(node: Node) -> str:
    if node.op.kind == "embedding":
        return "the whole embedding table counted for each sample"
    if node.op.kind == "embedding_bag":
        return "the whole embedding table counted for each bag"
    return f"parameters of {in_words(node.op.kind)} counted once for each sample"


@TORCHINFO.rule(
    "batch_norm",
    "layer_norm",
    "rms_norm",
    "group_norm",
    "instance_norm",
    "prelu",
    "scale_shift",
    "embedding",
    "embedding_bag",
    why=_once_why,
)
def once_a_sample(node: Node) -> Amounts:
    """Weights and biases, each once for each sample."""
    return {"macs": (_params(node, "weight") + _params(node, "bias")) * _times(node)}

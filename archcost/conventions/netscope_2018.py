"""The Netscope CNN Analyzer in its last state (July 2018), all seven columns of its summary.

Counted: as by ``netscope-2016``, with these differences.

- All images of the batch are counted, except by ``rescale`` (Caffe's Power).
- Groups of a convolution divide its ``macc`` and its weights. Those of a deconvolution are still
  ignored.
- Biases of convolutions and inner products are params. Those of deconvolutions are still not, nor
  are the scales and shifts of Caffe's Scale.
- ReLU6, ELU and PReLU are known: one ``comp`` per element, no params. So is Caffe's Power of power
  1, ``rescale``: one ``macc`` per element for a scale other than 1, one ``add`` for a shift.
- ``reshape`` and ``permute`` are known and count nothing, no activation either.
- An "implicit" layer (``identity``) has the activation of its input.
- Every input counts once: the total's activations start from zero.

Not counted: every layer the program does not know, which it reports as unknown (sigmoid, slice,
layer normalisation ...). ``archcost conventions`` names them beside the number.

Peculiar: products and maxima are still taken for sums. The program loses the batch of a data layer
that gives its size as ``crop_size`` and then shows no number but the params; here such a network
has the batch of its graph.

Of Faster R-CNN the program knows the pooling of regions (``roi_align`` with ``pool``), one ``comp``
for each element of the feature map and region, and the proposal layer (``Proposal``): for each of
9 anchors at each place 8 ``macc``, 10 ``add``, 6 ``comp`` and 2 ``exp``, their sorting as the
square of their number, and for each pair of proposals 2 ``macc``, 6 ``add``, 7 ``comp`` and 1
``div``. Behind the pooling it has the channels that the layer before the pooling reads, which are
those that it gives where that is a ReLU.
"""

from __future__ import annotations

from functools import wraps
from math import prod

from archcost.conventions import netscope_2016 as old
from archcost.conventions.convention import Amounts, Convention, NodeRule, counted_as
from archcost.ir import Graph, Node
from archcost.ir.ops.activation import Rescale
from archcost.ir.ops.sampling import RoiAlign

ANCHORS = 9
"""Boxes that the program takes to be tried at each place."""

NETSCOPE_2018 = Convention(
    "netscope-2018",
    quantities=old.QUANTITIES,
    about=__doc__,
    source="https://github.com/dgschwend/netscope at commit 8ae36d8 (2018-07-12)",
    read="2026-11-21",
)


@NETSCOPE_2018.rule("conv", "depthwise_conv", "linear")
def weighted(node: Node) -> Amounts:
    """Every multiply-accumulate, and the weights and biases."""
    application = node.application
    return {
        "macc": application.macs,
        "activations": node.outputs[0].type.numel,
        "params": application.params,
    }


def batched(rule: NodeRule) -> NodeRule:
    """A rule for one image, for all images of a batch: all but the params times its size."""

    @wraps(rule)
    def count(node: Node) -> Amounts:
        batch = node.outputs[0].shape[0]
        return {q: n if q == "params" else n * batch for q, n in rule(node).items()}

    return count


for names, why, rule in (
    (("conv_transpose",), None, old.one_image),
    (("conv_transpose",), old.DECONVOLUTION, old.by_outputs),
    (("batch_norm",), old.BATCH_NORM, old.batch_norm),
    (("scale_shift",), old.SCALE, old.scale),
    (("lrn",), old.LRN, old.local_response_norm),
    (("max_pool",), None, old.max_pool),
    (("avg_pool",), None, old.average_pool),
    (("global_max_pool",), None, old.global_max_pool),
    (("global_avg_pool",), None, old.global_average_pool),
    (("relu", "leaky_relu", "relu6", "elu", "prelu", "dropout"), None, old.one_comparison),
    (("softmax",), None, old.softmax),
    (("sum", "product", "maximum"), None, old.eltwise),
    (("concat",), None, old.concatenation),
    (("crop", "identity"), None, old.activation),
    (("flatten",), None, old.flatten),
):
    NETSCOPE_2018.rule(*names, why=why)(batched(rule))


@NETSCOPE_2018.rule("rescale", why=counted_as(1))
def power(node: Node) -> Amounts:
    """(shift + scale * x) ^ 1, of one image."""
    op = node.op
    assert isinstance(op, Rescale)
    n = old.elements(node.inputs[0].type)
    return {
        "macc": n if op.scale != 1 else 0,
        "add": n if op.shift != 0 else 0,
        "activations": n,
    }


@NETSCOPE_2018.rule("roi_align", why=counted_as(1, "region"))
def regions(node: Node) -> Amounts:
    """The maximum over the whole feature map for each region."""
    op = node.op
    assert isinstance(op, RoiAlign)
    if not op.pool:
        return {}
    x, y = node.inputs[0].type, node.outputs[0].type
    count = y.shape[0]
    return {
        "macc": count,
        "comp": count * old.elements(x),
        "add": count,
        "div": count,
        "activations": y.numel,
    }


@NETSCOPE_2018.rule("Proposal", why="region proposals counted by anchor and pair")
def proposals(node: Node) -> Amounts:
    """Boxes of all anchors, sorted, and the overlaps of those that are left."""
    x, y = node.inputs[0].type, node.outputs[0].type
    places = ANCHORS * prod(x.spatial)
    anchors, pairs = x.shape[0] * places, y.shape[0] * (y.shape[0] - 1) // 2
    return {
        "macc": 8 * anchors + 2 * pairs,
        "comp": 6 * anchors + places**2 + 7 * pairs,
        "add": 10 * anchors + 6 * pairs,
        "div": pairs,
        "exp": 2 * anchors,
        "activations": y.numel,
    }


@NETSCOPE_2018.over_graph(why="layers of the file")
def file(graph: Graph) -> Amounts:
    """What a prototxt has that no rule for a node tells; a blob has the size of its input."""
    layers = sum(node.outputs[0].type.numel for node, _ in old.in_file(graph))
    return {"activations": layers + sum(x.type.numel for x in old.implicit_blobs(graph))}


@NETSCOPE_2018.over_graph(why="inputs")
def inputs(graph: Graph) -> Amounts:
    """The inputs, each once."""
    return {"activations": sum(x.type.numel for x in old.sized(graph))}

"""The Netscope CNN Analyzer in its state of November 2016, all seven columns of its summary.

Counted, for one image whatever the batch: a network is read as the Caffe prototxt that would
describe it, and every layer of it counts what the program's ``src/analyzer.coffee`` says.
``macc`` are multiply-accumulates, ``comp`` comparisons, ``add`` additions, ``div`` divisions and
``exp`` exponentials; ``activations`` are the outputs of all layers, also of those that work in
place (ReLU, dropout), move data (concat, crop, flatten) or do nothing at inference; ``params`` are
weights.

- convolution, inner product, deconvolution: ``macc`` and weights. Groups are ignored: each output
  channel sees all input channels. Biases are counted nowhere. A deconvolution counts its output
  elements, each with the share of the kernel that meets an input: kernel / stride per dimension.
- pooling: whole windows, one ``comp`` (maximum) or ``add`` (average) per element of each, padding
  and what hangs over the edge included; the average's division is not counted. Global pooling: one
  per input element.
- batch normalisation: Caffe's BatchNorm, one ``add`` and one ``div`` per element and 2 params per
  channel, and, where it is affine, Caffe's Scale behind it, one ``macc`` per element without
  params; each of the two layers has an activation of its own.
- local response normalisation: ``size`` ``macc``, 1 ``add``, 1 ``exp`` and 2 ``div`` per element,
  2 params (alpha and beta) per layer.
- ReLU and dropout: one ``comp`` per element. Softmax: one ``exp``, ``add`` and ``div`` per element.
- sum, product, maximum: one ``add`` per element, however many inputs. The program reads which of
  the three it is from the wrong place and takes all for sums.

Not counted: every layer the program does not know, which it reports as unknown (sigmoid, PReLU,
ELU, slice ...). ``archcost conventions`` names them beside the number.

Peculiar: the total starts as a copy of the first row and then adds all rows, the first included,
so that the input, an activation of the data layer, counts twice. Every other input counts once; a
label is one number. A blob that the file names and no layer makes counts as an "implicit" layer of
one activation, whatever its shape; ``identity`` stands for it. A flatten counts as a layer unless
all that reads it are layers that flatten by themselves, as Caffe's inner product does, since
prototxts then have none. Nor do they have a concatenation that only another one reads (in modules
of Inception-v3): its inputs are inputs of that one. A network that was read from a prototxt has
the layers and blobs of the file.

Shapes are the graph's. The program's own differ behind an unknown layer, to which it gives sizes of
0; behind an implicit one, to which it gives sizes of 1; a dilated convolution, whose dilation it
ignores; a pool whose windows are not square, which it cannot read; and a pool that rounds up to a
window wholly in its padding, which it keeps.
"""

from __future__ import annotations

from math import prod

from archcost.conventions.convention import Amounts, Convention, counted_as
from archcost.ir import Graph, Node, TensorType, Value
from archcost.ir.ops.activation import Softmax
from archcost.ir.ops.convolution import Conv, ConvTranspose, DepthwiseConv
from archcost.ir.ops.linear import Linear
from archcost.ir.ops.normalization import BatchNorm, LocalResponseNorm, ScaleShift
from archcost.ir.ops.pooling import AvgPool, MaxPool
from archcost.ir.ops.regularization import Dropout
from archcost.ir.ops.windows import per_dimension

QUANTITIES = ("macc", "comp", "add", "div", "exp", "activations", "params")

NETSCOPE_2016 = Convention(
    "netscope-2016",
    quantities=QUANTITIES,
    about=__doc__,
    source="https://github.com/dgschwend/netscope at commit 17af9cb (2016-11-03)",
    read="2026-11-21",
)


ONE_IMAGE = "layers counted for 1 image of the batch"
DECONVOLUTION = "transposed convolutions counted at each output element, divided by the stride"
BATCH_NORM = "scale of batch normalisation counted as 1 per element"
SCALE = counted_as(1)
LRN = "local response normalisation counted as its size per element"


def elements(type_: TensorType) -> int:
    """Elements of one image's tensor."""
    return prod(type_.shape[1:])


def activation(node: Node) -> Amounts:
    """A layer that keeps its output and computes nothing."""
    return {"activations": elements(node.outputs[0].type)}


def _one_image(node: Node) -> int:
    return node.application.macs // node.inputs[0].shape[0]


def _all_weights(node: Node) -> int:
    op = node.op
    assert isinstance(op, Conv | DepthwiseConv | ConvTranspose)
    x = node.inputs[0].type
    kernel = per_dimension(op.kind, "kernel", op.kernel, len(x.spatial))
    return prod(kernel) * x.channels * node.outputs[0].type.channels


@NETSCOPE_2016.rule("conv", "depthwise_conv", "conv_transpose", "linear", why=ONE_IMAGE)
def one_image(node: Node) -> Amounts:
    """The multiply-accumulates of one image, and the outputs."""
    return {"macc": _one_image(node), **activation(node)}


@NETSCOPE_2016.rule("conv", "depthwise_conv", why="convolutions counted without their grouping")
def all_channels(node: Node) -> Amounts:
    """What every weight of every pair of channels at every output position is more than that."""
    weights = _all_weights(node)
    macc = weights * prod(node.outputs[0].type.spatial)
    return {"macc": macc - _one_image(node), "params": weights}


@NETSCOPE_2016.rule("conv_transpose", why=DECONVOLUTION)
def by_outputs(node: Node) -> Amounts:
    """What a kernel / stride share of the weights at every output position is more than that.

    The program shows a fraction where the share leaves one; here it is rounded down.
    """
    op = node.op
    assert isinstance(op, ConvTranspose)
    size = node.outputs[0].type.spatial
    weights = _all_weights(node)
    macc = weights * prod(size) // prod(per_dimension(op.kind, "stride", op.stride, len(size)))
    return {"macc": macc - _one_image(node), "params": weights}


@NETSCOPE_2016.rule("linear")
def weights_alone(node: Node) -> Amounts:
    """The weights without the bias."""
    bias = sum(p.numel for p in node.application.stored if p.suffix == ".bias")
    return {"params": node.application.params - bias}


def _whole_windows(node: Node) -> int:
    op = node.op
    assert isinstance(op, MaxPool | AvgPool)
    y = node.outputs[0].type
    return elements(y) * prod(per_dimension(op.kind, "kernel", op.kernel, len(y.spatial)))


@NETSCOPE_2016.rule("max_pool")
def max_pool(node: Node) -> Amounts:
    """One comparison for each element of each window."""
    return {"comp": _whole_windows(node), **activation(node)}


@NETSCOPE_2016.rule("avg_pool")
def average_pool(node: Node) -> Amounts:
    """One addition for each element of each window."""
    return {"add": _whole_windows(node), **activation(node)}


@NETSCOPE_2016.rule("global_max_pool")
def global_max_pool(node: Node) -> Amounts:
    """One comparison per input element."""
    return {"comp": elements(node.inputs[0].type), **activation(node)}


@NETSCOPE_2016.rule("global_avg_pool")
def global_average_pool(node: Node) -> Amounts:
    """One addition per input element."""
    return {"add": elements(node.inputs[0].type), **activation(node)}


@NETSCOPE_2016.rule("batch_norm", why=BATCH_NORM)
def batch_norm(node: Node) -> Amounts:
    """Caffe's BatchNorm and, where it is affine, the Scale behind it."""
    assert isinstance(node.op, BatchNorm)
    x = node.inputs[0].type
    n = elements(x)
    scaled = n if node.op.affine else 0
    return {
        "macc": scaled,
        "add": n,
        "div": n,
        "activations": n + scaled,
        "params": 2 * x.channels,
    }


@NETSCOPE_2016.rule("scale_shift", why=SCALE)
def scale(node: Node) -> Amounts:
    """Caffe's Scale; its Bias, a shift alone, is unknown to the program."""
    assert isinstance(node.op, ScaleShift)
    if not node.op.scale:
        return {}
    return {"macc": elements(node.inputs[0].type), **activation(node)}


@NETSCOPE_2016.rule("lrn", why=LRN)
def local_response_norm(node: Node) -> Amounts:
    """Each element divided by (1 + alpha / n * sum of squares) ^ beta."""
    assert isinstance(node.op, LocalResponseNorm)
    n = elements(node.inputs[0].type)
    return {
        "macc": n * node.op.size,
        "add": n,
        "div": 2 * n,
        "exp": n,
        "params": 2,
        **activation(node),
    }


@NETSCOPE_2016.rule("relu", "leaky_relu", "dropout")
def one_comparison(node: Node) -> Amounts:
    """One comparison per element."""
    return {"comp": elements(node.inputs[0].type), **activation(node)}


@NETSCOPE_2016.rule("softmax")
def softmax(node: Node) -> Amounts:
    """One exponential, addition and division per element."""
    n = elements(node.inputs[0].type)
    return {"exp": n, "add": n, "div": n, **activation(node)}


@NETSCOPE_2016.rule("sum", "product", "maximum")
def eltwise(node: Node) -> Amounts:
    """One addition per output element."""
    return {"add": elements(node.outputs[0].type), **activation(node)}


NETSCOPE_2016.rule("crop")(activation)


@NETSCOPE_2016.rule("concat")
def concatenation(node: Node) -> Amounts:
    """A layer of its own, unless another concatenation alone reads it, and like it."""
    readers = node.outputs[0].consumers
    joined = bool(readers) and all(reader.op == node.op for reader in readers)
    return {} if joined else activation(node)


@NETSCOPE_2016.rule("flatten")
def flatten(node: Node) -> Amounts:
    """A layer of its own, unless those that read it flatten by themselves."""
    return {} if _read_flat(node.outputs[0]) else activation(node)


def _read_flat(value: Value) -> bool:
    return bool(value.consumers) and all(map(_flattens, value.consumers))


def _flattens(node: Node) -> bool:
    op = node.op
    if isinstance(op, Dropout):
        return _read_flat(node.outputs[0])
    return isinstance(op, Softmax) or (isinstance(op, Linear) and op.flatten)


@NETSCOPE_2016.rule("identity")
def implicit(node: Node) -> Amounts:
    """A blob without a layer. Whether it has sizes is taken for the sizes: 1x1x1."""
    return {"activations": 1}


def in_file(graph: Graph) -> list[tuple[Node, int]]:
    """Layers of the prototxt that ``graph`` was read from and that the rules above take for none,
    with their outputs' elements in one image."""
    if graph.metadata.get("format") != "caffe":
        return []
    rules = {"flatten": flatten, "concat": concatenation}
    return [
        (node, elements(node.outputs[0].type))
        for node in graph
        if node.op.kind in rules and not rules[node.op.kind](node)
    ]


def implicit_blobs(graph: Graph) -> list[Value]:
    """The tensors whose shape the blobs have that the prototxt names without a layer."""
    names = graph.metadata.get("blobs", {})
    values = {value.name: value for value in graph.values()} if names else {}
    return [values[name] for name in names.values() if name in values]


@NETSCOPE_2016.over_graph(why="layers of the file")
def file(graph: Graph) -> Amounts:
    """What a prototxt has that no rule for a node tells."""
    layers = sum(count for _, count in in_file(graph))
    return {"activations": layers + len(implicit_blobs(graph))}


def sized(graph: Graph) -> list[Value]:
    """The inputs; of a prototxt's those alone that have a height and width."""
    from_file = graph.metadata.get("format") == "caffe"
    return [x for x in graph.inputs if x.type.rank >= 4 or not from_file]


@NETSCOPE_2016.over_graph(why="inputs")
def inputs(graph: Graph) -> Amounts:
    """The inputs, the first one twice."""
    return {"activations": sum(elements(x.type) for x in (*sized(graph), graph.inputs[0]))}

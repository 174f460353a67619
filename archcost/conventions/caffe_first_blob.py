"""The first blob of each Caffe layer: the count of SimpNet's authors.

Counted: of each layer that has parameters, the first array that Caffe stores: the weights of a
convolution or an inner product, the means of a BatchNorm and the factors of the Scale behind it,
which together are a batch normalisation. Multiply-accumulates as in ``mult-adds``: the script
counts none.

Not counted: every bias and shift, and the variances and the moving average's factor of a BatchNorm.

Peculiar: running means count, though nothing is trained in them, and biases do not: the script sums
``v[0].data.shape`` over pycaffe's ``net.params``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcost.conventions.convention import Amounts, Convention, distinct
from archcost.conventions.mult_adds import multiply_accumulates
from archcost.ir import Node, Parameter

CAFFE_FIRST_BLOB = Convention(
    "caffe-first-blob",
    quantities=("macs", "params"),
    about=__doc__,
    source="Coderx7/SimpNet, SimpNetV2/Experiments/Table IX(Isolation), ParameterCalculator.py",
    read="2026-11-21",
)

multiply_accumulates(CAFFE_FIRST_BLOB)


@CAFFE_FIRST_BLOB.over_nodes
def first_blobs(nodes: Sequence[Node]) -> Amounts:
    """The first array of each layer that Caffe makes of the nodes, a shared one once."""
    return distinct(p for node in nodes for p in _first(node))


def _first(node: Node) -> Iterator[Parameter]:
    names = [spec.name for spec in node.application.parameters]
    for name, parameter in zip(names, node.parameters, strict=True):
        if name == names[0] or name == "running_mean":
            yield parameter

"""Weights alone: parameters without biases and normalisation.

Counted: the weights of convolutions, linear and recurrent layers, a shared one once;
multiply-accumulates as in ``mult-adds``.

Not counted: biases, the scales and shifts of normalisations, slopes of activations.

Peculiar: it is how papers of about 2012 to 2016 count in worked examples (kernel x kernel x inputs
x outputs), and how the authors of GoogLeNet and VGG explain their designs. No program is known to
count so.
"""

from __future__ import annotations

from collections.abc import Sequence

from archcost.conventions.convention import Amounts, Convention, distinct
from archcost.conventions.mult_adds import multiply_accumulates
from archcost.ir import Node

WEIGHTS = Convention(
    "weights",
    quantities=("macs", "params"),
    about=__doc__,
    source="arXiv 1409.1556 (VGG), section 2.3, and arXiv 1409.4842 (GoogLeNet), Table 1",
    read="2026-11-21",
)

multiply_accumulates(WEIGHTS)


@WEIGHTS.over_nodes
def weights(nodes: Sequence[Node]) -> Amounts:
    """The parameters called weight, or weight_ih_l0 and so on, of layers that count for depth."""
    return distinct(
        parameter
        for node in nodes
        if node.op.weighted
        for parameter, spec in zip(node.parameters, node.application.parameters, strict=True)
        if spec.name.partition("_")[0] == "weight"
    )

"""Keras' "Total params": everything that a model stores.

Counted: trainable parameters and the running mean and variance of batch normalisations, which
``model.summary()`` adds up as "Total params"; it prints "Trainable params" below.
Multiply-accumulates as in ``mult-adds``: Keras itself counts none.

Not counted: the optimiser's state, which Keras 3 adds where a model is compiled and built.

Peculiar: a batch normalisation has 4 parameters per channel, where other programs show 2. A layer
called more than once counts once.
"""

from __future__ import annotations

from collections.abc import Sequence

from archcost.conventions.convention import Amounts, Convention, distinct
from archcost.conventions.mult_adds import multiply_accumulates
from archcost.ir import Node

KERAS = Convention(
    "keras",
    quantities=("macs", "params"),
    about=__doc__,
    source="keras-team/keras, keras/src/utils/summary_utils.py (print_summary)",
    read="2026-11-21",
)

multiply_accumulates(KERAS)


@KERAS.over_nodes
def stored(nodes: Sequence[Node]) -> Amounts:
    """Parameters and buffers, a shared one once."""
    return distinct(p for node in nodes for p in node.parameters)

"""MobileNet's and most papers' mult-adds: multiply-accumulates alone.

Counted: one for each multiply-accumulate of convolutions (transposed ones by the input elements
that meet each weight), linear layers and matrix products, those of attention, causal or not, and
of recurrent layers at each step included. Padding counts like any other input.

Not counted: biases, normalisation, activations, pooling, elementwise sums and products.

Peculiar: many papers call this number FLOPs (ResNet, ResNeXt, DenseNet); others print twice as
much under the same name. Parameters are all trainable ones, a shared one once: weights, biases,
and the scales and shifts of normalisations, not their running statistics.
"""

from __future__ import annotations

from typing import Final

from archcost.conventions.convention import Convention, counts_all_params, plain_macs
from archcost.ir.ops.recurrent import GATES

MULT_ADDS = Convention(
    "mult-adds",
    quantities=("macs", "params"),
    about=__doc__,
    source="arXiv 1704.04861 (MobileNet), section 3.1 and Tables 4 to 9",
    read="2026-11-21",
)

MULTIPLYING: Final = (
    "conv",
    "depthwise_conv",
    "local_conv",
    "conv_transpose",
    "dynamic_conv",
    "dynamic_conv_transpose",
    "deform_conv",
    "linear",
    "matmul",
    "attention",
    *GATES,
)
"""Kinds of operators whose multiply-accumulates are counted."""


def multiply_accumulates(convention: Convention) -> None:
    """Register the rules of ``mult-adds`` for MACs with another convention too."""
    convention.rule(*MULTIPLYING)(plain_macs)


multiply_accumulates(MULT_ADDS)
counts_all_params(MULT_ADDS)

"""MobileNet's and most papers' mult-adds: multiply-accumulates alone.

Counted: one for each multiply-accumulate of convolutions (transposed ones by the input elements
that meet each weight), linear layers and matrix products. Padding counts like any other input.

Not counted: biases, normalisation, activations, pooling, elementwise sums and products.

Peculiar: many papers call this number FLOPs (ResNet, ResNeXt, DenseNet); others print twice as
much under the same name. Parameters are all trainable ones, a shared one once: weights, biases,
and the scales and shifts of normalisations, not their running statistics.
"""

from __future__ import annotations

from archcost.conventions.convention import Convention, plain_macs, unique_params

MULT_ADDS = Convention(
    "mult-adds",
    quantities=("macs", "params"),
    about=__doc__,
    source="arXiv 1704.04861 (MobileNet), section 3.1 and Tables 4 to 9",
    read="2026-11-21",
)


def multiply_accumulates(convention: Convention) -> None:
    """Register the rules of ``mult-adds`` for MACs with another convention too."""
    convention.rule("conv", "depthwise_conv", "local_conv", "conv_transpose", "linear", "matmul")(
        plain_macs
    )


multiply_accumulates(MULT_ADDS)
MULT_ADDS.over_nodes(unique_params)

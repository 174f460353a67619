"""The first blob of each Caffe layer."""

from __future__ import annotations

import pytest

from archcost import load
from archcost.conventions import convention
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make


def test_a_network_counted_by_hand() -> None:
    builder = GraphBuilder("small")
    x = builder.input("image", TensorType((1, 3, 6, 6)))
    (x,) = builder.add(make("conv", out=8, kernel=3), [x], "conv")
    (x,) = builder.add(make("batch_norm"), [x], "norm")
    (x,) = builder.add(make("relu"), [x], "relu")
    (x,) = builder.add(make("batch_norm", affine=False), [x], "plain_norm")
    (x,) = builder.add(make("linear", out=10), [x], "fc")
    graph = builder.build({"output": x})
    conv, means, factors, fc = 8 * 3 * 3 * 3, 8 + 8, 8, 10 * 8 * 4 * 4
    numbers = convention("caffe-first-blob").count(graph).numbers
    assert numbers["params"] == conv + means + factors + fc


def test_a_shared_weight_counts_once() -> None:
    graph = load("rcnn-96")
    weights = convention("weights").count(graph).numbers["params"]
    assert graph.shares
    assert convention("caffe-first-blob").count(graph).numbers["params"] == weights


@pytest.mark.parametrize(
    ("model", "least"),
    [("simpnet-300k", 300_000), ("simpnet-600k", 600_000), ("simpnet-1m", 10**6)],
)
def test_simpnets_authors_chose_widths_by_it(model: str, least: int) -> None:
    """Their slim networks go just beyond the round number that they are named by."""
    params = convention("caffe-first-blob").count(load(model)).numbers["params"]
    assert least <= params < 1.001 * least

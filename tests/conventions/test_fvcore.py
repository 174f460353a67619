"""The convention ``fvcore`` against the program itself."""

from __future__ import annotations

import pytest
import torch_counters as peers
from torch_counters import alone, differences, mixer

from archcost import load
from archcost.conventions import convention
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make

pytest.importorskip("fvcore")


@pytest.mark.parametrize("name", peers.NETWORKS)
def test_networks_of_the_zoo(name: str) -> None:
    assert not differences("fvcore", load(name).with_batch(2))


@pytest.mark.parametrize(("op", "shape"), peers.OPERATORS)
def test_operators(op, shape) -> None:
    assert not differences("fvcore", alone(op, shape))


@pytest.mark.parametrize(("op", "inputs"), [(op, inputs) for op, *inputs in peers.TENSORS])
def test_operators_of_several_inputs(op, inputs) -> None:
    assert not differences("fvcore", alone(op, *inputs))


def test_what_is_no_module_and_shared_weights() -> None:
    assert not differences("fvcore", mixer())


test_random_networks = peers.agrees_on_random_networks("fvcore")


@pytest.mark.parametrize(
    "shapes", [((5, 4), (2, 3, 4, 6)), ((2, 3, 5, 4), (4, 6)), ((2, 1, 5, 4), (1, 3, 4, 6))]
)
def test_broadcast_matrix_products(shapes) -> None:
    assert not differences("fvcore", alone(make("matmul"), *shapes))


def test_what_leads_to_no_output_is_not_traced() -> None:
    builder = GraphBuilder("idle")
    x = builder.input("x", TensorType((2, 4, 9, 7)))
    (idle,) = builder.add(make("conv", out=5, kernel=3), [x], "idle")
    builder.add(make("batch_norm"), [idle], "idle_norm")
    (y,) = builder.add(make("conv", out=3), [x], "used")
    graph = builder.build({"y": y})
    count = convention("fvcore").count(graph)
    assert count.numbers["macs"] == 3 * 4 * 2 * 9 * 7
    assert count.numbers["activations"] == y.type.numel
    assert count.numbers["params"] == sum(p.numel for p in graph.parameters if p.trainable)
    assert not differences("fvcore", graph)


def test_reasons() -> None:
    count = convention("fvcore").count(alone(make("batch_norm"), (2, 4, 9, 7)))
    assert count.reasons == (("batch normalisation counted as 2 per element", 2 * 2 * 4 * 9 * 7),)

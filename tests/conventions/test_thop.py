"""The convention ``thop`` against the program itself."""

from __future__ import annotations

import pytest
import torch_counters as peers
from torch_counters import alone, built, differences, mixer

from archcost.conventions import convention
from archcost.ir.ops import make

pytest.importorskip("thop")


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", peers.NETWORKS)
def test_networks_of_the_zoo(name: str, batch: int) -> None:
    graph, module = built(name, batch)
    assert not differences("thop", graph, module)


@pytest.mark.parametrize(("op", "shape"), peers.OPERATORS)
def test_operators(op, shape) -> None:
    assert not differences("thop", alone(op, shape))


@pytest.mark.parametrize(("op", "inputs"), [(op, inputs) for op, *inputs in peers.TENSORS])
def test_operators_of_several_inputs(op, inputs) -> None:
    assert not differences("thop", alone(op, *inputs))


def test_what_is_no_module_and_shared_weights() -> None:
    assert not differences("thop", mixer())


test_random_networks = peers.agrees_on_random_networks("thop")


@pytest.mark.parametrize(
    ("shape", "size", "macs"),
    [
        ((1, 1, 4), 3, 6),  # 3 x (4 / 3 + 1) is 6.999... in floating-point numbers
        ((1, 1, 3, 3), 2, 13),  # 4 x (9 / 4 + 1)
        ((1, 1, 5, 5), 4, 41),  # 16 x (25 / 16 + 1)
        ((2, 3, 7, 5, 9), (2, 4, 7), 2226),  # 336 x (315 / 56 + 1)
    ],
)
def test_the_product_of_an_adaptive_pool_is_cut(shape, size, macs: int) -> None:
    graph = alone(make("adaptive_avg_pool", size=size), shape)
    assert convention("thop").count(graph).main == macs
    assert not differences("thop", graph)


def test_reasons() -> None:
    count = convention("thop").count(alone(make("batch_norm"), (2, 4, 9, 7)))
    assert count.reasons == (("batch normalisation counted as 4 per element", 4 * 2 * 4 * 9 * 7),)
    count = convention("thop").count(mixer())
    assert dict(count.reasons)["matrix products not counted"] == -2 * (2 * 5 * 5 * 8)
    assert "sum" in count.ignored

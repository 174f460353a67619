"""The convention ``torchinfo`` against the program itself."""

from __future__ import annotations

import pytest
import torch_counters as peers
from torch_counters import alone, built, differences, mixer

from archcost.conventions import convention
from archcost.ir.ops import make

pytest.importorskip("torchinfo")


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", peers.NETWORKS)
def test_networks_of_the_zoo(name: str, batch: int) -> None:
    graph, module = built(name, batch)
    assert not differences("torchinfo", graph, module)


@pytest.mark.parametrize(("op", "shape"), peers.OPERATORS)
def test_operators(op, shape) -> None:
    assert not differences("torchinfo", alone(op, shape))


@pytest.mark.parametrize(("op", "inputs"), [(op, inputs) for op, *inputs in peers.TENSORS])
def test_operators_of_several_inputs(op, inputs) -> None:
    assert not differences("torchinfo", alone(op, *inputs))


def test_what_is_no_module_and_shared_weights() -> None:
    assert not differences("torchinfo", mixer())


test_random_networks = peers.agrees_on_random_networks("torchinfo")


@pytest.mark.parametrize("dtype", ["fp64", "fp16"])
def test_bytes_follow_the_dtype(dtype: str) -> None:
    assert not differences("torchinfo", built("lenet5", 1)[0].with_dtype(dtype))


def test_reasons() -> None:
    count = convention("torchinfo").count(alone(make("linear", out=3), (2, 5, 8)))
    assert count.main == 2 * (3 * 8 + 3)
    assert count.reasons == (
        ("linear layers on a sequence counted at one place alone", -2 * 4 * 3 * 8),
        ("biases counted as multiply-accumulates", 2 * 3),
    )
    count = convention("torchinfo").count(mixer())
    assert dict(count.reasons)["the whole embedding table counted for each sample"] == 2 * 11 * 8

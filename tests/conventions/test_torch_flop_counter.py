"""The convention ``torch`` against PyTorch's FlopCounterMode itself."""

from __future__ import annotations

import pytest
import torch_counters as peers
from torch_counters import alone, built, differences, mixer

from archcost.conventions import convention
from archcost.ir.ops import make


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", peers.NETWORKS)
def test_networks_of_the_zoo(name: str, batch: int) -> None:
    graph, module = built(name, batch)
    assert not differences("torch", graph, module)


@pytest.mark.parametrize(("op", "shape"), peers.OPERATORS)
def test_operators(op, shape) -> None:
    assert not differences("torch", alone(op, shape))


@pytest.mark.parametrize(("op", "inputs"), [(op, inputs) for op, *inputs in peers.TENSORS])
def test_operators_of_several_inputs(op, inputs) -> None:
    assert not differences("torch", alone(op, *inputs))


@pytest.mark.parametrize(
    ("a", "b"),
    [((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 1, 3, 4), (6, 4, 5)), ((3, 4), (2, 4, 5))],
)
@pytest.mark.parametrize("transpose", [False, True])
def test_matrix_products(a, b, transpose: bool) -> None:
    b = (*b[:-2], b[-1], b[-2]) if transpose else b
    assert not differences("torch", alone(make("matmul", transpose_b=transpose), a, b))


def test_attention_and_shared_weights() -> None:
    assert not differences("torch", mixer())


test_random_networks = peers.agrees_on_random_networks("torch")


def test_reasons() -> None:
    table = make("conv", out=2, kernel=3, connections=((0, 1), (3,)))
    count = convention("torch").count(alone(table, (2, 4, 9, 7)))
    one = 2 * (7 * 5) * 9  # samples x positions x kernel: what one connection takes
    assert count.main == 2 * 2 * 4 * one
    assert dict(count.reasons) == {
        "missing connections of a connection table counted": 2 * 5 * one,
        "multiply-accumulates counted as 2 operations": 3 * one,
    }

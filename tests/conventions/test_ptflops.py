"""The conventions ``ptflops`` and ``ptflops-aten`` against the program itself."""

from __future__ import annotations

import pytest
import torch_counters as peers
from torch_counters import alone, built, differences, mixer

from archcost import load
from archcost.conventions import convention
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make

pytest.importorskip("ptflops")

BACKENDS = ("ptflops", "ptflops-aten")


@pytest.mark.parametrize("name", peers.NETWORKS)
def test_networks_of_the_zoo(name: str) -> None:
    assert not differences("ptflops", load(name).with_batch(2))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", peers.NETWORKS)
def test_networks_of_the_zoo_by_aten(name: str, batch: int) -> None:
    graph, module = built(name, batch)
    assert not differences("ptflops-aten", graph, module)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("op", "shape"), peers.OPERATORS)
def test_operators(op, shape, backend: str) -> None:
    assert not differences(backend, alone(op, shape))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("op", "inputs"), [(op, inputs) for op, *inputs in peers.TENSORS])
def test_operators_of_several_inputs(op, inputs, backend: str) -> None:
    assert not differences(backend, alone(op, *inputs))


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_no_module_and_shared_weights(backend: str) -> None:
    assert not differences(backend, mixer())


test_random_networks = peers.agrees_on_random_networks("ptflops")
test_random_networks_by_aten = peers.agrees_on_random_networks("ptflops-aten")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "shapes", [((5, 4), (2, 3, 4, 6)), ((2, 3, 5, 4), (4, 6)), ((2, 1, 5, 4), (1, 3, 4, 6))]
)
def test_broadcast_matrix_products(shapes, backend: str) -> None:
    assert not differences(backend, alone(make("matmul"), *shapes))


@pytest.mark.parametrize("backend", BACKENDS)
def test_several_inputs(backend: str) -> None:
    builder = GraphBuilder("two")
    first, second = (builder.input(name, TensorType((3, 4, 9, 7))) for name in "ab")
    (x,) = builder.add(make("conv", out=4, kernel=3, padding=1), [first], "conv")
    (x,) = builder.add(make("relu"), [x], "relu")
    (y,) = builder.add(make("sum"), [x, second], "sum")
    assert not differences(backend, builder.build({"y": y}))


def test_the_image_of_layers_and_the_batch_of_functions() -> None:
    n = 4 * 9 * 7
    count = convention("ptflops").count(alone(make("relu"), (3, 4, 9, 7)))
    assert count.main == n + 3 * n
    assert set(count.reasons) == {
        ("ReLU counted as 1 per element", 3 * n),
        ("ReLU counted again, as the function that its layer calls", 3 * n),
        ("layers counted for 1 image of the batch", -2 * n),
    }

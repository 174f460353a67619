"""Connections against LeCun et al. 1998."""

from __future__ import annotations

import archcost
from archcost.conventions.lecun_1998 import LECUN_1998
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make


def test_connections_of_lenet5_layer_by_layer() -> None:
    """LeCun et al. 1998, section II.B; the total is what these add up to."""
    graph = archcost.load("lenet5")
    found: dict[str, int] = {}
    for node in graph:
        layer = node.name.partition("/")[0]
        found[layer] = found.get(layer, 0) + LECUN_1998.count(graph, [node]).main
    assert {layer: count for layer, count in found.items() if count} == {
        "C1": 122_304,
        "S2": 5_880,
        "C3": 151_600,
        "S4": 2_000,
        "C5": 48_120,
        "F6": 10_164,
        "OUTPUT": 840,
    }
    assert LECUN_1998.count(graph).main == sum(found.values()) == 340_908


def connections_of(name: str, *shapes: tuple[int, ...], **arguments: object) -> int:
    builder = GraphBuilder("one")
    inputs = [builder.input(f"x{i}", TensorType(shape)) for i, shape in enumerate(shapes)]
    (y, *_) = builder.add(make(name, **arguments), inputs, "node")
    return LECUN_1998.count(builder.build({"y": y})).main


def test_connections_of_single_operators() -> None:
    image = (1, 4, 8, 8)
    assert connections_of("conv", image, out=2, kernel=3) == 2 * 36 * (4 * 9 + 1)
    assert connections_of("conv", image, out=2, kernel=3, bias=False) == 2 * 36 * 4 * 9
    assert connections_of("linear", (1, 5), out=3) == 3 * 6
    assert connections_of("max_pool", image, kernel=(2, 4)) == 4 * 64
    assert connections_of("avg_pool", image, kernel=3, stride=1, padding=1) == 4 * 64 * 9
    assert connections_of("global_avg_pool", image) == 4 * 64
    assert connections_of("scale_shift", image) == 4 * 64
    assert connections_of("scale_shift", image, bias=False) == 0
    assert connections_of("matmul", (1, 2, 3), (1, 3, 4)) == 2 * 3 * 4
    assert connections_of("rbf", (1, 84), out=10) == 840
    for name in ("relu", "softmax", "dropout", "flatten", "batch_norm"):
        assert connections_of(name, image) == 0

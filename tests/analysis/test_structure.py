"""Depth against networkx and the networks' names; connections against LeCun et al. 1998."""

from __future__ import annotations

import re

import networkx
import pytest
from hypothesis import given, settings
from torch_execution import small_graphs

import archcost
from archcost.analysis import analyze, connections, depth
from archcost.ir import Graph, GraphBuilder, TensorType
from archcost.ir.ops import make

NAMES = archcost.zoo_names()


def longest_path(graph: Graph) -> int:
    """networkx's answer: an edge weighs 1 if the node that it leads to is weighted."""
    edges = networkx.DiGraph()
    for tail, head in graph.to_networkx().edges():
        edges.add_edge(tail, head, weight=int(graph.node(head).op.weighted))
    return networkx.dag_longest_path_length(edges)


@pytest.mark.parametrize("name", NAMES)
def test_depth_is_the_longest_path(name: str) -> None:
    graph = archcost.load(name)
    assert depth(graph) == longest_path(graph)


@settings(max_examples=50)
@given(small_graphs(("conv", "relu", "sum", "concat", "depthwise_conv", "split"), most=20))
def test_depth_of_random_networks(graph: Graph) -> None:
    assert depth(graph) == longest_path(graph)


@pytest.mark.parametrize(
    "name", [n for n in NAMES if re.match(r"(resnet|vgg)\d+($|-(?!cifar))", n)]
)
def test_the_depth_that_a_name_tells(name: str) -> None:
    assert depth(archcost.load(name)) == int(re.findall(r"\d+", name)[0])


@pytest.mark.parametrize(
    ("name", "layers"), [("googlenet", 22), ("googlenet-training", 22), ("alexnet", 8)]
)
def test_the_depth_that_a_paper_tells(name: str, layers: int) -> None:
    assert depth(archcost.load(name)) == layers


def test_connections_of_lenet5_layer_by_layer() -> None:
    """LeCun et al. 1998, section II.B; the total is what these add up to."""
    analysis = analyze(archcost.load("lenet5"))
    found: dict[str, int] = {}
    for row in analysis.layers:
        layer = row.name.partition("/")[0]
        found[layer] = found.get(layer, 0) + row.connections
    assert {layer: count for layer, count in found.items() if count} == {
        "C1": 122_304,
        "S2": 5_880,
        "C3": 151_600,
        "S4": 2_000,
        "C5": 48_120,
        "F6": 10_164,
        "OUTPUT": 840,
    }
    assert analysis.connections == sum(found.values()) == 340_908


def connections_of(name: str, *shapes: tuple[int, ...], **arguments: object) -> int:
    builder = GraphBuilder("one")
    inputs = [builder.input(f"x{i}", TensorType(shape)) for i, shape in enumerate(shapes)]
    (y, *_) = builder.add(make(name, **arguments), inputs, "node")
    assert y.producer is not None
    return connections(y.producer)


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

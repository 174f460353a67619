"""Depth against networkx and the networks' names."""

from __future__ import annotations

import re

import networkx
import pytest
from hypothesis import given, settings
from torch_execution import small_graphs

import archcost
from archcost.analysis import depth
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


def test_what_reads_nothing_is_no_layer() -> None:
    builder = GraphBuilder("embedded")
    x = builder.input("x", TensorType((1, 4)))
    (table,) = builder.add(make("weight", shape=(1, 4)), [], "table")
    (a,) = builder.add(make("linear", out=4), [table], "a")
    (y,) = builder.add(make("sum"), [x, a], "y")
    assert depth(builder.build({"y": y})) == 1


def test_each_recurrent_layer_of_a_stack_counts() -> None:
    builder = GraphBuilder("stack")
    x = builder.input("x", TensorType((2, 5, 3)))
    y, *_ = builder.add(make("gru", hidden=4, layers=3, bidirectional=True), [x], "gru")
    (y,) = builder.add(make("linear", out=2), [y], "out")
    assert depth(builder.build({"y": y})) == 3 + 1

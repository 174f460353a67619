"""Depth against networkx and the networks' names."""

from __future__ import annotations

import re

import networkx
import pytest
from hypothesis import given, settings
from torch_execution import small_graphs

import archcost
from archcost.analysis import depth
from archcost.ir import Graph

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

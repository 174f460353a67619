"""Chains: cut where every path through a network comes together, as networkx finds it too."""

from __future__ import annotations

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import archcost
from archcost.diagram.chain import chain
from archcost.diagram.model import DiagramError
from archcost.ir import Graph, GraphBuilder, TensorType
from archcost.ir.ops import make

IMAGE = TensorType((1, 4, 8, 8))


def bottlenecks(graph: Graph) -> list[str]:
    """The nodes on every path from the input to the first output: they dominate it."""
    drawn = networkx.DiGraph([("in", "in to")])
    for value in graph.values():
        origin = value.producer.name if value.producer else "in"
        drawn.add_edges_from((origin, consumer.name) for consumer in value.consumers)
    end = graph.outputs[0].producer
    assert end is not None
    above = networkx.immediate_dominators(drawn, "in")
    found = []
    at = end.name
    while at != "in":
        found.append(at)
        at = above[at]
    return found[::-1]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any way in which functions and sums can read one another."""
    builder = GraphBuilder("random")
    values = [builder.input("x", IMAGE)]
    for number in range(draw(st.integers(1, 14))):
        # Mostly of the last ones, so that there are chains to find.
        picked = st.integers(max(0, len(values) - draw(st.integers(1, 4))), len(values) - 1)
        one, other = values[draw(picked)], values[draw(picked)]
        if one is other:
            values += builder.add(make("relu"), [one], f"n{number}")
        else:
            values += builder.add(make("sum"), [one, other], f"n{number}")
    return builder.build({"y": values[-1], "too": values[draw(st.integers(0, len(values) - 1))]})


@given(graph=graphs())
def test_steps_end_where_every_path_goes(graph: Graph) -> None:
    steps = chain(graph)
    assert [step.output.name for step in steps] == bottlenecks(graph)
    nodes = [node for step in steps for node in step.nodes]
    assert len(set(nodes)) == len(nodes)
    before = graph.inputs[0]
    for step in steps:
        inside = {value for node in step.nodes for value in node.outputs}
        assert {value for node in step.nodes for value in node.inputs} <= inside | {before}
        before = step.output


@pytest.mark.parametrize("name", ["alexnet", "resnet18", "squeezenet", "googlenet-training"])
def test_steps_of_the_zoo(name: str) -> None:
    graph = archcost.load(name)
    assert [step.output.name for step in chain(graph)] == bottlenecks(graph)


def test_blocks_are_steps() -> None:
    blocks = [step for step in chain(archcost.load("resnet18")) if len(step.nodes) > 1]
    names = {tuple(node.name.split("/")[:2]) for step in blocks for node in step.nodes}
    assert len(blocks) == len(names) == 8
    assert all(len(step.nodes) == 1 for step in chain(archcost.load("vgg16")))


def test_what_leads_to_other_outputs_is_in_no_step() -> None:
    names = {
        node.name for step in chain(archcost.load("googlenet-training")) for node in step.nodes
    }
    assert not {name for name in names if "aux" in name}
    assert names == {node.name for node in archcost.load("googlenet")}


def test_a_network_that_is_no_chain_says_where_it_branches() -> None:
    with pytest.raises(DiagramError) as caught:
        chain(archcost.load("enet"))
    text = str(caught.value)
    assert text.startswith("enet is no chain of layers: what 'initial/prelu' gives goes to ")
    assert "come together only in 'bottleneck5.0/sum'" in text
    assert text.endswith("draw it without --style volumes")


def test_a_network_of_two_inputs_is_no_chain() -> None:
    builder = GraphBuilder("two")
    x, y = builder.input("x", IMAGE), builder.input("y", IMAGE)
    (z,) = builder.add(make("sum"), [x, y], "sum")
    with pytest.raises(DiagramError, match="two is no chain of layers.* on 2 inputs"):
        chain(builder.build({"z": z}))


def test_an_output_that_is_the_input_is_no_chain() -> None:
    builder = GraphBuilder("none")
    x = builder.input("x", IMAGE)
    with pytest.raises(DiagramError, match="none has no layers to draw"):
        chain(builder.build({"x": x}))

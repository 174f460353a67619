"""The framework of conventions, and the two that are archcost's own."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from importlib import import_module
from importlib.util import find_spec

import pytest

from archcost import analyze, load, zoo_names
from archcost.conventions import CONVENTIONS, Convention, UnknownConventionError, convention
from archcost.conventions.convention import in_words, plain_macs, unique_params
from archcost.ir import Graph, GraphBuilder, TensorType
from archcost.ir.ops import OPERATORS, make

WRITTEN = [
    name for name in CONVENTIONS if find_spec(f"archcost.conventions.{name.replace('-', '_')}")
]
ZOO = zoo_names()


@cache
def network(name: str) -> Graph:
    return load(name)


def test_all_conventions_are_written() -> None:
    assert list(CONVENTIONS) == WRITTEN


@pytest.mark.parametrize("name", WRITTEN)
def test_a_convention_says_what_it_is(name: str) -> None:
    found = convention(name)
    assert found.name == name
    assert found.main in found.quantities
    assert found.about == import_module(f"archcost.conventions.{name.replace('-', '_')}").__doc__
    assert 20 < len(found.title) < 100
    assert found.title.endswith(".")
    assert len(found.about.split()) > 40
    assert found.source
    assert date.fromisoformat(found.read)


@pytest.mark.parametrize("name", WRITTEN)
def test_rules_name_operators_that_exist(name: str) -> None:
    # Netscope counts a layer of Faster R-CNN that archcost knows by its name alone.
    assert set(convention(name)._rules) - {"Proposal"} <= set(OPERATORS)


@pytest.mark.parametrize("name", WRITTEN)
def test_reasons_are_the_whole_difference_to_mult_adds(name: str) -> None:
    macs = convention("mult-adds")
    for model in ZOO:
        graph = network(model)
        count = convention(name).count(graph)
        assert tuple(count.numbers) == convention(name).quantities
        assert sum(reason.amount for reason in count.reasons) == (
            count.main - macs.count(graph).main
        ), model
        for reason in count.reasons:
            assert reason.amount, model
            assert re.fullmatch(r"[^.].{4,80}[^.]", reason.why), reason
            assert "_" not in reason.why, reason


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("model", ["lenet5", "resnet18", "rcnn-96", "enet", "googlenet"])
def test_parts_add_up_where_nothing_is_shared(name: str, model: str) -> None:
    graph = network(model)
    found = convention(name)
    parts = [found.count(graph, [node]) for node in graph]
    half = len(graph) // 2
    halves = [found.count(graph, graph.nodes[:half]), found.count(graph, graph.nodes[half:])]
    for quantity in found.quantities:
        if quantity == "params" and graph.shares:
            continue
        total = found.count(graph, graph.nodes).numbers[quantity]
        assert sum(part.numbers[quantity] for part in parts) == total
        assert sum(part.numbers[quantity] for part in halves) == total


def test_exact_and_mult_adds_agree_with_the_analysis() -> None:
    for model in ZOO:
        totals = analyze(network(model)).totals
        exact = convention("exact").count(network(model)).numbers
        assert exact == {
            "flops": totals.flops,
            "macs": totals.macs,
            "activations": totals.activations,
            "params": totals.params,
        }
        mult_adds = convention("mult-adds").count(network(model)).numbers
        assert mult_adds == {"macs": totals.macs, "params": totals.params}


def small() -> Graph:
    """2x3x6x6 - conv, 8 of 3x3 with bias - batch_norm - relu - linear of 8 * 4 * 4 to 10."""
    builder = GraphBuilder("small")
    x = builder.input("image", TensorType((2, 3, 6, 6)))
    (x,) = builder.add(make("conv", out=8, kernel=3), [x], "conv")
    (x,) = builder.add(make("batch_norm"), [x], "norm")
    (x,) = builder.add(make("relu"), [x], "relu")
    (x,) = builder.add(make("linear", out=10), [x], "fc")
    return builder.build({"output": x})


CONV_MACS = 2 * 8 * 4 * 4 * 3 * 3 * 3  # outputs x channels x kernel
FC_MACS = 2 * 10 * (8 * 4 * 4)
FEATURES = 2 * 8 * 4 * 4


def test_a_split_worked_by_hand() -> None:
    exact = convention("exact").count(small())
    assert exact.main == 2 * (CONV_MACS + FC_MACS) + (FEATURES + 20) + 2 * FEATURES + FEATURES
    assert {tuple(reason) for reason in exact.reasons} == {
        ("multiply-accumulates counted as 2 operations", CONV_MACS + FC_MACS),
        ("elementary operations of batch normalisation", 2 * FEATURES),
        ("biases counted as 1 per output element", FEATURES + 20),
        ("elementary operations of ReLU", FEATURES),
    }
    assert [abs(r.amount) for r in exact.reasons] == sorted(
        (abs(r.amount) for r in exact.reasons), reverse=True
    )
    assert exact.ignored == ()
    assert convention("mult-adds").count(small()) == (
        convention("mult-adds"),
        {"macs": CONV_MACS + FC_MACS, "params": 8 * 27 + 8 + 16 + 1280 + 10},
        (),
        ("batch_norm", "relu"),
    )


def test_the_weights_of_recurrent_layers_count_without_their_biases() -> None:
    builder = GraphBuilder("recurrent")
    x = builder.input("x", TensorType((2, 5, 3)))
    y, *_ = builder.add(make("lstm", hidden=4, projection=2), [x], "lstm")
    graph = builder.build({"y": y})
    matrices = 16 * 3 + 16 * 2 + 2 * 4
    assert convention("weights").count(graph).numbers == {
        "macs": 2 * 5 * matrices,
        "params": matrices,
    }
    assert convention("mult-adds").count(graph).numbers["params"] == matrices + 2 * 16
    other = graph.node("lstm").application.flops - 2 * 2 * 5 * matrices
    assert set(convention("exact").count(graph).reasons) == {
        ("multiply-accumulates counted as 2 operations", 2 * 5 * matrices),
        ("elementary operations of LSTM layers", other),
    }


def peculiar() -> Convention:
    """Two rules for conv, one by node for batch_norm, none for linear, a sum over the graph."""
    made = Convention(
        "peculiar", quantities=("ops", "params"), about="A title.\n\nMore.", source="", read=""
    )
    made.rule("conv", why="a multiply-accumulate counted as 3")(
        lambda node: {"ops": 3 * node.application.macs}
    )
    made.rule("conv", why="one for each node")(lambda node: {"ops": 1})
    made.rule("batch_norm", why=lambda node: f"{node.name} counted as 5")(lambda node: {"ops": 5})
    made.over_nodes(unique_params)
    made.over_graph("the input")(lambda graph: {"ops": graph.inputs[0].type.numel})
    return made


def test_rules_of_all_sorts() -> None:
    count = peculiar().count(small())
    assert peculiar().title == "A title."
    assert count.main == 3 * CONV_MACS + 1 + 5 + 2 * 3 * 36
    assert dict(count.reasons) == {
        "a multiply-accumulate counted as 3": 2 * CONV_MACS,
        "linear layers not counted": -FC_MACS,
        "the input": 2 * 3 * 36,
        "norm counted as 5": 5,
        "one for each node": 1,
    }
    assert count.ignored == ("linear", "relu")


def test_some_nodes_alone_have_no_rule_of_the_graph() -> None:
    graph = small()
    count = peculiar().count(graph, [graph.node("norm")])
    assert count.numbers == {"ops": 5, "params": 16}
    assert count.reasons == (("norm counted as 5", 5),)


def test_a_rule_without_a_reason_names_the_kind() -> None:
    made = Convention("plain", quantities=("macs",), about="", source="", read="")
    made.rule("conv")(plain_macs)
    made.rule("linear")(lambda node: {"macs": 0})
    assert made.count(small()).reasons == (("linear layers counted differently", -FC_MACS),)


def test_kinds_in_words() -> None:
    assert not any("_" in in_words(kind) for kind in OPERATORS)
    assert in_words("batch_norm") == "batch normalisation"
    assert in_words("global_avg_pool") == "global average pooling"
    assert in_words("conv_transpose") == "transposed convolutions"


def test_an_unknown_convention() -> None:
    with pytest.raises(UnknownConventionError, match="no convention 'flops'; there are exact, "):
        convention("flops")


@pytest.mark.parametrize("name", WRITTEN)
def test_what_nobody_knows_is_never_passed_over(name: str) -> None:
    builder = GraphBuilder("unknown")
    x = builder.input("x", TensorType((1, 4, 8, 8)))
    (x,) = builder.add(make("constant", shape=(1, 4, 8, 8)), [], "made")
    types = (TensorType((1, 4, 8, 8)),)
    (y,) = builder.add(make("opaque", name="a::b_conv", types=types), [x], "unknown")
    assert "a::b_conv" in convention(name).count(builder.build({"y": y})).ignored
    assert in_words("a::b_conv") == "a::b_conv"

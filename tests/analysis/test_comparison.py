"""Networks side by side: what is best, how many times, and what is not dominated."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archcost
from archcost.analysis import STORAGE_DTYPES, analyze
from archcost.analysis.comparison import (
    ACCURACY,
    QUANTITIES,
    Compared,
    Comparison,
    ComparisonError,
    Quantity,
    best,
    front,
    ratio,
)
from archcost.ir import GraphBuilder, TensorType
from archcost.ir.ops import make

WAYS = ("less", "more")
NAMES = ("simplenet", "resnet50", "vgg16", "mobilenet-v1", "lenet5")


@st.composite
def points(draw):
    """Points of few coordinates and few values, so that many are equal or dominated."""
    width = draw(st.integers(1, 4))
    value = st.integers(0, 5) | st.sampled_from([0.5, 1e300, 10**40])
    rows = draw(st.lists(st.tuples(*[value] * width), max_size=25))
    return rows, draw(st.tuples(*[st.sampled_from(WAYS)] * width))


def at_least(one, other, way):
    return one <= other if way == "less" else one >= other


def dominates(one, other, better):
    """As good in every coordinate and better in one: the definition, word for word."""
    triples = list(zip(one, other, better, strict=True))
    return all(at_least(*t) for t in triples) and any(a != b for a, b, _ in triples)


@given(points())
def test_front_by_brute_force(drawn):
    rows, better = drawn
    expected = [
        index
        for index, row in enumerate(rows)
        if not any(dominates(other, row, better) for other in rows)
    ]
    assert front(rows, better) == expected


@given(points(), st.randoms())
def test_front_does_not_depend_on_the_order(drawn, random):
    rows, better = drawn
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert sorted(rows[i] for i in front(rows, better)) == sorted(
        shuffled[i] for i in front(shuffled, better)
    )


@given(points())
def test_what_is_left_out_is_dominated_by_the_front(drawn):
    rows, better = drawn
    found = front(rows, better)
    for index, row in enumerate(rows):
        assert index in found or any(dominates(rows[one], row, better) for one in found)


def test_equal_points_are_all_on_the_front():
    assert front([(1, 2), (1, 2), (2, 2)], ["less", "less"]) == [0, 1]


@given(st.lists(st.none() | st.integers(-3, 3)), st.sampled_from(WAYS))
def test_best(values, way):
    known = sorted({value for value in values if value is not None}, reverse=way == "more")
    assert best(values, way) == (known[0] if len(known) > 1 else None)
    assert best(values, None) is None


@given(st.integers(0, 10**30), st.integers(1, 10**30))
def test_ratio(value, reference):
    assert ratio(value, reference) == pytest.approx(float(Fraction(value, reference)))
    assert ratio(value, 0) is None
    assert ratio(None, reference) is None
    assert ratio(value, None) is None


# --- networks ------------------------------------------------------------------------------------


def compared(name, **also):
    return Compared(name, analyze(archcost.load(name)), also)


def comparison(*keys, names=NAMES, reference=None):
    networks = tuple(compared(name) for name in names)
    chosen = next((network for network in networks if network.name == reference), None)
    return Comparison(networks, tuple(QUANTITIES[key] for key in keys), chosen)


@pytest.mark.parametrize("name", NAMES)
def test_quantities_are_the_analysis_own(name):
    network = compared(name)
    totals, graph = network.analysis.totals, network.analysis.graph
    values = {key: network.value(quantity) for key, quantity in QUANTITIES.items()}
    for key in ("params", "macs", "flops", "activations", "peak_memory_bytes", "depth"):
        assert values[key] == getattr(totals, key)
    for dtype in STORAGE_DTYPES:
        assert values[f"storage_bytes_{dtype}"] == totals.storage_bytes[dtype]
    assert values["storage_bytes"] == totals.storage_bytes["fp32"]
    assert values["layers"] == len(graph.nodes)
    assert values["input"] == graph.inputs[0].shape[1:]
    assert values["title"] == graph.metadata["title"]


def test_storage_is_at_the_dtypes_that_the_network_has():
    network = Compared("half", analyze(archcost.load("resnet18", dtype="fp16")))
    assert network.value(QUANTITIES["storage_bytes"]) == network.value(
        QUANTITIES["storage_bytes_fp16"]
    )


def test_an_input_is_whole_where_shapes_are():
    builder = GraphBuilder("sequences")
    x, y = (builder.input(name, TensorType((n, 1, 8))) for name, n in (("x", 4), ("y", 6)))
    (z,) = builder.add(make("concat", dim=0), [x, y], "join")
    assert QUANTITIES["input"].of(analyze(builder.build({"output": z}))) == (4, 1, 8)


def test_a_quantity_is_computed_once_for_each_network_whoever_asks_for_the_best():
    asked = []
    networks = [compared("lenet5"), Compared("other", compared("lenet5").analysis)]
    slow = Quantity("slow", "less", of=lambda analysis: asked.append(analysis) or len(asked))
    made = Comparison(tuple(networks), (slow,))
    assert [made.best(slow) for _ in range(3)] == [1, 1, 1]
    assert len(asked) == 2


def test_what_is_also_known_stands_for_the_analysis_own():
    network = compared("lenet5", macs=7, accuracy=99.1)
    assert network.value(QUANTITIES["macs"]) == 7
    assert network.value(ACCURACY) == 99.1
    assert compared("lenet5").value(ACCURACY) is None


def test_best_and_ratios_of_networks():
    made = comparison("params", "macs", "depth", reference="vgg16")
    params, macs, depth = made.quantities
    assert made.best(params) == min(n.analysis.totals.params for n in made.networks)
    assert made.best(depth) is None
    for network in made.networks:
        assert made.ratio(network, macs) == (
            network.analysis.totals.macs / made.reference.analysis.totals.macs
        )
        assert made.ratio(network, depth) is None
    assert comparison("params").ratio(made.networks[0], params) is None


def test_front_of_networks():
    made = comparison("params", "macs", "depth")
    assert [network.name for network in made.front()] == ["lenet5"]
    with pytest.raises(ComparisonError, match="columns are: depth, year"):
        comparison("depth", "year").front()


def test_a_network_without_a_value_is_on_no_front():
    accuracies = {"simplenet": 95.3, "vgg16": 92.0, "resnet50": None}
    networks = tuple(compared(name, accuracy=value) for name, value in accuracies.items())
    made = Comparison(networks, (QUANTITIES["params"], ACCURACY))
    assert [network.name for network in made.known()] == ["simplenet", "vgg16"]
    assert [network.name for network in made.front()] == ["simplenet"]


def test_work_that_is_not_known_is_no_number():
    builder = GraphBuilder("odd")
    x = builder.input("input", TensorType((1, 3, 8, 8)))
    (x,) = builder.add(make("conv", out=4, kernel=3), [x], "conv")
    (x,) = builder.add(make("opaque", name="other::op", types=(((1, 4), "fp32"),)), [x], "odd")
    network = Compared("odd", analyze(builder.build({"output": x})))
    assert network.value(QUANTITIES["macs"]) is None
    assert network.value(QUANTITIES["flops"]) is None
    assert network.value(QUANTITIES["params"]) > 0
